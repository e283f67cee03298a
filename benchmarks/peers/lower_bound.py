"""No package: a trigger that writes a constant row to this package's log for each changed row.

This is the least that a log in such a table costs. Its entries do not say who, what or when.
"""

import re

from benchmarks.peers.customer_history import CustomerHistory

ROW = {
    "kind": "'update'",
    "action": "'Update'",
    "subject_model": "'crm.customer'",
    "subject_id": "'1'",
    "entity_model": "'crm.customer'",
    "entity_id": "'1'",
    "entity_label": "'customer 1'",
    "changes": """'{"rate": ["1.50", "2.50"], "status": ["status 1", "status 2"]}'""",
    "user_id": "'1'",
    "user_label": "'ann'",
    "source": "'web'",
    "ip_address": "'203.0.113.9'",
    "request_id": "NULL",
    "context": "NULL",
}
# Keys in the order of time, like real ones, and as cheap as the database can generate them.
KEYS = {
    "sqlite": "printf('%032x', (SELECT coalesce(max(rowid), 0) + 1 FROM customer_history_entry))",
    "postgresql": "lpad(to_hex(nextval('lower_bound_key')), 32, '0')::uuid",
    "mariadb": "lpad(hex(nextval(lower_bound_key)), 32, '0')",
    "mysql": "lpad(hex(uuid_short()), 32, '0')",
}
SEQUENCES = {"postgresql", "mariadb"}
NOW = {"sqlite": "'2026-01-01 00:00:00'", "postgresql": "now()", "mysql": "now(6)"}


class LowerBound(CustomerHistory):
    """The triggers of this package, each of which writes a constant row instead of its entry."""

    def begin(self):
        from django.db import connection

        product = connection.display_name.lower()
        values = {"id": KEYS[product], "timestamp": NOW[connection.vendor], **ROW}
        names = ", ".join(map(connection.ops.quote_name, values))
        insert = f"INSERT INTO customer_history_entry ({names})"
        with connection.cursor() as cursor:
            if product in SEQUENCES:
                cursor.execute("CREATE SEQUENCE lower_bound_key CACHE 1000")
            replace = _functions if connection.vendor == "postgresql" else _triggers
            replace(connection, cursor, insert, ", ".join(values.values()))

    def check(self, expected, since):
        """Do nothing: a constant row cannot be compared."""


def _triggers(connection, cursor, insert, values):
    from django_customer_history.backends import backend_of

    quote = connection.ops.quote_name
    for one in backend_of(connection).installed(connection):
        # The triggers of the log itself keep it append-only.
        if one.table != "customer_history_entry":
            cursor.execute(EVENT_QUERIES[connection.vendor], [one.name])
            event = re.search("INSERT|UPDATE|DELETE", cursor.fetchone()[0])[0]
            cursor.execute(f"DROP TRIGGER {quote(one.name)}")
            cursor.execute(
                f"CREATE TRIGGER {quote(one.name)} AFTER {event} ON {quote(one.table)}"
                f" FOR EACH ROW BEGIN {insert} VALUES ({values}); END"
            )


EVENT_QUERIES = {
    "sqlite": "SELECT sql FROM sqlite_master WHERE name = %s",
    "mysql": "SELECT event_manipulation FROM information_schema.triggers"
    " WHERE trigger_schema = database() AND trigger_name = %s",
}
"""How to find the event of a trigger."""


def _functions(connection, cursor, insert, values):
    cursor.execute(
        "SELECT t.tgname, pg_get_triggerdef(t.oid) FROM pg_trigger t"
        " WHERE t.tgname LIKE 'customer_history_%'"
        " AND t.tgrelid <> 'customer_history_entry'::regclass"
    )
    for name, definition in cursor.fetchall():
        rows = (
            "VALUES ({})"
            if "FOR EACH ROW" in definition
            else "SELECT {} FROM customer_history_rows"
        )
        if "TRUNCATE" not in definition:
            cursor.execute(
                f'CREATE OR REPLACE FUNCTION "{name}"() RETURNS trigger LANGUAGE plpgsql'
                f" AS $$ BEGIN {insert} {rows.format(values)}; RETURN NULL; END $$"
            )
