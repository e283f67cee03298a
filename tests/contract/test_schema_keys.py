"""Schema operations: primary keys that migrations change, errors, and what an operation costs."""

import uuid

import pytest
from django.apps import apps
from django.conf import settings
from django.contrib.auth.models import Permission
from django.contrib.contenttypes.models import ContentType
from django.core.management import call_command
from django.db import DatabaseError, connection, models
from django.test import TransactionTestCase
from django.test.utils import CaptureQueriesContext, isolate_apps

from django_customer_history import history
from django_customer_history.access.permissions import create_permissions
from django_customer_history.backends import backend_of
from django_customer_history.capture import schema_editor
from django_customer_history.capture.triggers import _run, compare_triggers, synchronize_triggers
from django_customer_history.exceptions import CaptureError
from django_customer_history.models import Entry
from django_customer_history.registration.registry import registration_of, registry
from tests.conftest import Log
from tests.projects.crm.models import Customer

pytestmark = pytest.mark.django_db(transaction=True)
TABLE = "evolving_box"


def box(**fields):
    """Return a model of the same table, as it is in one state of the migrations."""
    meta = type("Meta", (), {"app_label": "evolving", "db_table": TABLE})
    names = {"__module__": __name__, "Meta": meta, "text": models.CharField(max_length=20)}
    with isolate_apps("tests.projects.evolving"):
        return type("Box", (models.Model,), {**names, **fields})


@pytest.fixture
def registered(monkeypatch):
    def register(model, **options):
        monkeypatch.setitem(
            registry._registrations, model, registration_of(model, subject="self", **options)
        )

    yield register
    monkeypatch.undo()
    with connection.schema_editor() as editor:
        editor.execute(f"DROP TABLE IF EXISTS {TABLE}")
    synchronize_triggers(connection)
    assert not compare_triggers(connection)


def created_by_sql(columns, *values):
    log = Log()
    with connection.cursor() as cursor:
        places = ", ".join("%s" for _ in values)
        cursor.execute(f"INSERT INTO {TABLE} ({columns}) VALUES ({places})", values)
        cursor.execute(f"UPDATE {TABLE} SET text = 'new'")
        cursor.execute(f"DELETE FROM {TABLE}")
    return log.values("kind", "entity_id", "subject_id")


def expected(key):
    return [(kind, key, key) for kind in ("create", "update", "delete")]


def exchange(old, new):
    with connection.schema_editor() as editor:
        editor.delete_model(old)
        editor.create_model(new)


@pytest.fixture(autouse=True, scope="module")
def _all_content_types(django_db_setup, django_db_blocker):
    yield
    # With `available_apps`, Django leaves no content types and permissions behind.
    with django_db_blocker.unblock():
        call_command("flush", interactive=False, verbosity=0)


class TestChangedKeys:
    def test_number_becomes_uuid(self, registered):
        old = box(id=models.BigIntegerField(primary_key=True))
        new = box(id=models.UUIDField(primary_key=True, default=uuid.uuid4))
        registered(new)
        with connection.schema_editor() as editor:
            editor.create_model(old)
        assert created_by_sql("id, text", 7, "old") == expected("7")
        exchange(old, new)
        log = Log()
        created = new.objects.create(text="t")
        assert log.only().entity_id == str(created.pk)

    def test_key_is_renamed(self, registered):
        number = models.BigIntegerField(primary_key=True)
        code = models.BigIntegerField(primary_key=True)
        old, new = box(number=number), box(code=code)
        registered(new)
        with connection.schema_editor() as editor:
            editor.create_model(old)
        assert created_by_sql("number, text", 7, "old") == expected("7")
        with connection.schema_editor() as editor:
            editor.alter_field(old, old._meta.pk, new._meta.pk)
        assert created_by_sql("code, text", 8, "old") == expected("8")

    def test_key_is_another_column(self, registered):
        old = box(id=models.BigIntegerField(primary_key=True))
        between = box(
            id=models.BigIntegerField(primary_key=True),
            code=models.CharField(max_length=20, null=True),
        )
        new = box(code=models.CharField(max_length=20, primary_key=True))
        registered(new)
        with connection.schema_editor() as editor:
            editor.create_model(old)
        assert created_by_sql("id, text", 7, "old") == expected("7")
        with connection.schema_editor() as editor:
            editor.add_field(old, between._meta.get_field("code"))
        # Not all rows have the new key yet.
        assert created_by_sql("id, text", 8, "between") == expected("8")
        exchange(between, new)
        assert created_by_sql("code, text", "a", "old") == expected("a")

    def test_table_without_key(self, registered):
        """It is tracked again when it has a key."""
        new = box(code=models.CharField(max_length=20, primary_key=True))
        registered(new)
        with connection.schema_editor() as editor:
            editor.execute(f"CREATE TABLE {TABLE} (text varchar(20) NOT NULL)")
        synchronize_triggers(connection)
        assert not compare_triggers(connection)
        assert created_by_sql("text", "old") == []


