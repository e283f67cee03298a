"""The public API: register models, set the context, record events, read the log.

    from django_customer_history import history

It can be imported before Django is set up.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from importlib import import_module
from typing import TYPE_CHECKING, Any, TypeVar, overload

from django.apps import apps
from django.db import models

from django_customer_history.capture.events import (
    check_subject,
    paused,
    record,
)
from django_customer_history.capture.viewing import viewed
from django_customer_history.context.current import (
    acting,
    action,
    bind_context,
    current,
)
from django_customer_history.context.resolved import NamedUser, ResolvedContext
from django_customer_history.masks import Mask
from django_customer_history.point_in_time.as_of import state_of
from django_customer_history.registration.options import (
    Display,
    Events,
    FieldNames,
    KeyLabels,
)
from django_customer_history.registration.own_models import own_model
from django_customer_history.registration.registry import (
    concrete_model,
    registration_of,
    registry,
)
from django_customer_history.values.encoding import key_if_saved, key_text

if TYPE_CHECKING:
    from django_customer_history.models import EntryQuerySet
    from django_customer_history.point_in_time.conflicts import Undone
    from django_customer_history.point_in_time.undo import Through, Undoable

__all__ = [
    "NamedUser",
    "ResolvedContext",
    "acting",
    "action",
    "as_of",
    "bind_context",
    "current",
    "entries_for",
    "paused",
    "record",
    "register",
    "restore",
    "revert",
    "undo",
    "unregister",
    "viewed",
]

# It needs the models, and this module can be imported before they are loaded.
_UNDO = "django_customer_history.point_in_time.undo"

AnyModel = TypeVar("AnyModel", bound=type[models.Model])


@overload
def register(
    model: AnyModel,
    /,
    *,
    subject: FieldNames = None,
    label: FieldNames = None,
    exclude: FieldNames = None,
    only: FieldNames = None,
    confidential: Mapping[str, Mask] | None = None,
    secret: FieldNames = None,
    m2m: FieldNames = None,
    events: Events | None = None,
    json_keys: FieldNames = None,
    key_labels: Mapping[str, KeyLabels] | None = None,
    display: Mapping[str, Display] | None = None,
    reason_required: FieldNames | bool = None,
    snapshots: bool | str = False,
) -> AnyModel: ...


@overload
def register(
    *,
    subject: FieldNames = None,
    label: FieldNames = None,
    exclude: FieldNames = None,
    only: FieldNames = None,
    confidential: Mapping[str, Mask] | None = None,
    secret: FieldNames = None,
    m2m: FieldNames = None,
    events: Events | None = None,
    json_keys: FieldNames = None,
    key_labels: Mapping[str, KeyLabels] | None = None,
    display: Mapping[str, Display] | None = None,
    reason_required: FieldNames | bool = None,
    snapshots: bool | str = False,
) -> Callable[[AnyModel], AnyModel]: ...


def register(model: AnyModel | None = None, /, **options: Any) -> Any:
    """Track a model. Use it as a call, or as a decorator of the model class.

    The registration of an abstract model holds for the models that inherit from it, unless they
    are registered themselves.

    - `subject`: the records whose History tab shows the changes: "self", the name of a foreign
      key, a path over several foreign keys ("invoice__customer"), a generic foreign key, or a
      list of these. None: the changes are logged but show on no tab.
    - `label`: field or fields that name a record, or paths over foreign keys to such fields
      ("field__label"). Entries keep the name that it had at the time.
    - `exclude`: fields that are not logged. Fields with `auto_now` are not logged either, unless
      `only` names them.
    - `only`: the only fields that are logged.
    - `confidential`: dict from fields to masks. Readers without the permission for the field see
      the mask instead of the value.
    - `secret`: fields whose values are never stored; the log says only that they changed. Text
      fields with the name `password`, or a name that ends in `_password`, are always secret.
    - `m2m`: the many-to-many fields whose links are logged; by default all.
    - `events`: the actions of changes: `{"status": {"closed": "Ticket Closed"}}` when a field
      gets a value, `{"assigned_to": "Ticket Reassigned"}` when a field changes to any value,
      `{"create": "Invoice Generated"}` for a kind. The first one that matches wins.
    - `json_keys`: JSON fields, such as user-defined fields, whose keys are logged like fields.
    - `key_labels`: dict from such a field to a function that takes the reader and returns a dict
      from keys to labels: `{"udf": labels_of_fields}`.
    - `display`: dict from fields to functions that take a value and return the text to show:
      `{"total": "${:,.2f}".format}`. They never get None or a value that is masked.
    - `reason_required`: True, or fields and kinds ("create", "update", "delete", "add",
      "remove"). The database refuses their changes without a reason.
    - `snapshots`: True, or the label of the app for the migrations of the snapshot table.
      django-simple-history then also keeps whole rows, as `Model.history`.

    Raises `TypeError` for something that is not a model class, or for an unknown option. The
    system checks report names that do not exist, values of a wrong type, and two registrations
    of a model with different options.
    """

    def add(registered: AnyModel) -> AnyModel:
        registry.add(registration_of(registered, **options))
        if registered._meta.abstract and apps.models_ready:
            registry.apply_to_children(apps.get_models())
        return registered

    return add if model is None else add(model)


def unregister(model: type[models.Model]) -> None:
    """Stop tracking a model from the next `migrate` on.

    `migrate` removes the triggers; until then they keep recording. The entries stay in the log
    and on the tabs. Which fields were confidential is no longer known, so all values of the model
    are masked for readers without `customer_history.view_confidential`. A model that is not
    registered is not an error.
    """
    registry.remove(model)


def entries_for(record_or_model: Any, key: object = None) -> "EntryQuerySet":
    """Return the entries on the History tab of a record, newest first.

    Give the record; for a deleted record give its model and its key. With several databases, the
    log is read from that of the record, else from the one where the routers read the model. The
    result is an `EntryQuerySet` that you can filter further. It checks no permission and masks
    nothing; use `Timeline` to show entries to a reader.

    Raises `NotRegisteredError` if records of the model have no History tab, and `ValueError` if
    the record is not saved or the key is missing.
    """
    log: EntryQuerySet = own_model("Entry")._default_manager.all()
    entries = log.beside(record_or_model)
    if isinstance(record_or_model, models.Model):
        record_or_model, key = type(record_or_model), key_if_saved(record_or_model)
    if not (isinstance(record_or_model, type) and issubclass(record_or_model, models.Model)):
        raise TypeError(
            f"history.entries_for() takes a record, or a model and a key, not {record_or_model!r}."
        )
    if key is None or (isinstance(key, tuple) and None in key):
        raise ValueError(
            f"history.entries_for() got no key of a {record_or_model._meta.label}: the record is"
            " not saved, or the key of a deleted record is missing."
        )
    entries = entries.of_subject(record_or_model, key).newest_first()
    # A model that was registered once still has its entries.
    if concrete_model(record_or_model) in registry or not entries.exists():
        check_subject(record_or_model)
    return entries


def as_of(record_or_model: Any, moment: datetime, *, key: object = None) -> dict[str, Any] | None:
    """Return the values of a record at a moment, as far as the log has them.

    Give the record; for a deleted record give its model and `key`. A `moment` without a time zone
    is in that of the setting `TIME_ZONE`, as everywhere in Django. The result maps fields to
    Python values, as the ORM returns them, and many-to-many fields to lists of keys. A JSON field
    that is logged by its keys is one dict. Values of fields that no longer exist are texts.
    Values from before tracking began and secret values are not included. None: the record did
    not exist at that moment.

    It checks no permission and masks nothing; use `point_in_time.record.record_as_of` to show a
    record to a reader.
    """
    record = record_or_model if isinstance(record_or_model, models.Model) else None
    if record is not None:
        record_or_model, key = type(record), key_text(record)
    return state_of(record_or_model, key, moment, record=record)


def undo(
    what: "Undoable",
    *,
    reason: str,
    force: bool = False,
    through: "Through" = "rows",
    values: Mapping[str, Any] | None = None,
    using: str | None = None,
    dry_run: bool = False,
) -> "Undone":
    """Write what was there before an entry, several entries, or a whole request.

    - `what`: an entry, entries, or the id of a request (a UUID or its text).
    - `reason`: why; the entries that the undo writes have it.
    - `force`: overwrite values that were changed since, delete what belongs to a created row by
      now, and write values that are not valid today.
    - `through`: "rows" writes the fields as they were; "save" lets the model's own `save()` and
      `delete()` write, with their signals.
    - `values`: values for fields that the log does not store, by name or as "app.model.field".
    - `using`: the database; by default the one that Django's routers write the log to.
    - `dry_run`: return what an undo would do, and leave everything as it is.

    Everything happens in one transaction, in which the rows are locked. A field that does not
    hold what the entry left is a conflict: it stays as it is, and the others are undone. The undo
    is itself entries, whose context names the entries that they undo, and can be undone.

    It checks no permission. Raises `ValueError` without a reason and for an option that does not
    exist, and `NotFoundError` if the log does not have the entries.
    """
    undone: Undone = import_module(_UNDO).undo(
        what,
        reason=reason,
        force=force,
        through=through,
        values=dict(values or {}),
        using=using,
        dry_run=dry_run,
    )
    return undone


def restore(model: type[models.Model], key: object, *, reason: str, **options: Any) -> "Undone":
    """Bring back a deleted record, with what its deletion took along.

    That is what Django or the database deleted, cleared or unlinked because of the deletion, in
    the same request. The options and the result are those of `undo`.

    It checks no permission. Raises `NotFoundError` if the log has no deletion of the record, and
    `NotRegisteredError` if the model is not registered.
    """
    undone: Undone = import_module(_UNDO).restore(model, key, reason=reason, **options)
    return undone


def revert(
    record_or_model: Any, moment: datetime, *, key: object = None, reason: str, **options: Any
) -> "Undone":
    """Set a record to what it held at a moment: undo all its later entries.

    Give the record; for a deleted record give its model and `key`. `moment` has a time zone. The
    options and the result are those of `undo`.

    It checks no permission. Raises `NotFoundError` if the record did not exist at that moment.
    """
    undone: Undone = import_module(_UNDO).revert(
        record_or_model, moment, key=key, reason=reason, **options
    )
    return undone
