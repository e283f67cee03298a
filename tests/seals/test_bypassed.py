"""Real ways to get a write past the triggers of each database, and what a comparison names."""

import pytest
from django.core.management import call_command
from django.db import DatabaseError, connection, transaction

from django_customer_history.backends import backend_of, features_of
from django_customer_history.capture.partitions import create_partitions, partitions
from django_customer_history.capture.registration_log import log_registrations
from django_customer_history.capture.triggers import append_only_triggers
from django_customer_history.models import Entry
from tests.projects.crm.models import Customer, Legacy, LegacyPart, Tag
from tests.seals.bypassing import bypass, found, run
from tests.seals.conftest import attack

pytestmark = pytest.mark.django_db(transaction=True)

LOG = "customer_history_entry"
FIX = "Run: manage.py history_triggers --fix"


def only(*vendors):
    """Return the mark of a test that is about some databases only."""
    return pytest.mark.skipif(
        connection.vendor not in vendors, reason=f"about {' and '.join(vendors)}"
    )


@pytest.fixture
def tag(transactional_db):
    log_registrations("default")
    return Tag.objects.create(name="a")


def texts():
    return [text for _kind, text in found()]


def unlogged(tag, what="name differs from the log"):
    return [("unlogged", f"crm.tag {tag.pk}: {what}.")]


class TestTriggers:
    def test_dropped_and_created_again(self, tag):
        bypass("crm_tag", "UPDATE crm_tag SET name = 'b'")
        assert found() == unlogged(tag)

    def test_left_out(self, tag):
        name = backend_of(connection).name("crm_tag", "update")
        drop = {
            "postgresql": f"DROP FUNCTION {name} CASCADE",
        }.get(connection.vendor, f"DROP TRIGGER {name}")
        run(drop, "UPDATE crm_tag SET name = 'b'")
        assert found() == [
            ("capture", f"Triggers of the history are missing on crm_tag. {FIX}"),
            *unlogged(tag),
        ]

    @only("postgresql")
    def test_disabled_and_enabled(self, tag):
        run(
            "ALTER TABLE crm_tag DISABLE TRIGGER ALL",
            "UPDATE crm_tag SET name = 'b'",
            "ALTER TABLE crm_tag ENABLE TRIGGER ALL",
        )
        assert found() == unlogged(tag)

    @only("postgresql")
    def test_left_disabled(self, tag):
        run("ALTER TABLE crm_tag DISABLE TRIGGER ALL")
        stale = f"Triggers of the history are stale on crm_tag (disabled). {FIX}"
        assert found() == [("capture", stale)]

    @only("postgresql")
    def test_role_of_a_replica(self, tag):
        run(
            "SET session_replication_role = replica",
            "UPDATE crm_tag SET name = 'b'",
            "SET session_replication_role = DEFAULT",
        )
        assert found() == unlogged(tag)

    def test_append_only_trigger_dropped(self, tag):
        first = append_only_triggers(connection)[0]
        run(*backend_of(connection).drop(first))
        assert found() == [("capture", f"Triggers of the history are missing on {LOG}. {FIX}")]

    def test_pause_by_sql(self, tag):
        """Any program may pause its own transaction. Nothing says so, but the rows do."""
        pause = {
            "postgresql": "SELECT set_config('customer_history.context',"
            """ '{"paused": "' || extract(epoch FROM now())::text || '"}', true)""",
            "mysql": "SET @customer_history_paused = CONNECTION_ID()",
        }
        if connection.vendor not in pause:
            pytest.skip("the pause of SQLite is not in SQL")
        with transaction.atomic():
            # Not through Django, which sends the context with each write.
            cursor = connection.connection.cursor()
            cursor.execute(pause[connection.vendor])
            cursor.execute("UPDATE crm_tag SET name = 'b'")
            cursor.close()
        assert found() == unlogged(tag)


