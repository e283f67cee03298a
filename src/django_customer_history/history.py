"""The public API: register models, set the context, record events, read the log.

    from django_customer_history import history

It can be imported before Django is set up.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar, overload

from django.apps import apps
from django.db import models

from django_customer_history.capture.events import (
    paused,
    record,
)
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
from django_customer_history.registration.registry import registration_of, registry

if TYPE_CHECKING:
    from django_customer_history.models import EntryQuerySet

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
    "unregister",
]

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

    - `subject`: the records whose History tab shows the changes: "self", the name of a foreign
      key, a path over several foreign keys ("invoice__customer"), a generic foreign key, or a
      list of these. None: the changes are logged but show on no tab.
    - `label`: field or fields that name a record. Entries keep the name that it had at the time.
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

    Give the record; for a deleted record give its model and its key. The result is an
    `EntryQuerySet` that you can filter further. It checks no permission and masks nothing; use
    `Timeline` to show entries to a reader.
    """
    entries: EntryQuerySet = apps.get_model("customer_history", "Entry")._default_manager.all()
    if isinstance(record_or_model, models.Model):
        record_or_model, key = type(record_or_model), record_or_model.pk
    return entries.of_subject(record_or_model, key).newest_first()


def as_of(record_or_model: Any, moment: datetime, *, key: object = None) -> dict[str, Any] | None:
    """Return the values of a record at a moment, as far as the log has them.

    Give the record; for a deleted record give its model and `key`. `moment` has a time zone. The
    result maps fields to Python values and many-to-many fields to lists of keys. Values of fields
    that no longer exist are texts. Values from before tracking began and secret values are not
    included. None: the record did not exist at that moment.

    It checks no permission and masks nothing; use `point_in_time.record.record_as_of` to show a
    record to a reader.
    """
    if isinstance(record_or_model, models.Model):
        record_or_model, key = type(record_or_model), record_or_model.pk
    return state_of(record_or_model, key, moment)
