"""Renderers, and how a request chooses one: JSON, the browsable API, problems, export formats."""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any

from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.renderers import (
    AdminRenderer,
    BaseRenderer,
    BrowsableAPIRenderer,
    JSONRenderer,
)
from rest_framework.request import Request
from rest_framework.settings import APISettings

from django_customer_history.export.formats import FORMATS
from django_customer_history.export.proofs import FORMAT, MEDIA_TYPE

_OVERRIDES: Any = {"URL_FORMAT_OVERRIDE": None}
_SETTINGS: Any = APISettings(_OVERRIDES)
"""The framework's settings, except that `?format=` does not choose between JSON and HTML.

`format` is a parameter of exports; elsewhere it is unknown, and unknown parameters are errors.
"""


class HistoryContentNegotiation(DefaultContentNegotiation):
    """Chooses between JSON and the browsable API by the header `Accept` alone."""

    settings = _SETTINGS


class ExportContentNegotiation(DefaultContentNegotiation):
    """Chooses the format of an export by `?format=` alone.

    An unknown format gets the first renderer: the endpoint names it, with everything else that is
    wrong in the query.
    """

    def select_renderer(
        self, request: Request, renderers: Iterable[Any], format_suffix: str | None = None
    ) -> Any:
        """Return the renderer and its media type."""
        available = list(renderers)
        wanted = [one for one in available if one.format == request.query_params.get("format")]
        renderer = (wanted or available)[0]
        return renderer, renderer.media_type


class ProblemRenderer(JSONRenderer):
    """JSON with the media type of problem documents (RFC 9457)."""

    media_type = "application/problem+json"


class _WithoutFormatMenu:
    """Leaves out the menu of the browsable API that links to `?format=`."""

    def get_context(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context(*args, **kwargs)  # type: ignore[misc]
        return {**context, "api_settings": _SETTINGS}


def history_renderers(renderers: Sequence[Any]) -> list[type[BaseRenderer]]:
    """Return JSON, and the browsable API if it is among the given renderers of a project."""
    browsable = [
        _without_format_menu(renderer)
        for renderer in renderers
        if issubclass(renderer, BrowsableAPIRenderer) and not issubclass(renderer, AdminRenderer)
    ]
    return [JSONRenderer, *browsable]


@lru_cache
def _without_format_menu(renderer: Any) -> Any:
    if issubclass(renderer, _WithoutFormatMenu):
        return renderer
    return type(renderer.__name__, (_WithoutFormatMenu, renderer), {})


EXPORT_RENDERERS: tuple[type[BaseRenderer], ...] = tuple(
    type(
        f"{name.capitalize()}Renderer",
        (BaseRenderer,),
        {"format": name, "media_type": export_format.media_type},
    )
    for name, export_format in FORMATS.items()
)
"""One renderer for each export format, for negotiation and OpenAPI. The export itself streams."""


class ProofRenderer(BaseRenderer):
    """The format of proofs, for negotiation and OpenAPI."""

    format = FORMAT
    media_type = MEDIA_TYPE
