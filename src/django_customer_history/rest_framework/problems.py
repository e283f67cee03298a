"""Errors as problem documents, `application/problem+json` (RFC 9457)."""

from http import HTTPStatus

from rest_framework.exceptions import APIException
from rest_framework.renderers import JSONRenderer
from rest_framework.response import Response


class InvalidParameter(APIException):
    """A parameter of the query that is unknown or does not fit."""

    status_code = HTTPStatus.BAD_REQUEST

    def __init__(self, parameter: str, detail: str) -> None:
        super().__init__(detail)
        self.parameter = parameter


class ProblemRenderer(JSONRenderer):
    """JSON under the media type of problem documents."""

    media_type = "application/problem+json"


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
    if isinstance(error, InvalidParameter):
        problem["errors"] = [{"parameter": error.parameter, "detail": str(detail)}]
    response.data = problem
    response.content_type = ProblemRenderer.media_type
    return response
