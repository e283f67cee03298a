"""A temporary table with the name of the log, or of a table that a trigger reads, is not used."""

import pytest
from django.db import connection

from django_customer_history.capture.triggers import compare_triggers
from tests.projects.crm.models import Customer, Note, Tag

CREATE = {
    "sqlite": "CREATE TEMPORARY TABLE {0} AS SELECT * FROM main.{0} WHERE 1 = 0",
    "postgresql": "CREATE TEMPORARY TABLE {0} (LIKE {0})",
}
DROP = {"sqlite": "DROP TABLE temp.{0}", "postgresql": "DROP TABLE pg_temp.{0}"}

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.skipif(
        connection.vendor not in CREATE,
        reason="on MariaDB and MySQL a temporary table hides even a name with its database",
    ),
]


def run(sql):
    with connection.cursor() as cursor:
        cursor.execute(sql)


def drop(name):
    run(DROP[connection.vendor].format(name))


class TestTemporaryTables:
    def test_writes_reach_the_log(self, customer, log):
        run(CREATE[connection.vendor].format("customer_history_entry"))
        note = Note.objects.create(customer=customer, text="new")
        Note.objects.filter(pk=note.pk).update(text="changed")
        customer.tags.add(Tag.objects.create(name="vip"))
        note.delete()
        drop("customer_history_entry")
        assert log.values("kind", "entity_model") == [
            ("create", "crm.note"),
            ("update", "crm.note"),
            ("create", "crm.tag"),
            ("add", "crm.customer"),
            ("delete", "crm.note"),
        ]

    def test_trigger_reads_the_real_table(self, customer, log):
        run(CREATE[connection.vendor].format("crm_customer"))
        customer.tags.through.objects.create(
            customer_id=customer.pk, tag=Tag.objects.create(name="vip")
        )
        drop("crm_customer")
        assert ("add", "Acme") in log.values("kind", "entity_label")

    def test_comparison_uses_real_tables(self, customer):
        run(CREATE[connection.vendor].format("crm_customer"))
        run(CREATE[connection.vendor].format("customer_history_entry"))
        assert not compare_triggers(connection)
        drop("crm_customer")
        drop("customer_history_entry")
        assert Customer.objects.filter(pk=customer.pk).exists()
