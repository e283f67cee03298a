"""Masks: what is left of a confidential value for those who may not see it.

A mask shows a fixed number of places for what it hides, so not even the length is told.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

_SHORTEST = 8
"""A value with fewer letters and digits is hidden wholly: its last four would be most of it."""


@dataclass(frozen=True, slots=True)
class Mask:
    """A named way to hide a text.

    `hide` takes the text of a value as the log stores it, never an empty one, and returns what
    may be shown of it. Let it show a fixed number of places, or it tells the length. The name
    is for your eyes; marks that staff make know only the names in `MASKS`.
    """

    name: str
    hide: Callable[[str], str]

    def __call__(self, value: str | None) -> str | None:
        """Return what may be shown of `value`; None and the empty text hide nothing."""
        return value if value is None or value == "" else self.hide(value)


def _full(value: str) -> str:
    return "*****"


def _last_four(pattern: str) -> Callable[[str], str]:
    def hide(value: str) -> str:
        characters = [character for character in value if character.isalnum()]
        shown = "".join(characters[-4:]) if len(characters) >= _SHORTEST else "****"
        return pattern.format(shown)

    return hide


def _email(value: str) -> str:
    name, at, domain = value.rpartition("@")
    return f"{name[0]}***@{domain}" if at and name and domain else "*****"


FULL = Mask("full", _full)
SSN = Mask("ssn", _last_four("***-**-{}"))
CARD = Mask("card", _last_four("**** **** **** {}"))
ACCOUNT = Mask("account", _last_four("*****{}"))
EMAIL = Mask("email", _email)

MASKS: Mapping[str, Mask] = {mask.name: mask for mask in (FULL, SSN, CARD, ACCOUNT, EMAIL)}
"""The masks that staff can choose by name."""


def as_mask(given: Mask | Callable[[str], str]) -> Mask:
    """Return what a registration gives as a mask as a `Mask`.

    A function of the host's own, from a text to a text, becomes one that bears its name.
    """
    return given if isinstance(given, Mask) else Mask(getattr(given, "__name__", "own"), given)
