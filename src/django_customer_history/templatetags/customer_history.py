"""Tags for a project's own pages: the History tab, links to it, and to what a user changed."""

from collections.abc import Sequence
from typing import Any, cast
from urllib.parse import urlencode

from django import template
from django.core.exceptions import ImproperlyConfigured, PermissionDenied
from django.db import models
from django.http import HttpRequest
from django.template.context import Context
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.text import capfirst
from django.utils.translation import pgettext

from django_customer_history.access.permissions import (
    Reader,
    may_read,
    readable_models,
)
from django_customer_history.exceptions import NotFoundError
from django_customer_history.reading.timeline import Timeline
from django_customer_history.registration.fields import field_of
from django_customer_history.registration.registry import registry
from django_customer_history.tab.days import Moment, TabEntry
from django_customer_history.tab.filter_bar import Option
from django_customer_history.tab.own_templates import rows_of, value_writer
from django_customer_history.tab.page import (
    Tab,
    build_tab,
    error_tab,
)
from django_customer_history.tab.urls import history_url, user_history_url, with_query
from django_customer_history.tab.values import Cell, TabChange

register = template.Library()

_CHECKED = SafeString(" checked")

_FIRST = "customer_history.field_history"
"""Marks a page that has the stylesheet and the script of the tag already."""


@register.inclusion_tag("customer_history/tab.html", takes_context=True)
def history_tab(
    context: Context, subject: models.Model | None, *, url: str | None = None
) -> dict[str, Any]:
    """Show a page of a record's history to the user of the request.

    It shows nothing for None and for a record that is not saved yet, as on the page of a form
    that adds one. Raises `ImproperlyConfigured` if the model is not registered as a subject.

    The query string of the page takes the same filters as `HistoryView`; other parameters are
    ignored. If a filter is not valid or the user has no permission, the tab says so. The `request`
    context processor is required.

    `url` is the URL of the record's `HistoryView`, which reveals values and exports. The default
    is the result of `history_url`.
    """
    request = context["request"]
    record = _checked_record("history_tab", subject)
    if record is None:
        return {"history": None, "request": request}
    return {
        "history": _tab(request, record, url or history_url(record)),
        "subject": record,
        "request": request,
        "csp_nonce": context.get("csp_nonce"),
    }


@register.inclusion_tag("customer_history/tab_link.html", takes_context=True)
def history_tab_link(
    context: Context, subject: models.Model | None, *, url: str | None = None
) -> dict[str, Any]:
    """Show a link to the history for a tab bar; nothing to users who may not read the history.

    It shows nothing for None and for a record that is not saved yet either. Raises
    `ImproperlyConfigured` if no page shows the history, or the model is not registered.
    """
    request = context["request"]
    record = _checked_record("history_tab_link", subject)
    if record is None:
        return {"is_allowed": False}
    subject = record
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


@register.inclusion_tag("customer_history/field_history.html", takes_context=True)
def field_history(
    context: Context, subject: models.Model | None, field: str, *, url: str | None = None
) -> dict[str, Any]:
    """Show an icon that opens the changes of one field: `{% field_history customer "rate" %}`.

    It is a link to the history page, filtered by the field. The script opens the changes in a
    dialog, without leaving the page. It shows nothing to users who may not read the history, for
    None, and for a record that is not saved yet. Raises `ImproperlyConfigured` if the record has
    no such field, or no page shows its history. `url` is the URL of its `HistoryView`.
    """
    request = context["request"]
    record = _checked_record("field_history", subject)
    if record is None or not _may_read(request, record):
        return {"url": None}
    model = _model_of(record)
    found = field_of(model, field.partition(".")[0])
    link = url or history_url(record)
    if found is None or link is None:
        reason = f"has no field {field!r}" if found is None else "has no page with its history"
        raise ImproperlyConfigured(f"{{% field_history %}}: {model._meta.label} {reason}.")
    query = urlencode({"field": f"{model._meta.label_lower}:{field}"}, safe=":")
    is_first = _FIRST not in context.render_context
    context.render_context[_FIRST] = True
    return {
        "url": with_query(link, query),
        "label": capfirst(str(found.verbose_name)),
        "is_first": is_first,
        "csp_nonce": context.get("csp_nonce"),
    }


