"""Differences between an old and a new value: words of a text, members of a JSON value."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import groupby, takewhile
from typing import Any

UNCHANGED, REMOVED, ADDED = "unchanged", "removed", "added"

_WORD = re.compile(r"\s+|\w+|[^\w\s]")
_MAX_WORDS = 800
"""Of either text, between the parts that both start and end with. The time to compare them grows
with the product of both lengths."""
_MIN_SIMILARITY = 0.3
"""Texts that share less are different texts. Marks on their words would only distract."""


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of a value: unchanged, removed or added."""

    text: str
    kind: str = UNCHANGED


Segments = tuple[Segment, ...]


def text_diff(old: str, new: str) -> tuple[Segments, Segments] | None:
    """Return the segments of both texts, or None if the texts have too little in common."""
    old_words, new_words = _WORD.findall(old), _WORD.findall(new)
    start = _common_length(old_words, new_words)
    end = _common_length(old_words[start:][::-1], new_words[start:][::-1])
    middle = [words[start : len(words) - end] for words in (old_words, new_words)]
    blocks = list(_compared(*middle))
    tail_words = old_words[len(old_words) - end :]
    common_words = (old_words[:start], tail_words, *(same for same, _, _ in blocks))
    longest = max(_letters(old_words), _letters(new_words))
    if sum(_letters(words) for words in common_words) < _MIN_SIMILARITY * longest:
        return None
    head = [Segment("".join(old_words[:start]))]
    tail = [Segment("".join(tail_words))]
    left = [part for same, removed, _ in blocks for part in _pair(same, removed, REMOVED)]
    right = [part for same, _, added in blocks for part in _pair(same, added, ADDED)]
    return _joined([*head, *left, *tail]), _joined([*head, *right, *tail])


def excerpt(segments: Sequence[Segment], *, length: int, lines: int) -> Segments:
    """Return the part of a long value around its first difference, or () for a short value.

    `length` is in characters. The excerpt has at most `lines` lines.
    """
    text = "".join(segment.text for segment in segments)
    if len(text) <= length and text.count("\n") < lines:
        return ()
    # A quarter of the excerpt is the text before the first difference.
    skipped = max(0, _position_of_difference(segments) - length // 4)
    is_from_start = skipped == 0
    left, kept = length, []
    for segment in segments:
        part = segment.text[skipped:] if skipped else segment.text
        skipped = max(0, skipped - len(segment.text))
        if part and left > 0:
            kept.append(Segment(part[:left], segment.kind))
            left -= len(part)
    kept = list(_first_lines(kept, lines))
    start = [] if is_from_start else [Segment("… ")]
    return _joined([*start, *kept, Segment(" …")])


def json_diff(old: Any, new: Any) -> tuple[Segments, Segments]:
    """Return the members of two JSON values that differ, one segment for each member.

    If one of the values is None, all members of the other one are returned as unchanged.
    """
    old_members, new_members = _members(old), _members(new)
    if old is None or new is None:
        return _segments(old_members, UNCHANGED), _segments(new_members, UNCHANGED)
    removed = {path: text for path, text in old_members.items() if new_members.get(path) != text}
    added = {path: text for path, text in new_members.items() if old_members.get(path) != text}
    return _segments(removed, REMOVED), _segments(added, ADDED)


def _compared(
    old: Sequence[str], new: Sequence[str]
) -> Iterator[tuple[Sequence[str], Sequence[str], Sequence[str]]]:
    """Yield blocks of common words, followed by the words that were removed and added."""
    if max(len(old), len(new)) > _MAX_WORDS:
        yield (), old, new
        return
    same: Sequence[str] = ()
    for tag, i, j, k, m in SequenceMatcher(a=old, b=new, autojunk=False).get_opcodes():
        if tag == "equal":
            same = old[i:j]
        else:
            yield same, old[i:j], new[k:m]
            same = ()
    if same:
        yield same, (), ()


def _common_length(one: Sequence[str], other: Sequence[str]) -> int:
    """Return how many words both start with."""
    pairs = zip(one, other, strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))


def _letters(words: Sequence[str]) -> int:
    # All texts have spaces in common: only words count.
    return sum(len(word.strip()) for word in words)


def _pair(same: Sequence[str], changed: Sequence[str], kind: str) -> Iterator[Segment]:
    yield Segment("".join(same))
    yield Segment("".join(changed), kind)


def _joined(segments: Sequence[Segment]) -> Segments:
    """Join adjacent segments of one kind. A space between two changes becomes part of them."""
    kept = [segment for segment in segments if segment.text]
    bridged = [
        Segment(segment.text, kept[at - 1].kind)
        if segment.kind == UNCHANGED
        and not segment.text.strip()
        and 0 < at < len(kept) - 1
        and kept[at - 1].kind == kept[at + 1].kind
        else segment
        for at, segment in enumerate(kept)
    ]
    return tuple(
        Segment("".join(segment.text for segment in adjacent), kind)
        for kind, adjacent in groupby(bridged, key=lambda segment: segment.kind)
    )


def _position_of_difference(segments: Sequence[Segment]) -> int:
    position = 0
    for segment in segments:
        if segment.kind != UNCHANGED:
            return position
        position += len(segment.text)
    return 0


def _first_lines(segments: Sequence[Segment], lines: int) -> Iterator[Segment]:
    left = lines
    for segment in segments:
        parts = segment.text.split("\n")
        yield Segment("\n".join(parts[:left]), segment.kind)
        left -= len(parts) - 1
        if left <= 0:
            return


def _members(value: Any, path: str = "") -> dict[str, str]:
    """Return the texts of all nested members, by path."""
    if isinstance(value, Mapping) and value:
        found: dict[str, str] = {}
        for key, inner in value.items():
            found |= _members(inner, f"{path}.{key}" if path else str(key))
        return found
    if isinstance(value, list) and value:
        return _list_members(value, path)
    if value is None and not path:
        return {}
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return {path: f"{path}: {text}" if path else text}


def _list_members(values: Sequence[Any], path: str) -> dict[str, str]:
    # A member's path has its content instead of its index. With the index, one more member at the
    # start would make all others look changed.
    found: dict[str, str] = {}
    times: dict[str, int] = {}
    for value in values:
        is_plain = isinstance(value, str)
        text = value if is_plain else json.dumps(value, ensure_ascii=False, sort_keys=True)
        times[text] = times.get(text, 0) + 1
        found[f"{path}[{text}]{times[text]}"] = f"{path}: {text}" if path else text
    return found


def _segments(members: Mapping[str, str], kind: str) -> Segments:
    return tuple(Segment(text, kind) for text in members.values())