class TestErrors:
    def test_first_error_is_raised(self, monkeypatch):
        calls = []

        def fail(*args, **options):
            calls.append(options)
            raise CaptureError("triggers too")

        monkeypatch.setattr(schema_editor, "synchronize_triggers", fail)
        field = models.IntegerField(null=True)
        field.set_attributes_from_name("text")
        field.model = Customer
        try:
            with (
                pytest.raises(DatabaseError) as error,
                connection.schema_editor(atomic=False) as editor,
                editor._synchronized_triggers("crm_customer"),
            ):
                editor.connection.cursor().execute("SELECT * FROM no_such_table")
        finally:
            monkeypatch.undo()
            synchronize_triggers(connection)
        assert "no_such_table" in str(error.value)
        assert len(calls) == 1
        (note,) = error.value.__notes__
        assert "triggers too" in note

    def test_hint_is_for_privileges_only(self):
        with pytest.raises(CaptureError) as error:
            _run(connection, ["SELECT * FROM no_such_table"], "crm_customer")
        assert "GRANT" not in str(error.value)
        assert "no_such_table" in str(error.value)


@pytest.mark.skipif(connection.vendor != "sqlite", reason="a trigger blocks changes of others")
class TestWithoutTheTable:
    def test_rename_without_the_log(self):
        log = Entry._meta.db_table
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT sql FROM sqlite_master WHERE tbl_name = %s AND type <> 'trigger'"
                " AND sql IS NOT NULL ORDER BY type DESC",
                [log],
            )
            statements = [sql for (sql,) in cursor.fetchall()]
            cursor.execute(f"DROP TABLE {log}")
        try:
            with connection.schema_editor() as editor:
                editor.alter_db_table(Customer, "crm_customer", "crm_client")
                editor.alter_db_table(Customer, "crm_client", "crm_customer")
        finally:
            with connection.cursor() as cursor:
                for statement in statements:
                    cursor.execute(statement)
            synchronize_triggers(connection)
        assert Customer.objects.create(name="Acme").name == "Acme"
        assert Entry.objects.get(entity_model="crm.customer").kind == "create"


