"""Links of the tab to the pages of watches."""

from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlencode

from django.http import HttpRequest

from django_customer_history.reading.timeline import Timeline
from django_customer_history.tab.urls import watch_url, watches_url, with_query


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchLinks:
    """The page that saves the filters of a tab, and the page of saved filters."""

    add: str
    saved: str


def watch_links(
    request: HttpRequest, timeline: Timeline, filters: Iterable[tuple[str, str]]
) -> WatchLinks | None:
    """Return the links; None without the pages, or for a visitor who is not logged in."""
    add, saved = watch_url(timeline.model, timeline.key), watches_url()
    if add is None or saved is None or not request.user.is_authenticated:
        return None
    query = urlencode(list(filters))
    return WatchLinks(add=with_query(add, query) if query else add, saved=saved)
