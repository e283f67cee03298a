"""What drf-spectacular says about the endpoints; imported only where it is installed."""

from collections.abc import Iterator, Mapping
from typing import Any

from drf_spectacular.extensions import OpenApiViewExtension
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import (
    OpenApiParameter,
    OpenApiResponse,
    extend_schema,
    extend_schema_view,
)

from django_customer_history.conf import LARGEST_PAGE
from django_customer_history.export.formats import FORMATS
from django_customer_history.reading.filters import (
    DEFINITIONS,
    LONGEST_VALUE,
    MOST_VALUES,
    FilterDefinition,
)
from django_customer_history.rest_framework.problems import MEDIA_TYPE
from django_customer_history.rest_framework.serializers import (
    EntrySerializer,
    FacetsSerializer,
    PageSerializer,
    ProblemSerializer,
    RecordAsOfSerializer,
)

_VIEWS = "django_customer_history.rest_framework.views."
_TEXT: Mapping[str, Any] = {
    "type": "string",
    "minLength": 1,
    "maxLength": LONGEST_VALUE,
    "pattern": r"^[^\u0000]+$",
}
_RECORD: Mapping[str, Any] = {
    "type": "string",
    "maxLength": LONGEST_VALUE,
    "pattern": r"^[A-Za-z0-9_]+\.[A-Za-z0-9_]+(:[A-Za-z0-9_-]+)?$",
}
_MOMENT: Mapping[str, Any] = {
    "anyOf": [{"type": "string", "format": "date"}, {"type": "string", "format": "date-time"}]
}
_SCHEMAS: Mapping[str, Mapping[str, Any]] = {
    "from": _MOMENT,
    "to": _MOMENT,
    "entity": _RECORD,
    "subject": _RECORD,
    "ip_address": {
        "anyOf": [{"type": "string", "format": "ipv4"}, {"type": "string", "format": "ipv6"}]
    },
    "request_id": {"type": "string", "format": "uuid"},
}


def _problems(*statuses: int) -> dict[tuple[int, str], Any]:
    return {(status, MEDIA_TYPE): ProblemSerializer for status in statuses}


def _filters() -> Iterator[OpenApiParameter]:
    for name, definition in DEFINITIONS.items():
        schema, description = _schema(name, definition), _description(definition)
        yield OpenApiParameter(name, schema, description=description)
        yield OpenApiParameter(f"-{name}", schema, description=f"Not: {description}")


def _description(definition: FilterDefinition) -> str:
    if not isinstance(definition.choices, Mapping):
        return definition.description
    choices = (f"`{code}` ({label})" for code, label in definition.choices.items())
    return f"{definition.description} {', '.join(choices)}."


def _schema(name: str, definition: FilterDefinition) -> dict[str, Any]:
    one = dict(_SCHEMAS.get(name, _TEXT))
    if definition.choices:
        one = {"type": "string", "enum": [*definition.choices]}
    if definition.is_single:
        return one
    return {"type": "array", "items": one, "maxItems": MOST_VALUES}


_PAGING = (
    OpenApiParameter(
        "limit",
        {"type": "integer", "minimum": 1, "maximum": LARGEST_PAGE},
        description="Entries on the page.",
    ),
    OpenApiParameter(
        "cursor",
        {"type": "string", "pattern": "^[A-Za-z0-9_-]{36}$"},
        description="Where the page begins: from `next` or `previous` of another page, as it is.",
    ),
)
_FORMAT = OpenApiParameter(
    "format", {"type": "string", "enum": list(FORMATS)}, description="The format, CSV by default."
)
_SUBJECT = (
    OpenApiParameter("model", OpenApiTypes.STR, location="path", description="`crm.customer`"),
    OpenApiParameter("key", OpenApiTypes.STR, location="path", description="The subject's key."),
)
_ENTRY = OpenApiParameter("key", OpenApiTypes.UUID, location="path", description="The entry's id.")
_FILES = {
    (200, "text/csv"): OpenApiTypes.STR,
    (200, "application/x-ndjson"): OpenApiTypes.STR,
    (200, FORMATS["xlsx"].media_type): OpenApiTypes.BINARY,
}
_ETAGS = (
    OpenApiParameter(
        "If-None-Match",
        OpenApiTypes.STR,
        location="header",
        description="ETags of answers that the client has: instead of the same one it gets 304.",
    ),
)
_CONDITIONAL = {304: OpenApiResponse(description="The client has this very answer.")}
_OF_ALL = _problems(400, 401, 403, 429)
_OF_ONE = _problems(400, 401, 403, 404, 429)


