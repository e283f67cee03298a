"""Management commands: their context, their messages and their help."""

import getpass
from io import StringIO

import pytest
from django.core.management import CommandError, call_command, load_command_class
from django.db import connection, migrations
from django.db.migrations.state import ProjectState

from django_customer_history import history
from django_customer_history.capture.triggers import (
    compare_triggers,
    remove,
    synchronize_triggers,
)
from django_customer_history.context.current import Context
from django_customer_history.context.resolved import NamedUser
from tests.projects.crm.models import Customer

pytestmark = pytest.mark.django_db

ANN = NamedUser(id="1", label="ann")


class Rename(migrations.Migration):
    operations = [
        migrations.RunPython(
            lambda apps, editor: Customer.objects.update(name="migrated"),
            lambda apps, editor: Customer.objects.update(name="taken back"),
        )
    ]


class TestMigrations:
    @pytest.mark.django_db(transaction=True)
    def test_name_of_data_migration(self, customer, log):
        migration = Rename("0007_rename", "crm")
        state = ProjectState()
        with connection.schema_editor(atomic=True) as editor:
            migration.apply(state, editor)
        with connection.schema_editor(atomic=True) as editor:
            migration.unapply(state, editor)
        assert log.values("source", "context") == [
            ("migration", {"migration": "crm.0007_rename"}),
            ("migration", {"migration": "crm.0007_rename"}),
        ]

    @pytest.mark.django_db(transaction=True)
    def test_receivers_of_migrate(self, monkeypatch, customer, log):
        monkeypatch.setenv("LOGNAME", "deploy")
        monkeypatch.setattr(
            "django.core.management.commands.migrate.emit_post_migrate_signal", rename
        )
        call_command("migrate", verbosity=0)
        assert log.values("user_label", "source", "context") == [
            ("deploy", "migration", {"command": "migrate"})
        ]


def rename(*args, **kwargs):
    Customer.objects.update(name="after the migrations")


class TestContext:
    def test_command_and_shell_user(self, monkeypatch, customer, log):
        monkeypatch.setenv("LOGNAME", "deploy")
        call_command("rename_customers", "x")
        Customer.objects.update(name="after")
        first, second = log.entries()
        assert (first.user_id, first.user_label, first.source) == (None, "deploy", "command")
        assert first.context == {"command": "rename_customers"}
        assert first.request_id is not None
        assert (second.user_label, second.source, second.context) == (None, "system", None)

    def test_shell_user_without_name(self, monkeypatch, customer, log):
        def getuser():
            raise KeyError("uid not found: 4711")

        monkeypatch.setattr(getpass, "getuser", getuser)
        call_command("rename_customers", "x")
        assert log.values("user_label", "source") == [(None, "command")]

    def test_context_ends_after_error(self, customer, log):
        with pytest.raises(CommandError):
            call_command("rename_customers", "x", "--fail")
        Customer.objects.update(name="after")
        assert log.values("source") == [("command",), ("system",)]

    def test_command_inside_a_task(self, customer, log):
        with history.acting(user=ANN, source="task", extra={"task": "nightly"}):
            call_command("rename_customers", "x")
        assert log.values("user_label", "source", "context") == [
            ("ann", "task", {"task": "nightly", "command": "rename_customers"})
        ]

    def test_command_inside_a_block(self, customer, log):
        with history.acting(user=ANN):
            call_command("rename_customers", "x")
        assert log.values("user_label", "source") == [("ann", "command")]

    def test_command_test_has_no_context(self, monkeypatch):
        seen = []
        monkeypatch.setattr(
            "django.core.management.commands.test.Command.handle",
            lambda self, *args, **options: seen.append(history.current()),
        )
        call_command("test")
        assert seen == [Context()]


@pytest.mark.django_db(transaction=True)
class TestHistoryTriggers:
    @pytest.fixture(autouse=True)
    def synchronized(self):
        yield
        synchronize_triggers(connection)

    def test_all_triggers_are_good(self, capsys):
        call_command("history_triggers")
        lines = capsys.readouterr().out.splitlines()
        assert {line.split()[0] for line in lines} == {"good"}

    def test_missing_triggers(self, capsys):
        good = compare_triggers(connection).good
        remove(connection, [trigger for trigger in good if trigger.table == "crm_note"])
        with pytest.raises(CommandError) as error:
            call_command("history_triggers")
        assert str(error.value) == (
            "Some triggers are not good: missing on crm_note. Fix them with --fix."
        )
        lines = capsys.readouterr().out.splitlines()
        assert {line.split()[0] for line in lines} == {"good", "missing"}
        call_command("history_triggers", "--fix")
        assert not compare_triggers(connection)


class TestMessages:
    """A wrong argument of a command is an error that says what to do."""

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (
                ["crm.custmer"],
                "Model 'crm.custmer' does not exist. Did you mean 'crm.customer'?",
            ),
            (
                ["nothing"],
                "Model 'nothing' does not exist. Give the label of a model, such as crm.customer.",
            ),
            (
                ["contenttypes.contenttype"],
                "Model 'contenttypes.contenttype' is not registered, so it has no history. Register"
                " it with history.register().",
            ),
            (
                ["--batch-size", "0"],
                "--batch-size is 0. Give a number from 1 to 500.",
            ),
            (
                ["--batch-size", "501"],
                "--batch-size is 501. Give a number from 1 to 500.",
            ),
        ],
    )
    @pytest.mark.parametrize(
        "command", ["history_baseline", "history_import_auditlog", "history_import_simple_history"]
    )
    def test_wrong_arguments(self, command, arguments, message):
        with pytest.raises(CommandError) as error:
            call_command(command, *arguments, stderr=StringIO())
        assert str(error.value) == message

    @pytest.mark.parametrize(
        "name",
        [
            "history_baseline",
            "history_import_auditlog",
            "history_import_simple_history",
            "history_partitions",
            "history_triggers",
        ],
    )
    def test_each_option_has_a_help(self, name):
        parser = load_command_class("django_customer_history", name).create_parser(
            "manage.py", name
        )
        assert parser.description.endswith(".")
        own = [one for one in parser._actions if one.dest not in COMMON_OPTIONS]
        assert own
        assert [one.dest for one in own if not (one.help or "").endswith(".")] == []


COMMON_OPTIONS = {
    "help", "version", "verbosity", "settings", "pythonpath", "traceback", "no_color",
    "force_color", "skip_checks",
}  # fmt: skip
