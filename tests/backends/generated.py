"""The SQL of the triggers of one small model."""

from contextlib import contextmanager
from dataclasses import replace
from types import SimpleNamespace

from django.db import connection, models
from django.test.utils import isolate_apps

from django_customer_history.backends import backend_of
from django_customer_history.backends.entries import SEAL_TYPES
from django_customer_history.backends.mysql.backend import MySQLBackend
from django_customer_history.backends.tables import Column
from django_customer_history.capture.plan import tracked_tables
from django_customer_history.capture.triggers import SEAL_TABLE, log_table
from django_customer_history.registration.registry import Registry, registration_of
from django_customer_history.values.types import ValueType

TITLE = """\
-- {database}: the triggers of a small model, of its many-to-many field, and of the log.
-- Written by: python -m tests.backends.golden
"""
MARIADB = MySQLBackend.for_version(is_mariadb=True, version=(11, 4))
MYSQL = MySQLBackend.for_version(is_mariadb=False, version=(8, 4))


def generated():
    """Return the text of each golden file that the current database can generate, by its name."""
    with tables() as tracked:
        if connection.vendor == "mysql":
            of_mysql = [as_on_mysql(table) for table in tracked]
            return {
                "mariadb.sql": text_of("MariaDB 11.4", MARIADB, tracked, is_mariadb=True),
                "mysql.sql": text_of("MySQL 8.4", MYSQL, of_mysql, is_mariadb=False),
            }
        names = {log_table()}.union(*({one.name, *one.read_tables()} for one in tracked))
        backend = backend_of(connection).with_schemas(connection, names)
        return {f"{connection.vendor}.sql": text_of(connection.display_name, backend, tracked)}


@contextmanager
def tables():
    """Create the tables of the model; return it and its many-to-many table as tracked tables."""
    with isolate_apps("tests"):

        class Customer(models.Model):
            class Meta:
                app_label = "golden"

        class Tag(models.Model):
            class Meta:
                app_label = "golden"

        class Payment(models.Model):
            customer = models.ForeignKey(Customer, models.CASCADE)
            reference = models.CharField(max_length=40)
            amount = models.DecimalField(max_digits=8, decimal_places=2)
            paid_at = models.DateTimeField(null=True)
            details = models.JSONField(null=True)
            card_number = models.CharField(max_length=20, null=True)
            tags = models.ManyToManyField(Tag)

            class Meta:
                app_label = "golden"

    registry = Registry()
    registry.add(registration_of(Customer, subject="self"))
    registry.add(
        registration_of(
            Payment,
            subject="customer",
            label="reference",
            secret="card_number",
            json_keys="details",
            events={"paid_at": "Payment Received"},
            reason_required="amount",
        )
    )
    created = (Customer, Tag, Payment)
    with connection.schema_editor() as editor:
        for model in created:
            editor.create_model(model)
    try:
        tracked = tracked_tables(registry, connection)
        yield [table for table in tracked if table.entity_model == "golden.payment"]
    finally:
        with connection.schema_editor() as editor:
            for model in reversed(created):
                editor.delete_model(model)


def as_on_mysql(table):
    """Return a table of MariaDB with the JSON type of MySQL."""
    stored = Column(name="details", type="json")
    columns = [
        replace(one, column=stored, value_type=MYSQL.value_type(stored, ValueType.JSON))
        if one.field == "details"
        else one
        for one in table.columns
    ]
    return replace(table, columns=tuple(columns))


def text_of(database, backend, tracked, *, is_mariadb=True):
    """Return the SQL of all triggers."""
    log = log_table()
    triggers = [
        *backend.shared_functions(),
        *(trigger for table in tracked for trigger in backend.triggers(table, log=log)),
        *backend.append_only_triggers(log),
        *backend.append_only_triggers(SEAL_TABLE, columns=SEAL_TYPES),
    ]
    server = SimpleNamespace(mysql_is_mariadb=is_mariadb)
    parts = [TITLE.format(database=database)]
    for trigger in triggers:
        statements = "".join(f"{one};\n" for one in backend.replacing(server, trigger))
        parts.append(f"-- {'-' * 90}\n-- {trigger.name}\n\n{statements}")
    return "\n\n".join(parts)
