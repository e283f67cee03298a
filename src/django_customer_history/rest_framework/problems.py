"""Errors as problem documents, `application/problem+json` (RFC 9457)."""

from collections.abc import Mapping
from http import HTTPStatus

from django.utils.translation import gettext_lazy
from rest_framework.exceptions import APIException
from rest_framework.renderers import JSONRenderer
from rest_framework.response import Response

MEDIA_TYPE = "application/problem+json"


class InvalidParameters(APIException):
    """Parameters of the query that are unknown or do not fit, each with what is wrong."""

    status_code = HTTPStatus.BAD_REQUEST

    def __init__(self, errors: Mapping[str, str]) -> None:
        super().__init__(" ".join(f"{name}: {text}" for name, text in errors.items()))
        self.errors = dict(errors)


class PreconditionFailed(APIException):
    """The answer is not the one that the client has and wants."""

    status_code = HTTPStatus.PRECONDITION_FAILED
    default_detail = gettext_lazy("The answer has changed: its ETag is none of those in If-Match.")


class ProblemRenderer(JSONRenderer):
    """JSON under the media type of problem documents."""

    media_type = MEDIA_TYPE


def problem_response(response: Response, error: Exception) -> Response:
    """Return the framework's answer to an error as a problem document."""
    phrase = HTTPStatus(response.status_code).phrase
    detail = response.data.get("detail", phrase) if isinstance(response.data, dict) else phrase
    problem: dict[str, object] = {
        "type": "about:blank",
        "title": phrase,
        "status": response.status_code,
        "detail": str(detail),
    }
    if isinstance(error, InvalidParameters):
        problem["errors"] = [
            {"parameter": name, "detail": text} for name, text in error.errors.items()
        ]
    response.data = problem
    response.content_type = MEDIA_TYPE
    return response