class TestTruncate:
    def test_tracked_table(self, tag):
        """PostgreSQL has triggers for it; MariaDB and MySQL have none."""
        if connection.vendor == "sqlite":
            pytest.skip("SQLite has no TRUNCATE")
        if connection.vendor == "postgresql":
            run("TRUNCATE crm_tag CASCADE")
            assert found() == []
            return
        run("SET foreign_key_checks = 0", "TRUNCATE crm_tag", "SET foreign_key_checks = 1")
        assert found() == unlogged(tag, "was removed without an entry")

    @only("postgresql")
    def test_tracked_table_without_triggers(self, tag):
        run(
            "ALTER TABLE crm_tag DISABLE TRIGGER ALL",
            "TRUNCATE crm_tag CASCADE",
            "ALTER TABLE crm_tag ENABLE TRIGGER ALL",
        )
        assert found() == unlogged(tag, "was removed without an entry")

    def test_log(self, tag):
        """Without seals, the log shows it by the registrations that it lost."""
        if connection.vendor == "mysql":
            run(f"TRUNCATE {LOG}")  # No trigger runs. Only a privilege prevents it.
        else:
            attack(f"DELETE FROM {LOG}")
        lost = "The log does not say since when crm.tag is tracked. Run migrate."
        assert ("missing", lost) in found()

    @only("postgresql")
    def test_log_is_refused(self, tag):
        with pytest.raises(DatabaseError, match="append-only"):
            run(f"TRUNCATE {LOG}")


class TestTemporaryTables:
    CREATE = {
        "sqlite": "CREATE TEMPORARY TABLE {0} AS SELECT * FROM main.{0} WHERE 1 = 0",
        "postgresql": "CREATE TEMPORARY TABLE {0} (LIKE {0})",
        # MariaDB makes no table like one of the same name.
        "mysql": "CREATE TABLE form LIKE {0};CREATE TEMPORARY TABLE {0} LIKE form;DROP TABLE form",
    }
    DROP = {
        "sqlite": "DROP TABLE temp.{0}",
        "postgresql": "DROP TABLE pg_temp.{0}",
        "mysql": "DROP TEMPORARY TABLE {0}",
    }

    def test_name_of_the_log(self, tag):
        """On MariaDB and MySQL the entries go to the temporary table, and are lost with it."""
        create = self.CREATE[connection.vendor].format(LOG).split(";")
        run(*create, "UPDATE crm_tag SET name = 'b'")
        is_said = any("temporary table" in text for text in texts())
        run(self.DROP[connection.vendor].format(LOG))
        assert is_said
        assert found() == (unlogged(tag) if connection.vendor == "mysql" else [])


class TestTablesOfTheDatabase:
    """What the owner of a PostgreSQL database can put at the log or at a tracked table."""

    pytestmark = [only("postgresql")]

    @pytest.fixture(autouse=True)
    def _undone(self, tag):
        yield
        run(
            f"DROP RULE IF EXISTS nothing ON {LOG}",
            "DROP RULE IF EXISTS nothing ON crm_tag",
            "DROP TABLE IF EXISTS aside",
            f"ALTER TABLE {LOG} DISABLE ROW LEVEL SECURITY",
        )

    def test_rule_on_the_log(self, tag):
        run(
            f"CREATE RULE nothing AS ON INSERT TO {LOG} DO INSTEAD NOTHING",
            "UPDATE crm_tag SET name = 'b'",
        )
        assert found() == [
            (
                "capture",
                f"The rule nothing on {LOG} is not of this package and can change or drop entries."
                " Drop it. To react to entries, read the log.",
            ),
            *unlogged(tag),
        ]

    def test_rule_on_a_tracked_table(self, tag):
        run("CREATE RULE nothing AS ON UPDATE TO crm_tag DO INSTEAD NOTHING")
        assert found() == [
            (
                "capture",
                "The rule nothing on crm_tag changes or drops writes to a tracked table. Drop it,"
                " or make sure that it does what you want.",
            )
        ]

    def test_table_that_inherits_the_log(self, tag):
        if partitions(connection):
            pytest.skip("the log is in partitions")
        run(f"CREATE TABLE aside () INHERITS ({LOG})")
        assert texts() == [
            f"The table aside, which inherits from {LOG}, is not of this package and can change or"
            " drop entries. Drop it. To react to entries, read the log."
        ]

    def test_policies_of_the_log(self, tag):
        run(f"ALTER TABLE {LOG} ENABLE ROW LEVEL SECURITY", "DROP ROLE IF EXISTS complete_reader")
        run(
            "CREATE ROLE complete_reader",
            "GRANT SELECT ON ALL TABLES IN SCHEMA public TO complete_reader",
        )
        try:
            run("SET ROLE complete_reader")
            assert any("row-level security hides entries" in text.lower() for text in texts())
        finally:
            run("RESET ROLE", "DROP OWNED BY complete_reader", "DROP ROLE complete_reader")

    def test_policies_of_a_tracked_table(self, tag):
        run("DROP ROLE IF EXISTS complete_reader", "CREATE ROLE complete_reader")
        run("GRANT SELECT ON ALL TABLES IN SCHEMA public TO complete_reader")
        run("ALTER TABLE crm_tag ENABLE ROW LEVEL SECURITY")
        try:
            run("SET ROLE complete_reader")
            assert (
                "Row-level security hides rows of crm_tag from this role, so they cannot be"
                " compared. Run the command as the owner of the table."
            ) in texts()
        finally:
            run(
                "RESET ROLE",
                "ALTER TABLE crm_tag DISABLE ROW LEVEL SECURITY",
                "DROP OWNED BY complete_reader",
                "DROP ROLE complete_reader",
            )


