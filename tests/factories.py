"""Rows that several test modules need, and how a model is registered for one of them."""

from contextlib import contextmanager
from datetime import UTC, datetime
from uuid import UUID

import pytest
from django.db import connection

from django_customer_history.keys import uuid_at
from django_customer_history.models import Entry
from django_customer_history.registration.registry import registration_of, registry

MOMENT = datetime(2026, 11, 23, 14, 2, 11, tzinfo=UTC)
"""The timestamp of the entries made here."""

KEY_PREFIX = uuid_at(int(MOMENT.timestamp()) * 1_000_000, tail=0).hex[:20]
"""The first digits of a key of that moment."""

TEN_TO_THE_FIFTH = " CROSS JOIN ".join(
    f"(SELECT {' UNION ALL SELECT '.join(f'{n * 10**place} AS n' for n in range(10))}) AS d{place}"
    for place in range(5)
)
KEY_EXPRESSIONS = {
    "sqlite": "%s || printf('%%012x', {})",
    "postgresql": "CAST(%s || lpad(to_hex({}), 12, '0') AS uuid)",
    "mysql": "lower(concat(%s, lpad(hex({}), 12, '0')))",
}


def log_updates(customer, count, *, has_changes=True):
    """Log updates of a customer, all of one moment."""
    Entry.objects.bulk_create(
        (
            Entry(
                timestamp=MOMENT,
                kind="update",
                action="Update",
                subject_model="crm.customer",
                subject_id=str(customer.pk),
                entity_model="crm.customer",
                entity_id=str(customer.pk),
                changes={"rate": [str(number), str(number + 1)]} if has_changes else {},
                source="web",
            )
            for number in range(count)
        ),
        batch_size=2_000,
    )


def log_100_000_updates(customer):
    """Log updates of a customer in one statement. Their keys end in even numbers, from 2 on."""
    key = KEY_EXPRESSIONS[connection.vendor].format("2 * (d0.n + d1.n + d2.n + d3.n + d4.n + 1)")
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO customer_history_entry (id, timestamp, kind, action, subject_model,"
            " subject_id, entity_model, entity_id, entity_label, changes, source)"
            f" SELECT {key}, %s, 'update', 'Update', 'crm.customer', %s, 'crm.customer', %s,"
            f" 'Acme', '{{}}', 'web' FROM {TEN_TO_THE_FIFTH}",
            [
                KEY_PREFIX,
                connection.ops.adapt_datetimefield_value(MOMENT),
                *[str(customer.pk)] * 2,
            ],
        )


LENIENT = {
    "sqlite": ("PRAGMA ignore_check_constraints = ON", "PRAGMA ignore_check_constraints = OFF"),
    "mysql": ("SET SESSION sql_mode = ''", "SET SESSION sql_mode = DEFAULT"),
    "postgresql": ("SELECT 1", "SELECT 1"),
}[connection.vendor]


def raw(sql, values):
    """Run SQL that the database checks as little as it can."""
    with connection.cursor() as cursor:
        cursor.execute(LENIENT[0])
        cursor.execute(sql, values)
        cursor.execute(LENIENT[1])


def log_raw(entry, changes):
    """Write an entry with any JSON, or none at all, as its changes."""
    fields = [field for field in Entry._meta.concrete_fields if field.attname != "id"]
    names = ", ".join(connection.ops.quote_name(field.column) for field in fields)
    kept = ", ".join(
        "%s" if field.name == "changes" else connection.ops.quote_name(field.column)
        for field in fields
    )
    key = Entry._meta.pk.get_db_prep_value(UUID(int=entry.id.int + 2**70), connection)
    own = Entry._meta.pk.get_db_prep_value(entry.id, connection)
    cast = "%s::json" if connection.vendor == "postgresql" else "%s"
    raw(
        f"INSERT INTO customer_history_entry (id, {names})"
        f" SELECT %s, {kept.replace('%s', cast)} FROM customer_history_entry WHERE id = %s",
        [key, changes, own],
    )


def entry_key(number):
    """Return the key of the moment that ends in this number."""
    return UUID(f"{KEY_PREFIX}{number:012x}")


def count_index_reads():
    """Return how many rows MariaDB has read by an index for this connection so far."""
    with connection.cursor() as cursor:
        cursor.execute("SHOW STATUS LIKE 'Handler_read%'")
        counts = dict(cursor.fetchall())
    return sum(int(counts[f"Handler_read_{way}"]) for way in ("key", "next", "prev"))


@contextmanager
def registered_as(model, **options):
    """Replace the registration of a model. Its triggers stay as they are."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(registry._registrations, model, registration_of(model, **options))
        yield


@contextmanager
def created(**options_by_model):
    """Create the tables of models and track them; `Model=(class, options)`. Remove both after."""
    models = [model for model, _ in options_by_model.values()]
    for model, options in options_by_model.values():
        if options is not None:
            registry.add(registration_of(model, **options))
    try:
        with connection.schema_editor() as editor:
            for model in models:
                editor.create_model(model)
        yield
    finally:
        for model in models:
            registry.remove(model)
        with connection.schema_editor() as editor:
            for model in reversed(models):
                editor.delete_model(model)


@contextmanager
def settings_of_session(*statements, restore):
    """Run statements that change settings of the database's session; restore them after."""
    with connection.cursor() as cursor:
        for sql in statements:
            cursor.execute(sql)
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            for sql in restore:
                cursor.execute(sql)
