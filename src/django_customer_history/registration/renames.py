"""Former names of models and fields: old entries are read under the names of today.

The log has an entry for each rename. Entries that are older carry the former name, and are never
changed. The names
are translated when entries are read, with the renames that came later.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.apps import apps
from django.db.models import Q

from django_customer_history.registration.own_models import own_model
from django_customer_history.values.conditions import of_few

KIND = "customer_history.rename"
"""The entity model of the entries about renames; their entity is the label of the model."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rename:
    """One rename: of a model, or of a field of a model."""

    id: UUID
    """The entry about it. Older entries have the former name."""
    model: str
    """The label of the model: for a renamed model the new one."""
    old: str
    new: str
    is_model: bool


class Renames:
    """The renames that the log of each database has, in the order of time."""

    def __init__(self) -> None:
        self._by_alias: dict[str, tuple[Rename, ...]] = {}

    def load(self, using: str) -> tuple[Rename, ...]:
        """Read the renames of a database again, with one statement."""
        log = own_model("Entry")._default_manager.using(using)
        return self.read(log.filter(of_few("entity_model", KIND)).order_by("id"), using=using)

    def read(self, entries: Iterable[Any], *, using: str) -> tuple[Rename, ...]:
        """Keep the renames of some entries as those of a database."""
        renames = tuple(sorted(_renames_of(entries), key=lambda one: one.id))
        self._by_alias[using] = renames
        return renames

    def of(self, using: str) -> tuple[Rename, ...]:
        """Return the renames of a database. Only the first call in a process reads them."""
        found = self._by_alias.get(using)
        return self.load(using) if found is None else found

    def labels(self, label: str, *, using: str) -> tuple[str, ...]:
        """Return the label of a model and its former ones, the newest first."""
        return tuple(label for label, _before in _labels(self.of(using), label))

    def matching(self, column: str, label: str, *, using: str) -> Q:
        """Return the condition that a column has the label of a model, or a former one.

        A former label that another model has today counts for older entries only.
        """
        known = _labels(self.of(using), label)
        labels = [one for one, before in known if before is None or not _is_in_use(one)]
        condition = Q(**{f"{column}__in": labels}) if len(labels) > 1 else Q(**{column: labels[0]})
        for one, before in known:
            if before is not None and _is_in_use(one):
                condition |= Q(**{column: one, "id__lt": before})
        taken = [one.id for one in self.of(using) if one.is_model and one.old == label]
        # The label belonged to another model before.
        return condition & Q(id__gt=max(taken)) if taken and _is_in_use(label) else condition

    def names(self, name: str, *, label: str | None = None) -> frozenset[str]:
        """Return a field's name with its former ones, in every database: `tax_no`, `udf.color`."""
        names = {name}
        for renames in tuple(self._by_alias.values()):
            for one in reversed(renames):
                if not one.is_model and (label is None or one.model == label):
                    names |= {_renamed(known, one.new, one.old) for known in names}
        return frozenset(names)

    def translate(self, entry: Any, *, using: str) -> Any:
        """Give an entry that was just read the names of today, and return it."""
        renames = self.of(using)
        if not renames or "_is_translated" in entry.__dict__:
            return entry
        entry._is_translated = True
        for one in renames:
            if one.id <= entry.id:
                continue
            if one.is_model:
                for column in ("entity_model", "subject_model"):
                    if getattr(entry, column) == one.old:
                        setattr(entry, column, one.new)
            elif entry.entity_model == one.model:
                entry.changes = {
                    _renamed(name, one.old, one.new): pair for name, pair in entry.changes.items()
                }
        return entry

    def field_now(self, label: str, name: str, *, at: UUID, using: str) -> str:
        """Return the name that a field of a model has today; `at` is an entry with `name`."""
        for one in self.of(using):
            if one.id <= at:
                continue
            if one.is_model and one.old == label:
                label = one.new
            elif not one.is_model and one.model == label:
                name = _renamed(name, one.old, one.new)
        return name

    def label_now(self, label: str, *, at: UUID, using: str) -> str:
        """Return the label that a model has today; `at` is an entry with `label`."""
        for one in self.of(using):
            if one.is_model and one.old == label and one.id > at:
                label = one.new
        return label

    def forget(self) -> None:
        """Forget what was read, so that the next call reads it again."""
        self._by_alias.clear()


renames = Renames()


def _renames_of(entries: Iterable[Any]) -> Iterator[Rename]:
    for entry in entries:
        for kind, (old, new) in entry.changes.items():
            if kind in ("model", "field") and old and new:
                yield Rename(
                    id=entry.id,
                    model=entry.entity_id,
                    old=old,
                    new=new,
                    is_model=kind == "model",
                )


def _labels(known: Iterable[Rename], label: str) -> list[tuple[str, UUID | None]]:
    """Return a model's labels, each with the rename until which it was in use; None: it is."""
    labels: list[tuple[str, UUID | None]] = [(label, None)]
    for one in reversed(tuple(known)):
        newest, before = labels[-1]
        if one.is_model and one.new == newest and (before is None or one.id < before):
            labels.append((one.old, one.id))
    return labels


def _renamed(name: str, old: str, new: str) -> str:
    if name == old:
        return new
    return f"{new}{name[len(old) :]}" if name.startswith(f"{old}.") else name


def _is_in_use(label: str) -> bool:
    try:
        apps.get_model(label)
    except (LookupError, ValueError):
        return False
    return True
