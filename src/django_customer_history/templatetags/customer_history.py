"""`{% history_tab customer %}`: the History tab inside a host's own page."""

from typing import Any

from django import template
from django.core.exceptions import PermissionDenied
from django.db import models
from django.template.context import Context

from django_customer_history.exceptions import InvalidCursorError, OutOfReachError
from django_customer_history.timeline import Page, Timeline

register = template.Library()


@register.inclusion_tag("customer_history/tab.html", takes_context=True)
def history_tab(context: Context, subject: models.Model) -> dict[str, Any]:
    """Show the history of a record to the user of the request, a page at a time.

    For a reader without permission it says so; it needs the `request` context processor.
    """
    request = context["request"]
    page, refusal = None, ""
    try:
        timeline = Timeline.of_subject(request.user, type(subject), subject.pk)
        page = _page(timeline, request.GET.get("before"))
    except (PermissionDenied, OutOfReachError):
        refusal = "permission"
    return {"page": page, "subject": subject, "refusal": refusal, "request": request}


def _page(timeline: Timeline, cursor: str | None) -> Page:
    try:
        return timeline.page(cursor=cursor)
    except InvalidCursorError:
        return timeline.page()  # A stale link inside a host's page shows the newest again.
