"""Registrations that require a reason: every write without one is refused."""

import pytest
from django.core.management import call_command
from django.db import IntegrityError, connection, migrations, transaction
from django.db.migrations.state import ProjectState
from django.db.models import F
from django.test import Client

from django_customer_history import history
from django_customer_history.exceptions import (
    HistoryError,
    ReasonRequiredError,
)
from django_customer_history.models import Entry
from tests.projects.crm.models import Claim, Credit, Tag, Temp

pytestmark = pytest.mark.django_db

LABELS = {"crm.claim", "crm.credit", "crm.temp"}


@pytest.fixture
def tag(db):
    return Tag.objects.create(name="t")


@pytest.fixture
def claim(customer, tag):
    with history.acting(reason="storm"):
        claim = Claim.objects.create(customer=customer, amount="10.00")
        claim.tags.add(tag)
    return claim


@pytest.fixture
def credit(customer):
    return Credit.objects.create(customer=customer, limit=5, code="c-1", terms={"days": 30})


def entries():
    return Entry.objects.filter(entity_model__in=LABELS).order_by("id")


def assert_refused(write, *, kind, model, field=None):
    """Assert that a write is refused with this error and that it logs nothing."""
    before = entries().count()
    with pytest.raises(ReasonRequiredError) as raised, transaction.atomic():
        write()
    error = raised.value
    assert (error.kind, error.model, error.field) == (kind, model, field)
    assert entries().count() == before
    return error


def with_cursor(sql, *params):
    def write():
        with connection.cursor() as cursor:
            cursor.execute(sql, params)

    return write


def with_executemany(sql, rows):
    def write():
        with connection.cursor() as cursor:
            cursor.executemany(sql, rows)

    return write


class TestWholeModel:
    def test_no_write_without_reason(self, customer, claim, tag):
        other = Tag.objects.create(name="other")
        new = Claim(customer=customer, amount=1)
        changed = Claim.objects.get()
        changed.amount = 11
        claims = Claim.objects.all()
        raw = "UPDATE crm_claim SET amount = amount + 1"
        writes = {
            "create": [
                new.save,
                lambda: Claim.objects.create(customer=customer, amount=1),
                lambda: Claim.objects.bulk_create([new, Claim(customer=customer, amount=2)]),
                lambda: Claim.objects.get_or_create(customer=customer, amount=99),
            ],
            "update": [
                changed.save,
                lambda: claims.update(amount=F("amount") + 1),
                lambda: Claim.objects.bulk_update([changed], ["amount"]),
                lambda: Claim.objects.update_or_create({"amount": 12}, customer=customer),
                with_cursor(raw),
                with_cursor("/* why not? */ UPDATE crm_claim SET amount = %s", 7),
                with_executemany("UPDATE crm_claim SET amount = %s", [(1,), (2,)]),
            ],
        }
        for kind, group in writes.items():
            for write in group:
                assert_refused(write, kind=kind, model="crm.claim")
        assert_refused(lambda: claim.tags.add(other), kind="add", model="crm.claim", field="tags")
        assert_refused(
            lambda: other.claim_set.add(claim), kind="add", model="crm.claim", field="tags"
        )
        assert_refused(claim.tags.clear, kind="remove", model="crm.claim", field="tags")
        raw = "DELETE FROM crm_claim_tags"
        assert_refused(with_cursor(raw), kind="remove", model="crm.claim", field="tags")
        claim_without_tags(claim)
        assert_refused(claim.delete, kind="delete", model="crm.claim")
        assert_refused(claims.delete, kind="delete", model="crm.claim")
        assert_refused(with_cursor("DELETE FROM crm_claim"), kind="delete", model="crm.claim")
        assert Claim.objects.get().amount == 10

    def test_each_write_with_reason(self, customer, claim, tag, log):
        with history.acting(reason=" hail "):
            claim.amount = 11
            claim.save()
            Claim.objects.update(amount=F("amount") + 1)
            with_executemany("UPDATE crm_claim SET amount = %s", [(1,), (2,)])()
            claim.tags.remove(tag)
            claim.delete()
            Claim.objects.bulk_create([Claim(customer=customer, amount=2)])
        kinds = ["update", "update", "update", "update", "remove", "delete", "create"]
        assert log.values("kind", "context") == [(kind, {"reason": "hail"}) for kind in kinds]

    @pytest.mark.parametrize("reason", [None, "", "  "])
    def test_blank_reason_is_refused(self, claim, reason):
        with history.acting(reason="outer"), history.acting(reason=reason, extra={"batch": "7"}):
            error = assert_refused(
                lambda: Claim.objects.update(amount=1), kind="update", model="crm.claim"
            )
        assert str(error) == (
            "A reason is required to change crm.claim. Write inside"
            ' `with history.acting(reason="..."):`, or send the reason with the request (settings'
            " REASON_HEADER and REASON_FIELD)."
        )

    def test_error_has_two_base_classes(self, claim):
        error = assert_refused(
            lambda: Claim.objects.update(amount=1), kind="update", model="crm.claim"
        )
        assert isinstance(error, HistoryError)
        assert isinstance(error, IntegrityError)
        assert isinstance(error.__cause__, IntegrityError)
        assert "a reason is required to update crm.claim" in str(error.__cause__)

    def test_fields_that_are_not_logged(self, claim, log):
        claim.save()  # Only the field with `auto_now` differs.
        Claim.objects.update(amount=F("amount"))
        Claim.objects.filter(amount=4711).update(amount=1)
        Claim.objects.filter(amount=4711).delete()
        Claim.objects.bulk_create([])
        with_cursor("DELETE FROM crm_claim WHERE amount = %s", 4711)()
        with_cursor("INSERT INTO crm_claim_tags (claim_id, tag_id) SELECT 1, 1 WHERE 1 = 0")()
        assert log.entries() == []

    def test_cascade_from_another_record(self, customer, claim, user):
        with history.acting(reason="storm"):
            Claim.objects.update(paid_by=user)
        assert_refused(user.delete, kind="update", model="crm.claim")
        assert_refused(customer.delete, kind="remove", model="crm.claim", field="tags")
        with history.acting(reason="moved away"):
            user.delete()
            customer.delete()
        written = entries().values_list("kind", "context__reason")
        assert list(written)[-3:] == [
            ("update", "moved away"),
            ("remove", "moved away"),
            ("delete", "moved away"),
        ]

    def test_write_after_a_refused_one(self, claim, log):
        assert_refused(lambda: Claim.objects.update(amount=1), kind="update", model="crm.claim")
        with history.acting(reason="storm"):
            Claim.objects.update(amount=1)
        assert log.values("changes") == [({"amount": ["10.00", "1.00"]},)]


