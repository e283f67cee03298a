"""Register every concrete managed model as soon as its class exists.

A test may define a model with the label of another one, as a migration or the state of one does.
The newest class counts, as in a project whose models have that migration behind them. After each
test the registrations are those of before.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.apps.registry import Apps
from django.db.migrations.state import StateApps
from django.db.models.signals import class_prepared

from django_customer_history.registration.registry import registration_of, registry

OWN_APP = "customer_history"


class Registering:
    """Registers models while they are defined."""

    def __init__(self) -> None:
        self._is_in_test = False
        self._is_off = False
        self._unresolved: list[Any] = []
        """Models with a relation to a model that does not exist yet."""

    def connect(self) -> None:
        """Register each model from now on."""
        class_prepared.connect(self._on_class)
        resolve = Apps.do_pending_operations

        def do_pending_operations(loaded: Apps, model: Any) -> None:
            resolve(loaded, model)
            self._register_resolved()

        Apps.do_pending_operations = do_pending_operations

    @contextmanager
    def for_one_test(self) -> Iterator[None]:
        """Restore the registrations at the end, and register models of migrations until then."""
        before = dict(registry._registrations)
        self._is_in_test = True
        try:
            yield
        finally:
            self._is_in_test = False
            registry._registrations.clear()
            registry._registrations.update(before)
            registry.conflicts.clear()
            self._unresolved.clear()

    @contextmanager
    def off(self) -> Iterator[None]:
        """Leave out the models that a schema editor makes for a moment."""
        was_off, self._is_off = self._is_off, True
        try:
            yield
        finally:
            self._is_off = was_off

    def _on_class(self, sender: Any, **_kwargs: Any) -> None:
        meta = sender._meta
        is_left_out = (
            meta.app_label == OWN_APP
            or sender.__module__ == "django.db.migrations.recorder"
            or not meta.managed
            or meta.proxy
            or meta.abstract
            or meta.swapped
            or meta.auto_created
            or self._is_off
            or (isinstance(meta.apps, StateApps) and not self._is_in_test)
        )
        if not is_left_out:
            self._unresolved.append(sender)

    def _register_resolved(self) -> None:
        waiting, self._unresolved = self._unresolved, []
        for model in waiting:
            if _is_resolved(model):
                _register(model)
            else:
                self._unresolved.append(model)


def _is_resolved(model: Any) -> bool:
    return not any(
        isinstance(related, str)
        for field in (*model._meta.local_fields, *model._meta.local_many_to_many)
        for related in (
            getattr(field.remote_field, "model", None),
            getattr(field.remote_field, "through", None),
        )
    )


def _register(model: Any) -> None:
    for former in registry:
        # A model that was renamed keeps its table, if that has a name of its own.
        meta = former.model._meta
        if meta.label_lower == model._meta.label_lower or meta.db_table == model._meta.db_table:
            registry.remove(former.model)
    registry.add(registration_of(model, subject="self"))
