"""The settings: one dict, `CUSTOMER_HISTORY`, read at every access and never kept."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Any

from django.conf import settings

SETTING = "CUSTOMER_HISTORY"

LARGEST_PAGE = 200
"""Entries that one page may have, whoever asks."""

DEFAULTS: Mapping[str, Any] = {
    "TRUSTED_PROXIES": (),
    "PAGE_SIZE": 50,
    "GUARDS": True,
    "MASK_UNTIL_REVEALED": False,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """A setting that is wrong, and the mend."""

    message: str
    hint: str


def page_size() -> int:
    """Return the number of entries on a page of the tab and of the REST list."""
    return int(_read("PAGE_SIZE"))


def guards_wanted() -> bool:
    """Return whether triggers shall refuse to change or remove entries."""
    return bool(_read("GUARDS"))


def masked_until_revealed() -> bool:
    """Return whether confidential values stay masked, also for those who may see them.

    They are then shown by an explicit look only, which is an entry of the log.
    """
    return bool(_read("MASK_UNTIL_REVEALED"))


def trusted_proxies() -> Sequence[IPv4Network | IPv6Network]:
    """Return the networks whose `X-Forwarded-For` is believed; empty: nobody's.

    Raises `ValueError` for a text that is no network; the system check names it before.
    """
    return [ip_network(network) for network in _read("TRUSTED_PROXIES")]


def problems() -> list[Problem]:
    """Return what is wrong with the settings, for the system check."""
    given = getattr(settings, SETTING, {})
    if not isinstance(given, Mapping):
        return [Problem(message=f"{SETTING} is not a dict.", hint=f"Write {SETTING} = {{}}.")]
    found = [
        Problem(
            message=f"{SETTING} has the unknown key {key!r}.",
            hint=f"Known keys: {', '.join(sorted(DEFAULTS))}.",
        )
        for key in given
        if key not in DEFAULTS
    ]
    for key, rule in _RULES.items():
        if key in given and (hint := rule(given[key])):
            found.append(Problem(message=f"{SETTING}[{key!r}] is {given[key]!r}.", hint=hint))
    return found


def _read(key: str) -> Any:
    return getattr(settings, SETTING, {}).get(key, DEFAULTS[key])


def _networks_rule(value: object) -> str | None:
    hint = 'Give a list of networks, like ["10.0.0.0/8", "::1"].'
    if isinstance(value, str) or not isinstance(value, Sequence):
        return hint
    for network in value:
        try:
            ip_network(network)
        except ValueError as error:
            return f"{hint} ({error})"
    return None


def _page_size_rule(value: object) -> str | None:
    if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= LARGEST_PAGE:
        return None
    return f"Give a whole number from 1 to {LARGEST_PAGE}."


def _boolean_rule(value: object) -> str | None:
    return None if isinstance(value, bool) else "Give True or False."


_RULES: Mapping[str, Callable[[object], str | None]] = {
    "TRUSTED_PROXIES": _networks_rule,
    "PAGE_SIZE": _page_size_rule,
    "GUARDS": _boolean_rule,
    "MASK_UNTIL_REVEALED": _boolean_rule,
}
