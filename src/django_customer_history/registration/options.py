"""The options of a registration, as people write them: checked here, reported by the checks.

Apps are still loading when a model is registered, so a wrong option does not raise. It is left
out, and the system check E009 reports it.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from django_customer_history.labels import LONGEST_ACTION
from django_customer_history.masks import FULL, MASKS, Mask
from django_customer_history.values.encoding import encode

KeyLabels = Callable[[Any], Mapping[str, Any]]
"""Takes the reader; returns the labels of the keys that it knows."""

Display = Callable[[Any], Any]
"""Takes a value, never None and never a masked one; returns the text to show."""

FieldNames = str | Iterable[str] | None

Events = Mapping[str, str | Mapping[Any, str]]

ROW_KINDS: frozenset[str] = frozenset({"create", "update", "delete", "add", "remove"})
"""The kinds of entries that changes of rows, and of links between rows, make."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InvalidOption:
    """A value of an option that cannot be used."""

    option: str
    """The option, such as `exclude`, or its part, such as `confidential['ssn']`."""
    value: object
    expected: str
    """What to write instead, as a sentence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EventName:
    """The action of a change: of a field, of a field to one value, or of a whole kind."""

    field: str
    """A field's name, or one of the kinds `create`, `update` and `delete`."""
    value: str | None
    """The field's new value as canonical text; None: any value."""
    action: str


class OptionReader:
    """Reads options into the values of a `Registration`, and collects those that are wrong."""

    def __init__(self) -> None:
        self.invalid: list[InvalidOption] = []

    def names(self, option: str, given: Any) -> tuple[str, ...]:
        """Return one name or several as a tuple."""
        if given is None:
            return ()
        if isinstance(given, str):
            return (given,)
        is_list = isinstance(given, Iterable) and not isinstance(given, Mapping)
        found = tuple(given) if isinstance(given, Iterable) else ()
        names = tuple(name for name in found if isinstance(name, str))
        if not is_list or len(names) < len(found):
            self._report(option, given, _NAMES_EXPECTED)
        # The names that can be read still count: a secret field must not be logged by mistake.
        return names

    def names_or_none(self, option: str, given: Any) -> tuple[str, ...] | None:
        """Return names as a tuple, or None if the option is not given."""
        return None if given is None else self.names(option, given)

    def masks(self, option: str, given: Any) -> Mapping[str, Mask]:
        """Return the masks by field; a field whose mask is wrong is masked fully."""
        if given is not None and not isinstance(given, Mapping):
            expected = 'Give a dict from fields to masks, such as {"ssn": masks.SSN}.'
            self._report(option, given, expected)
            names = [given] if isinstance(given, str) else given
            given = dict.fromkeys(_texts_of(names), FULL)
        masks: dict[str, Mask] = {}
        for name, mask in self._pairs(option, given):
            masks[name] = mask if callable(mask) else FULL
            if not callable(mask):
                self._report(f"{option}[{name!r}]", mask, _mask_expected(mask))
        return MappingProxyType(masks)

    def functions(self, option: str, given: Any) -> Mapping[str, Callable[[Any], Any]]:
        """Return the functions by field."""
        if given is not None and not isinstance(given, Mapping):
            self._report(option, given, _FUNCTIONS_EXPECTED)
            return MappingProxyType({})
        functions = {}
        for name, function in self._pairs(option, given):
            if callable(function):
                functions[name] = function
            else:
                self._report(f"{option}[{name!r}]", function, _FUNCTION[option])
        return MappingProxyType(functions)

    def events(self, option: str, given: Any) -> tuple[EventName, ...]:
        """Return the actions of changes, in their order."""
        if given is not None and not isinstance(given, Mapping):
            self._report(option, given, _EVENTS_EXPECTED)
            return ()
        return tuple(
            event
            for name, actions in self._pairs(option, given)
            for event in self._events_of(option, name, actions)
        )

    def reasons(self, option: str, given: Any) -> frozenset[str]:
        """Return the fields and kinds that need a reason; True stands for all kinds."""
        if isinstance(given, bool):
            return ROW_KINDS if given else frozenset()
        return frozenset(self.names(option, given))

    def snapshots(self, option: str, given: Any) -> bool | str:
        """Return whether snapshots are taken, or the label of the app that has their table."""
        if isinstance(given, bool | str):
            return given
        self._report(option, given, "Give True, False or the label of an app.")
        return False

    def _events_of(self, option: str, name: str, actions: Any) -> Iterator[EventName]:
        place = f"{option}[{name!r}]"
        if not isinstance(actions, Mapping):
            if self._is_action(place, actions):
                yield EventName(field=name, value=None, action=actions)
            return
        for value, action in actions.items():
            if self._is_action(f"{place}[{value!r}]", action):
                try:
                    text = encode(value)
                except TypeError:
                    self._report(place, value, "Use values of the field as keys of the inner dict.")
                    continue
                yield EventName(field=name, value=text, action=action)

    def _is_action(self, place: str, action: Any) -> bool:
        is_action = isinstance(action, str) and 0 < len(action) <= LONGEST_ACTION
        if not is_action:
            self._report(place, action, f"Give an action of 1 to {LONGEST_ACTION} characters.")
        return is_action

    def _pairs(self, option: str, given: Any) -> Iterator[tuple[str, Any]]:
        for name, value in (given or {}).items():
            if isinstance(name, str):
                yield name, value
            else:
                self._report(option, name, "Use names of fields as keys of the dict.")

    def _report(self, option: str, value: object, expected: str) -> None:
        self.invalid.append(InvalidOption(option=option, value=value, expected=expected))


def _texts_of(names: Any) -> list[str]:
    return [name for name in names if isinstance(name, str)] if isinstance(names, Iterable) else []


def _mask_expected(mask: object) -> str:
    expected = (
        "Give a mask of django_customer_history.masks, or a function from text to the text to show."
    )
    is_name = isinstance(mask, str) and mask in MASKS
    return f"{expected} Did you mean masks.{str(mask).upper()}?" if is_name else expected


_NAMES_EXPECTED = 'Give the name of a field, or a list of names, such as ["name", "email"].'

_EVENTS_EXPECTED = (
    "Give a dict from fields or kinds to actions, such as"
    ' {"create": "Invoice Generated", "status": {"paid": "Invoice Paid"}}.'
)

_FUNCTIONS_EXPECTED = 'Give a dict from fields to functions, such as {"fee": "${:,.2f}".format}.'

_FUNCTION: Mapping[str, str] = {
    "key_labels": "Give a function that takes the reader and returns a dict from keys to labels.",
    "display": "Give a function that takes a value and returns the text to show.",
}
