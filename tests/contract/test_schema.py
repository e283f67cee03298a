"""Triggers follow the schema: after each migration, writes work and are logged."""

import dataclasses
import datetime
import time
from decimal import Decimal
from uuid import UUID

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, migrations, models
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.state import ProjectState
from django.test.utils import CaptureQueriesContext

from django_customer_history import health
from django_customer_history.backends import backend_of
from django_customer_history.capture.plan import tracked_tables
from django_customer_history.capture.triggers import (
    compare_triggers,
    remove_all,
    synchronize_triggers,
)
from django_customer_history.models import Entry
from django_customer_history.registration.registry import registry
from tests.conftest import Log
from tests.projects.crm.models import Customer, Specimen
from tests.projects.evolving.models import Reply, Ticket, Visit

pytestmark = [pytest.mark.django_db(transaction=True)]
if connection.vendor == "mysql":
    # MariaDB and MySQL take seconds for each change of a schema.
    pytestmark.append(pytest.mark.slow)

LATEST = "0010_rename_model"


def migrate(name):
    """Migrate the app to a migration, without the signals of `migrate`."""
    executor = MigrationExecutor(connection)
    executor.migrate([("evolving", name)])
    return MigrationExecutor(connection).loader.project_state([("evolving", name)]).apps


@pytest.fixture
def back_to_latest():
    yield
    migrate(LATEST)
    synchronize_triggers(connection)


@pytest.fixture
def customer_row(back_to_latest):
    return Customer.objects.create(name="Acme")


def with_null(field, *, null):
    """Return a copy of a field that allows NULL or does not."""
    other = field.clone()
    other.set_attributes_from_name(field.name)
    other.null, other.model = null, field.model
    return other


def alter(old, new):
    with connection.schema_editor() as editor:
        editor.alter_field(old.model, old, new)


SPECIMENS = {
    "big": -(2**63),
    "binary": b"\x00%s\xff",
    "boolean": False,
    "char": '100 %s of "it"\\ \x01',
    "date": datetime.date(2024, 2, 29),
    "datetime": datetime.datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=datetime.UTC),
    "decimal": Decimal("-1234567890.10"),
    "duration": datetime.timedelta(days=-1, microseconds=1),
    "email": "ann@example.com",
    "float": 0.1,
    "ip": "2001:db8::1",
    "json": {"a %d": ['"', None, 1.5]},
    "small": -1,
    "text": "zwei\nZeilen, 'naïve' 😀",
    "time": datetime.time(23, 59, 59, 999999),
    "url": "https://example.com/?q=%20",
    "uuid": UUID("01932f6e-7b7a-7c3e-9d1e-0a1b2c3d4e5f"),
    "slug": "",
    "positive": 0,
}


class TestTriggers:
    def test_command_fixes_and_removes(self, customer_row, capsys):
        call_command("history_triggers")
        assert "missing" not in capsys.readouterr().out
        count = remove_all(connection)
        with pytest.raises(CommandError, match="--fix"):
            call_command("history_triggers")
        assert capsys.readouterr().out.count("missing") == count
        call_command("history_triggers", fix=True)
        assert capsys.readouterr().out.count("good") == count
        call_command("history_triggers", remove=True)
        assert capsys.readouterr().out == f"Removed {count} triggers.\n"
        call_command("migrate", verbosity=0)
        assert not compare_triggers(connection)

    def test_problems_are_reported(self, customer_row, capsys):
        remove_all(connection)
        without_table = ['no table "other schema"."schemed"']
        missing, *others = health.problems()
        assert others == without_table
        assert missing.startswith("missing on ")
        assert ", crm_customer, " in missing
        call_command("check", databases=["default"])
        assert "customer_history.W002" in capsys.readouterr().err
        synchronize_triggers(connection)
        call_command("check", databases=["default"])
        errors = capsys.readouterr().err
        assert "customer_history.W002" not in errors
        # A registered model without a table: its changes are not recorded, which is a warning.
        assert "customer_history.W004" in errors
        assert health.problems() == without_table

    def test_200_models_in_a_second(self, customer_row):
        tables = [
            dataclasses.replace(table, name=f"{table.name}_{number}")
            for table in tracked_tables(registry, connection)
            for number in range(200)
        ][:200]
        backend = backend_of(connection)
        start = time.process_time()
        triggers = [trigger for table in tables for trigger in backend.triggers(table, log="log")]
        assert len(triggers) >= 600
        assert time.process_time() - start < 1