@register.inclusion_tag("customer_history/tab_link.html", takes_context=True)
def user_history_link(
    context: Context, user: models.Model | None, *, url: str | None = None
) -> dict[str, Any]:
    """Show a link to what a user changed; nothing to users who may not read any history.

    It shows nothing for None and for a user that is not saved yet either. `url` is the URL of the
    `UserHistoryView`; the default is the route of `django_customer_history.urls`. Raises
    `ImproperlyConfigured` if there is no such page.
    """
    request = context["request"]
    if not isinstance(user, models.Model) or user.pk is None:
        return {"is_allowed": False}
    link = url or user_history_url(str(user.pk))
    if link is None:
        raise ImproperlyConfigured(
            "{% user_history_link %} needs the page of a user. Add"
            ' path("history/", include("django_customer_history.urls")) to the URLs of the'
            " project, or give the tag a url."
        )
    return {
        "url": link,
        "is_current": request.path == link.partition("?")[0],
        "is_allowed": readable_models(cast("Reader", request.user)) != [],
    }


@register.simple_tag(takes_context=True)
def entry_rows(context: Context, entries: Sequence[TabEntry]) -> SafeString:
    """Show the rows of entries, in the templates of the tab.

    A project's own `customer_history/entry.html` and `customer_history/value.html` are used.
    """
    return rows_of(context, entries)


@register.simple_tag
def menu_options(options: Sequence[Option]) -> SafeString:
    """Show the options of a menu of the filter bar, with a box to tick each."""
    older = pgettext("value of older changes", "older")
    mark = format_html(' <span class="ch-older">{}</span>', older)
    return format_html_join(
        "\n",
        '<label><input type="checkbox" name="{}" value="{}"{}> <bdi>{}</bdi>{}</label>',
        (
            (
                one.name,
                one.value,
                _CHECKED if one.is_chosen else "",
                one.label,
                mark if one.is_older else "",
            )
            for one in options
        ),
    )


@register.simple_tag(takes_context=True)
def changed_value(context: Context, change: TabChange, cell: Cell) -> SafeString:
    """Show the old or the new value of a change, on the page that undoes."""
    return value_writer(context).write(change, cell)


@register.filter
def isolated(text: object) -> SafeString:
    """Return a name in a `bdi` element, so that its text direction does not affect the sentence."""
    return format_html("<bdi>{}</bdi>", text)


@register.filter
def as_time(moment: Moment) -> SafeString:
    """Return the time when the page was made. The script updates it when the page is printed."""
    return format_html(
        '<time class="ch-print-time" datetime="{}">{}</time>',
        moment.iso,
        moment.exact,
    )


def _checked_record(tag: str, subject: Any) -> models.Model | None:
    """Return the record that a tag is given; None if there is nothing to show (yet)."""
    if subject is None or subject == "":  # The text stands for a variable that does not exist.
        return None
    if not isinstance(subject, models.Model):
        raise ImproperlyConfigured(
            f"{{% {tag} %}} needs a record, not {subject!r}. Give it an instance of a model."
        )
    registration = registry.find(_model_of(subject)._meta.label_lower)
    if registration is None or not registration.is_subject:
        raise ImproperlyConfigured(
            f"{{% {tag} %}}: {subject._meta.label} has no history of its own. Register it with"
            ' history.register(..., subject="self").'
        )
    return None if subject._state.adding or subject.pk is None else subject


def _tab(request: HttpRequest, subject: models.Model, url: str | None) -> Tab:
    try:
        timeline = Timeline.of_subject(cast("Reader", request.user), _model_of(subject), subject.pk)
    except (PermissionDenied, NotFoundError):
        return error_tab(request, "permission")
    return build_tab(request, timeline, url=url, allow_other_parameters=True)


def _may_read(request: HttpRequest, subject: models.Model) -> bool:
    try:
        return may_read(cast("Reader", request.user), _model_of(subject), subject=subject)
    except NotFoundError:
        return False


def _model_of(subject: models.Model) -> Any:
    # Of a proxy, a deferred or a lazy object: the model that is registered.
    return subject._meta.concrete_model
