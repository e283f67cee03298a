"""The settings: one dict, `CUSTOMER_HISTORY`, read at each access and never cached.

Each setting has one function here, with the name of the setting in lower case.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Any

from django.conf import settings
from django.utils.functional import Promise
from django.utils.module_loading import import_string
from django.utils.translation import pgettext_lazy

from django_customer_history.conf.rules import (
    boolean_rule,
    function_of,
    header_rule,
    name_rule,
    number_from,
    proxies_rule,
    seconds_rule,
    url_rule,
    witnesses_rule,
)
from django_customer_history.exceptions import did_you_mean

SETTING = "CUSTOMER_HISTORY"

LARGEST_PAGE = 200
"""The largest number of entries on one page, also for `?limit=`."""

Network = IPv4Network | IPv6Network

SOURCES: Mapping[str, str | Promise] = {
    "web": pgettext_lazy("source", "Web"),
    "api": pgettext_lazy("source", "API"),
    "admin": pgettext_lazy("source", "Admin"),
    "workflow": pgettext_lazy("source", "Workflow"),
    "integration": pgettext_lazy("source", "Integration"),
    "import": pgettext_lazy("source", "Import"),
    "command": pgettext_lazy("source", "Command"),
    "migration": pgettext_lazy("source", "Migration"),
    "task": pgettext_lazy("source", "Task"),
    "system": pgettext_lazy("source", "System"),
}
"""The sources of the package, code to name; a project adds its own with the setting SOURCES."""

IP_ADDRESS_STORAGES = ("full", "truncated", "none")

SEAL_SCHEMES = ("storage", "file", "https", "http", "mailto")
"""What the URL of a place for checkpoints begins with."""

DEFAULTS: Mapping[str, Any] = {
    "TRUSTED_PROXIES": (),
    "PROXY_HEADER": "X-Forwarded-For",
    "IP_ADDRESS_STORAGE": "full",
    "SOURCES": {},
    "SOURCE_RESOLVER": None,
    "USER_RESOLVER": None,
    "IMPERSONATOR_RESOLVER": None,
    "REASON_HEADER": None,
    "REASON_FIELD": None,
    "PROPAGATE_CONTEXT_TO_TASKS": False,
    "VIEW_INTERVAL": 900,
    "AUTHENTICATION_EVENTS": False,
    "AUTHENTICATION_EVENT_LIMIT": 60,
    "PAGE_SIZE": 50,
    "APPEND_ONLY_TRIGGERS": True,
    "PARTITIONS": None,
    "SETTLED_LAG_LIMIT": 600,
    "SEAL_KEY": None,
    "SEAL_TARGETS": (),
    "SEAL_LAG_LIMIT": 86_400,
    "VERIFICATION_AGE_LIMIT": 30 * 86_400,
    "SEAL_TIMESTAMP_URL": None,
    "SEAL_TIMESTAMP_ROOTS": None,
    "SEAL_WITNESSES": {},
    "MASK_UNTIL_REVEALED": False,
    "READER_TIME_ZONE": None,
    "READING_TIME_LIMIT": 20,
}

_SOURCE = re.compile(r"[a-z0-9_-]{1,32}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """A setting that is wrong, and how to fix it."""

    message: str
    hint: str


def page_size() -> int:
    """Return how many entries a page of the tab and of the REST list has."""
    return int(_read("PAGE_SIZE"))


def append_only_triggers() -> bool:
    """Return whether triggers refuse to change or remove entries of the log."""
    return bool(_read("APPEND_ONLY_TRIGGERS"))


def partitions() -> str | None:
    """Return "month" if the log is partitioned by month where the database can, else None."""
    return _text("PARTITIONS")


def settled_lag_limit() -> int:
    """Return after how many seconds a transaction that holds back the feed is a problem."""
    return int(_read("SETTLED_LAG_LIMIT"))


def reading_time_limit() -> float:
    """Return for how many seconds a request may search the log; 0: without a limit."""
    return float(_read("READING_TIME_LIMIT"))


def seal_key() -> str | None:
    """Return the path of the file with the key of the seals, or `env:NAME`; None without seals."""
    return _text("SEAL_KEY")


def seal_targets() -> Sequence[str]:
    """Return the URLs of the places outside of the database that get each checkpoint."""
    targets: Sequence[str] = _read("SEAL_TARGETS")
    return targets


def seal_lag_limit() -> int:
    """Return after how many seconds it is a problem that an entry is not sealed."""
    return int(_read("SEAL_LAG_LIMIT"))


def verification_age_limit() -> int:
    """Return after how many seconds a verification is too old; 0: without a limit."""
    return int(_read("VERIFICATION_AGE_LIMIT"))


def seal_timestamp_url() -> str | None:
    """Return the URL of the authority that stamps each checkpoint with the time, or None."""
    return _text("SEAL_TIMESTAMP_URL")


def seal_timestamp_roots() -> str | None:
    """Return the path of the PEM file with the certificates that timestamps must lead to."""
    return _text("SEAL_TIMESTAMP_ROOTS")


def seal_witnesses() -> Mapping[str, str]:
    """Return the witnesses that cosign each checkpoint: their URLs with their public keys."""
    witnesses: Mapping[str, str] = _read("SEAL_WITNESSES")
    return witnesses


def mask_until_revealed() -> bool:
    """Return whether confidential values stay masked even for readers with the permission.

    Such a reader reveals the values of one entry at a time, and each reveal is logged.
    """
    return bool(_read("MASK_UNTIL_REVEALED"))


def trusted_proxies() -> Sequence[Network] | int:
    """Return the networks of the project's own proxies, or how many proxies there are in a row.

    An empty list means that there is no proxy. Raises `ValueError` for text that is not a
    network; the system check E001 reports it first.
    """
    proxies = _read("TRUSTED_PROXIES")
    return proxies if isinstance(proxies, int) else [ip_network(one) for one in proxies]


def proxy_header() -> str:
    """Return the name of the one header in which the proxies pass on the client's address."""
    return str(_read("PROXY_HEADER"))


