"""Management commands and migrations name themselves in what they write."""

import getpass

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, migrations
from django.db.migrations.state import ProjectState

from django_customer_history import history
from django_customer_history.context.current import Context
from django_customer_history.context.resolved import NamedUser
from tests.projects.crm.models import Customer

pytestmark = pytest.mark.django_db

ANN = NamedUser(id="1", label="ann")


def test_a_command_has_its_name_and_the_shells_user(monkeypatch, customer, log):
    monkeypatch.setenv("LOGNAME", "deploy")
    call_command("rename_customers", "x")
    Customer.objects.update(name="after")
    first, second = log.entries()
    assert (first.user_id, first.user_label, first.source) == (None, "deploy", "command")
    assert first.context == {"command": "rename_customers"}
    assert first.request_id is not None
    assert (second.user_label, second.source, second.context) == (None, "system", None)


def test_a_shell_whose_user_has_no_name(monkeypatch, customer, log):
    def getuser():
        raise KeyError("uid not found: 4711")

    monkeypatch.setattr(getpass, "getuser", getuser)
    call_command("rename_customers", "x")
    assert log.values("user_label", "source") == [(None, "command")]


def test_a_command_that_fails_leaves_nothing_behind(customer, log):
    with pytest.raises(CommandError):
        call_command("rename_customers", "x", "--fail")
    Customer.objects.update(name="after")
    assert log.values("source") == [("command",), ("system",)]


def test_a_command_that_is_called_by_a_request_or_a_task_is_theirs(customer, log):
    with history.acting(user=ANN, source="task", extra={"task": "nightly"}):
        call_command("rename_customers", "x")
    assert log.values("user_label", "source", "context") == [
        ("ann", "task", {"task": "nightly", "command": "rename_customers"})
    ]


def test_a_command_in_a_block_that_names_only_the_user_bears_that_user(customer, log):
    with history.acting(user=ANN):
        call_command("rename_customers", "x")
    assert log.values("user_label", "source") == [("ann", "command")]


class Rename(migrations.Migration):
    operations = [
        migrations.RunPython(
            lambda apps, editor: Customer.objects.update(name="migrated"),
            lambda apps, editor: Customer.objects.update(name="taken back"),
        )
    ]


@pytest.mark.django_db(transaction=True)
def test_a_data_migration_has_its_name_forwards_and_backwards(customer, log):
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
def test_migrate_is_a_migration_with_the_shells_user(monkeypatch, customer, log):
    monkeypatch.setenv("LOGNAME", "deploy")
    monkeypatch.setattr("django.core.management.commands.migrate.emit_post_migrate_signal", rename)
    call_command("migrate", verbosity=0)
    assert log.values("user_label", "source", "context") == [
        ("deploy", "migration", {"command": "migrate"})
    ]


def rename(*args, **kwargs):
    Customer.objects.update(name="after the migrations")


def test_the_tests_of_a_project_are_not_a_command(monkeypatch):
    seen = []
    monkeypatch.setattr(
        "django.core.management.commands.test.Command.handle",
        lambda self, *args, **options: seen.append(history.current()),
    )
    call_command("test")
    assert seen == [Context()]
