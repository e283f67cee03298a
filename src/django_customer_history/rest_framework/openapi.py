"""What drf-spectacular cannot derive from the viewsets; imported only if it is installed."""

from collections.abc import Mapping
from typing import Any

from django.utils.module_loading import import_string
from drf_spectacular.extensions import OpenApiViewExtension
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import (
    OpenApiParameter,
    OpenApiResponse,
    extend_schema,
    extend_schema_serializer,
    extend_schema_view,
)
from rest_framework import serializers

from django_customer_history.rest_framework.filters import HistoryFilterBackend
from django_customer_history.rest_framework.pagination import HistoryPagination
from django_customer_history.rest_framework.renderers import (
    EXPORT_RENDERERS,
    ProblemRenderer,
    ProofRenderer,
)
from django_customer_history.rest_framework.serializers import (
    EntrySerializer,
    FacetsSerializer,
    PermalinkSerializer,
    ProblemSerializer,
    RecordAsOfSerializer,
)

_VIEWSETS = "django_customer_history.rest_framework.viewsets."
_MODEL = OpenApiParameter(
    "model", OpenApiTypes.STR, location="path", description="The subject's model: `crm.customer`."
)
_KEY = OpenApiParameter(
    "key", OpenApiTypes.STR, location="path", description="The subject's primary key."
)
_FIELD = OpenApiParameter(
    "field", OpenApiTypes.STR, OpenApiParameter.PATH, description="Name of a field of the model."
)
_ENTRY = OpenApiParameter("key", OpenApiTypes.UUID, location="path", description="The entry's id.")
_REQUEST = OpenApiParameter(
    "key", OpenApiTypes.UUID, location="path", description="The request's id."
)
_DRY_RUN = OpenApiParameter(
    "dry_run",
    {"type": "string", "enum": ["1", "0", "true", "false"]},
    description="Return what an undo would do, and write nothing. Default: 0.",
)
_IF_NONE_MATCH = OpenApiParameter(
    "If-None-Match",
    OpenApiTypes.STR,
    location="header",
    description="The ETags of answers that the client has. If one of them is current: 304.",
)
_FORMAT = OpenApiParameter(
    "format",
    {"type": "string", "enum": [renderer.format for renderer in EXPORT_RENDERERS]},
    description="The format of the file. Default: CSV.",
)
_NOT_MODIFIED = OpenApiResponse(description="The client has the current answer.")


def _problems(*statuses: int) -> dict[tuple[int, str], Any]:
    return {(status, ProblemRenderer.media_type): ProblemSerializer for status in statuses}


_FOR_ALL = _problems(400, 401, 403, 429)
_FOR_ONE = _problems(400, 401, 403, 404, 429)
# A search can take longer than `READING_TIME_LIMIT`.
_FOR_SEARCHES = {**_FOR_ALL, **_problems(503)}
_FOR_SEARCHES_OF_ONE = {**_FOR_ONE, **_problems(503)}
_FILES = {
    (200, renderer.media_type.partition(";")[0]): (
        OpenApiTypes.BINARY if renderer.format == "xlsx" else OpenApiTypes.STR
    )
    for renderer in EXPORT_RENDERERS
}


def _conditional(
    *parameters: OpenApiParameter, answer: Any, problems: Mapping[Any, Any], **options: Any
) -> Any:
    """Return a decorator for an action whose answer has an ETag."""
    return extend_schema(
        parameters=[*parameters, _IF_NONE_MATCH],
        responses={200: answer, 304: _NOT_MODIFIED, **problems},
        **options,
    )


def _of_timeline(*parameters: OpenApiParameter, problems: Mapping[Any, Any]) -> dict[str, Any]:
    """Return the decorators of the actions of a timeline, by their names."""
    page = EntrySerializer(many=True)
    return {
        "list": _conditional(*parameters, answer=page, problems=problems),
        "facets": _conditional(
            *parameters, answer=FacetsSerializer, problems=problems, filters=True
        ),
        "export": extend_schema(
            parameters=[*parameters, _FORMAT], responses={**_FILES, **problems}, filters=True
        ),
    }


def _undoing(*parameters: OpenApiParameter) -> Any:
    """Return a decorator for an action that undoes."""
    # The serializers are in a module that needs the contract, which imports this one.
    undoing = "django_customer_history.rest_framework.undoing."
    return extend_schema(
        parameters=[*parameters, _DRY_RUN],
        request=import_string(f"{undoing}UndoSerializer"),
        responses={200: import_string(f"{undoing}UndoneSerializer"), **_FOR_ONE},
    )


