"""Timestamps of RFC 3161: an authority confirms when a checkpoint was there.

The key of the seals can sign any time. An authority that does not belong to the owner of the log
signs the SHA-256 of the checkpoint together with its own clock.
"""

import http.client
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django_customer_history import conf
from django_customer_history.exceptions import SealError, TargetError
from django_customer_history.feed.seals.packages import imported
from django_customer_history.feed.targets.requests import post
from django_customer_history.values.moments import in_utc
from django_customer_history.verify import VerificationError

TIME_LIMIT = 5.0
"""In seconds: how long a seal waits for an answer."""
_MEDIA_TYPE = "application/timestamp-query"


def timestamp_of(checkpoint: str, *, url: str) -> bytes:
    """Return the answer of an authority to a checkpoint, in DER.

    Raises `SealError` if it does not answer in time, or its answer is not about the checkpoint.
    """
    client = imported("rfc3161_client", extra="timestamps")
    builder = client.TimestampRequestBuilder().data(checkpoint.encode())
    request = builder.hash_algorithm(client.HashAlgorithm.SHA256).build()
    try:
        response = client.decode_timestamp_response(_answer(url, request.as_bytes()))
        info = response.tst_info
    except (OSError, http.client.HTTPException, TargetError, ValueError) as error:
        raise SealError(f"there is no timestamp: {error}") from error
    is_ours = info.message_imprint.message == request.message_imprint.message
    if not is_ours or info.nonce != request.nonce:
        raise SealError("there is no timestamp: the answer is to another request")
    content: bytes = response.as_bytes()
    return content


def roots_of_settings() -> Sequence[Any]:
    """Return the certificates in the file that the setting SEAL_TIMESTAMP_ROOTS names.

    Raises `SealError` if it cannot be read.
    """
    path = conf.seal_timestamp_roots()
    if path is None:
        return []
    try:
        content = Path(path).read_bytes()
        return list(imported("cryptography.x509").load_pem_x509_certificates(content))
    except (OSError, ValueError) as error:
        raise SealError(f"The certificates of {path} cannot be read: {error}") from error


def check_timestamp(token: bytes, checkpoint: str, *, roots: Sequence[Any]) -> datetime:
    """Return the time, in UTC, that an authority stated for a checkpoint.

    `roots` are the certificates that its own must lead to, at that time. Raises
    `VerificationError` if the timestamp is not right.
    """
    client = imported("rfc3161_client", extra="timestamps")
    builder = client.VerifierBuilder(roots=list(roots))
    try:
        response = client.decode_timestamp_response(token)
        builder.build().verify_message(response, checkpoint.encode())
        moment: datetime = response.tst_info.gen_time
    except (ValueError, client.VerificationError) as error:
        raise VerificationError(f"The timestamp is not right: {error}") from error
    return in_utc(moment)


def _answer(url: str, request: bytes) -> bytes:
    headers = {"Content-Type": _MEDIA_TYPE}
    # The setting is the operator's own.
    answer = post(urlsplit(url), request, headers, allows_private=True, time_limit=TIME_LIMIT)
    answer.check()
    return answer.content
