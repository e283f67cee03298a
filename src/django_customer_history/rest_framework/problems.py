"""Errors as problem documents, `application/problem+json` (RFC 9457)."""

from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any

from django.http import Http404
from django.utils.translation import gettext_lazy
from rest_framework.exceptions import APIException
from rest_framework.renderers import BrowsableAPIRenderer
from rest_framework.response import Response
from rest_framework.views import exception_handler

from django_customer_history.exceptions import (
    NotFoundError,
    NotSealedError,
    SealError,
    TimeLimitError,
)
from django_customer_history.rest_framework.renderers import ProblemRenderer


class InvalidParameters(APIException):
    """Query parameters are unknown or have wrong values; `errors` says what is wrong with each."""

    status_code = HTTPStatus.BAD_REQUEST

    def __init__(self, errors: Mapping[str, str]) -> None:
        super().__init__(" ".join(f"{name}: {text}" for name, text in errors.items()))
        self.errors = dict(errors)


class PreconditionFailed(APIException):
    """The response is not one of those that the client named in `If-Match`."""

    status_code = HTTPStatus.PRECONDITION_FAILED
    default_detail = gettext_lazy("The answer has changed: its ETag is none of those in If-Match.")


class SearchTooLong(APIException):
    """The search takes longer than `READING_TIME_LIMIT`."""

    status_code = HTTPStatus.SERVICE_UNAVAILABLE
    default_detail = gettext_lazy(
        "The search takes too long. Narrow the filters: give a time, a user or a record."
    )


class NotSealed(APIException):
    """Nothing can be proved about an entry yet."""

    status_code = HTTPStatus.NOT_FOUND
    default_detail = gettext_lazy("This entry is not sealed yet.")


class NotProvable(APIException):
    """An entry or its seal is not right. What is wrong is not for every reader."""

    status_code = HTTPStatus.CONFLICT
    default_detail = gettext_lazy(
        "This entry cannot be proved. An administrator can find out why with history_verify."
    )


def problem_exception_handler(exc: Exception, context: Mapping[str, Any]) -> Response | None:
    """Return the problem document for an error; None if the framework does not handle it.

    It takes the place of the setting `EXCEPTION_HANDLER`, as problems are part of the contract.
    """
    error = exc
    for kind, make in _ANSWERS.items():
        if isinstance(exc, kind):
            error = make()
    response = exception_handler(error, dict(context))
    if response is None:
        return None
    response.data = _problem(response, error)
    _use_problem_renderer(context["view"])
    return response


_ANSWERS: Mapping[type[Exception], Callable[[], Exception]] = {
    NotFoundError: Http404,
    TimeLimitError: SearchTooLong,
    SealError: NotProvable,
    NotSealedError: NotSealed,  # A subclass of the one before.
}


def _problem(response: Response, error: Exception) -> dict[str, Any]:
    phrase = HTTPStatus(response.status_code).phrase
    detail = response.data.get("detail", phrase) if isinstance(response.data, dict) else phrase
    problem = {
        "type": "about:blank",
        "title": phrase,
        "status": response.status_code,
        "detail": str(detail),
    }
    if isinstance(error, InvalidParameters):
        problem["errors"] = [
            {"parameter": name, "detail": text} for name, text in error.errors.items()
        ]
    return problem


def _use_problem_renderer(view: Any) -> None:
    """Render the response as a problem document, unless the client chose the browsable API."""
    request = view.request
    if getattr(request, "accepted_renderer", None) is None:
        # The error came before the negotiation, or from it.
        negotiated = view.perform_content_negotiation(request, force=True)
        request.accepted_renderer, request.accepted_media_type = negotiated
    if not isinstance(request.accepted_renderer, BrowsableAPIRenderer):
        request.accepted_renderer = ProblemRenderer()
        request.accepted_media_type = ProblemRenderer.media_type
