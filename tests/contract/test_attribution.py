"""Attribution: no entry ever names the user of another block, however the statement is written."""

import pytest
from django.db import InterfaceError, OperationalError, connection, connections, transaction
from django.db.models import Func, IntegerField
from django.test import Client

from django_customer_history import history
from django_customer_history.context.resolved import NamedUser
from django_customer_history.models import Entry
from tests.projects.crm.models import Customer, Tag

pytestmark = pytest.mark.django_db(transaction=True)

ANN = NamedUser(id="1", label="ann")
BOB = NamedUser(id="2", label="bob")
TOUCH = "UPDATE crm_customer SET rate = rate + 1"

ROUTINES = {
    "postgresql": [
        f"""CREATE FUNCTION st_touch() RETURNS int LANGUAGE plpgsql AS
        'BEGIN {TOUCH}; RETURN 1; END'""",
        "CREATE VIEW touching AS SELECT st_touch() AS touched",
        f"CREATE PROCEDURE touch() LANGUAGE plpgsql AS 'BEGIN {TOUCH}; END'",
        f"""CREATE FUNCTION touch_quietly() RETURNS int LANGUAGE plpgsql AS
        'BEGIN {TOUCH}; RETURN 1; EXCEPTION WHEN OTHERS THEN RETURN 0; END'""",
        f"CREATE PROCEDURE commit_and_touch() LANGUAGE plpgsql AS 'BEGIN COMMIT; {TOUCH}; END'",
        """CREATE FUNCTION touch_by_trigger() RETURNS trigger LANGUAGE plpgsql AS
        'BEGIN PERFORM st_touch(); RETURN NULL; END'""",
        """CREATE CONSTRAINT TRIGGER touch_later AFTER INSERT ON crm_tag
        DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION touch_by_trigger()""",
    ],
    # With a binary log, MySQL has functions that write only if they are deterministic.
    "mysql": [
        f"CREATE FUNCTION st_touch() RETURNS int DETERMINISTIC BEGIN {TOUCH}; RETURN 1; END",
        "CREATE VIEW touching AS SELECT st_touch() AS touched",
        f"CREATE PROCEDURE touch() BEGIN {TOUCH}; END",
        f"""CREATE FUNCTION touch_quietly() RETURNS int DETERMINISTIC
        BEGIN DECLARE EXIT HANDLER FOR SQLEXCEPTION RETURN 0; {TOUCH}; RETURN 1; END""",
    ],
    "sqlite": ["CREATE VIEW touching AS SELECT 1 AS touched"],
}
DROP = {
    "postgresql": [
        "DROP TRIGGER touch_later ON crm_tag",
        "DROP FUNCTION touch_by_trigger()",
        "DROP PROCEDURE commit_and_touch()",
        "DROP FUNCTION touch_quietly()",
        "DROP PROCEDURE touch()",
        "DROP VIEW touching",
        "DROP FUNCTION st_touch()",
    ],
    "mysql": [
        "DROP FUNCTION touch_quietly",
        "DROP PROCEDURE touch",
        "DROP VIEW touching",
        "DROP FUNCTION st_touch",
    ],
    "sqlite": ["DROP VIEW touching"],
}
CALLS = {
    "postgresql": [
        "SELECT st_touch()",
        "SELECT st_touch\n()",
        "SELECT st_touch/* a comment */()",
        "/* a */ -- b\nselect public . st_touch ( )",
        'SELECT "st_touch" ()',
        "SELECT * FROM touching",
        "SELECT touch_quietly()",
        "WITH a AS (SELECT st_touch() AS b) SELECT * FROM a",
        "(SELECT st_touch()) UNION (SELECT 2)",
        "VALUES (st_touch())",
        "CALL touch()",
        "DO $$ BEGIN PERFORM st_touch(); END $$",
        "EXPLAIN (ANALYZE) SELECT st_touch()",
        "SELECT 1; SELECT st_touch()",
        f"WITH a AS ({TOUCH} RETURNING 1) SELECT * FROM a",
        f"-- SELECT\n{TOUCH}",
        f"/* SELECT /* nested */ SELECT */ {TOUCH}",
    ],
    "mysql": [
        "SELECT st_touch()",
        "SELECT st_touch\n()",
        "SELECT st_touch/* a comment */()",
        "/* a */ -- b\nselect `st_touch` ( )",
        "SELECT * FROM touching",
        "SELECT touch_quietly()",
        "WITH a AS (SELECT st_touch() AS b) SELECT * FROM a",
        "(SELECT st_touch()) UNION (SELECT 2)",
        "CALL touch()",
        "DO st_touch()",
        "SET @touched = st_touch()",
        f"/*!40000 {TOUCH} */",
        f"-- SELECT\n{TOUCH}",
    ],
    "sqlite": [
        TOUCH,
        f"-- SELECT\n{TOUCH}",
        f"/* SELECT */ {TOUCH}",
    ],
}[connection.vendor]


