"""A request as the provider of the context of everything written while it is answered."""

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.core.exceptions import BadRequest, SuspiciousOperation
from django.db import models
from django.http import HttpRequest
from django.http.multipartparser import MultiPartParserError
from django.http.request import UnreadablePostError

from django_customer_history import conf
from django_customer_history.context.arguments import (
    LONGEST_REASON,
    as_named_user,
    checked_source,
    is_user,
    user_label,
)
from django_customer_history.context.ip_addresses import client_address
from django_customer_history.context.resolved import NamedUser
from django_customer_history.exceptions import ReasonTooLongError


class RequestContextProvider:
    """Reads the values of a context from a request when a write happens."""

    def __init__(self, request: HttpRequest) -> None:
        self._request = request
        self.after_response: list[Callable[[], None]] = []
        """What is written after the response, outside of the transaction of the view."""
        self._named_user: tuple[Any, NamedUser | None] = (None, None)
        self._named_impersonator: tuple[Any, NamedUser | None] = (None, None)
        self._looking_up: set[int] = set()
        """The threads that are finding out who the user is."""

    def user(self) -> NamedUser | None:
        """Return the user of the request at this moment; None for an anonymous one.

        It is that of USER_RESOLVER, else `request.user`, else `request.auth`.
        """
        if self._is_looking_up():
            return None
        find = conf.user_resolver()
        if find is not None:
            with self._lookup():
                found = as_named_user(find(self._request))
            if found is not None:
                return found
        user = self._request_user()
        known_user, named = self._named_user
        if user is not known_user or named is None:
            with self._lookup():
                named = _named_user_of(user)
            self._named_user = (user, named)
        return named or self._authenticated()

    def impersonator(self) -> NamedUser | None:
        """Return the user who impersonates the request's user, by IMPERSONATOR_RESOLVER."""
        find, user = conf.impersonator_resolver(), self._request_user()
        if find is None or self._is_looking_up():
            return None
        # None is not remembered: the impersonation may begin in the middle of the request.
        known_user, named = self._named_impersonator
        if user is not known_user or named is None:
            with self._lookup():
                named = as_named_user(find(self._request))
            self._named_impersonator = (user, named)
        return named

    def source(self) -> str:
        """Return the source by SOURCE_RESOLVER, else by the view that answers the request."""
        choose = conf.source_resolver()
        chosen = None if choose is None else choose(self._request)
        return self._source_by_view() if chosen is None else checked_source(chosen)

    def reason(self) -> str | None:
        """Return the reason in REASON_HEADER or REASON_FIELD of the request, or None.

        Raises `ReasonTooLongError` for a text that is too long to be copied into each entry.
        """
        header, field = conf.reason_header(), conf.reason_field()
        given = _decoded(self._request.headers.get(header)) if header else None
        if not given and field:
            given = self._form_value(field)
        given = given.strip() if given else None
        if given and len(given) > LONGEST_REASON:
            raise ReasonTooLongError(
                f"The reason has {len(given)} characters. Give at most {LONGEST_REASON}."
            )
        return given or None

    def ip_address(self) -> str | None:
        """Return the client's IP address as the log keeps it; None if it is unknown."""
        return client_address(self._request.META)

    def _request_user(self) -> Any:
        return getattr(self._request, "user", None)

    def _authenticated(self) -> NamedUser | None:
        # Some frameworks, such as Django Ninja, leave the user here and not in `request.user`.
        # Others put a token here, which is not a user.
        found = getattr(self._request, "auth", None)
        return as_named_user(found) if is_user(found) else None

    def _is_looking_up(self) -> bool:
        return threading.get_ident() in self._looking_up

    @contextmanager
    def _lookup(self) -> Iterator[None]:
        # Loading the user may write, too, such as a session. Those writes have no user. Another
        # thread of the request loads the user by itself.
        thread = threading.get_ident()
        self._looking_up.add(thread)
        try:
            yield
        finally:
            self._looking_up.discard(thread)

    def _source_by_view(self) -> str:
        match = self._request.resolver_match
        if match is None:
            return "web"
        if "admin" in match.app_names:
            return "admin"
        return "api" if _is_api_view(match.func) else "web"

    def _form_value(self, field: str) -> str | None:
        if self._request.method != "POST":
            return None
        try:
            return self._request.POST.get(field)
        except (MultiPartParserError, UnreadablePostError, SuspiciousOperation, BadRequest):
            return None  # The form cannot be read; the view gets the same error.


def _named_user_of(user: Any) -> NamedUser | None:
    # An authentication may create a user object for one request: it has a name but no key.
    is_unsaved = isinstance(user, models.Model) and user.pk is None
    if is_unsaved and getattr(user, "is_authenticated", True):
        return NamedUser(id=None, label=user_label(user))
    return as_named_user(user)


def _decoded(text: str | None) -> str | None:
    # Servers decode headers as Latin-1 (PEP 3333); clients send other letters as UTF-8.
    try:
        return None if text is None else text.encode("latin-1").decode()
    except UnicodeError:
        return text


def _is_api_view(view: object) -> bool:
    # Not imported here: a project may not use Django REST framework at all.
    framework = sys.modules.get("rest_framework.views")
    view_class = getattr(view, "cls", None) or getattr(view, "view_class", None)
    return (
        framework is not None
        and isinstance(view_class, type)
        and issubclass(view_class, framework.APIView)
    )
