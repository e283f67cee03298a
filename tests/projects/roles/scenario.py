"""What `test_roles` runs as the application. It prints the results as JSON."""

import json
import os
import sys

import django

os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
django.setup()

from django.contrib.auth.models import Permission, User  # noqa: E402
from django.db import DatabaseError, connection, transaction  # noqa: E402
from django.test import Client  # noqa: E402

from django_customer_history import health, history  # noqa: E402
from django_customer_history.models import Entry  # noqa: E402
from tests.projects.crm.models import Customer, Note  # noqa: E402

GRANTED = ("view_customer_history", "export_customer_history", "view_confidential_customer_ssn")
COLUMNS = 'id, "timestamp", kind, action, entity_model, entity_id, changes, source'
FORGED = "gen_random_uuid(), now(), '{kind}', 'Update', 'crm.customer', '1', '{{}}', 'web'"
KEY = "(lpad(to_hex({milliseconds}), 12, '0') || '7000a000000000000000')::uuid"
NOW = "(extract(epoch FROM clock_timestamp()) * 1000)::bigint"
EVENT = "{key}, {time}, 'event', '{action}', 'crm.customer', '1', '{{}}', 'web'"
LOG = "customer_history_entry"


EVENTS = {
    "event": EVENT.format(key=KEY.format(milliseconds=NOW), time="now()", action="Signed"),
    "event like a change": EVENT.format(
        key=KEY.format(milliseconds=NOW), time="now()", action="Update"
    ),
    "event with an old key": EVENT.format(
        key=KEY.format(milliseconds=f"{NOW} - 86400000"), time="now()", action="Signed"
    ),
    "event with an old time": EVENT.format(
        key=KEY.format(milliseconds=NOW), time="now() - interval '1 day'", action="Signed"
    ),
}


def refused(*statements):
    """Return the error of the last of these statements, or None if the database accepts it."""
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            for sql in statements:
                cursor.execute(sql)
            transaction.set_rollback(True)
    except DatabaseError as error:
        return str(error).splitlines()[0]
    return None


def attempts():
    insert = f"INSERT INTO {{table}} ({COLUMNS}) SELECT {FORGED}"
    tries = {
        "update": f"UPDATE {LOG} SET action = 'x'",
        "delete": f"DELETE FROM {LOG}",
        "truncate": f"TRUNCATE {LOG}",
        "guards off": f"ALTER TABLE {LOG} DISABLE TRIGGER ALL",
        "capture off": "ALTER TABLE crm_customer DISABLE TRIGGER ALL",
        "drop": "DROP FUNCTION customer_history_crm_customer_insert CASCADE",
        "replica": "SET session_replication_role = replica",
        "policy off": f"ALTER TABLE {LOG} DISABLE ROW LEVEL SECURITY",
        "forged change": insert.format(table=LOG, kind="update"),
        "forged event": insert.format(table=LOG, kind="event"),
        **{name: f"INSERT INTO {LOG} ({COLUMNS}) SELECT {sql}" for name, sql in EVENTS.items()},
    }
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = %s::regclass"
            " ORDER BY 1 DESC",
            [LOG],
        )
        months = [name for (name,) in cursor.fetchall()]
    if months:
        tries["forged in a month"] = insert.format(table=months[0], kind="update")
        tries["delete in a month"] = f"DELETE FROM {months[0]}"
    refusals = {name: refused(sql) for name, sql in tries.items()}
    refusals["lent trigger"] = refused(
        "CREATE TEMP TABLE forged (LIKE crm_customer)",
        "CREATE TRIGGER lent AFTER INSERT ON forged REFERENCING NEW TABLE AS customer_history_rows"
        " FOR EACH STATEMENT EXECUTE FUNCTION customer_history_crm_customer_insert()",
        "INSERT INTO forged SELECT * FROM crm_customer",
    )
    return refusals


def written():
    """Write in several ways; return the entries."""
    user = User.objects.get_or_create(username="ann")[0]
    with history.acting(user=user, source="import"):
        customer = Customer.objects.create(name="Acme", ssn="900-12-4417")
        Customer.objects.filter(pk=customer.pk).update(rate="44.99")
        Note.objects.bulk_create([Note(customer=customer, text="Called")])
        customer.tags.create(name="VIP")
        customer.notes.all().delete()
    entries = history.entries_for(customer).order_by("id")
    return customer, [list(row) for row in entries.values_list("kind", "user_label", "source")]


def outputs(customer):
    """Call everything that writes events; return the results."""
    reader = User.objects.get(username="ann")
    reader.user_permissions.set(Permission.objects.filter(codename__in=GRANTED))
    client = Client(raise_request_exception=False)
    client.force_login(reader)
    entry = history.entries_for(customer).filter(kind="create").last()
    paths = {
        "page": f"/customers/{customer.pk}/history/",
        "export": f"/api/history/subjects/crm.customer/{customer.pk}/export/?format=csv",
    }
    came = {name: client.get(path).status_code for name, path in paths.items()}
    reveal = client.post(f"/api/history/entries/{entry.pk}/reveal/")
    came["reveal"] = reveal.status_code
    came["record"] = error_of(lambda: history.record("Envelope Signed", subject=customer))
    came["paused"] = error_of(lambda: pause(customer))
    return came


def pause(customer):
    with history.paused(reason="nightly sync"):
        Customer.objects.filter(pk=customer.pk).update(rate="45.00")


def error_of(function):
    try:
        function()
    except DatabaseError as error:
        return str(error).splitlines()[0]
    return None


def main():
    try:
        customer, entries = written()
    except DatabaseError as error:
        json.dump({"error": str(error).splitlines()[0]}, sys.stdout)
        return
    # One model of the tests has no table.
    problems = [one for one in health.problems() if "schemed" not in one]
    seen = {
        "problems": problems,
        "entries": entries,
        "outputs": outputs(customer),
        "attempts": attempts(),
        "actions": list(Entry.objects.filter(kind="event").values_list("action", flat=True)),
    }
    json.dump(seen, sys.stdout)


if __name__ == "__main__":
    main()