def ip_address_storage() -> str:
    """Return how much of an IP address the log keeps: "full", "truncated" or "none"."""
    return str(_read("IP_ADDRESS_STORAGE"))


def sources() -> Mapping[str, str | Promise]:
    """Return all sources, code to name: those of the package and those of the project."""
    return {**SOURCES, **_read("SOURCES")}


def source_resolver() -> Callable[[Any], str | None] | None:
    """Return the project's function from a request to the code of a source, or None."""
    function: Callable[[Any], str | None] | None = _function("SOURCE_RESOLVER")
    return function


def user_resolver() -> Callable[[Any], Any] | None:
    """Return the project's function from a request to its user, or None."""
    function: Callable[[Any], Any] | None = _function("USER_RESOLVER")
    return function


def impersonator_resolver() -> Callable[[Any], Any] | None:
    """Return the function from a request to the user who impersonates another, or None."""
    function: Callable[[Any], Any] | None = _function("IMPERSONATOR_RESOLVER")
    return function


def reader_time_zone() -> Callable[[Any], Any] | None:
    """Return the function from a reader to the name of that reader's time zone, or None."""
    function: Callable[[Any], Any] | None = _function("READER_TIME_ZONE")
    return function


def reason_header() -> str | None:
    """Return the name of the header with the reason for the changes of a request, or None."""
    return _text("REASON_HEADER")


def reason_field() -> str | None:
    """Return the name of the form field with the reason for the changes of a request, or None."""
    return _text("REASON_FIELD")


def propagate_context_to_tasks() -> bool:
    """Return whether tasks of Django get the context of their sender as an extra argument."""
    return bool(_read("PROPAGATE_CONTEXT_TO_TASKS"))


def view_interval() -> int:
    """Return in how many seconds the same view by the same user is not logged again."""
    return int(_read("VIEW_INTERVAL"))


def authentication_events() -> bool:
    """Return whether log-ins, failed log-ins and the like are logged."""
    return bool(_read("AUTHENTICATION_EVENTS"))


def authentication_event_limit() -> int:
    """Return how many failed log-ins and the like a process logs in a minute."""
    return int(_read("AUTHENTICATION_EVENT_LIMIT"))


def problems() -> list[Problem]:
    """Return what is wrong with the settings, for the system check E001."""
    given = getattr(settings, SETTING, {})
    if not isinstance(given, Mapping):
        return [
            Problem(
                message=f"{SETTING} is {given!r}, which is not a dict.",
                hint=f'Write the settings as a dict, such as {SETTING} = {{"PAGE_SIZE": 50}}.',
            )
        ]
    found = [
        Problem(
            message=f"{SETTING}: setting {key!r} does not exist.{did_you_mean(str(key), DEFAULTS)}",
            hint=f"The settings are: {', '.join(sorted(DEFAULTS))}.",
        )
        for key in given
        if key not in DEFAULTS
    ]
    for key, rule in _RULES.items():
        if key in given and (hint := rule(given[key])):
            found.append(
                Problem(
                    message=f"{SETTING}[{key!r}] is {given[key]!r}, which is not valid.", hint=hint
                )
            )
    return found


