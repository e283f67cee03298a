"""What is hidden inside a JSON value: the one rule, whatever shape the value has.

A rule names a key by its path, `address.city`. The value can have another shape than the rule
expects: a list of objects, a list of scalars, a scalar, or JSON that was stored as text. What is
in the place of the key is hidden, because it may be the value that the rule means.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from django_customer_history.masks import FULL, Mask

Paths = Mapping[str, Mask]
"""Masks by the path to the key inside a JSON value."""

_Hide = Callable[[Any, str], Any]
"""Takes a hidden value and the rest of the path; it is empty at the value that the path names."""


def mask_keys(text: str, paths: Paths) -> str | None:
    """Return the text of a JSON value with the values of some keys masked."""
    try:
        value = json.loads(text)
        for path, mask in paths.items():
            value = _replaced(value, path, _masking(mask))
        return json.dumps(value, ensure_ascii=False)
    except (ValueError, RecursionError):
        return FULL(text)  # It is not JSON: the field had another type when it was written.


def mask_value(text: str, mask: Mask, *, is_json: bool) -> str | None:
    """Return the text of a value masked as a whole."""
    if not is_json:
        return mask(text)
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return mask(text)
    return mask(text) if isinstance(value, int | float | None) else _masked(value, mask)


def hidden_texts(value: Any, paths: Iterable[str]) -> Iterator[str]:
    """Yield the text of each scalar in a JSON value that the paths hide."""
    found: list[Any] = []

    def collect(hidden: Any, _rest: str) -> None:
        found.append(hidden)

    for path in paths:
        try:
            _replaced(value, path, collect)
        except RecursionError:
            found.append(str(value))
    for hidden in found:
        yield from _scalars(hidden)


def shows_key(text: str | None, path: str) -> bool:
    """Return whether the text of a JSON value has a value that a path names."""
    if text is None:
        return False
    try:
        return any(hidden_texts(json.loads(text), [path]))
    except (ValueError, RecursionError):
        return True


def _replaced(value: Any, path: str, hide: _Hide) -> Any:
    """Return a value with everything replaced that the path names, or may name."""
    if value is None:
        return None
    if isinstance(value, list):
        first, _, rest = path.partition(".")
        inner_path = rest if first.isdecimal() else path
        return [_replaced(item, inner_path, hide) for item in value]
    if isinstance(value, dict):
        return {key: _replaced_member(key, inner, path, hide) for key, inner in value.items()}
    parsed = _parsed(value) if isinstance(value, str) else None
    if parsed is not None:
        return json.dumps(_replaced(parsed, path, hide), ensure_ascii=False)
    return hide(value, path)


def _replaced_member(key: str, inner: Any, path: str, hide: _Hide) -> Any:
    # A key can contain dots itself, so that the path is compared as a whole.
    if key == path or not path:
        return hide(inner, "")
    if path.startswith(f"{key}."):
        return _replaced(inner, path.removeprefix(f"{key}."), hide)
    return inner


def _masking(mask: Mask) -> _Hide:
    def hide(value: Any, rest: str) -> Any:
        return _masked(value, FULL if rest else mask)

    return hide


def _masked(value: Any, mask: Mask) -> str | None:
    if isinstance(value, dict | list):
        return FULL(json.dumps(value))  # The last four characters of an object are not a mask.
    return mask(value if isinstance(value, str | None) else json.dumps(value))


def _parsed(text: str) -> Any:
    """Return the object or list that a text contains as JSON, or None."""
    if not text.lstrip().startswith(("{", "[", '"')):
        return None
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict | list | str) else None


def _scalars(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for inner in value.values():
            yield from _scalars(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _scalars(inner)
    elif value is not None and value != "":
        yield str(value)
