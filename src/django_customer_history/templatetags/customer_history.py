"""`{% history_tab customer %}` and `{% history_tab_link customer %}` for a project's own pages."""

from typing import Any, cast

from django import template
from django.core.exceptions import ImproperlyConfigured, PermissionDenied
from django.db import models
from django.http import HttpRequest
from django.template.context import Context
from django.utils.html import format_html
from django.utils.safestring import SafeString

from django_customer_history.access.permissions import (
    Reader,
    may_read,
)
from django_customer_history.exceptions import NotFoundError
from django_customer_history.reading.timeline import Timeline
from django_customer_history.tab.days import Moment
from django_customer_history.tab.page import (
    Tab,
    build_tab,
    error_tab,
)
from django_customer_history.tab.urls import history_url

register = template.Library()


@register.inclusion_tag("customer_history/tab.html", takes_context=True)
def history_tab(
    context: Context, subject: models.Model, *, url: str | None = None
) -> dict[str, Any]:
    """Show a page of a record's history to the user of the request.

    The query string of the page takes the same filters as `HistoryView`; other parameters are
    ignored. If a filter is not valid or the user has no permission, the tab says so. The `request`
    context processor is required.

    `url` is the URL of the record's `HistoryView`, which reveals values and exports. The default
    is the result of `history_url`.
    """
    request = context["request"]
    tab = _tab(request, subject, url or history_url(subject))
    return {
        "history": tab,
        "subject": subject,
        "request": request,
        "csp_nonce": context.get("csp_nonce"),
    }


@register.inclusion_tag("customer_history/tab_link.html", takes_context=True)
def history_tab_link(
    context: Context, subject: models.Model, *, url: str | None = None
) -> dict[str, Any]:
    """Show a link to the history for a tab bar; nothing to users who may not read the history.

    Raises `ImproperlyConfigured` if no page shows the history.
    """
    request = context["request"]
    link = url or history_url(subject)
    if link is None:
        raise ImproperlyConfigured(
            f"{subject._meta.label}: no page shows the history of this model. Add"
            ' path("history/", include("django_customer_history.urls")) to the URLs of the'
            " project, add a method get_history_url() to the model, or give the tag a url."
        )
    return {
        "url": link,
        "is_current": request.path == link.partition("?")[0],
        "is_allowed": _may_read(request, subject),
    }


@register.filter
def isolated(text: object) -> SafeString:
    """Return a name in a `bdi` element, so that its text direction does not affect the sentence."""
    return format_html("<bdi>{}</bdi>", text)


@register.filter
def as_time(moment: Moment) -> SafeString:
    """Return the time when the page was made. The script updates it when the page is printed."""
    return format_html(
        '<time class="customer-history-print-time" datetime="{}">{}</time>',
        moment.iso,
        moment.exact,
    )


def _tab(request: HttpRequest, subject: models.Model, url: str | None) -> Tab:
    try:
        timeline = Timeline.of_subject(cast("Reader", request.user), type(subject), subject.pk)
    except (PermissionDenied, NotFoundError):
        return error_tab(request, "permission")
    return build_tab(request, timeline, url=url, allow_other_parameters=True)


def _may_read(request: HttpRequest, subject: models.Model) -> bool:
    try:
        return may_read(cast("Reader", request.user), type(subject), subject=subject)
    except NotFoundError:
        return False
