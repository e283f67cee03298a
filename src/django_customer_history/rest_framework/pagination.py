"""Pages of a timeline, as a pagination class of Django REST framework."""

from collections.abc import Sequence
from typing import Any

from django.utils.encoding import escape_uri_path
from rest_framework.pagination import BasePagination
from rest_framework.request import Request
from rest_framework.response import Response

from django_customer_history.conf import LARGEST_PAGE
from django_customer_history.reading.timeline import Page, Timeline
from django_customer_history.rest_framework.parameters import PAGE_PARAMETERS, read_parameters
from django_customer_history.rest_framework.problems import InvalidParameters


class HistoryPagination(BasePagination):
    """Pages by an opaque cursor, newest first, without a count.

    The parameters are `limit`, 1 to 200 entries, and `cursor`, from `next` or `previous` of another
    page. A cursor belongs to one timeline with its filters.
    """

    query_parameters = PAGE_PARAMETERS
    page: Page
    request: Request

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> list[Any]:
        """Return the entries of a page of the timeline `queryset`.

        Raises `InvalidParameters` for a wrong limit and for a cursor of another timeline.
        """
        timeline: Timeline = queryset
        values, errors = read_parameters(request, self.query_parameters, timeline=timeline)
        if errors:
            raise InvalidParameters(errors)
        self.request = request
        return list(self.read_page(timeline, **values))

    def read_page(self, timeline: Timeline, *, limit: int, cursor: Any) -> Sequence[Any]:
        """Return the entries of the page that the parameters name."""
        self.page = timeline.page(limit=limit, cursor=cursor)
        return self.page.entries

    def get_paginated_response(self, data: Sequence[Any]) -> Response:
        """Return serialized entries with the links to the older and to the newer page."""
        return Response(
            {
                "next": self._link(self.page.older),
                "previous": self._link(self.page.newer),
                "results": data,
            }
        )

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        """Return the OpenAPI schema of a page of such entries."""
        # OpenAPI 3.0 and 3.1 write a nullable type differently. Both know this form.
        link = {"anyOf": [{"type": "string", "format": "uri"}, {"enum": [None]}]}
        return {
            "type": "object",
            "description": "A page of entries, newest first.",
            "required": ["next", "previous", "results"],
            "properties": {
                "next": {**link, "description": "The page of older entries."},
                "previous": {**link, "description": "The page of newer entries."},
                "results": schema,
            },
        }

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        """Return the OpenAPI parameters `limit` and `cursor`."""
        return [
            {
                "name": "limit",
                "in": "query",
                "description": "Entries on the page.",
                "schema": {"type": "integer", "minimum": 1, "maximum": LARGEST_PAGE},
            },
            {
                "name": "cursor",
                "in": "query",
                "description": "Where the page begins: copied from `next` or `previous`.",
                "schema": {"type": "string", "pattern": "^[A-Za-z0-9_-]{40}$"},
            },
        ]

    def _link(self, cursor: str | None) -> str | None:
        return None if cursor is None else self.link(cursor)

    def link(self, cursor: str) -> str:
        """Return the URL of the request with another cursor."""
        query = self.request.query_params.copy()
        query["cursor"] = cursor
        path = escape_uri_path(self.request.path)
        return self.request.build_absolute_uri(f"{path}?{query.urlencode()}")
