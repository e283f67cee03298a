"""`{% history_tab customer %}` and `{% history_tab_link customer %}` in a host's own pages."""

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
from django_customer_history.tab.address import address_of
from django_customer_history.tab.days import Moment
from django_customer_history.tab.page import (
    Tab,
    refused,
    tab_of,
)

register = template.Library()


@register.inclusion_tag("customer_history/tab.html", takes_context=True)
def history_tab(
    context: Context, subject: models.Model, *, url: str | None = None
) -> dict[str, Any]:
    """Show the history of a record to the user of the request, a page at a time.

    The query of the host's page may bear the filters that `HistoryView` takes, under the same
    names; names that are no filter belong to the host. For a wrong filter, or a reader without
    permission, the tab says so. It needs the `request` context processor. `url` is where a
    `HistoryView` answers for the record, which reveals and exports; see `address_of`.
    """
    request = context["request"]
    tab = _tab(request, subject, url or address_of(subject))
    return {
        "history": tab,
        "subject": subject,
        "request": request,
        "csp_nonce": context.get("csp_nonce"),
    }


@register.inclusion_tag("customer_history/link.html", takes_context=True)
def history_tab_link(
    context: Context, subject: models.Model, *, url: str | None = None
) -> dict[str, Any]:
    """Show the item of a tab bar that leads to the history; nothing to who may not read it.

    Raises `ImproperlyConfigured` where no address is known.
    """
    request = context["request"]
    address = url or address_of(subject)
    if address is None:
        raise ImproperlyConfigured(
            f"No page shows the history of {subject._meta.label}. Give the tag a url, the model"
            ' a method get_history_url(), or the project path("history/",'
            ' include("django_customer_history.urls")).'
        )
    return {
        "address": address,
        "is_here": request.path == address.partition("?")[0],
        "is_allowed": _may_read(request, subject),
    }


@register.filter
def isolated(text: object) -> SafeString:
    """Return a name in an element of its own, so that it reads in its own direction."""
    return format_html("<bdi>{}</bdi>", text)


@register.filter
def as_time(moment: Moment) -> SafeString:
    """Return the moment of a page, in an element that the script keeps true."""
    return format_html(
        '<time class="customer-history-now" datetime="{}">{}</time>', moment.iso, moment.exact
    )


def _tab(request: HttpRequest, subject: models.Model, address: str | None) -> Tab:
    try:
        timeline = Timeline.of_subject(cast("Reader", request.user), type(subject), subject.pk)
    except (PermissionDenied, NotFoundError):
        return refused(request, "permission")
    return tab_of(request, timeline, address=address, leaves_others=True)


def _may_read(request: HttpRequest, subject: models.Model) -> bool:
    try:
        return may_read(cast("Reader", request.user), type(subject), subject=subject)
    except NotFoundError:
        return False
