"""What the entry of a change is called: the one rule that triggers and readers follow."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from django.utils.text import capfirst

from django_customer_history.labels import Kind
from django_customer_history.registration.registry import Registration

ROW_CHANGES: tuple[Kind, ...] = ("create", "update", "delete")
"""The kinds that a registration can name as a whole."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedAction:
    """The name of the changes that meet a condition."""

    action: str
    kind: Kind
    field: str | None = None
    """Only if this field is among the changes; None: always."""
    value: str | None = None
    """Only if the field has this new value, as canonical text; None: any value."""

    def is_met_by(self, kind: str, changes: Mapping[str, Sequence[str | None]]) -> bool:
        """Return whether an entry of a kind and with these changes gets the name."""
        if kind != self.kind:
            return False
        if self.field is None:
            return True
        if self.field not in changes:
            return False
        return self.value is None or changes[self.field][1] == self.value


def named_actions(
    registration: Registration, *, fields: Collection[str], secret: Collection[str]
) -> Iterator[NamedAction]:
    """Yield the names for changes of a model's rows; the first whose condition is met wins.

    `fields` are the names of the tracked fields, `secret` those of the secret ones: a change of
    a secret field has a name of its own, because its values are not in the log.
    """
    for event in registration.events:
        if event.field in secret and event.value is not None:
            continue  # E024 reports it: the value must not be in a trigger.
        if event.field in fields:
            yield NamedAction(
                kind="update", action=event.action, field=event.field, value=event.value
            )
            if event.value is not None:
                yield NamedAction(
                    kind="create", action=event.action, field=event.field, value=event.value
                )
        elif event.field in ROW_CHANGES:
            yield NamedAction(kind=event.field, action=event.action)
    for name in fields:
        if name in secret:
            words = capfirst(name.replace("_", " "))
            yield NamedAction(kind="update", action=f"{words} changed", field=name)