class TestSchemaEditor:
    def test_failed_change_keeps_triggers(self, customer_row):
        ticket = Ticket.objects.create(customer=customer_row, title="Siren")
        Ticket.objects.create(customer=customer_row, title="Keypad")
        log = Log()
        unique = models.BooleanField(default=False, unique=True)
        unique.set_attributes_from_name("urgent")
        unique.model = Ticket
        with pytest.raises(DatabaseError), connection.schema_editor() as editor:
            editor.alter_field(Ticket, Ticket._meta.get_field("urgent"), unique)
        ticket.title = "Still recorded"
        ticket.save()
        Reply.objects.create(ticket=ticket, text="also")
        assert log.values("kind", "entity_model") == [
            ("update", "evolving.ticket"),
            ("create", "evolving.reply"),
        ]
        assert not compare_triggers(connection)

    def test_column_becomes_nullable(self, customer_row):
        """The column may change without Django. NULL must not become text then."""
        Ticket.objects.create(customer=customer_row, title="Siren")
        field = Ticket._meta.get_field("title")
        without_django = {
            "postgresql": "ALTER TABLE evolving_ticket ALTER COLUMN title DROP NOT NULL",
            "mysql": "ALTER TABLE evolving_ticket MODIFY title varchar(200) NULL",
        }
        if sql := without_django.get(connection.vendor):
            with connection.cursor() as cursor:
                cursor.execute(sql)
        else:
            alter(field, with_null(field, null=True))
        log = Log()
        Ticket.objects.bulk_create([Ticket(customer=customer_row, title=None)])
        ticket = Ticket.objects.get(title=None)
        Ticket.objects.filter(pk=ticket.pk).update(title="Keypad")
        Ticket.objects.filter(pk=ticket.pk).update(title=None)
        ticket.delete()
        created, *changed, deleted = log.changes()
        assert set(created) == set(deleted) == {"customer", "priority", "urgent"}
        assert changed == [{"title": [None, "Keypad"]}, {"title": ["Keypad", None]}]
        alter(with_null(field, null=True), field)

    @pytest.mark.slow
    def test_columns_become_not_null(self, customer_row):
        """Triggers skip the NULL test for NOT NULL columns; each type must be logged as before."""
        fields = [Specimen._meta.get_field(name) for name in SPECIMENS]
        log = Log()
        Specimen.objects.create(**SPECIMENS).delete()
        try:
            for field in fields:
                alter(field, with_null(field, null=False))
            Specimen.objects.create(**SPECIMENS).delete()
            Specimen.objects.bulk_create(
                [Specimen(**{**SPECIMENS, "json": models.Value(None, models.JSONField())})]
            )
        finally:
            Specimen.objects.all().delete()
            for field in fields:
                alter(with_null(field, null=False), field)
        created, deleted, created_too, deleted_too, without, _ = log.changes()
        assert created_too == created
        assert deleted_too == deleted
        assert set(created) == set(SPECIMENS)
        # On PostgreSQL the null of JSON is logged as no value.
        assert without.pop("json", [None, "null"]) == [None, "null"]
        assert set(without) == {*SPECIMENS} - {"json"}

    def test_table_renamed_and_back(self, customer_row):
        with connection.schema_editor() as editor:
            editor.alter_db_table(Ticket, "evolving_ticket", "evolving_other")
            editor.alter_db_table(Ticket, "evolving_other", "evolving_ticket")
        log = Log()
        ticket = Ticket.objects.create(customer=customer_row, title="Siren")
        Reply.objects.create(ticket=ticket, text="t")
        assert log.values("kind", "subject_id") == [("create", str(customer_row.pk))] * 2
        assert not compare_triggers(connection)

    def test_deleted_model_keeps_entries(self, customer_row):
        Ticket.objects.create(customer=customer_row, title="Siren")
        with connection.schema_editor() as editor:
            editor.delete_model(Reply)
            editor.delete_model(Ticket)
        assert Entry.objects.filter(entity_model="evolving.ticket").exists()
        synchronize_triggers(connection)
        assert not compare_triggers(connection)
        with connection.schema_editor() as editor:
            editor.create_model(Ticket)
            editor.create_model(Reply)
        log = Log()
        Ticket.objects.create(customer=customer_row, title="Again")
        assert log.values("kind", "entity_label") == [("create", "Again")]

    def test_old_code_and_new_column(self, customer_row):
        """In a rolling deployment, the old code does not know the new column."""
        with connection.schema_editor() as editor:
            editor.execute("ALTER TABLE evolving_ticket ADD COLUMN colour varchar(10) NULL")
        log = Log()
        try:
            ticket = Ticket.objects.create(customer=customer_row, title="old code")
            with connection.cursor() as cursor:
                cursor.execute("UPDATE evolving_ticket SET colour = 'red', title = 'new code'")
            ticket.title = "old code again"
            ticket.save()
        finally:
            with connection.schema_editor() as editor:
                editor.execute("ALTER TABLE evolving_ticket DROP COLUMN colour")
        assert log.changes()[1:] == [
            {"colour": [None, "red"], "title": ["old code", "new code"]},
            {"title": ["new code", "old code again"]},
        ]


