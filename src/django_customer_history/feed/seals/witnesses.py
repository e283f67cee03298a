"""Witnesses of https://c2sp.org/tlog-witness: they cosign that the log only grew.

A witness keeps the last checkpoint that it saw, and cosigns the next one only with the proof that
its tree begins with the last. So the owner of the log cannot show others a log without what the
witness has seen.
"""

import base64
import http.client
from collections.abc import Callable
from urllib.parse import urlsplit

from django_customer_history import conf
from django_customer_history.exceptions import SealError, TargetError
from django_customer_history.feed.seals.ledger import growth_text
from django_customer_history.feed.targets.requests import Answer, post
from django_customer_history.verify import VerificationError, Verifier

TIME_LIMIT = 5.0
"""In seconds: how long to wait for an answer."""
_CONFLICT = 409
_DASH = "—"

Growth = Callable[[int], list[bytes]]
"""Returns the proof that the new tree begins with that of an older size."""


def witnesses() -> list[tuple[str, Verifier]]:
    """Return the URLs and the public keys of the setting SEAL_WITNESSES.

    Raises `SealError` for a text that is not a key.
    """
    try:
        return [(url, Verifier.read(key)) for url, key in conf.seal_witnesses().items()]
    except VerificationError as error:
        raise SealError(f"SEAL_WITNESSES: {error}") from error


def cosignature_of(
    checkpoint: str, *, url: str, witness: Verifier, old_size: int, size: int, growth: Growth
) -> str:
    """Return the line with the signature of a witness under a checkpoint.

    `old_size` is the size that the witness has probably seen last; if it says another one, it is
    asked again with that. Raises `SealError` if it does not answer in time, refuses, or if its
    signature is not right.
    """
    try:
        answer = _asked(url, checkpoint, old_size, growth)
        if answer.status == _CONFLICT:
            seen = int(answer.content)
            _check_size(seen, size)
            answer = _asked(url, checkpoint, seen, growth)
        return _line_of(answer.content.decode(), checkpoint, witness)
    except (OSError, http.client.HTTPException, TargetError, ValueError) as error:
        raise SealError(f"there is no cosignature: {error}") from error


def cosigned(checkpoint: str, lines: str | None) -> list[str]:
    """Return the URLs of the witnesses whose signatures are under a checkpoint.

    Raises `VerificationError` if a signature is not right, `SealError` as `witnesses` does.
    """
    found = []
    for url, witness in witnesses():
        for line in (lines or "").splitlines():
            if line.startswith(f"{_DASH} {witness.name} "):
                _check_line(line, checkpoint, witness)
                found.append(url)
    return found


def _asked(url: str, checkpoint: str, old_size: int, growth: Growth) -> Answer:
    content = growth_text(old_size, growth(old_size), checkpoint).encode()
    place = urlsplit(url.rstrip("/") + "/add-checkpoint")
    # The setting is the operator's own.
    answer = post(place, content, {}, allows_private=True, time_limit=TIME_LIMIT)
    if not (answer.is_success or answer.status == _CONFLICT):
        text = answer.content.decode("utf-8", "replace").strip()[:200]
        raise TargetError(f"the answer was {answer.status}: {text}")
    return answer


def _check_size(seen: int, size: int) -> None:
    if seen > size:
        raise TargetError(
            f"it has seen {seen} entries, and the log has {size}. Was a backup restored?"
        )


def _line_of(content: str, checkpoint: str, witness: Verifier) -> str:
    for line in content.splitlines():
        if line.startswith(f"{_DASH} {witness.name} "):
            _check_line(line, checkpoint, witness)
            return f"{line}\n"
    raise VerificationError(f"the answer has no signature of {witness.name}")


def _check_line(line: str, checkpoint: str, witness: Verifier) -> None:
    """Raise `VerificationError` unless a witness signed the text of a checkpoint."""
    text, _, _ = checkpoint.rpartition("\n\n")
    _dash, _name, encoded = line.split(" ", 2)
    content = base64.b64decode(encoded, validate=True)
    if content[: len(witness.key_id)] != witness.key_id:
        raise VerificationError(f"The signature of {witness.name} is of another key.")
    witness.check(f"{text}\n", content[len(witness.key_id) :])