def claim_without_tags(claim):
    with history.acting(reason="tags gone"):
        claim.tags.clear()


class TestFields:
    def test_only_named_fields_and_kinds(self, customer, credit, log):
        Credit.objects.update(note="x", customer=customer)
        credit.friends.add(customer)
        Credit.objects.create(customer=customer, limit=9)
        assert [kind for (kind,) in log.values("kind")] == ["update", "add", "create"]
        writes = {
            "limit": {"limit": 6, "note": "y"},
            "code": {"code": "c-2"},
            "terms": {"terms": {"days": 31}},
        }
        for field, values in writes.items():
            assert_refused(
                lambda values=values: Credit.objects.update(**values),
                kind="update",
                model="crm.credit",
                field=field,
            )
        assert_refused(credit.delete, kind="delete", model="crm.credit")

    def test_named_links_need_a_reason(self, credit, tag):
        def add():
            credit.tags.add(tag)

        assert_refused(add, kind="add", model="crm.credit", field="tags")
        with history.acting(reason="asked for"):
            add()
        assert_refused(credit.tags.clear, kind="remove", model="crm.credit", field="tags")
        raw = "UPDATE crm_credit_tags SET tag_id = %s"
        other = Tag.objects.create(name="other").pk
        with pytest.raises(ReasonRequiredError, match=r"crm\.credit\.tags"), transaction.atomic():
            with_cursor(raw, other)()

    def test_field_of_a_parent_table(self, customer, log):
        temp = Temp.objects.create(name="Bea", agency="A", customer=customer)
        Temp.objects.update(agency="B")
        assert_refused(
            lambda: Temp.objects.update(name="Bee"), kind="update", model="crm.temp", field="name"
        )
        with history.acting(reason="misspelt"):
            temp.name = "Bee"
            temp.save()
        assert log.entries()[-1].context == {"reason": "misspelt"}