@pytest.fixture(autouse=True)
def routines(customer):
    run(*ROUTINES[connection.vendor])
    yield
    connection.set_autocommit(True)
    run(*DROP[connection.vendor])


def run(*statements, using="default"):
    with connections[using].cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
            if cursor.description:
                cursor.fetchall()


def run_in_driver(statement):
    connection.ensure_connection()
    cursor = connection.connection.cursor()
    cursor.execute(statement)
    if cursor.description:
        cursor.fetchall()
    cursor.close()


def users(log):
    return [entry.user_label for entry in log.entries() if entry.entity_model == "crm.customer"]


@pytest.fixture
def check(log):
    """Return a function that runs a test with each statement, and compares the users."""

    def check_each(work, expected):
        found = {}
        for statement in CALLS:
            log.clear()
            work(statement)
            found[statement] = users(log)
        assert found == dict.fromkeys(CALLS, expected)

    return check_each


@pytest.mark.parametrize("execute", [run, run_in_driver])
class TestStatements:
    def test_each_in_its_own_block(self, execute, check):
        def work(statement):
            with history.acting(user=ANN):
                execute(statement)
            with history.acting(user=BOB):
                execute(statement)
            execute(statement)

        check(work, ["ann", "bob", None])

    def test_blocks_of_one_transaction(self, execute, check):
        @transaction.atomic
        def work(statement):
            with history.acting(user=ANN):
                execute(TOUCH)
            with history.acting(user=BOB):
                execute(statement)
            execute(statement)
            with history.acting(user=ANN):
                execute(statement)

        check(work, ["ann", "bob", None, "ann"])

    def test_after_a_rolled_back_savepoint(self, execute, check):
        @transaction.atomic
        @history.acting(user=ANN)
        def work(statement):
            execute(statement)
            with history.acting(user=BOB):
                execute(statement)
                with pytest.raises(LookupError), transaction.atomic():
                    with history.acting(user=ANN):
                        execute(statement)
                    raise LookupError
                execute(statement)
            execute(statement)

        check(work, ["ann", "bob", "bob", "ann"])

    def test_without_autocommit(self, execute, check):
        def work(statement):
            connection.set_autocommit(False)
            with history.acting(user=ANN):
                execute(statement)
            connection.commit()
            execute(statement)
            connection.rollback()
            with history.acting(user=BOB):
                execute(statement)
            connection.commit()
            connection.set_autocommit(True)

        check(work, ["ann", "bob"])


class TestRequests:
    def test_one_connection_for_all(self, check, django_user_model, customer):
        """The requests share a connection, as persistent ones do, and the view only executes."""
        url = f"/customers/{customer.pk}/execute/"
        clients = [Client(), Client(), Client()]
        for client, name in zip(clients, ("ann", "bob"), strict=False):
            client.force_login(django_user_model.objects.create_user(name))

        def work(statement):
            for client in clients:
                assert client.post(url, {"sql": statement}).status_code == 200

        check(work, ["ann", "bob", None])

    def test_read_after_a_write(self, log, customer, django_user_model):
        client = Client()
        client.force_login(django_user_model.objects.create_user("ann"))
        client.post(f"/customers/{customer.pk}/execute/", {"sql": TOUCH})
        Client().get(f"/customers/{customer.pk}/read/")
        run(TOUCH)
        assert users(log) == ["ann", None]