class _Documented(OpenApiViewExtension):
    """The parameters and answers of one endpoint."""

    operation: str
    parameters: tuple[OpenApiParameter, ...]
    takes_filters = True
    answers: Mapping[Any, Any]

    def view_replacement(self) -> Any:
        """Return the view with its documentation."""
        target: Any = self.target
        described = self.described(operation_id=self.operation)
        return type(target.__name__, (target,), {"get": described(target.get)})

    def described(self, **options: Any) -> Any:
        """Return a decorator that describes a method."""
        return extend_schema(
            parameters=[*self.parameters, *(_filters() if self.takes_filters else ())],
            responses=dict(self.answers),
            filters=False,
            **options,
        )


class EntryList(_Documented):
    """Entries of all."""

    target_class = f"{_VIEWS}EntryListView"
    operation = "history_list"
    parameters = (*_PAGING, *_ETAGS)
    answers = {200: PageSerializer, **_CONDITIONAL, **_OF_ALL}


class SubjectEntryList(_Documented):
    """Entries of one subject."""

    target_class = f"{_VIEWS}SubjectEntryListView"
    operation = "history_subject_list"
    parameters = (*_SUBJECT, *_PAGING, *_ETAGS)
    answers = {200: PageSerializer, **_CONDITIONAL, **_OF_ONE}


class FacetsOfAll(_Documented):
    """Facets of all."""

    target_class = f"{_VIEWS}FacetsView"
    operation = "history_facets"
    parameters = _ETAGS
    answers = {200: FacetsSerializer, **_CONDITIONAL, **_OF_ALL}


class FacetsOfSubject(_Documented):
    """Facets of one subject."""

    target_class = f"{_VIEWS}SubjectFacetsView"
    operation = "history_subject_facets"
    parameters = (*_SUBJECT, *_ETAGS)
    answers = {200: FacetsSerializer, **_CONDITIONAL, **_OF_ONE}


class ExportOfAll(_Documented):
    """Export of all."""

    target_class = f"{_VIEWS}ExportView"
    operation = "history_export"
    parameters = (_FORMAT,)
    answers = {**_FILES, **_OF_ALL}


class ExportOfSubject(_Documented):
    """Export of one subject."""

    target_class = f"{_VIEWS}SubjectExportView"
    operation = "history_subject_export"
    parameters = (*_SUBJECT, _FORMAT)
    answers = {**_FILES, **_OF_ONE}


class OneEntry(_Documented):
    """One entry."""

    target_class = f"{_VIEWS}EntryView"
    operation = "history_entry"
    parameters = (_ENTRY, *_ETAGS)
    takes_filters = False
    answers = {200: EntrySerializer, **_CONDITIONAL, **_OF_ONE}


class OneRecord(_Documented):
    """A record as it was."""

    target_class = f"{_VIEWS}RecordAsOfView"
    operation = "history_record"
    parameters = (_ENTRY, *_ETAGS)
    takes_filters = False
    answers = {200: RecordAsOfSerializer, **_CONDITIONAL, **_OF_ONE}


class Reveal(_Documented):
    """A look at one entry."""

    target_class = f"{_VIEWS}RevealView"
    operation = "history_reveal"
    parameters = (_ENTRY, *_ETAGS)
    takes_filters = False
    answers = {200: EntrySerializer, **_CONDITIONAL, **_OF_ONE}


class HistoryOfAnObject(_Documented):
    """The history that a viewset of the host's has by the mixin."""

    target_class = "django_customer_history.rest_framework.viewsets.HistoryMixin"
    match_subclasses = True
    priority = -1
    """A host's own extension for its viewset goes first."""
    parameters = (*_PAGING, *_ETAGS)
    answers = {200: PageSerializer, **_CONDITIONAL, **_OF_ONE}

    def view_replacement(self) -> Any:
        """Return the viewset with its documentation, all but the history as it is."""
        target: Any = self.target
        described = extend_schema_view(history=self.described())
        return described(type(target.__name__, (target,), {}))
