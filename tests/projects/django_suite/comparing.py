"""Compare the tables of a database with what the log says about them.

For each row and its links: `history.as_of()`. For each table: creates minus deletes is the number
of rows. For the triggers: they are as they should be.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder
from django.db import DatabaseError, connections, models, transaction
from django.db.migrations.state import StateApps
from django.db.models.functions import Cast

from django_customer_history import history
from django_customer_history.capture.triggers import compare_triggers
from django_customer_history.models import Entry
from django_customer_history.point_in_time.fields import state_fields
from django_customer_history.registration.fields import secret_fields
from django_customer_history.registration.registry import Registration, registry
from django_customer_history.registration.subject_paths import relations
from django_customer_history.values.encoding import encode, key_text, value_type_of

END = datetime(2200, 1, 1, tzinfo=UTC)
ROWS = 200
"""Of a table with more rows than this, this many are compared, spread evenly."""


def contradictions(using: str) -> Iterator[str]:
    """Yield where rows, links and their numbers differ from the log in one database."""
    connection = connections[using]
    if connection.needs_rollback:
        return
    try:
        present = set(connection.introspection.table_names())
    except DatabaseError:
        return  # the test has ended its transaction by an error
    if Entry._meta.db_table not in present:
        return
    logged = _logged(using)
    for registration in registry:
        if registration.model._meta.db_table in present:
            try:
                # A savepoint: a table without a column of the model must not end the transaction.
                with transaction.atomic(using=using):
                    found = list(_of_model(registration, using, logged, present))
            except DatabaseError as error:
                if isinstance(registration.model._meta.apps, StateApps):
                    continue  # the model at another point of its migrations
                found = [f"cannot be read: {type(error).__name__}: {error}"]
            yield from (f"{registration.model._meta.label_lower} {one}" for one in found)


def trigger_problems(using: str) -> list[str]:
    """Return what is wrong with the triggers of one database.

    Tests leave tables behind whose models are not registered any more. Their triggers are orphaned
    as they should be. Tests also drop tables by SQL, which leaves the functions on PostgreSQL.
    """
    state = compare_triggers(connections[using])
    tables = {registration.model._meta.db_table for registration in registry}
    tables |= {
        field.remote_field.through._meta.db_table
        for registration in registry
        for field in _links(registration)
    }
    left = {one.table for one in state.orphaned if one.table} - tables
    wrong = [
        one
        for one in state.orphaned
        if one.table and one.table not in left and not any(table in one.name for table in left)
    ]
    return replace(state, orphaned=tuple(wrong)).problems()


@dataclass(slots=True)
class _Logged:
    """The entries about the rows of one model."""

    rows: int = 0
    """Creates minus deletes."""
    last: tuple[Any, ...] = ()
    """The number of entries and the newest one, of each kind."""


_agreed: dict[tuple[str, str], Any] = {}
"""What a table held, and its newest entries, when the table last agreed with the log."""


def _logged(using: str) -> dict[str, _Logged]:
    entries = Entry.objects.using(using).order_by()
    text = Cast("id", models.TextField())
    kinds = entries.annotate(text=text).values_list("entity_model", "kind")
    logged: dict[str, _Logged] = defaultdict(_Logged)
    for model, kind, number, last in kinds.annotate(models.Count("id"), models.Max("text")):
        logged[model].rows += {"create": number, "delete": -number}.get(kind, 0)
        logged[model].last += (kind, number, last)
    for entry in entries.filter(kind="event"):
        if entry.is_baseline and not _is_of_link(entry):
            logged[entry.entity_model].rows += 1
    return logged


def _is_of_link(entry: Entry) -> bool:
    registration = registry.find(entry.entity_model)
    links = set() if registration is None else {one.name for one in _links(registration)}
    return bool(links & set(entry.changes))


def _links(registration: Registration) -> list[Any]:
    return relations(registration, registry)


def _of_model(
    registration: Registration, using: str, logged: dict[str, _Logged], present: set[str]
) -> Iterator[str]:
    meta = registration.model._meta
    fields = _fields(registration)
    texts = {
        f"text_of_{name}": Cast(name, models.TextField())
        for name, field in fields.items()
        if value_type_of(field, use_tz=False) is None
    }
    keys = [field.attname for field in meta.pk_fields]
    stored = registration.model._base_manager.using(using).order_by(*keys).annotate(**texts)
    rows = list(stored.values(*keys, *(field.attname for field in fields.values()), *texts))
    links = [
        (field, _linked(field, using))
        for field in _links(registration)
        if field.remote_field.through._meta.db_table in present
    ]
    # A table that agreed once, and has the same rows and the same entries, agrees again.
    held = repr((rows, [linked for _field, linked in links], logged[meta.label_lower].last))
    if _agreed.get((using, meta.label_lower)) == held:
        return
    is_good = True
    for one in _differing(registration, using, rows, links, logged[meta.label_lower].rows):
        is_good = False
        yield one
    if is_good:
        _agreed[using, meta.label_lower] = held


def _fields(registration: Registration) -> dict[str, Any]:
    """Return the fields whose values the log has, by name."""
    secret = {field.name for field in secret_fields(registration)}
    names = [name for name in state_fields(registration) if name not in secret]
    return {name: registration.model._meta.get_field(name) for name in names}


def _differing(
    registration: Registration,
    using: str,
    rows: list[dict[str, Any]],
    links: list[tuple[Any, dict[str, set[str | None]]]],
    number: int,
) -> Iterator[str]:
    model = registration.model
    if len(rows) != number:
        yield f"has {len(rows)} rows, the log has {number}"
    keys = [field.attname for field in model._meta.pk_fields]
    for row in rows[:: max(1, len(rows) // ROWS)]:
        record = model.from_db(using, keys, [row[key] for key in keys])
        name = key_text(record)
        state = history.as_of(record, END)
        if state is None:
            yield f"{name} does not exist in the log"
            continue
        for field_name, field in _fields(registration).items():
            value, text = row[field.attname], row.get(f"text_of_{field_name}")
            if field_name not in state:
                yield f"{name}.{field_name} is not in the log"
            elif not _is_same(field, value, state[field_name], text):
                yield f"{name}.{field_name} is {value!r}, the log says {state[field_name]!r}"
        for field, linked in links:
            there = linked.get(_own_side(field, record, using), set())
            in_log = set(map(encode, state.get(field.name, [])))
            if there != in_log:
                texts = [sorted(map(str, one)) for one in (there, in_log)]
                yield f"{name}.{field.name} links {texts[0]}, the log says {texts[1]}"


def _linked(field: Any, using: str) -> dict[str | None, set[str | None]]:
    """Return the keys of linked records by the key of the record that has the field."""
    through = field.remote_field.through
    names = [
        through._meta.get_field(one).attname
        for one in (field.m2m_field_name(), field.m2m_reverse_field_name())
    ]
    linked: dict[str | None, set[str | None]] = defaultdict(set)
    for own, other in through._base_manager.using(using).values_list(*names):
        linked[encode(own)].add(encode(other))
    return linked


def _own_side(field: Any, record: Any, using: str) -> str | None:
    """Return what links name of a record: its key, that of a parent, or a `to_field`."""
    link = field.remote_field.through._meta.get_field(field.m2m_field_name())
    if link.target_field in record._meta.pk_fields:
        return encode(record.pk)
    rows = type(record)._base_manager.using(using).filter(pk=record.pk)
    return encode(rows.values_list(link.target_field.attname, flat=True).get())


def _is_same(field: Any, stored: Any, logged: Any, text: str | None) -> bool:
    """Return whether a value of a row is the one that the log has, in one of its forms."""
    if stored is None or logged is None:
        return stored is None and logged is None
    return any(
        _holds(one)
        for one in (
            lambda: stored == logged,
            lambda: field.to_python(logged) == stored,
            lambda: field.get_prep_value(stored) == logged,
            lambda: encode(field.get_prep_value(stored)) == encode(logged),
            lambda: text is not None and text == logged,
            lambda: DjangoJSONEncoder().encode(stored) == DjangoJSONEncoder().encode(logged),
        )
    )


def _holds(compare: Callable[[], Any]) -> bool:
    try:
        return bool(compare())
    except Exception:  # noqa: BLE001 - values of any class, with methods that may refuse the other
        return False