class TestMigrations:
    def test_triggers_are_good(self):
        assert not compare_triggers(connection)
        assert compare_triggers(connection).good

    @pytest.mark.slow
    def test_each_operation_is_followed(self, customer_row):
        apps = migrate("0001_initial")
        log = Log()
        model, reply = (apps.get_model("evolving", name) for name in ("Ticket", "Reply"))
        ticket = model.objects.create(customer_id=customer_row.pk, name="Siren", pin="1234")
        reply.objects.create(ticket_id=ticket.pk, text="On it")
        model.objects.update(priority="7", obsolete="x")

        model = migrate("0002_add").get_model("evolving", "Ticket")
        model.objects.update(remark="added", urgent=True)

        model = migrate("0003_rename").get_model("evolving", "Ticket")
        model.objects.update(title="Renamed", pin_code="9999")

        model = migrate("0004_retype").get_model("evolving", "Ticket")
        model.objects.update(priority=8)

        apps = migrate("0005_remove")
        apps.get_model("evolving", "Ticket").objects.update(urgent=False)
        apps.get_model("evolving", "Reply").objects.update(text="Done")

        apps = migrate("0006_constrain")
        Ticket.objects.all().delete()

        subject = str(customer_row.pk)
        assert {entry.subject_id for entry in log.entries()} == {subject}
        assert log.values("kind", "entity_model", "changes") == [
            (
                "create",
                "evolving.ticket",
                {
                    "customer": [None, subject],
                    "name": [None, "Siren"],
                    "priority": [None, "0"],
                    "obsolete": [None, ""],
                    "pin": [None, "1234"],
                },
            ),
            (
                "create",
                "evolving.reply",
                {"ticket": [None, str(ticket.pk)], "text": [None, "On it"]},
            ),
            ("update", "evolving.ticket", {"priority": ["0", "7"], "obsolete": ["", "x"]}),
            ("update", "evolving.ticket", {"remark": [None, "added"], "urgent": ["false", "true"]}),
            (
                "update",
                "evolving.ticket",
                {"title": ["Siren", "Renamed"], "pin_code": [None, None]},
            ),
            ("update", "evolving.ticket", {"priority": ["7", "8"]}),
            ("update", "evolving.ticket", {"urgent": ["true", "false"]}),
            ("update", "evolving.reply", {"text": ["On it", "Done"]}),
            (
                "delete",
                "evolving.reply",
                {"ticket": [str(ticket.pk), None], "text": ["Done", None]},
            ),
            (
                "delete",
                "evolving.ticket",
                {
                    "customer": [subject, None],
                    "title": ["Renamed", None],
                    "priority": ["8", None],
                    "urgent": ["false", None],
                    "remark": ["added", None],
                    "pin_code": [None, None],
                },
            ),
        ]
        migrate(LATEST)
        assert not compare_triggers(connection)

    @pytest.mark.slow
    def test_backward_migrations(self, customer_row):
        Ticket.objects.create(customer=customer_row, title="Siren")
        model = migrate("0001_initial").get_model("evolving", "Ticket")
        log = Log()
        model.objects.update(name="Old code", obsolete="o")
        assert log.changes() == [{"name": ["Siren", "Old code"], "obsolete": ["", "o"]}]

    def test_run_sql_is_followed(self, customer_row):
        operation = migrations.RunSQL(
            "ALTER TABLE evolving_ticket RENAME COLUMN remark TO comment",
            "ALTER TABLE evolving_ticket RENAME COLUMN comment TO remark",
        )
        ticket = Ticket.objects.create(customer=customer_row, title="Siren")
        log = Log()
        state = ProjectState()
        with connection.schema_editor() as editor:
            operation.database_forwards("evolving", editor, state, state)
            with connection.cursor() as cursor:
                cursor.execute("UPDATE evolving_ticket SET comment = 'by SQL'")
        with connection.schema_editor() as editor:
            operation.database_backwards("evolving", editor, state, state)
        Ticket.objects.filter(pk=ticket.pk).update(remark="by ORM")
        assert log.changes() == [
            {"comment": [None, "by SQL"]},
            {"remark": ["by SQL", "by ORM"]},
        ]

    @pytest.mark.parametrize("arguments", [["--run-syncdb"], ["--fake"], ["--fake-initial"]])
    def test_options_of_migrate(self, customer_row, arguments):
        remove_all(connection)
        call_command("migrate", *arguments, verbosity=0)
        assert not compare_triggers(connection)

    @pytest.mark.slow
    def test_log_migrated_to_zero(self, customer_row):
        call_command("migrate", "evolving", "zero", verbosity=0)
        call_command("migrate", "customer_history", "zero", verbosity=0)
        Customer.objects.update(name="written without a log")
        call_command("migrate", verbosity=0)
        Customer.objects.update(name="logged again")
        assert Entry.objects.latest("id").changes == {
            "name": ["written without a log", "logged again"]
        }
        assert not compare_triggers(connection)

    def test_sqlmigrate_changes_nothing(self, capsys):
        call_command("sqlmigrate", "evolving", "0002")
        assert not compare_triggers(connection)

    def test_no_changes_run_no_ddl(self, customer_row):
        with CaptureQueriesContext(connection) as queries:
            call_command("migrate", verbosity=0)
        changing = [
            query["sql"]
            for query in queries
            if query["sql"].lstrip().upper().startswith(("CREATE", "DROP", "ALTER", "LOCK"))
        ]
        assert changing == []

    def test_faked_migration(self, customer_row):
        migrate("0004_retype")
        call_command("migrate", "evolving", "0005", fake=True, verbosity=0)
        log = Log()
        with connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO evolving_ticket (customer_id, title, priority, obsolete, urgent)"
                " VALUES (%s, 'faked', 1, 'still here', %s)",
                [customer_row.pk, False],
            )
        assert log.only().changes["obsolete"] == [None, "still here"]
        call_command("migrate", "evolving", "0004", fake=True, verbosity=0)

    @pytest.mark.slow
    def test_data_migrations_and_renames(self, customer_row):
        call_command("migrate", "evolving", "0001", verbosity=0)
        Customer.objects.update(name="renaming")
        log = Log()
        call_command("migrate", "evolving", verbosity=0)
        Visit.objects.filter(text="before").update(text="after")
        subject = str(customer_row.pk)
        recorded = [
            (entry.kind, entry.entity_model, entry.subject_id, entry.entity_label)
            for entry in log.entries()
            if entry.kind != "event"
        ]
        assert recorded == [
            ("create", "evolving.visit", subject, "before"),
            ("create", "evolving.visititem", subject, None),
            ("create", "evolving.visit", subject, "between"),
            ("create", "evolving.visititem", subject, None),
            ("update", "evolving.visit", subject, "after"),
        ]
        assert not compare_triggers(connection)

    @pytest.mark.slow
    def test_squashed_migrations(self, customer_row, settings):
        call_command("migrate", "evolving", "zero", verbosity=0)
        settings.MIGRATION_MODULES = {"evolving": "tests.projects.evolving.squashed"}
        call_command("migrate", "evolving", verbosity=0)
        log = Log()
        ticket = Ticket.objects.create(customer=customer_row, title="Siren")
        Reply.objects.create(ticket=ticket, text="t")
        assert log.values("kind", "subject_id") == [("create", str(customer_row.pk))] * 2
        assert not compare_triggers(connection)
        settings.MIGRATION_MODULES = {}
        call_command("migrate", verbosity=0)
        assert not compare_triggers(connection)
