"""Masks: what readers without the permission see of a confidential value.

A mask has the same number of characters for every value, so that it does not disclose the length.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

_SHORTEST = 8
"""Letters and digits: a shorter value is hidden completely, as four of them are half of it."""


@dataclass(frozen=True, slots=True)
class Mask:
    """A named function that masks values.

    `hide` takes the text of a value as the log stores it, never an empty one, and returns its
    masked form. Return the same number of characters for every value: the length of a value can
    be confidential, too. `name` appears in the log when the registration changes; staff can
    choose only the masks in `MASKS`.
    """

    name: str
    hide: Callable[[str], str]

    def __call__(self, value: str | None) -> str | None:
        """Return the masked form of a value; None and the empty text stay as they are."""
        return value if value is None or value == "" else self.hide(value)


def _full(value: str) -> str:
    return "*****"


def _last_four(pattern: str) -> Callable[[str], str]:
    def hide(value: str) -> str:
        characters = [character for character in value if character.isalnum()]
        last_four = "".join(characters[-4:]) if len(characters) >= _SHORTEST else "****"
        return pattern.format(last_four)

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


def as_mask(mask: Mask | Callable[[str], str]) -> Mask:
    """Return the mask of a registration as a `Mask`.

    A plain function of the project, from text to text, becomes a mask with the function's name.
    """
    return mask if isinstance(mask, Mask) else Mask(getattr(mask, "__name__", "own"), mask)
