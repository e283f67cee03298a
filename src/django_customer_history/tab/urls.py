"""URLs of the pages that show the history of a record."""

from collections.abc import Callable, Iterable
from uuid import UUID

from django.db import models
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils.encoding import escape_uri_path

from django_customer_history.reading.entries import TimelineEntry
from django_customer_history.registration.registry import label_of, registry
from django_customer_history.values.encoding import key_text
from django_customer_history.values.python_values import python_key

ENTRY_ID = "ch-entry"
"""The id of the element of the entry with which a page begins: the end of a permalink."""

_ANY_ENTRY = UUID(int=0)


def history_url(subject: models.Model) -> str | None:
    """Return the URL of a record's history page.

    It is the result of the model's `get_history_url()`, or else the route of
    `django_customer_history.urls`. None if the model has no such method and the route is not
    included in the project.
    """
    get_url = getattr(subject, "get_history_url", None)
    if get_url is not None:
        return str(get_url())
    return route_url(label_of(subject.__class__), key_text(subject))


def page_url(request: HttpRequest) -> str:
    """Return the URL of the page of a request, quoted: a key can contain a % or a ?."""
    return escape_uri_path(request.path)


def entry_url(entry: TimelineEntry) -> str | None:
    """Return the URL of an entry on the tab of its subject, or None if no page shows it.

    It also works for the entries of deleted subjects.
    """
    registration = None if entry.subject is None else registry.find(entry.subject.model)
    if entry.subject is None or registration is None:
        return None
    key = entry.subject.id
    subject_key = python_key(registration.model, key)
    subject = registration.model._base_manager.filter(pk=subject_key).first()
    url = route_url(entry.subject.model, key) if subject is None else history_url(subject)
    if url is None:
        return None
    return with_query(url, f"entry={entry.id}#{ENTRY_ID}")


def with_query(url: str, query: str) -> str:
    """Return a URL with one more part of a query string."""
    return f"{url}{'&' if '?' in url else '?'}{query}"


def url_of_entry(*names: str) -> Callable[[UUID], str | None]:
    """Return a function that returns the URL of a page of an entry: of the first name that exists.

    The URL is looked up once, not for each entry.
    """
    url = _first_url(names, _ANY_ENTRY)
    return lambda key: url and url.replace(str(_ANY_ENTRY), str(key))


def route_url(model: str, key: object) -> str | None:
    """Return the URL of the history of a record in `django_customer_history.urls`, or None."""
    return _first_url(["customer_history:subject"], model, key)


def user_history_url(key: str) -> str | None:
    """Return the URL of the page of one user, or None if the project has no such page."""
    return _first_url(["customer_history:user"], key)


def watch_url(model: type[models.Model] | None, key: str | None) -> str | None:
    """Return the URL of the page that saves filters of a record, or of everything, or None."""
    if model is None:
        return _first_url(["customer_history:watch_everything"])
    return _first_url(["customer_history:watch"], model._meta.label_lower, key)


def watches_url() -> str | None:
    """Return the URL of the page of saved filters, or None if the project has no such page."""
    return _first_url(["customer_history:watches"])


def undo_names(page: str, *, in_admin: bool) -> list[str]:
    """Return the names of the URL of a page that undoes, the first choice first."""
    names = [f"customer_history:{page}", f"admin:customer_history_{page}"]
    return names[::-1] if in_admin else names[:1]


def undo_url(page: str, *args: object, in_admin: bool = False) -> str | None:
    """Return the URL of a page that undoes: `undo`, `undo_request` or `restore`.

    None if neither `django_customer_history.urls` nor the admin is in the URLs of the project.
    """
    return _first_url(undo_names(page, in_admin=in_admin), *args)


def _first_url(names: Iterable[str], *args: object) -> str | None:
    """Return the URL of the first name that the project has, or None."""
    for name in names:
        try:
            return reverse(name, args=args)
        except NoReverseMatch:
            continue
    return None