class TestPartitions:
    @pytest.fixture
    def divided(self, tag):
        if not features_of(connection).supports_partitions:
            pytest.skip("the database has no partitions")
        was_whole = not partitions(connection)
        create_partitions(connection)
        yield [one.name for one in partitions(connection)]
        if was_whole:
            run(f"DROP TABLE {LOG} CASCADE")
            with connection.schema_editor() as editor:
                editor.create_model(Entry)
            call_command("history_triggers", fix=True, verbosity=0)

    def test_divided_log_in_use(self, divided):
        Customer.objects.create(name="new")
        assert found() == []

    def test_detached(self, divided, tag):
        first = divided[0]
        run(f"ALTER TABLE {LOG} DETACH PARTITION {first}")
        try:
            said = found()
        finally:
            run(f"DROP TABLE {first}")
        name = f"The partition {first} is detached from the log, so its entries are missing."
        assert ("missing", name) in said
        assert any(text.startswith("The log has no partition from its begin") for text in texts())


class TestFoundWithoutAttack:
    """What the page lists as findings although nobody attacks."""

    def test_cascade_of_the_database(self, tag):
        customer = Customer.objects.create(name="Acme")
        Legacy.objects.create(id=1, customer=customer, text="a")
        LegacyPart.objects.create(id=2, legacy_id=1, text="b")
        run("DELETE FROM legacy WHERE id = 1")
        assert not LegacyPart.objects.exists()
        lost = ("unlogged", "crm.legacypart 2: was removed without an entry.")
        assert found() == ([lost] if connection.vendor == "mysql" else [])

    def test_conversion_with_a_loss(self, tag):
        customer = Customer.objects.create(name="Acme", rate="39.99")
        alter = {
            "postgresql": "ALTER TABLE crm_customer ALTER COLUMN rate TYPE numeric(8, {})",
            "mysql": "ALTER TABLE crm_customer MODIFY rate decimal(8, {}) NOT NULL",
        }
        if connection.vendor not in alter:
            pytest.skip("SQLite cannot alter the type of a column")
        run(alter[connection.vendor].format(1))
        try:
            text = f"crm.customer {customer.pk}: rate differs from the log."
            assert ("unlogged", text) in found()
        finally:
            run(alter[connection.vendor].format(2))

    @only("sqlite")
    def test_trigger_that_writes_again(self, tag):
        run(
            "CREATE TRIGGER again AFTER UPDATE ON crm_tag WHEN NEW.name <> 'b+' BEGIN"
            " UPDATE crm_tag SET name = 'b+' WHERE id = NEW.id; END"
        )
        try:
            Tag.objects.update(name="b")
            assert [kind for kind, _text in found()] == ["unlogged"] * len(found())
            assert found()
        finally:
            run("DROP TRIGGER again")
