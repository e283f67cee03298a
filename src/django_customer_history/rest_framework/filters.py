"""The filters of the log, as a filter backend of Django REST framework."""

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext
from rest_framework.filters import BaseFilterBackend
from rest_framework.request import Request

from django_customer_history.exceptions import InvalidFilterError
from django_customer_history.reading.filters import (
    DEFINITIONS,
    LONGEST_VALUE,
    FilterDefinition,
    Filters,
)
from django_customer_history.reading.timeline import Timeline
from django_customer_history.rest_framework.parameters import Parser, read_parameters
from django_customer_history.rest_framework.problems import InvalidParameters

Schema = Mapping[str, Any]

_TEXT: Schema = {
    "type": "string",
    "minLength": 1,
    "maxLength": LONGEST_VALUE,
    "pattern": r"^[^\u0000]+$",
}
_RECORD: Schema = {
    "type": "string",
    "maxLength": LONGEST_VALUE,
    "pattern": r"^[A-Za-z0-9_]+\.[A-Za-z0-9_]+(:[A-Za-z0-9_-]+)?$",
}
_MOMENT: Schema = {
    "anyOf": [{"type": "string", "format": "date"}, {"type": "string", "format": "date-time"}]
}
_SCHEMAS: Mapping[str, Schema] = {
    "from": _MOMENT,
    "to": _MOMENT,
    "entity": _RECORD,
    "subject": _RECORD,
    "ip_address": {
        "anyOf": [{"type": "string", "format": "ipv4"}, {"type": "string", "format": "ipv6"}]
    },
    "request_id": {"type": "string", "format": "uuid"},
}


class HistoryFilterBackend(BaseFilterBackend):
    """Filters a timeline by the query of a request. Every other parameter must be known."""

    def filter_queryset(self, request: Request, queryset: Any, view: Any) -> Any:
        """Return the entries of the timeline `queryset` that match.

        Raises `InvalidParameters` with everything that is wrong in the query: unknown names,
        malformed values, and the other parameters of the view's pagination and of the view.
        """
        timeline: Timeline = queryset
        parsers = _other_parameters(view)
        fixed: Mapping[str, str] = getattr(view, "fixed_filters", {})
        query = {name: request.query_params.getlist(name) for name in request.query_params}
        filtered: Timeline | None = None
        errors: dict[str, str] = {}
        try:
            filtered = timeline.filtered(
                Filters.read({**query, **{k: [v] for k, v in fixed.items()}}, other_names=parsers)
            )
        except InvalidFilterError as error:
            errors |= error.errors
        errors |= {name: gettext("The URL decides this.") for name in fixed if name in query}
        errors |= read_parameters(request, parsers, timeline=filtered)[1]
        if errors:
            raise InvalidParameters(errors)
        return filtered

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        """Return the OpenAPI parameters: each filter, and its opposite with a leading `-`."""
        return [
            {
                "name": f"{sign}{name}",
                "in": "query",
                "description": f"{prefix}{_description(definition)}",
                "schema": _schema(name, definition),
            }
            for name, definition in DEFINITIONS.items()
            if name not in getattr(view, "fixed_names", ())
            for sign, prefix in (("", ""), ("-", "Not: "))
        ]


def _other_parameters(view: Any) -> dict[str, Parser]:
    pagination = getattr(view, "paginator", None)
    return {
        **getattr(pagination, "query_parameters", {}),
        **getattr(view, "query_parameters", {}),
    }


def _description(definition: FilterDefinition) -> str:
    if not isinstance(definition.choices, Mapping):
        return definition.description
    choices = (f"`{code}` ({label})" for code, label in definition.choices.items())
    return f"{definition.description} {', '.join(choices)}."


def _schema(name: str, definition: FilterDefinition) -> dict[str, Any]:
    value = dict(_SCHEMAS.get(name, _TEXT))
    if definition.choices:
        value = {"type": "string", "enum": [*definition.choices]}
    if definition.most == 1:
        return value
    return {"type": "array", "items": value, "maxItems": definition.most}