class TestDriver:
    def test_many_rows(self, log):
        mark = "?" if connection.vendor == "sqlite" else "%s"
        sql = f"UPDATE crm_customer SET rate = {mark}"
        cursor = connection.connection.cursor()
        with history.acting(user=ANN):
            cursor.executemany(sql, [(1,), (2,)])
        cursor.executemany(sql, [(3,), (4,)])
        assert users(log) == ["ann", "ann", None, None]

    def test_connection_opened_again(self, log):
        if connection.vendor == "sqlite":
            pytest.skip("a database in memory ends with its connection")
        with history.acting(user=ANN):
            run(TOUCH)
            connection.close()
            run(TOUCH)
        connection.close()
        run(TOUCH)
        assert users(log) == ["ann", "ann", None]

    @pytest.mark.skipif(connection.vendor != "mysql", reason="the driver of MariaDB and MySQL")
    def test_other_class_of_cursors(self, log):
        with history.acting(user=ANN):
            run(TOUCH)
        with connection.connection.cursor(connection.Database.cursors.SSCursor) as cursor:
            cursor.execute("SELECT st_touch()")
            cursor.fetchall()
        connection.connection.query(TOUCH)
        assert users(log) == ["ann", None, None]

    @pytest.mark.skipif(connection.vendor != "mysql", reason="the driver of MariaDB and MySQL")
    def test_driver_connects_again(self, log):
        if not hasattr(connection.ensure_connection() or connection.connection, "connect"):
            pytest.skip("mysqlclient does not connect again")
        with history.acting(user=ANN):
            run(TOUCH)
            connection.connection.close()
            connection.connection.connect()
            run(TOUCH)
        assert users(log) == ["ann", "ann"]

    @pytest.mark.skipif(connection.vendor != "mysql", reason="the driver of MariaDB and MySQL")
    def test_django_sees_a_closed_driver(self, log):
        with history.acting(user=ANN):
            run(TOUCH)
            connection.connection.close()
            with pytest.raises((OperationalError, InterfaceError)):
                run(TOUCH)
            assert connection.errors_occurred
            connection.connection = None
            run(TOUCH)
        assert users(log) == ["ann", "ann"]

    @pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite has no procedures")
    def test_called_procedure(self, log):
        name = "st_touch" if connection.vendor == "postgresql" else "touch"
        with connection.cursor() as cursor:
            with history.acting(user=ANN):
                cursor.callproc(name)
            with transaction.atomic(), history.acting(user=BOB):
                cursor.callproc(name)
            cursor.callproc(name)
        assert users(log) == ["ann", "bob", None]


class TestOtherDatabase:
    pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "other"])

    def test_each_alias_has_the_context(self):
        with history.acting(user=ANN), transaction.atomic("other"):
            Tag.objects.using("other").create(name="a")
            Tag.objects.create(name="b")
            with history.acting(user=BOB):
                Tag.objects.using("other").create(name="c")
        Tag.objects.using("other").create(name="d")
        Tag.objects.create(name="e")
        written = {
            using: list(
                Entry.objects.using(using)
                .filter(entity_model="crm.tag")
                .order_by("id")
                .values_list("user_label", flat=True)
            )
            for using in ("default", "other")
        }
        assert written == {"default": ["ann", None], "other": ["ann", "bob", None]}


