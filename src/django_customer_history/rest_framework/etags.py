"""Conditional requests: `ETag`, `If-None-Match` and `If-Match` (RFC 9110, section 13)."""

import hashlib
import json
from typing import Any

from django.http import HttpResponseNotModified
from django.utils.http import parse_etags, quote_etag
from rest_framework.renderers import BrowsableAPIRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.encoders import JSONEncoder

from django_customer_history.rest_framework.problems import PreconditionFailed


def conditional_response(request: Request, data: Any) -> Response | HttpResponseNotModified:
    """Return data with an `ETag`, or a 304 if the client has the same data already.

    Raises `PreconditionFailed` if the client wants the data only if they are unchanged. Pages of
    the browsable API have no `ETag`: they show more than the data.
    """
    if isinstance(request.accepted_renderer, BrowsableAPIRenderer):
        return Response(data)
    text = json.dumps(data, cls=JSONEncoder, sort_keys=True, allow_nan=False)
    etag = quote_etag(hashlib.sha256(text.encode()).hexdigest()[:32])
    required, known = (
        parse_etags(request.headers.get(name, "")) for name in ("If-Match", "If-None-Match")
    )
    if required and required != ["*"] and etag not in required:
        raise PreconditionFailed
    if known == ["*"] or etag in [tag.removeprefix("W/") for tag in known]:
        return HttpResponseNotModified(headers={"ETag": etag})
    return Response(data, headers={"ETag": etag})
