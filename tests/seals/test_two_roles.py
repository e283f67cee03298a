"""What a database role that may only add can do, and what a comparison then names.

The owner of the tables is the role of the tests. The application has a role of its own.
"""

import uuid
from contextlib import contextmanager

import pytest
from django.db import DatabaseError, connection, connections

from django_customer_history.capture.registration_log import log_registrations
from django_customer_history.capture.triggers import append_only_triggers
from django_customer_history.feed.seals.verification import Verification
from django_customer_history.keys import time_ordered_uuid, uuid_at
from django_customer_history.models import Entry, Seal
from tests.projects.crm.models import Tag
from tests.seals.bypassing import bypass, found, run
from tests.seals.conftest import attack, seal

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite has no roles"),
]
LOG, SEALS = "customer_history_entry", "customer_history_seal"
ROLE = f"history_app_{uuid.uuid4().hex[:8]}"


def grants():
    """Yield the SQL that lets the role work with all tables, and only add to the log."""
    if connection.vendor == "postgresql":
        yield f"CREATE ROLE {ROLE} LOGIN PASSWORD 'pw'"
        yield f"GRANT USAGE ON SCHEMA public TO {ROLE}"
        yield f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {ROLE}"
        yield f"GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO {ROLE}"
        yield f"REVOKE UPDATE, DELETE ON {LOG}, {SEALS} FROM {ROLE}"
        return
    yield f"CREATE USER {ROLE}@'%' IDENTIFIED BY 'pw'"
    for table in connection.introspection.table_names():
        rights = "SELECT, INSERT" if table in (LOG, SEALS) else "SELECT, INSERT, UPDATE, DELETE"
        yield f"GRANT {rights} ON {connection.ops.quote_name(table)} TO {ROLE}@'%'"


@pytest.fixture
def tag(transactional_db):
    log_registrations("default")
    return Tag.objects.create(name="a")


@pytest.fixture
def application(tag):
    """Return a function that runs SQL as the application."""
    run(*grants())
    connections.settings["application"] = {
        **connection.settings_dict,
        "USER": ROLE,
        "PASSWORD": "pw",
    }
    connections["application"].connect()

    def run_as_application(*statements):
        with connections["application"].cursor() as cursor:
            for sql in statements:
                cursor.execute(sql)

    yield run_as_application
    connections["application"].close()
    del connections["application"], connections.settings["application"]
    if connection.vendor == "postgresql":
        run(f"DROP OWNED BY {ROLE}", f"DROP ROLE {ROLE}")
    else:
        run(f"DROP USER {ROLE}@'%'")


def in_sql(key):
    return Entry._meta.get_field("id").get_db_prep_value(key, connection)


@contextmanager
def denied():
    with pytest.raises(DatabaseError, match=r"(?i)denied|must be owner"):
        yield


class TestApplication:
    def test_log_cannot_be_changed(self, application, tag):
        trigger = append_only_triggers(connection)[0].name
        for sql in (
            f"UPDATE {LOG} SET user_label = 'Ann'",
            f"DELETE FROM {LOG}",
            f"TRUNCATE TABLE {LOG}",
            f"DROP TABLE {LOG}",
            f"UPDATE {SEALS} SET size = 1",
            f"DELETE FROM {SEALS}",
            f"DROP TRIGGER {trigger}"
            if connection.vendor == "mysql"
            else f"DROP FUNCTION {trigger} CASCADE",
        ):
            with denied():
                application(sql)
        assert found() == []

    def test_capture_cannot_be_switched_off(self, application, tag):
        attempts = {
            "postgresql": [
                "ALTER TABLE crm_tag DISABLE TRIGGER ALL",
                "SET session_replication_role = replica",
                "TRUNCATE crm_tag CASCADE",
                f"CREATE RULE nothing AS ON INSERT TO {LOG} DO INSTEAD NOTHING",
            ],
            "mysql": [
                "DROP TRIGGER customer_history_crm_tag_update",
                "TRUNCATE crm_tag",
                f"CREATE TEMPORARY TABLE {LOG} (id int)",
            ],
        }
        for sql in attempts[connection.vendor]:
            with denied():
                application(sql)
        application("UPDATE crm_tag SET name = 'b'")
        assert found() == []

    def test_entry_of_no_change(self, application, tag):
        key = in_sql(time_ordered_uuid())
        application(
            f"INSERT INTO {LOG} (id, timestamp, kind, action, entity_model, entity_id, changes,"
            f" source) VALUES ('{key}', CURRENT_TIMESTAMP, 'update', 'Update', 'crm.tag',"
            f""" '{tag.pk}', '{{"name": ["a", "b"]}}', 'web')"""
        )
        assert found() == [("unlogged", f"crm.tag {tag.pk}: name differs from the log.")]

    def test_pause_of_its_own_session(self, application, tag):
        """Not through Django, which sends the context with each write."""
        pause = (
            "SELECT set_config('customer_history.context',"
            """ '{"paused": "' || extract(epoch FROM now())::text || '"}', true)"""
            if connection.vendor == "postgresql"
            else "SET @customer_history_paused = CONNECTION_ID()"
        )
        own = connections["application"]
        own.set_autocommit(False)
        with own.connection.cursor() as cursor:
            cursor.execute(pause)
            cursor.execute("UPDATE crm_tag SET name = 'b'")
        own.commit()
        own.set_autocommit(True)
        assert found() == [("unlogged", f"crm.tag {tag.pk}: name differs from the log.")]


class TestOwner:
    def test_owner_writes_past_the_triggers(self, application, tag):
        bypass("crm_tag", "UPDATE crm_tag SET name = 'b'")
        assert found() == [("unlogged", f"crm.tag {tag.pk}: name differs from the log.")]


class TestSealedLog:
    @pytest.fixture
    def verified(self, key, tag):
        """Seal the log; return a function that returns what a verification finds."""
        seal()

        def verify():
            return [(one.kind, one.entry) for one in Verification(key=key, using="default").run()]

        assert verify() == []
        return verify

    def test_entry_with_an_old_time(self, application, tag, verified):
        key = uuid_at(1_600_000_000_000_000)
        application(
            f"INSERT INTO {LOG} (id, timestamp, kind, action, entity_model, entity_id, changes,"
            f" source) VALUES ('{in_sql(key)}', '2020-09-13 12:26:40', 'create', 'Create',"
            f""" 'crm.tag', '{tag.pk}', '{{"name": "x"}}', 'web')"""
        )
        assert verified() == [("inserted", key)]

    def test_seal_of_the_application(self, application, verified):
        names = {field.column for field in Seal._meta.fields} - {"id", "start", "size"}
        columns = ", ".join(map(connection.ops.quote_name, sorted(names)))
        application(
            f"INSERT INTO {SEALS} (start, size, {columns})"
            f" SELECT size, size + size - start, {columns} FROM {SEALS}"
        )
        assert verified() == [("forged", None)]

    def test_owner_alters_an_entry(self, application, verified):
        entry = Entry.objects.latest("id")
        sql = f"UPDATE {LOG} SET user_label = 'Ann' WHERE id = '{in_sql(entry.id)}'"
        with denied():
            application(sql)
        assert verified() == []
        attack(sql)
        assert verified() == [("altered", entry.id)]