def _read(key: str) -> Any:
    # Reading a setting that is not set costs Django an exception, twenty times as much as this.
    if not settings.is_overridden(SETTING):  # type: ignore[misc]  # The stubs lack it.
        return DEFAULTS[key]
    return getattr(settings, SETTING, {}).get(key, DEFAULTS[key])


def _text(key: str) -> str | None:
    value = _read(key)
    return None if value is None else str(value)


def _function(key: str) -> Any:
    value = _read(key)
    return import_string(value) if isinstance(value, str) else value


def _ip_address_storage_rule(value: object) -> str | None:
    if value in IP_ADDRESS_STORAGES:
        return None
    return f"Give one of: {', '.join(map(repr, IP_ADDRESS_STORAGES))}."


def _sources_rule(value: object) -> str | None:
    hint = 'Give a dict from codes to names, such as {"kiosk": _("Kiosk")}.'
    if not isinstance(value, Mapping):
        return hint
    for code, label in value.items():
        if not isinstance(code, str) or not _SOURCE.fullmatch(code):
            return (
                f"{hint} The code {code!r} is not valid: use 1 to 32 lower-case letters, digits,"
                ' "-" and "_".'
            )
        if not isinstance(label, str | Promise):
            return f"{hint} The name of {code!r} is not text."
    return None


def _page_size_rule(value: object) -> str | None:
    if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= LARGEST_PAGE:
        return None
    return f"Give a whole number from 1 to {LARGEST_PAGE}."


def _partitions_rule(value: object) -> str | None:
    return None if value in (None, "month") else 'Give "month", or None for one table.'


def _seal_key_rule(value: object) -> str | None:
    if value is None or (isinstance(value, str) and value and not value.lstrip().startswith("{")):
        return None
    return (
        'Name a file, such as "/etc/history/seal.key", or a variable, such as "env:SEAL_KEY". Never'
        " give the key itself."
    )


def _seal_targets_rule(value: object) -> str | None:
    if isinstance(value, list | tuple) and all(
        isinstance(one, str) and one.partition(":")[0] in SEAL_SCHEMES for one in value
    ):
        return None
    schemes = ", ".join(f"{one}:" for one in SEAL_SCHEMES)
    return f"Give a list of URLs that begin with one of: {schemes}"


_RULES: Mapping[str, Callable[[object], str | None]] = {
    "TRUSTED_PROXIES": proxies_rule,
    "PROXY_HEADER": header_rule,
    "IP_ADDRESS_STORAGE": _ip_address_storage_rule,
    "SOURCES": _sources_rule,
    "SOURCE_RESOLVER": function_of("request"),
    "USER_RESOLVER": function_of("request"),
    "IMPERSONATOR_RESOLVER": function_of("request"),
    "REASON_HEADER": name_rule,
    "REASON_FIELD": name_rule,
    "PROPAGATE_CONTEXT_TO_TASKS": boolean_rule,
    "VIEW_INTERVAL": number_from(0),
    "AUTHENTICATION_EVENTS": boolean_rule,
    "AUTHENTICATION_EVENT_LIMIT": number_from(1),
    "PAGE_SIZE": _page_size_rule,
    "APPEND_ONLY_TRIGGERS": boolean_rule,
    "PARTITIONS": _partitions_rule,
    "SETTLED_LAG_LIMIT": number_from(0),
    "SEAL_KEY": _seal_key_rule,
    "SEAL_TARGETS": _seal_targets_rule,
    "SEAL_LAG_LIMIT": number_from(0),
    "VERIFICATION_AGE_LIMIT": number_from(0),
    "SEAL_TIMESTAMP_URL": url_rule,
    "SEAL_TIMESTAMP_ROOTS": name_rule,
    "SEAL_WITNESSES": witnesses_rule,
    "MASK_UNTIL_REVEALED": boolean_rule,
    "READER_TIME_ZONE": function_of("user"),
    "READING_TIME_LIMIT": seconds_rule,
}