@pytest.mark.skipif(connection.vendor != "postgresql", reason="PostgreSQL alone has it")
class TestOnPostgreSQL:
    def test_procedure_that_commits(self, log):
        with history.acting(user=ANN):
            run("CALL commit_and_touch()")
        assert users(log) == [None]

    def test_deferred_trigger(self, log):
        """It belongs to the last statement of the transaction."""
        with transaction.atomic(), history.acting(user=ANN):
            Tag.objects.create(name="late")
        assert users(log) == ["ann"]

    def test_context_left_in_the_session(self, log):
        run("SELECT set_config('customer_history.context', '{\"user_label\": \"eve\"}', false)")
        run(TOUCH)
        with history.acting(user=ANN):
            run(TOUCH)
        run("RESET customer_history.context")
        assert users(log) == [None, "ann"]

    def test_prepared_statement(self, log):
        run(f"PREPARE touch AS {TOUCH}")
        with history.acting(user=ANN):
            run("EXECUTE touch")
        run("EXECUTE touch", "DEALLOCATE touch")
        assert users(log) == ["ann", None]

    def test_copy_of_a_query(self, log):
        def copy():
            with (
                connection.cursor() as cursor,
                cursor.copy("COPY (SELECT st_touch()) TO STDOUT") as rows,
            ):
                list(rows)

        with history.acting(user=ANN):
            copy()
        copy()
        assert users(log) == ["ann", None]

    def test_server_side_cursor(self, log):
        def read():
            call = Func(function="st_touch", output_field=IntegerField())
            return list(Customer.objects.annotate(touched=call).iterator(chunk_size=1))

        with history.acting(user=ANN):
            read()
        with transaction.atomic(), history.acting(user=BOB):
            read()
        read()
        assert users(log) == ["ann", "bob", None]

    def test_block_of_psycopg(self, log):
        pytest.importorskip("psycopg")
        with transaction.atomic(), history.acting(user=ANN):
            run(TOUCH)
            with pytest.raises(LookupError), connection.connection.transaction():
                with history.acting(user=BOB):
                    run(TOUCH)
                raise LookupError
            run("SELECT st_touch()")
        assert users(log) == ["ann", "ann"]

    def test_commands_beside_no_other(self, log):
        with history.acting(user=ANN):
            run("CREATE INDEX CONCURRENTLY touched ON crm_customer (rate);", "VACUUM crm_tag")
            run("DROP INDEX CONCURRENTLY touched")
            with transaction.atomic():
                run("SET TRANSACTION ISOLATION LEVEL SERIALIZABLE", "LOCK TABLE crm_tag")
                run("CREATE TABLE touched AS SELECT st_touch()", "DROP TABLE touched")
        assert users(log) == ["ann"]

    def test_text_of_logged_queries(self, log):
        connection.force_debug_cursor = True
        try:
            with history.acting(user=ANN, ip_address="203.0.113.9"):
                run(TOUCH)
                Customer.objects.update(name="x")
        finally:
            connection.force_debug_cursor = False
        assert [query["sql"] for query in connection.queries_log][-2:] == [
            TOUCH,
            """UPDATE "crm_customer" SET "name" = 'x'""",
        ]


class TestPauses:
    def test_pause_left_in_the_session(self, log):
        left = {
            "postgresql": ["SELECT set_config('customer_history.context', %s, false)"],
            "mysql": ["SET @customer_history_paused = %s"],
        }
        if connection.vendor not in left:
            pytest.skip("on SQLite nothing is left in the session")
        value = '{"paused": true}' if connection.vendor == "postgresql" else 1
        cursor = connection.connection.cursor()
        cursor.execute(left[connection.vendor][0], [value])
        cursor.execute(TOUCH)
        run(TOUCH)
        Customer.objects.update(name="x")
        connection.close()
        assert len(users(log)) == 3

    def test_pause_is_of_its_block(self, log):
        with transaction.atomic():
            with history.paused(reason="a sync"):
                run(*CALLS[:1])
                with transaction.atomic():
                    run(TOUCH)
            run(TOUCH)
        assert [entry.action for entry in log.entries()] == [
            "History Paused",
            "History Resumed",
            "Update",
        ]


class TestFunctionsOfOthers:
    """A function that another process has made since the database was asked for functions."""

    FUNCTIONS = {
        "postgresql": f"""CREATE FUNCTION new_touch() RETURNS int LANGUAGE plpgsql AS
        'BEGIN {TOUCH}; RETURN 1; END'""",
        "mysql": f"""CREATE FUNCTION new_touch() RETURNS int DETERMINISTIC
        BEGIN {TOUCH}; RETURN 1; END""",
    }

    @pytest.fixture(autouse=True)
    def _function(self, log):
        if connection.vendor not in self.FUNCTIONS:
            pytest.skip("SQLite has no stored functions.")
        drop = f"DROP FUNCTION new_touch{'()' if connection.vendor == 'postgresql' else ''}"
        run("SELECT 1")
        self.in_another_process(self.FUNCTIONS[connection.vendor])
        yield
        self.in_another_process(drop)

    def in_another_process(self, sql):
        other = connection.Database.connect(**connection.get_connection_params())
        with other.cursor() as cursor:
            cursor.execute(sql)
        other.commit()
        other.close()

    def write_and_call(self):
        with history.acting(user=ANN):
            run(TOUCH)
        run("SELECT new_touch()")
        with history.acting(user=BOB):
            run("SELECT new_touch()")

    def test_no_earlier_user(self, log):
        self.write_and_call()
        first, *later = users(log)
        assert (first, len(later)) == ("ann", 2)
        assert "ann" not in later

    def test_in_one_transaction(self, log):
        with transaction.atomic():
            self.write_and_call()
        first, *later = users(log)
        assert (first, len(later)) == ("ann", 2)
        assert "ann" not in later