class TestCost:
    def test_operation_on_one_of_60_models(self, registered):
        """The statements do not grow with the number of registered models."""
        counts = []
        for count in (2, 60):
            made = [
                type(
                    f"Shelf{number}",
                    (models.Model,),
                    {
                        "__module__": __name__,
                        "Meta": type("Meta", (), {"app_label": "evolving"}),
                        "text": models.CharField(max_length=20),
                    },
                )
                for number in range(count)
                if not apps.all_models["evolving"].pop(f"shelf{number}", None) or True
            ]
            for model in made:
                registered(model)
            new = models.IntegerField(null=True)
            new.set_attributes_from_name("size")
            with connection.schema_editor() as editor:
                for model in made:
                    editor.create_model(model)
            try:
                with (
                    CaptureQueriesContext(connection) as queries,
                    connection.schema_editor() as editor,
                ):
                    editor.add_field(made[0], new)
                counts.append(len(queries))
            finally:
                with connection.schema_editor() as editor:
                    for model in made:
                        editor.delete_model(model)
                for model in made:
                    registry._registrations.pop(model, None)
                    apps.all_models["evolving"].pop(model._meta.model_name, None)
                apps.clear_cache()
        assert counts[0] == counts[1] < 30

    def test_new_table(self, registered, monkeypatch):
        """Only its own triggers are read: the first `migrate` creates many tables."""
        asked = []

        def spy(self, connection, tables=None):
            asked.append(tables)
            return installed(self, connection, tables)

        backend = type(backend_of(connection))
        installed = backend.installed
        model = box(id=models.BigAutoField(primary_key=True))
        registered(model)
        monkeypatch.setattr(backend, "installed", spy)
        with connection.schema_editor() as editor:
            editor.create_model(model)
        assert [{*filter(None, tables)} for tables in asked] == [{TABLE}]
        assert created_by_sql("text", "old") == expected("1")

    def test_triggers_of_some_tables(self):
        backend = backend_of(connection)
        every = backend.installed(connection)
        of_no_table = {one for one in every if not one.table}
        few, all_tables = ["crm_customer", "crm_note"], sorted({one.table for one in every})
        for tables in (few, all_tables, ["crm_missing"], ["CRM_CUSTOMER", "crm_customer"], []):
            found = backend.installed(connection, tables)
            assert len(found) == len(set(found))
            assert set(found) == of_no_table | {one for one in every if one.table in tables}
        names = {one.name for one in backend.installed(connection, ["crm_customer"]) if one.table}
        prefix = "customer_history_crm_customer_"
        assert {name.removeprefix(prefix) for name in names} >= {"insert", "update", "delete"}

    def test_columns_of_some_tables(self):
        backend = backend_of(connection)
        every = backend.columns(connection, connection.introspection.table_names())
        few = ["crm_customer", "crm_note", "crm_missing"]
        expected = {name: every[name] for name in few[:2]}
        assert backend.columns(connection, few) == expected
        assert "name" in [column.name for column in expected["crm_customer"]]
        if connection.vendor != "sqlite":  # There the case of a name makes no difference.
            assert backend.columns(connection, [*few, "CRM_NOTE"]) == expected


class TestPermissions:
    """Permissions are created when the tables are there, whatever was cached before."""

    def test_before_other_apps_are_migrated(self):
        state = apps.__class__([])
        create_permissions("default", apps=state)  # No content types and no permissions yet.

    def test_stale_content_types(self):
        name = "view_customer_history"
        Permission.objects.filter(codename=name).delete()
        other = ContentType.objects.get_for_model(Permission)
        ContentType.objects._cache["default"][("crm", "customer")] = other
        create_permissions("default")
        permission = Permission.objects.get(codename=name)
        assert (permission.content_type.app_label, permission.content_type.model) == (
            "crm",
            "customer",
        )
        assert ContentType.objects.get_for_model(Customer) == permission.content_type


class TestWithoutTheApp(TransactionTestCase):
    """Tests of a project can leave the app out for a while."""

    available_apps = ("django.contrib.contenttypes", "django.contrib.auth", "tests.projects.crm")

    def test_flush_and_schema_operation(self):
        Customer.objects.create(name="Acme")
        field = models.IntegerField(null=True)
        field.set_attributes_from_name("size")
        with connection.schema_editor() as editor:
            editor.add_field(Customer, field)
            editor.remove_field(Customer, field)

    def test_renamed_field(self):
        model = box(id=models.BigAutoField(primary_key=True), title=models.TextField())
        renamed = models.TextField()
        renamed.model = model
        renamed.set_attributes_from_name("headline")
        with connection.schema_editor() as editor:
            editor.create_model(model)
            editor.alter_field(model, model._meta.get_field("title"), renamed)
            editor.delete_model(model)

    def test_flush_that_leaves_the_log(self):
        customer = Customer.objects.create(name="Acme")
        call_command("flush", interactive=False, verbosity=0, allow_cascade=True)
        entries = Entry.objects.of_entity(Customer, customer.pk).order_by("id")
        kinds = [(one.kind, (one.context or {}).get("reason", "")) for one in entries]
        # MySQL and MariaDB run no triggers for TRUNCATE, which Django uses there.
        is_logged = connection.vendor != "mysql"
        assert kinds == [("create", ""), ("delete", "flush")][: 1 + is_logged]

    def test_overridden_installed_apps(self):
        installed = [one for one in settings.INSTALLED_APPS if one != "django_customer_history"]
        with self.settings(INSTALLED_APPS=installed):
            call_command("flush", interactive=False, verbosity=0)
        with history.acting(reason="back"):
            customer = Customer.objects.create(name="Acme")
        assert Entry.objects.of_entity(Customer, customer.pk).latest("id").kind == "create"
