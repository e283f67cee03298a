"""The feed: settled entries, oldest first, for programs that follow the log."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from django.utils.translation import gettext_lazy as _
from rest_framework import mixins, serializers
from rest_framework.exceptions import APIException
from rest_framework.request import Request
from rest_framework.response import Response

from django_customer_history.exceptions import NotSettledError
from django_customer_history.reading.cursors import Cursor
from django_customer_history.reading.entries import FeedPage
from django_customer_history.reading.feed import feed_cursor, feed_position
from django_customer_history.reading.timeline import Timeline
from django_customer_history.rest_framework.contract import (
    HistoryContract,
    ViewSet,
    in_reader_time_zone,
)
from django_customer_history.rest_framework.filters import HistoryFilterBackend
from django_customer_history.rest_framework.pagination import HistoryPagination
from django_customer_history.rest_framework.parameters import PAGE_PARAMETERS, Parser
from django_customer_history.rest_framework.renderers import HistoryContentNegotiation
from django_customer_history.rest_framework.serializers import EntrySerializer
from django_customer_history.values.rendering import utc_text

PATIENCE = 0.2
"""In seconds: how long a request waits for open transactions to end."""


class FeedUnavailable(APIException):
    """The database does not know which entries are settled."""

    status_code = 503
    default_detail = _("The settled order is not known at the moment. Try again later.")
    default_code = "feed_unavailable"


def _position(text: str | None, timeline: Timeline | None) -> UUID | None:
    if text is None:
        return None
    if timeline is None:
        return Cursor.read(text, question=None).key
    return feed_position(text, question=timeline.question)


class FeedPagination(HistoryPagination):
    """Pages of settled entries, oldest first. `next` is never null: ask it again later."""

    query_parameters: Mapping[str, Parser] = {**PAGE_PARAMETERS, "cursor": _position}
    feed: FeedPage
    timeline: Timeline

    def read_page(self, timeline: Timeline, *, limit: int, cursor: Any) -> Sequence[Any]:
        """Return the settled entries after a position."""
        self.timeline = timeline
        try:
            self.feed = timeline.feed(after=cursor, limit=limit, patience=PATIENCE)
        except NotSettledError as error:
            raise FeedUnavailable(str(error)) from error
        return self.feed.entries

    def get_paginated_response(self, data: Sequence[Any]) -> Response:
        """Return serialized entries, the link to those that come later, and how far it is settled.

        `has_more` says whether the next page has entries now.
        """
        return Response(
            {
                "next": self.link(feed_cursor(self.feed.position, question=self.timeline.question)),
                "has_more": self.feed.has_more,
                "settled_until": utc_text(self.feed.settled_until),
                "results": data,
            }
        )

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        """Return the OpenAPI schema of a page of the feed."""
        moment = {"type": "string", "format": "date-time"}
        return {
            "type": "object",
            "description": "A page of settled entries, oldest first.",
            "required": ["next", "has_more", "settled_until", "results"],
            "properties": {
                "next": {
                    "type": "string",
                    "format": "uri",
                    "description": "The entries after this page, now or later.",
                },
                "has_more": {
                    "type": "boolean",
                    "description": "Whether there are further settled entries now.",
                },
                "settled_until": {
                    **moment,
                    "description": "No entry from before this moment can appear any more.",
                },
                "results": schema,
            },
        }


class FeedViewSet(HistoryContract, mixins.ListModelMixin, ViewSet):
    """Settled entries over all subjects that the reader may see, oldest first."""

    permission_classes = ()
    content_negotiation_class = HistoryContentNegotiation
    serializer_class: type[serializers.Serializer[Any]] = EntrySerializer
    filter_backends = (HistoryFilterBackend,)
    pagination_class = FeedPagination

    def get_queryset(self) -> Any:
        """Return the timeline. Raise `PermissionDenied` for a reader who may see nothing of it."""
        return Timeline.of_everything(self.request.user)

    @in_reader_time_zone
    def list(self, request: Request, *args: Any, **kwargs: Any) -> Any:
        """Return a page of entries, and where to go on."""
        return super().list(request, *args, **kwargs)
