"""`{% history_tab customer %}`: the History tab inside a host's own page."""

from typing import Any

from django import template
from django.core.exceptions import PermissionDenied
from django.db import models
from django.template.context import Context

from django_customer_history.exceptions import (
    InvalidCursorError,
    InvalidFilterError,
    OutOfReachError,
)
from django_customer_history.filters import NAMES, Filters
from django_customer_history.timeline import Page, Timeline

register = template.Library()


@register.inclusion_tag("customer_history/tab.html", takes_context=True)
def history_tab(context: Context, subject: models.Model) -> dict[str, Any]:
    """Show the history of a record to the user of the request, a page at a time.

    The query of the host's page may bear the filters that `HistoryView` takes, under the same
    names; names that are no filter belong to the host. For a wrong filter, or a reader without
    permission, the tab says so. It needs the `request` context processor.
    """
    request = context["request"]
    shown: dict[str, Any] = {"subject": subject, "request": request}
    try:
        timeline = Timeline.of_subject(request.user, type(subject), subject.pk)
        filters = Filters.read(request.GET, besides=set(request.GET) - set(NAMES))
    except (PermissionDenied, OutOfReachError):
        return {**shown, "refusal": "permission"}
    except InvalidFilterError as error:
        return {**shown, "refusal": "filter", "wrong_filters": error.errors}
    page = _page(timeline.filtered(filters), request.GET.get("before"))
    return {**shown, "page": page, "filters": filters}


def _page(timeline: Timeline, cursor: str | None) -> Page:
    try:
        return timeline.page(cursor=cursor)
    except InvalidCursorError:
        return timeline.page()  # A stale link inside a host's page shows the newest again.
