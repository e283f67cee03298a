"""Rules for the values of settings: each returns how to write a value that is not valid."""

import re
from collections.abc import Callable, Mapping, Sequence
from ipaddress import ip_network
from math import inf

from django.utils.module_loading import import_string

_HEADER = re.compile(r"[A-Za-z0-9-]+")


def proxies_rule(value: object) -> str | None:
    """Return how to write networks, or the number of proxies in a row; None: the value is right."""
    hint = 'Give a list of networks, such as ["10.0.0.0/8", "::1"], or the number of proxies.'
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return None
    if isinstance(value, str) or not isinstance(value, Sequence):
        return hint
    for network in value:
        try:
            ip_network(network)
        except ValueError as error:
            return f"{hint} {error}."
    return None


def header_rule(value: object) -> str | None:
    """Return how to write the name of a header; None: the value is right."""
    if isinstance(value, str) and _HEADER.fullmatch(value):
        return None
    return 'Give the name of a header, such as "X-Forwarded-For" or "Forwarded".'


def name_rule(value: object) -> str | None:
    """Return how to write a name, or None; None: the value is right."""
    if value is None or (isinstance(value, str) and value):
        return None
    return "Give a name, or None to switch it off."


def function_of(argument: str) -> Callable[[object], str | None]:
    """Return the rule for a function that takes an argument, or the path to one, or None."""
    hint = f"Give a function that takes a {argument}, or the dotted path to one."
    return lambda value: _function_rule(value, hint)


def _function_rule(value: object, hint: str) -> str | None:
    try:
        function = import_string(value) if isinstance(value, str) else value
    except ImportError as error:
        return f"{hint} The import failed: {error}"
    return None if function is None or callable(function) else hint


def number_from(lowest: int) -> Callable[[object], str | None]:
    """Return the rule for whole numbers from the lowest one on."""
    hint = f"Give a whole number of at least {lowest}."

    def rule(value: object) -> str | None:
        if isinstance(value, int) and not isinstance(value, bool) and value >= lowest:
            return None
        return hint

    return rule


def seconds_rule(value: object) -> str | None:
    """Return how to write a number of seconds from 0 on; None: the value is right."""
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < inf:
        return None
    return "Give a number of seconds, or 0 for no limit."


def boolean_rule(value: object) -> str | None:
    """Return how to write True or False; None: the value is right."""
    return None if isinstance(value, bool) else "Give True or False."


def url_rule(value: object) -> str | None:
    """Return how to write a URL of HTTP, or None; None: the value is right."""
    if value is None or (isinstance(value, str) and value.startswith(("https://", "http://"))):
        return None
    return 'Give a URL, such as "https://tsa.example.com/", or None.'


def witnesses_rule(value: object) -> str | None:
    """Return how to write URLs with public keys; None: the value is right."""
    if isinstance(value, Mapping) and all(
        isinstance(url, str) and url_rule(url) is None and isinstance(key, str) and "+" in key
        for url, key in value.items()
    ):
        return None
    return (
        'Give a dict from URLs to public keys: {"https://witness.example.com":'
        ' "witness.example.com+1a2b3c4d+AbCd"}.'
    )
