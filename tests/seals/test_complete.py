"""Each write past the triggers is named, by the row and the field, and nothing else is."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction

from django_customer_history import history
from django_customer_history.capture.model_replay import ModelReplay
from django_customer_history.capture.registration_log import log_registrations
from django_customer_history.feed.seals.completeness import Completeness
from django_customer_history.models import Entry
from tests.projects.crm.models import (
    Account,
    Code,
    Customer,
    Employee,
    Guarding,
    Pass,
    Site,
    Specimen,
    Stock,
    Tag,
    Ticket,
)
from tests.seals.bypassing import bypass, found, run
from tests.seals.conftest import attack
from tests.seals.conftest import run as command

pytestmark = pytest.mark.django_db(transaction=not connection.features.can_rollback_ddl)


@pytest.fixture(autouse=True)
def _started(db):
    """The tables are empty when tracking begins."""
    log_registrations("default")


class TestNothingFound:
    def test_usual_writes(self, customer):
        tag = Tag.objects.create(name="vip")
        customer.tags.add(tag, Tag.objects.create(name="new"))
        customer.tags.remove(tag)
        Customer.objects.update(rate="44.99", api_token="t", search_text="x")
        ticket = Ticket.objects.create(customer=customer, udf={"a": 1, "b": None})
        Ticket.objects.update(udf={"a": 2, "c": [1, {"z": 1, "a": 1}]})
        Ticket.objects.update(udf=None, note="n")
        Ticket.objects.create(customer=customer, udf=[1]).delete()
        ticket.delete()
        Pass.objects.create(customer=customer, code="s3cret", answers={"a": "b"})
        Employee.objects.create(name="Ann", badge="7").customer = customer
        Employee.objects.update(name="Anna", customer=customer)
        Account.objects.create(label="a", ignored="b").delete()
        assert found() == []

    def test_keys_that_change(self):
        Code.objects.create(code="b", text="Siren")
        run("UPDATE crm_code SET code = 'a', text = 'Bell' WHERE code = 'b'")
        run("UPDATE crm_code SET code = 'c' WHERE code = 'a'")
        Code.objects.create(code="a", text="Gong")
        Stock.objects.create(warehouse=1, product='a "b"', quantity=3)
        run("UPDATE crm_stock SET warehouse = 2")
        assert found() == []
        bypass("crm_code", "UPDATE crm_code SET text = 'Horn' WHERE code = 'c'")
        bypass("crm_stock", "UPDATE crm_stock SET quantity = 4")
        assert found() == [
            ("unlogged", "crm.code c: text differs from the log."),
            ("unlogged", 'crm.stock ["2","a \\"b\\""]: quantity differs from the log.'),
        ]

    def test_pause_is_said_and_not_found(self, customer):
        with history.paused(reason="nightly sync"):
            Customer.objects.update(rate="1.00")
            Tag.objects.create(name="new")
        said = command("history_verify", complete=True)
        assert "2 differences are from times when the history was paused." in said

    def test_rolled_back(self, customer):
        with transaction.atomic():
            Customer.objects.update(rate="1.00")
            transaction.set_rollback(True)
        assert found() == []


class TestWhileOthersWrite:
    def test_written_between_two_queries(self, customer, monkeypatch):
        """A row that seems to differ is read again, together with its entries."""
        rows, differences, again = ModelReplay._rows, ModelReplay.differences, []
        rates = iter(["7.00"])

        def written_before(self, keys):
            if self.label == "crm.customer" and (rate := next(rates, None)):
                Customer.objects.update(rate=rate)
            return rows(self, keys)

        def counted(self, key):
            again.append((self.label, key))
            return differences(self, key)

        monkeypatch.setattr(ModelReplay, "_rows", written_before)
        monkeypatch.setattr(ModelReplay, "differences", counted)
        assert found() == []
        assert again == [("crm.customer", str(customer.pk))]


class TestRows:
    def test_changed(self, customer):
        bypass("crm_customer", "UPDATE crm_customer SET status = 'canceled', rate = 1")
        assert found() == [
            ("unlogged", f"crm.customer {customer.pk}: status differs from the log."),
            ("unlogged", f"crm.customer {customer.pk}: rate differs from the log."),
        ]

    def test_changed_to_nothing_and_from_it(self):
        one = Specimen.objects.create(char="a")
        char = connection.ops.quote_name("char")
        bypass("crm_specimen", f"UPDATE crm_specimen SET {char} = NULL, text = 'b'")
        assert found() == [
            ("unlogged", f"crm.specimen {one.pk}: char differs from the log."),
            ("unlogged", f"crm.specimen {one.pk}: text differs from the log."),
        ]

    def test_changed_and_changed_again(self, customer):
        """The next entry has another old value than the entry before it left."""
        bypass("crm_customer", "UPDATE crm_customer SET rate = 1")
        Customer.objects.update(rate="2.00")
        last = Entry.objects.order_by("id").last()
        text = f"crm.customer {customer.pk}: rate was changed without an entry before entry"
        assert found() == [("unlogged", f"{text} {last.id}.")]

    def test_added(self):
        bypass("crm_tag", "INSERT INTO crm_tag (id, name) VALUES (77, 'x')")
        assert found() == [("unlogged", "crm.tag 77: was added without an entry.")]

    def test_added_and_changed(self):
        """Nothing is known of a row from before its first entry."""
        Tag.objects.create(name="a").delete()
        key = Entry.objects.order_by("id").last().entity_id
        bypass("crm_tag", f"INSERT INTO crm_tag (id, name) VALUES ({key}, 'x')")
        Tag.objects.update(name="y")
        last = Entry.objects.order_by("id").last()
        assert found() == [
            (
                "unlogged",
                f"crm.tag {last.entity_id}: was added without an entry before entry {last.id}.",
            )
        ]

    def test_removed(self):
        tag = Tag.objects.create(name="a")
        bypass("crm_tag", "DELETE FROM crm_tag")
        assert found() == [("unlogged", f"crm.tag {tag.pk}: was removed without an entry.")]

    def test_removed_and_created_again(self):
        tag = Tag.objects.create(name="a")
        bypass("crm_tag", "DELETE FROM crm_tag")
        Tag.objects.create(pk=tag.pk, name="a")
        last = Entry.objects.order_by("id").last()
        text = f"crm.tag {tag.pk}: was removed without an entry before entry {last.id}."
        assert found() == [("unlogged", text)]

    def test_key_of_json(self, customer):
        ticket = Ticket.objects.create(customer=customer, udf={"a": 1})
        Ticket.objects.create(customer=customer, udf={"b": 1})
        other = Ticket.objects.latest("pk").pk
        bypass("crm_ticket", """UPDATE crm_ticket SET udf = '{"b": 2}'""")
        # Rows come in the order of their keys as texts: 10 before 9.
        assert set(found()) == {
            ("unlogged", f"crm.ticket {ticket.pk}: udf.b differs from the log."),
            ("unlogged", f"crm.ticket {ticket.pk}: udf.a differs from the log."),
            ("unlogged", f"crm.ticket {other}: udf.b differs from the log."),
        }

    def test_field_of_a_parent(self):
        row = Employee.objects.create(name="Ann", badge="7")
        bypass("crm_person", "UPDATE crm_person SET name = 'Eve'")
        assert found() == [("unlogged", f"crm.employee {row.pk}: name differs from the log.")]

    def test_values_that_are_not_logged(self, customer):
        """Secret and excluded fields are not compared: the log does not have them."""
        bypass("crm_customer", "UPDATE crm_customer SET api_token = 'x', search_text = 'y'")
        assert found() == []

    def test_no_value_is_printed(self, customer):
        bypass("crm_customer", "UPDATE crm_customer SET ssn = '078-05-1120'")
        out = StringIO()
        with pytest.raises(CommandError, match=r"1 finding\."):
            call_command("history_verify", complete=True, stdout=out, stderr=out)
        assert f"unlogged  crm.customer {customer.pk}: ssn differs from the log." in out.getvalue()
        assert "078-05-1120" not in out.getvalue()
        assert "123-45-6789" not in out.getvalue()

    def test_key_with_a_line_break(self):
        Code.objects.create(code="a\x1b[2J\nb", text="x")
        bypass("crm_code", "DELETE FROM crm_code")
        text = "crm.code a\\x1b[2J\\nb: was removed without an entry."
        assert found() == [("unlogged", text)]


class TestLinks:
    @pytest.fixture
    def tags(self, customer):
        tags = [Tag.objects.create(name=name) for name in "abc"]
        customer.tags.add(*tags[:2])
        return tags

    def test_removed_and_added(self, customer, tags):
        bypass(
            "crm_customer_tags",
            f"DELETE FROM crm_customer_tags WHERE tag_id = {tags[0].pk}",
            "INSERT INTO crm_customer_tags (customer_id, tag_id)"
            f" VALUES ({customer.pk}, {tags[2].pk})",
        )
        name = f"crm.customer {customer.pk}: the link to"
        assert set(found()) == {
            ("unlogged", f"{name} {tags[0].pk} in tags was removed without an entry."),
            ("unlogged", f"{name} {tags[2].pk} in tags was added without an entry."),
        }

    def test_through_a_model(self, customer):
        site = Site.objects.create(name="s")
        site.neighbours.add(Site.objects.create(name="t"))
        for since in (2024, 2025):
            Guarding.objects.create(site=site, customer=customer, since=since)
        Guarding.objects.filter(since=2024).delete()
        assert found() == []
        bypass("crm_guarding", "DELETE FROM crm_guarding")
        text = f"the link to {customer.pk} in guards was removed without an entry."
        assert found() == [("unlogged", f"crm.site {site.pk}: {text}")]


class TestForgedEntries:
    """Without seals, what an altered log does not show, and what the tables show of it."""

    @pytest.fixture
    def entries(self, customer):
        for rate in ("1.00", "2.00", "3.00"):
            Customer.objects.update(rate=rate)
        return list(Entry.objects.filter(kind="update").order_by("id"))

    def alter(self, entry, sql, *values):
        key = Entry._meta.get_field("id").get_db_prep_value(entry.id, connection)
        attack(f"{sql} WHERE id = %s", parameters=[*values, key])

    def test_other_values(self, entries, customer):
        self.alter(
            entries[1],
            "UPDATE customer_history_entry SET changes = %s",
            '{"rate": ["1.00", "7.00"]}',
        )
        text = f"crm.customer {customer.pk}: rate was changed without an entry before entry"
        assert found() == [("unlogged", f"{text} {entries[2].id}.")]

    def test_removed(self, entries, customer):
        self.alter(entries[1], "DELETE FROM customer_history_entry")
        text = f"crm.customer {customer.pk}: rate was changed without an entry before entry"
        assert found() == [("unlogged", f"{text} {entries[2].id}.")]

    def test_last_ones_removed(self, entries, customer):
        for one in entries[1:]:
            self.alter(one, "DELETE FROM customer_history_entry")
        assert found() == [("unlogged", f"crm.customer {customer.pk}: rate differs from the log.")]

    def test_another_user(self, entries):
        """The tables do not have the user, so only a seal shows it."""
        self.alter(entries[1], "UPDATE customer_history_entry SET user_label = %s", "Ann")
        assert found() == []

    def test_row_together_with_its_entry(self, entries):
        bypass("crm_customer", "UPDATE crm_customer SET rate = 9")
        self.alter(
            entries[2],
            "UPDATE customer_history_entry SET changes = %s",
            '{"rate": ["2.00", "9.00"]}',
        )
        assert found() == []

    def test_odd_content(self, entries, customer):
        """Content that no trigger writes breaks nothing."""
        name = f"crm.customer {customer.pk}: rate"
        text = f"{name} was changed without an entry before entry {entries[2].id}."
        for content in ("[1]", '"x"', '{"rate": 7}', '{"rate": [1, 2, 3]}', "null"):
            self.alter(entries[1], "UPDATE customer_history_entry SET changes = %s", content)
            assert ("unlogged", text) in found()

    def test_odd_keys(self, entries, customer):
        for entry, key in zip(entries[1:], ("x" * 99, "9" * 99), strict=True):
            self.alter(entry, "UPDATE customer_history_entry SET entity_id = %s", key)
        assert found() == [
            ("unlogged", f"crm.customer {customer.pk}: rate differs from the log."),
            ("unlogged", f"crm.customer {'9' * 99}: was removed without an entry."),
            ("unlogged", f"crm.customer {'x' * 99}: was removed without an entry."),
        ]


class TestOlderRows:
    @pytest.fixture
    def older(self):
        """A row that is older than its registration."""
        bypass("crm_tag", "INSERT INTO crm_tag (id, name) VALUES (77, 'x')")
        attack("DELETE FROM customer_history_entry")
        log_registrations("default")

    def test_counted_and_said(self, older):
        comparison = Completeness(using="default")
        assert list(comparison.run()) == []
        assert comparison.unlogged_rows == {"crm.tag": 1}
        said = command("history_verify", complete=True)
        assert (
            "crm.tag: 1 rows have no entry. They may be older than the registration. Run"
            " history_baseline crm.tag, so that later ones can be found."
        ) in said

    def test_known_after_a_change(self, older):
        Tag.objects.update(name="y")
        assert found() == []
        bypass("crm_tag", "UPDATE crm_tag SET name = 'z'")
        assert found() == [("unlogged", "crm.tag 77: name differs from the log.")]

    def test_found_after_the_baseline(self, older):
        command("history_baseline")
        assert found() == []
        bypass("crm_tag", "INSERT INTO crm_tag (id, name) VALUES (78, 'x')")
        bypass("crm_tag", "UPDATE crm_tag SET name = 'y' WHERE id = 77")
        assert found() == [
            ("unlogged", "crm.tag 77: name differs from the log."),
            ("unlogged", "crm.tag 78: was added without an entry."),
        ]


class TestCommand:
    def test_without_seals(self, customer):
        said = command("history_verify", complete=True)
        assert said.startswith("Nothing is sealed: the setting SEAL_KEY is empty.\n")
        assert "Compared 1 rows with the log, and read 1 entries." in said

    def test_progress(self, customer):
        shown = []
        comparison = Completeness(
            using="default", show=lambda done, total: shown.append((done, total))
        )
        assert list(comparison.run()) == []
        assert shown[-1] == (2, 2)

    def test_several_pages(self, monkeypatch):
        monkeypatch.setattr("django_customer_history.capture.model_replay._KEYS", 2)
        monkeypatch.setattr("django_customer_history.capture.model_replay._PAGE", 3)
        Tag.objects.bulk_create(Tag(name=str(number)) for number in range(12))
        for number in range(5):
            Tag.objects.filter(name__contains="1").update(name=f"1.{number}")
        assert found() == []
        bypass("crm_tag", "UPDATE crm_tag SET name = 'x' WHERE name = '1.4'")
        assert len(found()) == Tag.objects.filter(name="x").count() == 3