# The pages of all other lists are of one other kind.
@extend_schema_serializer(many=False)
class FeedPageSerializer(serializers.Serializer[Any]):
    """A page of settled entries, oldest first."""

    next = serializers.URLField(help_text="The entries after this page, now or later.")
    has_more = serializers.BooleanField(help_text="Whether there are further settled entries now.")
    settled_until = serializers.DateTimeField(
        help_text="No entry from before this moment can appear any more."
    )
    results = EntrySerializer(many=True)


class _Extension(OpenApiViewExtension):
    """Puts decorators on the actions of a viewset."""

    def decorators(self) -> Mapping[str, Any]:
        """Return the decorator of each action that needs one."""
        raise NotImplementedError

    def view_replacement(self) -> Any:
        """Return a subclass of the viewset, whose actions are decorated."""
        target: Any = self.target
        return extend_schema_view(**self.decorators())(type(target.__name__, (target,), {}))


class HistoryExtension(_Extension):
    """Entries over all subjects."""

    target_class = f"{_VIEWSETS}HistoryViewSet"

    def decorators(self) -> Mapping[str, Any]:
        """Return the decorator of each action."""
        return _of_timeline(problems=_FOR_SEARCHES)


class SubjectHistoryExtension(_Extension):
    """Entries of one subject."""

    target_class = f"{_VIEWSETS}SubjectHistoryViewSet"

    def decorators(self) -> Mapping[str, Any]:
        """Return the decorator of each action."""
        return {
            **_of_timeline(_MODEL, _KEY, problems=_FOR_SEARCHES_OF_ONE),
            "field": _conditional(
                _MODEL,
                _KEY,
                _FIELD,
                answer=EntrySerializer(many=True),
                problems=_FOR_SEARCHES_OF_ONE,
            ),
            "restore": _undoing(_MODEL, _KEY),
        }


class FeedExtension(_Extension):
    """The feed."""

    target_class = "django_customer_history.rest_framework.feed.FeedViewSet"

    def decorators(self) -> Mapping[str, Any]:
        """Return the decorator of the list."""
        responses: dict[Any, Any] = {200: FeedPageSerializer, **_FOR_SEARCHES}
        return {"list": extend_schema(responses=responses)}


class EntryExtension(_Extension):
    """One entry."""

    target_class = f"{_VIEWSETS}EntryViewSet"

    def decorators(self) -> Mapping[str, Any]:
        """Return the decorator of each action."""
        return {
            "retrieve": _conditional(_ENTRY, answer=PermalinkSerializer, problems=_FOR_ONE),
            "proof": extend_schema(
                parameters=[_ENTRY],
                responses={
                    (200, ProofRenderer.media_type): OpenApiTypes.STR,
                    **_FOR_ONE,
                    **_problems(409),
                },
            ),
            "record": _conditional(_ENTRY, answer=RecordAsOfSerializer, problems=_FOR_ONE),
            "reveal": extend_schema(
                parameters=[_ENTRY], request=None, responses={200: EntrySerializer, **_FOR_ONE}
            ),
            "undo": _undoing(_ENTRY),
        }


class RequestExtension(_Extension):
    """One request."""

    target_class = "django_customer_history.rest_framework.undoing.RequestViewSet"

    def decorators(self) -> Mapping[str, Any]:
        """Return the decorator of each action."""
        return {"undo": _undoing(_REQUEST)}


class HistoryMixinExtension(_Extension):
    """The history on a viewset of the project. All other actions stay as they are."""

    target_class = f"{_VIEWSETS}HistoryMixin"
    match_subclasses = True
    priority = -1
    """An extension of the project for its viewset takes precedence."""

    def decorators(self) -> Mapping[str, Any]:
        """Return the decorator of the history, with what the list of a viewset has by itself."""
        parts = (HistoryFilterBackend(), HistoryPagination())
        parameters = [
            OpenApiParameter(one["name"], one["schema"], description=one["description"])
            for part in parts
            for one in part.get_schema_operation_parameters(self.target)
        ]
        page = EntrySerializer(many=True)
        return {
            "history": _conditional(
                *parameters, answer=page, problems=_FOR_SEARCHES_OF_ONE, filters=False
            )
        }
