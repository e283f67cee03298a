"""Receivers of the signals that Django and other packages send about authentication.

- Django: `user_logged_in`, `user_logged_out`, `user_login_failed`. django-allauth, and all else
  that calls `login()` and `authenticate()`, sends these too.
- django-allauth: `password_reset`. django-axes: `user_locked_out`.
- django-hijack and django-impersonate: the beginning and the end of an impersonation.
"""

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

from django.apps import apps
from django.contrib.auth import get_user_model
from django.contrib.auth.signals import user_logged_in, user_logged_out, user_login_failed

from django_customer_history.contrib.authentication.events import (
    record_attempt,
    record_authentication,
)

_UID = "customer_history_authentication"


def connect_receivers() -> None:
    """Connect the receivers; those of other packages where the package is installed."""
    user_logged_in.connect(on_log_in, dispatch_uid=_UID)
    user_logged_out.connect(on_log_out, dispatch_uid=_UID)
    user_login_failed.connect(on_failure, dispatch_uid=_UID)
    for (app, module, name), receiver in _OF_PACKAGES.items():
        if apps.is_installed(app):
            getattr(import_module(module), name).connect(receiver, dispatch_uid=_UID)


def on_log_in(*, user: Any, request: Any = None, **_kwargs: Any) -> None:
    """Record that a user logged in. An impersonation is not a log-in."""
    if not _is_impersonation(request):
        record_authentication("Logged In", user, by=user)


def on_log_out(*, user: Any, **_kwargs: Any) -> None:
    """Record that a user logged out; None: nobody was logged in."""
    record_authentication("Logged Out", user, by=user)


def on_failure(*, credentials: Mapping[str, Any], **_kwargs: Any) -> None:
    """Record a failed log-in with the user name as it was given; never with the password."""
    names = (get_user_model().USERNAME_FIELD, "username", "email")
    name = next((str(credentials[one]) for one in names if credentials.get(one)), None)
    record_attempt("Log-in Failed", name)


def on_locked_out(*, username: str | None = None, **_kwargs: Any) -> None:
    """Record that django-axes refuses further log-ins with a user name."""
    record_attempt("Log-in Locked", username)


def on_password_reset(*, user: Any, **_kwargs: Any) -> None:
    """Record that a user set a new password by a link in an e-mail."""
    record_authentication("Password Reset", user, by=user)


def _on_hijack(action: str) -> Callable[..., None]:
    def receive(*, hijacker: Any, hijacked: Any, **_kwargs: Any) -> None:
        record_authentication(action, hijacked, by=hijacker)

    return receive


def _on_impersonation(action: str) -> Callable[..., None]:
    def receive(*, impersonator: Any, impersonating: Any, **_kwargs: Any) -> None:
        record_authentication(action, impersonating, by=impersonator)

    return receive


_OF_PACKAGES: Mapping[tuple[str, str, str], Callable[..., None]] = {
    ("allauth.account", "allauth.account.signals", "password_reset"): on_password_reset,
    ("axes", "axes.signals", "user_locked_out"): on_locked_out,
    ("hijack", "hijack.signals", "hijack_started"): _on_hijack("Impersonation Started"),
    ("hijack", "hijack.signals", "hijack_ended"): _on_hijack("Impersonation Ended"),
    ("impersonate", "impersonate.signals", "session_begin"): _on_impersonation(
        "Impersonation Started"
    ),
    ("impersonate", "impersonate.signals", "session_end"): _on_impersonation("Impersonation Ended"),
}
"""App, module and name of a signal to its receiver. Signals hold these functions weakly."""


def _is_impersonation(request: Any) -> bool:
    match = getattr(request, "resolver_match", None)
    return match is not None and "hijack" in match.app_names
