"""A request as the origin of what is written while it is answered."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.core.exceptions import BadRequest, SuspiciousOperation
from django.db import models
from django.http import HttpRequest
from django.http.multipartparser import MultiPartParserError
from django.http.request import UnreadablePostError

from django_customer_history import conf
from django_customer_history.context.current import (
    as_named_user,
    known_source,
    name_of,
)
from django_customer_history.context.ip_addresses import client_address
from django_customer_history.context.resolved import NamedUser


class RequestContextProvider:
    """A request, asked for user and source at the moment of a write."""

    def __init__(self, request: HttpRequest) -> None:
        self._request = request
        self._user_value: tuple[Any, NamedUser | None] = (None, None)
        self._impersonator: tuple[Any, NamedUser | None] = (None, None)
        self._is_asking = False

    def user(self) -> NamedUser | None:
        """Return the user of the request as it is now; None for nobody."""
        user = self._user()
        if (user is not self._user_value[0] or self._user_value[1] is None) and not self._is_asking:
            with self._asking():
                self._user_value = (user, _user_of(user))
        return self._user_value[1] if user is self._user_value[0] else None

    def impersonator(self) -> NamedUser | None:
        """Return the user who acts as the request's user, by the function of the settings."""
        find, user = conf.impersonator_resolver(), self._user()
        if find is None:
            return None
        # Only a name is kept: it may be in the course of the request that somebody takes over.
        is_known = user is self._impersonator[0] and self._impersonator[1] is not None
        if not is_known and not self._is_asking:
            with self._asking():
                self._impersonator = (user, as_named_user(find(self._request)))
        return self._impersonator[1] if user is self._impersonator[0] else None

    def source(self) -> str:
        """Return the source that the project's own function says, else the view that answers."""
        choose = conf.source_resolver()
        chosen = None if choose is None else choose(self._request)
        return self._source_by_view() if chosen is None else known_source(chosen)

    def reason(self) -> str | None:
        """Return what the header or the form field of the settings says, if it says anything."""
        header, field = conf.reason_header(), conf.reason_field()
        given = _as_sent(self._request.headers.get(header)) if header else None
        if not given and field:
            given = self._form_value(field)
        return given.strip() or None if given else None

    def ip_address(self) -> str | None:
        """Return as much of the client's address as the log keeps; None where it is not known."""
        return client_address(self._request.META)

    def _user(self) -> Any:
        return getattr(self._request, "user", None)

    @contextmanager
    def _asking(self) -> Iterator[None]:
        # What finding a user out writes itself is nobody's.
        self._is_asking = True
        try:
            yield
        finally:
            self._is_asking = False

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
            return None  # A form that cannot be read says nothing; the view finds out itself.


def _user_of(user: Any) -> NamedUser | None:
    # Whom an authentication makes up for one request has a name and no key.
    is_made_up = isinstance(user, models.Model) and user.pk is None
    if is_made_up and getattr(user, "is_authenticated", True):
        return NamedUser(id=None, label=name_of(user))
    return as_named_user(user)


def _as_sent(text: str | None) -> str | None:
    # Servers read headers as Latin-1 (PEP 3333); whoever sends other letters sends UTF-8.
    try:
        return None if text is None else text.encode("latin-1").decode()
    except UnicodeError:
        return text


def _is_api_view(view: object) -> bool:
    # A project without the framework never imported it; so there is nothing to ask for.
    framework = sys.modules.get("rest_framework.views")
    view_class = getattr(view, "cls", None) or getattr(view, "view_class", None)
    return (
        framework is not None
        and isinstance(view_class, type)
        and issubclass(view_class, framework.APIView)
    )
