"""What drf-spectacular says about the endpoints; imported only where it is installed."""

from collections.abc import Iterator, Mapping
from typing import Any

from drf_spectacular.extensions import OpenApiViewExtension
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema

from django_customer_history.conf import LARGEST_PAGE
from django_customer_history.filters import DEFINITIONS, LONGEST_VALUE, MOST_VALUES, Definition
from django_customer_history.formats import FORMATS
from django_customer_history.rest_framework.problems import MEDIA_TYPE
from django_customer_history.rest_framework.serializers import (
    EntrySerializer,
    FacetsSerializer,
    PageSerializer,
    ProblemSerializer,
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
    "ip": {"anyOf": [{"type": "string", "format": "ipv4"}, {"type": "string", "format": "ipv6"}]},
    "request": {"type": "string", "format": "uuid"},
}


def _problems(*statuses: int) -> dict[tuple[int, str], Any]:
    return {(status, MEDIA_TYPE): ProblemSerializer for status in statuses}


def _filters() -> Iterator[OpenApiParameter]:
    for name, definition in DEFINITIONS.items():
        schema = _schema(name, definition)
        yield OpenApiParameter(name, schema, description=definition.description)
        yield OpenApiParameter(f"-{name}", schema, description=f"Not: {definition.description}")


def _schema(name: str, definition: Definition) -> dict[str, Any]:
    one = dict(_SCHEMAS.get(name, _TEXT))
    if definition.choices:
        one = {"type": "string", "enum": list(definition.choices)}
    if definition.is_single:
        return one
    return {"type": "array", "items": one, "maxItems": MOST_VALUES}


_FILTERS = tuple(_filters())
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
_OF_ALL = _problems(400, 401, 403, 429)
_OF_ONE = _problems(400, 401, 403, 404, 429)


class _Documented(OpenApiViewExtension):
    """The parameters and answers of one endpoint."""

    operation: str
    parameters: tuple[OpenApiParameter, ...]
    answers: Mapping[Any, Any]

    def view_replacement(self) -> Any:
        """Return the view with its documentation."""
        target: Any = self.target
        described = extend_schema(
            operation_id=self.operation,
            parameters=list(self.parameters),
            responses=dict(self.answers),
            filters=False,
        )
        return type(target.__name__, (target,), {"get": described(target.get)})


class EntryList(_Documented):
    """Entries of all."""

    target_class = f"{_VIEWS}EntryListView"
    operation = "history_list"
    parameters = (*_PAGING, *_FILTERS)
    answers = {200: PageSerializer, **_OF_ALL}


class SubjectEntryList(_Documented):
    """Entries of one subject."""

    target_class = f"{_VIEWS}SubjectEntryListView"
    operation = "history_subject_list"
    parameters = (*_SUBJECT, *_PAGING, *_FILTERS)
    answers = {200: PageSerializer, **_OF_ONE}


class FacetsOfAll(_Documented):
    """Facets of all."""

    target_class = f"{_VIEWS}FacetsView"
    operation = "history_facets"
    parameters = _FILTERS
    answers = {200: FacetsSerializer, **_OF_ALL}


class FacetsOfSubject(_Documented):
    """Facets of one subject."""

    target_class = f"{_VIEWS}SubjectFacetsView"
    operation = "history_subject_facets"
    parameters = (*_SUBJECT, *_FILTERS)
    answers = {200: FacetsSerializer, **_OF_ONE}


class ExportOfAll(_Documented):
    """Export of all."""

    target_class = f"{_VIEWS}ExportView"
    operation = "history_export"
    parameters = (_FORMAT, *_FILTERS)
    answers = {**_FILES, **_OF_ALL}


class ExportOfSubject(_Documented):
    """Export of one subject."""

    target_class = f"{_VIEWS}SubjectExportView"
    operation = "history_subject_export"
    parameters = (*_SUBJECT, _FORMAT, *_FILTERS)
    answers = {**_FILES, **_OF_ONE}


class OneEntry(_Documented):
    """One entry."""

    target_class = f"{_VIEWS}EntryView"
    operation = "history_entry"
    parameters = (_ENTRY,)
    answers = {200: EntrySerializer, **_OF_ONE}


class Reveal(_Documented):
    """A look at one entry."""

    target_class = f"{_VIEWS}RevealView"
    operation = "history_reveal"
    parameters = (_ENTRY,)
    answers = {200: EntrySerializer, **_OF_ONE}
