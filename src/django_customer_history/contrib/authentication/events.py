"""Entries about authentication, on the tab of the user record and in the log of everything."""

import threading
import time
from collections.abc import Mapping
from functools import partial
from typing import Any

from django.contrib.auth import get_user_model
from django.db import models, router

from django_customer_history import conf
from django_customer_history.capture.events import (
    EntryContent,
    Record,
    entity_label,
    new_event,
)
from django_customer_history.capture.writing import insert_entry
from django_customer_history.context.arguments import user_label
from django_customer_history.context.current import acting, bind_context, current
from django_customer_history.context.requests import RequestContextProvider
from django_customer_history.registration.registry import label_of, registry
from django_customer_history.values.encoding import key_text

LOG_IN = "customer_history.log_in"
"""The entity of an event about a user name, if no user has it or the user model is not
registered; its key is the name as given."""

_NOBODY = "anonymous"
"""The key of `LOG_IN` without a user name."""
_LONGEST_NAME = 255
"""The length of the column `entity_id`, in characters."""
_WINDOW = 60
"""In seconds: `AUTHENTICATION_EVENT_LIMIT` counts the events of one window."""


class RateLimit:
    """Counts events that anybody can cause, so that a flood of them cannot fill the log.

    Each process counts for itself.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._start = 0.0
        self._count = 0

    def admit(self, limit: int) -> int | None:
        """Count an event; return None if it is over the limit and so is not logged.

        Else return how many events of the former window were not logged.
        """
        now = time.monotonic()
        with self._lock:
            left_out = 0
            if now - self._start >= _WINDOW:
                left_out = max(0, self._count - limit)
                self._start, self._count = now, 0
            self._count += 1
            return left_out if self._count <= limit else None


_rate_limit = RateLimit()


def record_authentication(
    action: str, user: Any, *, by: Any, changes: Mapping[str, str] | None = None
) -> None:
    """Write an event about a user of the project; `by` is the user who caused it.

    It does nothing unless the setting `AUTHENTICATION_EVENTS` is True.
    """
    if not conf.authentication_events() or not isinstance(user, models.Model):
        return
    with acting(user=by):
        _write(action, _content_about(user, changes or {}))


def record_attempt(
    action: str, name: str | None, *, changes: Mapping[str, str] | None = None
) -> None:
    """Write an event that anybody can cause, such as a failed log-in with a user name.

    The name is logged as it was given. Within a request the entry is written after the response,
    so that a transaction of the view, which ends with a rollback, does not take it along.
    """
    if not conf.authentication_events():
        return
    left_out = _rate_limit.admit(conf.authentication_event_limit())
    if left_out is None:
        return
    texts = dict(changes or {})
    if left_out:
        texts["not_logged"] = str(left_out)
    user = _user_named(name)
    content = _content_of_name(name, texts) if user is None else _content_about(user, texts)
    provider, write = current().provider, partial(_write, action, content)
    if isinstance(provider, RequestContextProvider):
        provider.after_response.append(bind_context(write))
    else:
        write()


def _write(action: str, content: EntryContent) -> None:
    using = router.db_for_write(get_user_model())
    insert_entry(new_event(action, content), using=using)


def _content_about(user: models.Model, changes: Mapping[str, str]) -> EntryContent:
    model = label_of(user.__class__)  # A lazy user of a request has another type.
    registration = registry.find(model)
    if registration is None:
        # The rules for the values of a model that is not registered are not known.
        return _content_of_name(user_label(user), changes)
    place = (model, key_text(user))
    subject = place if registration.is_subject else None
    return _content(place, changes, subject=subject, label=entity_label(user))


def _content_of_name(name: str | None, changes: Mapping[str, str]) -> EntryContent:
    if not name:
        return _content((LOG_IN, _NOBODY), changes)
    return _content((LOG_IN, name[:_LONGEST_NAME]), {"username": name, **changes})


def _content(
    entity: Record,
    changes: Mapping[str, str],
    *,
    subject: Record | None = None,
    label: str | None = None,
) -> EntryContent:
    return EntryContent(
        entity=entity,
        subject=subject,
        label=label,
        changes={name: [None, text] for name, text in changes.items()},
    )


def _user_named(name: str | None) -> Any:
    model = get_user_model()
    manager: Any = model._default_manager
    if not name or "\x00" in name:
        return None
    try:
        return manager.get_by_natural_key(name)
    except (model.DoesNotExist, model.MultipleObjectsReturned):
        return None
