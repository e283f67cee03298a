"""All kinds of models: keys, links, fields, inheritance and unmanaged tables."""

import pytest
from django.db import connection, connections, models

from django_customer_history import history
from django_customer_history.capture.triggers import (
    compare_triggers,
    synchronize_triggers,
)
from django_customer_history.models import Entry
from tests.conftest import Log
from tests.projects.crm.models import (
    Code,
    Contract,
    Customer,
    Dealer,
    Employee,
    Guarding,
    Legacy,
    LegacyPart,
    Oddity,
    Ownership,
    Person,
    Schemed,
    Site,
    Specimen,
    Stock,
    Tag,
    VipCustomer,
    Wide,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def fresh_log(db):
    return Log()


class TestKeys:
    def test_change_of_the_key(self, fresh_log):
        Code.objects.create(code="old", text="t")
        Code.objects.filter(code="old").update(code="new")
        Code.objects.filter(code="new").update(text="u")
        logged = fresh_log.values("kind", "entity_id", "subject_id", "changes")
        assert logged == [
            ("create", "old", "old", {"text": [None, "t"]}),
            ("update", "old", "new", {"code": ["old", "new"]}),
            ("update", "old", "old", {"code": ["old", "new"]}),
            ("update", "new", "new", {"text": ["t", "u"]}),
        ]

    def test_keys_are_case_sensitive(self, fresh_log):
        Code.objects.create(code="Abc", text="t")
        assert history.entries_for(Code, "Abc").count() == 1
        assert history.entries_for(Code, "abc").count() == 0

    def test_composite_key_is_json(self, fresh_log):
        stock = Stock.objects.create(warehouse=1, product='a "b"')
        Stock.objects.filter(pk=(1, 'a "b"')).update(quantity=5)
        Stock.objects.filter(pk=(1, 'a "b"')).update(warehouse=2)
        assert stock.pk == (1, 'a "b"')
        assert fresh_log.values("kind", "entity_id", "changes") == [
            ("create", '["1","a \\"b\\""]', {"quantity": [None, "0"]}),
            ("update", '["1","a \\"b\\""]', {"quantity": ["0", "5"]}),
            ("update", '["1","a \\"b\\""]', {"warehouse": ["1", "2"]}),
        ]


class TestLinks:
    def test_links_to_the_same_model(self, fresh_log):
        one, two = Site.objects.create(name="one"), Site.objects.create(name="two", parent=None)
        two.parent = one
        two.save()
        fresh_log.clear()
        one.neighbours.add(two)
        logged = fresh_log.values("kind", "entity_id", "entity_label", "changes")
        expected = [
            ("add", str(one.pk), "one", {"neighbours": [None, str(two.pk)]}),
            ("add", str(two.pk), "two", {"neighbours": [None, str(one.pk)]}),
        ]
        assert sorted(logged, key=str) == sorted(expected, key=str)

    def test_unregistered_through_model(self, customer, fresh_log):
        site = Site.objects.create(name="HQ")
        fresh_log.clear()
        site.guards.add(customer, through_defaults={"since": 2020})
        customer.sites.remove(site)
        Guarding.objects.create(site=site, customer=customer)
        customer.delete()
        logged = list(fresh_log.values("kind", "entity_model", "subject_id", "changes"))[:4]
        key = str(site.pk)
        assert [row[:3] for row in logged] == [
            ("add", "crm.site", key),
            ("remove", "crm.site", key),
            ("add", "crm.site", key),
            ("remove", "crm.site", key),
        ]
        assert logged[0][3]["guards"][0] is None

    def test_registered_through_model(self, customer, fresh_log):
        site = Site.objects.create(name="HQ")
        fresh_log.clear()
        ownership = Ownership.objects.create(site=site, customer=customer, share=50)
        ownership.share = 60
        ownership.save()
        site.owners.clear()
        assert fresh_log.values("kind", "entity_model", "subject_id") == [
            ("create", "crm.ownership", str(site.pk)),
            ("update", "crm.ownership", str(site.pk)),
            ("delete", "crm.ownership", str(site.pk)),
        ]

    def test_missing_link_is_not_removed(self, customer, fresh_log):
        customer.tags.remove(Tag.objects.create(name="t"))
        customer.tags.clear()
        assert (
            fresh_log.values("kind", "entity_model")
            == [
                ("create", "crm.customer"),
                ("create", "crm.tag"),
            ][-len(fresh_log.entries()) :]
        )


class TestFields:
    def test_generated_and_default_values(self, fresh_log):
        odd = Oddity.objects.create(name="it's", backwards="abc")
        Oddity.objects.filter(pk=odd.pk).update(number=8, backwards="xyz")
        odd.delete()
        created, updated, deleted = fresh_log.changes()
        assert created == {
            "name": [None, "it's"],
            "backwards": [None, "cba"],
            "number": [None, "7"],
            "twice": [None, "14"],
        }
        assert updated == {"number": ["7", "8"], "twice": ["14", "16"], "backwards": ["cba", "zyx"]}
        assert deleted["twice"] == ["16", None]
        assert {entry.entity_label for entry in fresh_log.entries()} == {"it's"}

    def test_proxy_is_logged_as_its_model(self, fresh_log):
        VipCustomer.objects.create(name="vip")
        assert fresh_log.only().entity_model == "crm.customer"

    def test_table_of_250_columns(self, fresh_log):
        values = {f"field_{number:03}": number for number in range(250)}
        wide = Wide.objects.create(**values)
        Wide.objects.filter(pk=wide.pk).update(field_000=-1, field_249=None)
        created, updated = fresh_log.changes()
        assert created == {name: [None, str(value)] for name, value in values.items()}
        assert updated == {"field_000": ["0", "-1"], "field_249": ["249", None]}

    def test_deferred_fields(self, customer, fresh_log):
        fresh_log.clear()
        part = Customer.objects.only("name").get(pk=customer.pk)
        part.name = "in part"
        part.save()
        rest = Customer.objects.defer("name").get(pk=customer.pk)
        rest.rate = "1.00"
        rest.save()
        assert fresh_log.changes() == [{"name": ["Acme", "in part"]}, {"rate": ["39.99", "1.00"]}]

    @pytest.mark.skipif(not hasattr(models, "FETCH_PEERS"), reason="needs Django 6.1")
    def test_fields_fetched_for_all_peers(self, customer, fresh_log):
        fresh_log.clear()
        peers = list(Customer.objects.only("name").fetch_mode(models.FETCH_PEERS))
        assert peers[0].rate
        peers[0].name = "fetched"
        peers[0].save()
        assert fresh_log.changes() == [{"name": ["Acme", "fetched"]}]

    def test_arrays_and_ranges(self, fresh_log):
        if connection.vendor != "postgresql":
            pytest.skip("only PostgreSQL has arrays and ranges")
        with connection.cursor() as cursor:
            cursor.execute(
                "ALTER TABLE crm_specimen ADD COLUMN numbers int[], ADD COLUMN span int4range"
            )
            cursor.execute(
                "INSERT INTO crm_specimen (numbers, span) VALUES ('{1,2,NULL}', '[1,5)')"
            )
            cursor.execute("UPDATE crm_specimen SET numbers = '{3}', span = 'empty'")
        assert fresh_log.changes() == [
            {"numbers": [None, "[1, 2, null]"], "span": [None, "[1,5)"]},
            {"numbers": ["[1, 2, null]", "[3]"], "span": ["[1,5)", "empty"]},
        ]
        assert Specimen.objects.count() == 1

    def test_infinite_timestamps(self, fresh_log):
        if connection.vendor != "postgresql":
            pytest.skip("only PostgreSQL has moments at infinity")
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE crm_specimen ADD COLUMN local timestamp")
            for _ in range(2):
                cursor.execute(
                    "INSERT INTO crm_specimen (datetime, local, date) VALUES"
                    " ('infinity', '-infinity', 'infinity')"
                )
                cursor.execute("UPDATE crm_specimen SET datetime = '-infinity', local = 'infinity'")
                cursor.execute("DELETE FROM crm_specimen")
                # The second time, the triggers name the columns, which are NOT NULL.
                connection.check_constraints()
                with connection.schema_editor() as editor:
                    editor.execute(
                        "ALTER TABLE crm_specimen ALTER COLUMN datetime SET NOT NULL,"
                        " ALTER COLUMN local SET NOT NULL, ALTER COLUMN date SET NOT NULL"
                    )
        one = [
            {
                "datetime": [None, "infinity"],
                "local": [None, "-infinity"],
                "date": [None, "infinity"],
            },
            {"datetime": ["infinity", "-infinity"], "local": ["-infinity", "infinity"]},
            {
                "datetime": ["-infinity", None],
                "local": ["infinity", None],
                "date": ["infinity", None],
            },
        ]
        assert fresh_log.changes() == one * 2


class TestTables:
    def test_replace_deletes_and_creates(self, fresh_log):
        if connection.vendor == "postgresql":
            pytest.skip("PostgreSQL has no REPLACE")
        Code.objects.create(code="k", text="old")
        with connection.cursor() as cursor:
            cursor.execute("REPLACE INTO crm_code (code, text) VALUES ('k', 'new')")
        assert fresh_log.values("kind", "changes") == [
            ("create", {"text": [None, "old"]}),
            ("delete", {"text": ["old", None]}),
            ("create", {"text": [None, "new"]}),
        ]

    def test_truncate_deletes_each_row(self, fresh_log):
        """MariaDB and MySQL run no trigger on TRUNCATE; SQLite has none."""
        Code.objects.create(code="a", text="1")
        Code.objects.create(code="b", text="2")
        fresh_log.clear()
        with connection.cursor() as cursor:
            cursor.execute(
                "TRUNCATE crm_code" if connection.vendor == "postgresql" else "DELETE FROM crm_code"
            )
        assert sorted(fresh_log.values("kind", "entity_id", "subject_id")) == [
            ("delete", "a", "a"),
            ("delete", "b", "b"),
        ]

    def test_unmanaged_table_and_cascade(self, customer, fresh_log):
        Legacy.objects.create(id=1, customer=customer, text="t")
        LegacyPart.objects.create(id=5, legacy_id=1, text="p")
        fresh_log.clear()
        with connection.cursor() as cursor:
            cursor.execute("DELETE FROM legacy WHERE id = 1")
        logged = sorted(fresh_log.values("kind", "entity_model", "subject_id"))
        of_parent = ("delete", "crm.legacy", str(customer.pk))
        of_part = ("delete", "crm.legacypart", str(customer.pk))
        # MariaDB and MySQL run no triggers for rows that a foreign key removes.
        assert logged == ([of_parent] if connection.vendor == "mysql" else [of_parent, of_part])

    @pytest.mark.django_db(databases=["default", "other"])
    def test_each_database_has_its_log(self, fresh_log):
        Code.objects.using("other").create(code="x", text="t")
        Code.objects.create(code="y", text="t")
        assert [entry.entity_id for entry in fresh_log.entries()] == ["y"]
        others = Entry.objects.using("other").filter(kind="create", entity_model="crm.code")
        assert [entry.entity_id for entry in others] == ["x"]
        assert connections["other"].vendor == connection.vendor

    def test_child_has_fields_of_its_parent(self, customer, fresh_log):
        fresh_log.clear()
        employee = Employee.objects.create(name="Ann", badge="7", customer=customer)
        key, subject = str(employee.pk), str(customer.pk)
        Person.objects.create(name="nobody's employee")
        employee.name, employee.badge = "Anna", "8"
        employee.save()
        Person.objects.filter(pk=employee.pk).update(customer=None)
        Employee.objects.filter(pk=employee.pk).update(customer=customer, badge="9")
        employee.delete()
        logged = fresh_log.values("kind", "entity_model", "entity_id", "subject_id", "changes")
        assert {row[1:3] for row in logged} == {("crm.employee", key)}
        assert logged[0] == (
            "create",
            "crm.employee",
            key,
            subject,
            {"name": [None, "Ann"], "badge": [None, "7"], "customer": [None, subject]},
        )
        assert {(row[3], str(row[4])) for row in logged[1:-1]} == {
            (subject, str({"name": ["Ann", "Anna"]})),
            (subject, str({"badge": ["7", "8"]})),
            (subject, str({"customer": [subject, None]})),
            (subject, str({"customer": [None, subject]})),
            (None, str({"badge": ["8", "9"]})),  # written before the row of the parent
        }
        assert logged[-1][0] == "delete"
        assert logged[-1][4] == {
            "name": ["Anna", None],
            "badge": ["9", None],
            "customer": [subject, None],
        }
        labels = [entry.entity_label for entry in fresh_log.entries()]
        assert (labels[0], labels[-1]) == ("Ann 7", "Anna 9")

    def test_table_in_another_schema(self, fresh_log):
        if connection.vendor != "postgresql":
            pytest.skip("only PostgreSQL has schemas within a database")
        with connection.cursor() as cursor:
            cursor.execute('CREATE SCHEMA "other schema"')
            cursor.execute(
                'CREATE TABLE "other schema"."schemed" (id bigserial PRIMARY KEY, text varchar(40))'
            )
        synchronize_triggers(connection)
        assert not compare_triggers(connection)
        row = Schemed.objects.create(text="a")
        Schemed.objects.update(text="b")
        row.delete()
        assert fresh_log.values("kind", "entity_model", "changes") == [
            ("create", "crm.schemed", {"text": [None, "a"]}),
            ("update", "crm.schemed", {"text": ["a", "b"]}),
            ("delete", "crm.schemed", {"text": ["b", None]}),
        ]


class TestDeletedRows:
    def test_archived_record_is_readable(self, fresh_log):
        dealer = Dealer.objects.create(name="D")
        Dealer.objects.update(is_archived=True)
        assert not Dealer.objects.exists()
        assert [entry.action for entry in history.entries_for(Dealer, dealer.pk)] == [
            "Update",
            "Create",
        ]

    def test_rows_of_a_deleted_parent(self, fresh_log):
        dealer, guarantor = Dealer.objects.create(name="D"), Dealer.objects.create(name="G")
        contract = Contract.objects.create(dealer=dealer, guarantor=guarantor)
        nobody = Dealer.objects.create(name="nobody")
        fresh_log.clear()
        with pytest.raises(models.ProtectedError):
            guarantor.delete()
        assert fresh_log.entries() == []
        old = str(dealer.pk)
        dealer.delete()
        assert fresh_log.values("kind", "entity_model", "subject_id", "changes")[:2] == [
            ("update", "crm.contract", str(nobody.pk), {"dealer": [old, str(nobody.pk)]}),
            ("update", "crm.contract", old, {"dealer": [old, str(nobody.pk)]}),
        ]
        assert str(contract.pk) == fresh_log.entries()[0].entity_id
