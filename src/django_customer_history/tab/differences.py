"""What differs between an old and a new value: words of a text, members of a JSON value."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import groupby, takewhile
from typing import Any

SAME, GONE, NEW = "same", "gone", "new"

_WORD = re.compile(r"\s+|\w+|[^\w\s]")
_MOST_WORDS = 800
"""On either side, between what is the same at both ends; comparing costs their product."""
_ALIKE = 0.3
"""Texts that share less are two texts; marking their words would only be noise."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a value: what both sides have, what went, or what came."""

    text: str
    kind: str = SAME


Pieces = tuple[Piece, ...]


def word_difference(old: str, new: str) -> tuple[Pieces, Pieces] | None:
    """Return both texts in pieces, or None where they have too little in common."""
    before, after = _WORD.findall(old), _WORD.findall(new)
    start = _shared(before, after)
    end = _shared(before[start:][::-1], after[start:][::-1])
    inner = [words[start : len(words) - end] for words in (before, after)]
    blocks = list(_compared(*inner))
    # Spaces are alike in all texts: only words count.
    shared = sum(
        len(word.strip())
        for words in (before[:start], before[len(before) - end :], *(one for one, _, _ in blocks))
        for word in words
    )
    longest = max(sum(len(word.strip()) for word in words) for words in (before, after))
    if shared < _ALIKE * longest:
        return None
    tail = [Piece("".join(before[len(before) - end :]))]
    head = [Piece("".join(before[:start]))]
    left = [piece for same, gone, _ in blocks for piece in _pieces(same, gone, GONE)]
    right = [piece for same, _, new in blocks for piece in _pieces(same, new, NEW)]
    return _joined([*head, *left, *tail]), _joined([*head, *right, *tail])


def excerpt_of(pieces: Sequence[Piece], *, length: int, lines: int) -> Pieces:
    """Return the part of a long value around its first difference; nothing for a short one."""
    whole = "".join(piece.text for piece in pieces)
    if len(whole) <= length and whole.count("\n") < lines:
        return ()
    before = _before_the_first_difference(pieces)
    skipped = max(0, before - length // 4)
    left, kept = length, []
    at_start = skipped == 0
    for piece in pieces:
        text = piece.text[skipped:] if skipped else piece.text
        skipped = max(0, skipped - len(piece.text))
        if text and left > 0:
            kept.append(Piece(text[:left], piece.kind))
            left -= len(text)
    kept = list(_first_lines(kept, lines))
    start = [] if at_start else [Piece("… ")]
    return _joined([*start, *kept, Piece(" …")])


def json_lines(old: Any, new: Any) -> tuple[Pieces, Pieces]:
    """Return the members of two JSON values, a piece for each: what went, and what came.

    What is the same on both sides is left out, unless there is nothing on one of them.
    """
    before, after = _members(old), _members(new)
    if old is None or new is None:
        return _lines(before, SAME), _lines(after, SAME)
    gone = {path: text for path, text in before.items() if after.get(path) != text}
    came = {path: text for path, text in after.items() if before.get(path) != text}
    return _lines(gone, GONE), _lines(came, NEW)


def _compared(
    before: Sequence[str], after: Sequence[str]
) -> Iterator[tuple[Sequence[str], Sequence[str], Sequence[str]]]:
    """Yield stretches: words that both have, then those that went and those that came."""
    if max(len(before), len(after)) > _MOST_WORDS:
        yield (), before, after
        return
    same: Sequence[str] = ()
    for kind, i, j, k, m in SequenceMatcher(a=before, b=after, autojunk=False).get_opcodes():
        if kind == "equal":
            same = before[i:j]
        else:
            yield same, before[i:j], after[k:m]
            same = ()
    if same:
        yield same, (), ()


def _shared(one: Sequence[str], other: Sequence[str]) -> int:
    """Return how many words at the beginning are the same."""
    pairs = zip(one, other, strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))


def _pieces(same: Sequence[str], changed: Sequence[str], kind: str) -> Iterator[Piece]:
    yield Piece("".join(same))
    yield Piece("".join(changed), kind)


def _joined(pieces: Sequence[Piece]) -> Pieces:
    """Join neighbours of one kind; a lone space between two changes is part of them."""
    kept = [piece for piece in pieces if piece.text]
    bridged = [
        Piece(piece.text, kept[at - 1].kind)
        if piece.kind == SAME
        and not piece.text.strip()
        and 0 < at < len(kept) - 1
        and kept[at - 1].kind == kept[at + 1].kind
        else piece
        for at, piece in enumerate(kept)
    ]
    return tuple(
        Piece("".join(piece.text for piece in several), kind)
        for kind, several in groupby(bridged, key=lambda piece: piece.kind)
    )


def _before_the_first_difference(pieces: Sequence[Piece]) -> int:
    length = 0
    for piece in pieces:
        if piece.kind != SAME:
            return length
        length += len(piece.text)
    return 0


def _first_lines(pieces: Sequence[Piece], lines: int) -> Iterator[Piece]:
    left = lines
    for piece in pieces:
        parts = piece.text.split("\n")
        yield Piece("\n".join(parts[:left]), piece.kind)
        left -= len(parts) - 1
        if left <= 0:
            return


def _members(value: Any, path: str = "") -> dict[str, str]:
    if isinstance(value, Mapping) and value:
        found: dict[str, str] = {}
        for key, inner in value.items():
            found |= _members(inner, f"{path}.{key}" if path else str(key))
        return found
    if isinstance(value, list) and value:
        return _members_of_list(value, path)
    if value is None and not path:
        return {}
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return {path: f"{path}: {text}" if path else text}


def _members_of_list(values: Sequence[Any], path: str) -> dict[str, str]:
    # Members of a list are told by what they are, so that one more in front moves none of them.
    found: dict[str, str] = {}
    times: dict[str, int] = {}
    for value in values:
        is_plain = isinstance(value, str)
        text = value if is_plain else json.dumps(value, ensure_ascii=False, sort_keys=True)
        times[text] = times.get(text, 0) + 1
        found[f"{path}[{text}]{times[text]}"] = f"{path}: {text}" if path else text
    return found


def _lines(members: Mapping[str, str], kind: str) -> Pieces:
    return tuple(Piece(text, kind) for text in members.values())
