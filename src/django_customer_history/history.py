"""The public face: register models, say who acts, record events, read the log.

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
from django_customer_history.registration.registry import (
    Display,
    Events,
    FieldNames,
    KeyLabels,
    registration_of,
    registry,
)

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
    """Keep the history of a model: as a call, or as a decorator of the model's class.

    - `subject`: on whose History tab changes show: "self", the name of a foreign key or of a
      path over several ("invoice__customer"), of a generic foreign key, several of those, or
      None: logged, on nobody's tab.
    - `label`: field or fields that name a row; entries keep the name it had then.
    - `exclude`: fields that are not logged. Fields with `auto_now` never are, unless `only`
      names them.
    - `only`: the fields that are logged, and no others.
    - `confidential`: field to mask; shown masked without the permission for that field.
    - `secret`: fields of which only "changed" is logged, never a value. Fields called
      `password`, or ending in `_password`, always are.
    - `m2m`: the many-to-many fields whose links are logged; all of them by default.
    - `events`: what people call a change: `{"status": {"closed": "Ticket Closed"}}` when a
      field gets a value, `{"assigned_to": "Ticket Reassigned"}` when it changes at all,
      `{"create": "Invoice Generated"}` for a whole kind. Of several that match, the first wins.
    - `json_keys`: JSON fields, such as user-defined fields, that are logged key by key.
    - `key_labels`: such a field to a function that takes the reader and returns a dict from keys
      to what people call them: `{"udf": names_of_fields}`.
    - `display`: field to a function that takes a value and returns how people write it:
      `{"total": "${:,.2f}".format}`. It is never given None, nor what the reader may not see.
    - `reason_required`: True, or fields and kinds ("create", "update", "delete", "add",
      "remove"), whose changes the database refuses while no reason is given.
    - `snapshots`: True, or the label of the app whose migrations make the table:
      django-simple-history also keeps whole rows, as `Model.history`.

    FieldNames are checked by `manage.py check`, not here. The same registration twice is one; two
    different ones of a model are an error of the checks.
    """

    def add(registered: AnyModel) -> AnyModel:
        registry.add(registration_of(registered, **options))
        return registered

    return add if model is None else add(model)


def unregister(model: type[models.Model]) -> None:
    """Stop keeping the history of a model from the next `migrate` on.

    `migrate` removes its triggers; until then they write on. Its entries stay, and can be read
    on the tabs where they are. As nobody knows any more which of its fields were confidential,
    all its values are masked for readers without `customer_history.view_confidential`. A model
    that is not registered is no error.
    """
    registry.remove(model)


def entries_for(record_or_model: Any, key: object = None) -> "EntryQuerySet":
    """Return the entries on the History tab of a record, newest first.

    Give the record, or, for one that is gone, its model and key. What comes back is an
    `EntryQuerySet`, to be narrowed further. It asks for no permission and masks nothing; for
    people there is `Timeline`.
    """
    entries: "EntryQuerySet" = apps.get_model("customer_history", "Entry")._default_manager.all()
    if isinstance(record_or_model, models.Model):
        record_or_model, key = type(record_or_model), record_or_model.pk
    return entries.of_subject(record_or_model, key).newest_first()


def as_of(record_or_model: Any, moment: datetime, *, key: object = None) -> dict[str, Any] | None:
    """Return what a record held at a moment (with a time zone), as far as the log tells.

    Give the record, or, for one that is gone, its model and `key`. Fields are Python values,
    links are lists of keys, texts where the field is not known any more. What was set before
    tracking began, and what is secret, is not among them. None: it was not there. It asks for
    no permission and masks nothing; for people there is `asof.record_as_of`.
    """
    if isinstance(record_or_model, models.Model):
        record_or_model, key = type(record_or_model), record_or_model.pk
    return state_of(record_or_model, key, moment)