class TestSourcesOfReasons:
    def test_reason_from_a_request(self, settings, customer, claim, user):
        settings.CUSTOMER_HISTORY = {"REASON_FIELD": "why"}
        client, url = Client(), f"/claims/{claim.pk}/"
        client.force_login(user)
        with pytest.raises(ReasonRequiredError), transaction.atomic():
            client.post(url, {"amount": "20.00"})
        assert client.post(url, {"amount": "20.00", "why": "assessed"}).status_code == 200
        last = entries().last()
        assert (last.user_label, last.context) == ("ann", {"reason": "assessed"})

    def test_reason_of_a_pause(self, claim, log):
        with history.paused(reason="nightly import"):
            Claim.objects.update(amount=1)
            Claim.objects.all().delete()
        assert log.values("action") == [("History Paused",), ("History Resumed",)]

    def test_loaddata_needs_a_reason(self, customer, claim, tmp_path):
        path = tmp_path / "claims.json"
        call_command("dumpdata", "crm.claim", output=str(path), verbosity=0)
        text = path.read_text().replace("10.00", "12.00")
        path.write_text(text)

        def load():
            call_command("loaddata", str(path), verbosity=0)

        assert_refused(load, kind="update", model="crm.claim")
        with history.acting(reason="a copy of yesterday's"):
            load()
        assert entries().last().context["reason"] == "a copy of yesterday's"

    @pytest.mark.django_db(transaction=True)
    def test_name_of_a_data_migration(self, claim, log):
        with connection.schema_editor(atomic=True) as editor:
            Raise("0042_raise", "crm").apply(ProjectState(), editor)
        assert log.values("changes", "context") == [
            ({"amount": ["10.00", "11.00"]}, {"migration": "crm.0042_raise"})
        ]

    @pytest.mark.django_db(transaction=True)
    def test_outside_of_any_transaction(self, claim, log):
        with pytest.raises(ReasonRequiredError):
            Claim.objects.update(amount=1)
        with history.acting(reason="storm"):
            Claim.objects.update(amount=1)
        with pytest.raises(ReasonRequiredError):
            Claim.objects.update(amount=2)
        assert log.values("context") == [({"reason": "storm"},)]

    @pytest.mark.parametrize("resets", [True, False])  # False, as between tests: DELETE on MariaDB
    @pytest.mark.django_db(transaction=True)
    def test_flush_needs_no_reason(self, claim, resets):
        call_command("flush", interactive=False, verbosity=0, reset_sequences=resets)
        assert not Claim.objects.exists()
        assert not Entry.objects.exists()


class Raise(migrations.Migration):
    operations = [
        migrations.RunPython(lambda apps, editor: Claim.objects.update(amount=F("amount") + 1))
    ]


class TestPlainSQL:
    @pytest.mark.django_db(transaction=True)
    def test_truncate_needs_a_reason(self, claim):
        if connection.vendor != "postgresql":
            pytest.skip("no trigger runs for TRUNCATE on this database")
        claim_without_tags(claim)
        truncate = with_cursor("TRUNCATE crm_claim CASCADE")
        assert_refused(truncate, kind="delete", model="crm.claim")
        with history.acting(reason="storm"):
            truncate()
        truncate()  # The table is empty now.
        assert entries().last().context == {"reason": "storm"}

    def test_reason_in_plain_sql(self, claim):
        """As the documentation shows it for programs that write their own SQL."""
        statements = {
            "postgresql": """SELECT set_config('customer_history.context',
            '{"source": "integration", "context": {"reason": "by hand"}}', true)""",
            "mysql": """SET @customer_history_source = 'integration',
            @customer_history_context = '{"reason": "by hand"}'""",
        }
        if connection.vendor not in statements:
            pytest.skip("on SQLite only programs that load the package can write at all")
        with connection.connection.cursor() as cursor:
            cursor.execute(statements[connection.vendor])
            cursor.execute("UPDATE crm_claim SET amount = 11")
            if connection.vendor == "mysql":
                cursor.execute(
                    "SET @customer_history_source = NULL, @customer_history_context = NULL"
                )
        last = entries().last()
        assert (last.source, last.context) == ("integration", {"reason": "by hand"})
