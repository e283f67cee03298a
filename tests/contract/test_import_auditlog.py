"""Records of django-auditlog become entries; values that cannot be restored are marked."""

import io
import itertools
import json
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta

import pytest
from auditlog.cid import correlation_id
from auditlog.context import set_actor
from auditlog.models import LogEntry
from auditlog.registry import auditlog
from auditlog.signals import accessed
from django.contrib.auth import get_user_model
from django.core.management import CommandError, call_command

from django_customer_history import history
from django_customer_history.capture.registration_log import log_registrations
from django_customer_history.contrib.auditlog.importing import audit_logs
from django_customer_history.models import Entry
from tests.factories import registered_as
from tests.projects.crm.models import Tag
from tests.projects.past.memory import memory_of
from tests.projects.past.models import Branch, Client, Deal, DealLine, Firm

pytestmark = pytest.mark.django_db

START = datetime(2024, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)


@contextmanager
def at(days, *, user=None, address=None):
    """Date the records of the block to a number of days after the start."""
    before = set(LogEntry.objects.values_list("id", flat=True))
    with set_actor(user, remote_addr=address):
        yield
    written = LogEntry.objects.exclude(id__in=before)
    written.update(timestamp=START + timedelta(days=days))


def changed(record, days, *, user=None, **values):
    """Save a record, dated to a number of days after the start."""
    for name, value in values.items():
        setattr(record, name, value)
    with at(days, user=user):
        record.save()
    return record


def imported(*models, **options):
    out = io.StringIO()
    call_command("history_import_auditlog", *models, stdout=out, stderr=io.StringIO(), **options)
    return out.getvalue()


def logged(*names, **wanted):
    entries = Entry.objects.filter(source="import", **wanted).order_by("id")
    return [tuple(getattr(entry, name) for name in names) for entry in entries]


@pytest.fixture
def ann(db):
    return get_user_model().objects.create_user("ann", email="ann@example.com")


@pytest.fixture(autouse=True)
def before_installation(db):
    """Write without triggers, as before the installation of the package."""
    with history.paused(reason="before it was installed"):
        yield


VALUES = {
    "name": 'it\'s "so" 100% é',
    "rate": "7.5",
    "udf": {"colour": "é", "list": [1, "a b"]},
    "since": datetime(2026, 1, 2, 3, 4, 5, 120, tzinfo=UTC),
    "born": date(2026, 2, 28),
    "is_vip": True,
    "backwards": "abc",
}


class TestTogetherWithTriggers:
    @pytest.fixture(autouse=True)
    def before_installation(self, db):
        """Let the triggers log too."""

    def test_same_entry_as_triggers(self):
        with at(0):
            client = Client.objects.create(**VALUES)
            client.name, client.udf = "B", {"colour": "red"}
            client.save()
            client.delete()
        imported("past.client")
        entries = Entry.objects.of_entity(Client, logged("entity_id")[0][0]).order_by("id")
        by_triggers = [one for one in entries if one.source == "system"]
        by_auditlog = [one for one in entries if one.source == "import"]
        for one in (*by_triggers, *by_auditlog):
            one.changes.pop("ssn", None)  # auditlog keeps a mask of it,
            one.changes.pop("portal_password", None)  # and a secret is not imported
        assert [one.kind for one in by_auditlog] == ["create", "update", "delete"]
        assert [(one.kind, one.entity_label, parsed(one.changes)) for one in by_auditlog] == [
            (one.kind, one.entity_label, parsed(one.changes)) for one in by_triggers
        ]

    def test_captured_changes_are_skipped(self):
        client = Client(name="A")
        with history.paused(reason="before it was installed"):
            changed(client, 0)
            changed(client, 1, name="B")
        imported("past.client")
        log_registrations("default")  # As `migrate` does when the model is registered.
        client.name = "C"
        client.save()
        assert "0 entries written from 3 records" in imported("past.client")


def parsed(changes):
    """Return changes with parsed JSON, because databases order its keys differently."""
    return {
        name: [text if text is None or "." not in name else json.loads(text) for text in pair]
        for name, pair in changes.items()
    }


class TestValues:
    @pytest.mark.parametrize("stores_json", [False, True])
    def test_same_values_as_triggers(self, stores_json, settings):
        settings.AUDITLOG_STORE_JSON_CHANGES = stores_json
        client = changed(Client(), 0, **VALUES)
        changed(client, 1, rate="8.25", udf={"colour": "é", "size": None}, born=None, is_vip=False)
        imported("past.client")
        (created,), (updated,) = logged("changes")
        assert {name: json.loads(created.pop(name)[1]) for name in ("udf.colour", "udf.list")} == {
            "udf.colour": "é",
            "udf.list": [1, "a b"],
        }
        assert created == {
            "name": [None, 'it\'s "so" 100% é'],
            "status": [None, "open"],
            "rate": [None, "7.50"],
            "ssn": [None, None],
            "since": [None, "2026-01-02T03:04:05.000120Z"],
            "born": [None, "2026-02-28"],
            "is_vip": [None, "true"],
            "backwards": [None, "cba"],
        }
        assert json.loads(updated.pop("udf.list")[0]) == [1, "a b"]
        assert updated == {
            "rate": ["7.50", "8.25"],
            "udf.size": [None, "null"],
            "born": ["2026-02-28", None],
            "is_vip": ["true", "false"],
        }

    def test_secret_and_excluded_fields(self):
        client = Client(name="A", api_token="tok-1", portal_password="pw-1", remarks="hush")
        changed(client, 0)
        changed(client, 1, api_token="tok-2", portal_password="pw-2", remarks="hush hush")
        imported()
        text_of_entries = str(logged("changes", "context", "entity_label"))
        assert len(logged("id")) == 1
        for text in ("tok-", "pw-", "hush", "portal_password", "api_token"):
            assert text not in text_of_entries

    def test_masked_value_is_marked(self):
        client = changed(Client(name="A", ssn="123-45-6789"), 0)
        changed(client, 1, ssn="987-65-4321")
        # As for a field that auditlog masked earlier and does not mask now.
        changed(client, 2, name="*****asked")
        imported("past.client")
        assert [changes.get("ssn") for (changes,) in logged("changes")] == [[None, None]] * 2 + [
            None
        ]
        assert logged("changes")[2] == ({"name": [None, None]},)
        assert [context.get("masked") for (context,) in logged("context")] == [
            ["ssn"],
            ["ssn"],
            ["name"],
        ]
        assert "6789" not in str(logged("changes", "context"))

    def test_links_have_only_names(self, ann):
        vip, eu = Tag.objects.create(name="vip"), Tag.objects.create(name="eu")
        client = changed(Client(name="A"), 0)
        with at(1, user=ann):
            client.tags.add(vip, eu)
        with at(2):
            client.tags.remove(vip)
        imported("past.client")
        assert logged("kind", "action", "entity_label", "changes", "user_label")[1:] == [
            ("event", "Add", "A", {"tags.objects": [None, "vip, eu"]}, "ann"),
            ("event", "Remove", "A", {"tags.objects": ["vip", None]}, None),
        ]
        with registered_as(Client, subject="self", exclude=["tags"]):
            assert "0 entries written from 3 records" in imported("past.client")

    def test_none_as_text_and_null(self):
        firm = changed(Firm(code="a", name="x", nick="first", size=1), 0)
        changed(firm, 1, name="None", nick=None, size=None)
        changed(firm, 2, name="y", nick="None")  # To auditlog the nick is the same as before.
        imported("past.firm")
        assert logged("changes") == [
            ({"name": [None, "x"], "nick": [None, "first"], "size": [None, "1"]},),
            ({"name": ["x", "None"], "nick": ["first", None], "size": ["1", None]},),
            ({"name": ["None", "y"]},),
        ]
        assert [context.get("null_or_text") for (context,) in logged("context")] == [
            None,
            ["nick"],
            None,
        ]

    def test_value_without_text(self):
        firm = changed(Firm(code="a", name="A", logo=b"\x01\x02"), 0)
        changed(firm, 1, name="B", logo=b"\x03")
        # As for a field that has been removed.
        record = LogEntry.objects.latest("id")
        record.changes |= {"former": ["1", "2"]}
        record.save()
        imported("past.firm")
        assert logged("changes")[1] == ({"name": ["A", "B"], "logo": [None, None]},)
        (context,) = logged("context")[1]
        assert (context["unresolved"], context["unknown"]) == (["logo"], ["former"])

    def test_text_that_is_not_a_value(self, settings):
        settings.AUDITLOG_USE_FK_STRING_REPRESENTATION = True
        client = changed(Client(name="Acme"), 0)
        deal = changed(Deal(client=client, title="d"), 1)
        deal.delete()
        imported("past.deal")
        first = Entry.objects.filter(source="import").order_by("id")[0]
        assert first.changes == {
            "client": [None, None],
            "title": [None, "d"],
            "stage": [None, "new"],
        }
        assert first.context["unresolved"] == ["client"]
        assert (first.subject_id, first.entity_label) == (None, "d")


class TestSubjectsAndLabels:
    def test_entry_for_each_subject(self):
        one, other = changed(Client(name="one"), 0), changed(Client(name="other"), 0)
        deal = changed(Deal(client=one, title="d"), 1)
        changed(deal, 2, title="e")
        changed(deal, 3, client=other)
        changed(deal, 4, client=None)
        imported("past.deal")
        found = logged("kind", "subject_id", "entity_label")
        assert found[:2] == [("create", str(one.pk), "d"), ("update", str(one.pk), "e")]
        assert sorted(found[2:]) == sorted(
            [
                ("update", str(one.pk), "e"),
                ("update", str(other.pk), "e"),
                ("update", str(other.pk), "e"),
            ]
        )

    def test_subject_over_several_models(self):
        one = changed(Client(name="one"), 0)
        with at(1):
            line = DealLine.objects.create(deal=Deal.objects.create(client=one, title="d"))
        auditlog.register(DealLine)
        try:
            changed(line, 2, quantity=3)
        finally:
            auditlog.unregister(DealLine)
        assert "1 entries written from 1 records" in imported("past.dealline")
        assert logged("kind", "subject_id", "changes") == [
            ("update", str(one.pk), {"quantity": ["1", "3"]})
        ]

    def test_label_of_an_older_row(self):
        one, other = Client.objects.create(name="one"), Client.objects.create(name="other")
        deal = Deal.objects.create(client=one, title="first", stage="new")
        kept = Deal.objects.create(client=one, title="kept")
        LogEntry.objects.all().delete()
        changed(deal, 1, stage="won")
        changed(kept, 1, stage="won")
        changed(deal, 2, title="second", client=other)
        with at(3):
            deal.delete()
        with registered_as(Deal, subject="client", label="title"):
            imported("past.deal", batch_size=1)
        assert logged("kind", "subject_id", "entity_label", entity_id=str(kept.pk)) == [
            ("update", str(one.pk), "kept")
        ]
        found = Entry.objects.filter(source="import", entity_model="past.deal").exclude(
            entity_id=str(kept.pk)
        )
        assert {(entry.kind, entry.subject_id, entry.entity_label) for entry in found} == {
            ("update", str(one.pk), "first"),
            ("update", str(one.pk), "second"),
            ("update", str(other.pk), "second"),
            ("delete", str(other.pk), "second"),
        }

    def test_row_of_two_tables(self):
        branch = changed(Branch(code="B-é", name="Acme", city="Bonn"), 0)
        changed(branch, 1, name="Acme Ltd", city="Köln")
        imported("past.branch")
        assert logged("kind", "entity_id", "entity_label", "subject_id", "changes") == [
            ("create", "B-é", "Acme Bonn", "B-é", {"name": [None, "Acme"], "city": [None, "Bonn"]}),
            (
                "update",
                "B-é",
                "Acme Ltd Köln",
                "B-é",
                {"name": ["Acme", "Acme Ltd"], "city": ["Bonn", "Köln"]},
            ),
        ]


class TestRecords:
    def test_records_become_entries(self, ann):
        client = changed(Client(name="Acme", rate="10.00"), 0, user=ann)
        changed(client, 1, name="Acme Ltd", rate="12.50")
        changed(client, 2, user=ann, status="closed")
        key = str(client.pk)
        with at(3, user=ann):
            client.delete()
        assert "past.client: 4 entries written from 4 records" in imported("past.client")
        assert logged("kind", "action", "entity_id", "entity_label", "user_id", "user_label") == [
            ("create", "Create", key, "Acme", str(ann.pk), "ann"),
            ("update", "Update", key, "Acme Ltd", None, None),
            ("update", "Account Closed", key, "Acme Ltd", str(ann.pk), "ann"),
            ("delete", "Delete", key, "Acme Ltd", str(ann.pk), "ann"),
        ]
        first, second, third, last = Entry.objects.filter(source="import").order_by("id")
        assert first.changes == {
            "name": [None, "Acme"],
            "status": [None, "open"],
            "rate": [None, "10.00"],
            "ssn": [None, None],
            "is_vip": [None, "false"],
            "backwards": [None, ""],
        }
        assert second.changes == {"name": ["Acme", "Acme Ltd"], "rate": ["10.00", "12.50"]}
        assert third.changes == {"status": ["open", "closed"]}
        assert last.changes == {
            "name": ["Acme Ltd", None],
            "status": ["closed", None],
            "rate": ["12.50", None],
            "ssn": [None, None],
            "is_vip": ["false", None],
            "backwards": ["", None],
        }
        assert [one.timestamp for one in (first, second, third, last)] == [
            START + timedelta(days=days) for days in range(4)
        ]
        assert {(one.subject_model, one.subject_id) for one in (first, second, third, last)} == {
            ("past.client", key)
        }
        record = LogEntry.objects.order_by("timestamp")[1]
        assert second.context == {
            "imported_from": "django-auditlog",
            "record": f"auditlog.logentry:{record.pk}",
        }

    def test_address_and_request_id(self, ann, settings):
        settings.CUSTOMER_HISTORY = {"IP_ADDRESS_STORAGE": "truncated"}
        cid = "12345678-1234-4234-8234-123456789abc"
        token = correlation_id.set(cid)
        with at(0, user=ann, address="203.0.113.77"):
            client = Client.objects.create(name="A")
        correlation_id.set("call 7")
        with at(1, address="2001:db8:1:2::7"):
            client.name = "B"
            client.save()
        correlation_id.reset(token)
        LogEntry.objects.filter(cid="call 7").update(additional_data={"ticket": 4})
        imported("past.client")
        assert [
            (address, str(request)) for address, request in logged("ip_address", "request_id")
        ] == [
            ("203.0.113.0", cid),
            ("2001:db8:1::", "None"),
        ]
        first, second = (context for (context,) in logged("context"))
        assert (first["cid"], second["cid"]) == (cid, "call 7")
        assert (first.get("additional_data"), second["additional_data"]) == (None, {"ticket": 4})

    def test_deleted_user_has_an_email(self, ann):
        changed(Client(name="A"), 0, user=ann)
        changed(Client(name="B"), 1)
        LogEntry.objects.filter(actor=ann).update(actor_email="ann@example.com")
        ann.delete()
        imported("past.client")
        assert logged("user_id", "user_label") == [(None, "ann@example.com"), (None, None)]

    def test_access_record_is_skipped(self):
        client = changed(Client(name="A"), 0)
        with at(1):
            accessed.send(Client, instance=client)
        assert LogEntry.objects.filter(action=LogEntry.Action.ACCESS).count() == 1
        assert "1 entries written from 1 records" in imported("past.client")

    def test_records_of_older_auditlog(self):
        client = changed(Client(name="A"), 0)
        changed(client, 1, name="B")
        for record in LogEntry.objects.all():
            record.changes, record.changes_text = None, json.dumps(record.changes)
            record.save()
        imported("past.client")
        assert logged("changes")[1] == ({"name": ["A", "B"]},)


class TestRun:
    def test_second_and_interrupted_run(self):
        for number in range(5):
            client = changed(Client(name=str(number)), number)
            changed(client, number, name=f"{number} again")  # at the same time
        (log,) = audit_logs("default", models_wanted=[Client])
        unfinished = log.run(size=3)
        assert next(unfinished).entries == 3
        unfinished.close()
        assert "7 entries written from 10 records" in imported("past.client", batch_size=4)
        assert "0 entries written from 10 records" in imported("past.client")
        with registered_as(Client, subject="self", only=["name"]):
            assert "0 entries written from 10 records" in imported("past.client")
        assert len(logged("id")) == 10
        for key in Client.objects.values_list("pk", flat=True):
            assert [kind for (kind,) in logged("kind", entity_id=str(key))] == ["create", "update"]

    def test_dry_run_writes_nothing(self):
        changed(Client(name="A"), 0)
        assert "past.client: 1 entries would be written from 1 records" in imported(
            "past.client", dry_run=True
        )
        assert logged("id") == []

    def test_no_baseline_after_import(self):
        changed(Client(name="A"), 0)
        imported("past.client")
        out = io.StringIO()
        call_command("history_baseline", "past.client", stdout=out, stderr=io.StringIO())
        assert "past.client: 0 of 1 rows got" in out.getvalue()

    def test_pages_of_equal_times(self):
        client = changed(Client(name="0"), 0)
        for number in range(1, 60):
            changed(client, 0, name=str(number))
        (log,) = audit_logs("default", models_wanted=[Client])
        assert [page.rows for page in log.run(size=20)] == [20, 40, 60]
        entries = Entry.objects.of_entity(Client, client.pk).order_by("id")
        assert [one.changes["name"][1] for one in entries] == [str(number) for number in range(60)]

    @pytest.mark.slow
    def test_memory_stays_constant(self):
        client = changed(Client(name="Acme", udf={"colour": "red"}), 0)
        changed(client, 1, name="Acme Ltd")
        record = LogEntry.objects.order_by("-timestamp").values()[0]
        record.pop("id")
        # Copies of a record: one row with many records, and many rows with few.
        copies = (
            {**record, "object_pk": str(client.pk if number % 2 else number)}
            for number in range(6_000)
        )
        while some := [LogEntry(**copy) for copy in itertools.islice(copies, 2_000)]:
            LogEntry.objects.bulk_create(some)
        (log,) = audit_logs("default", models_wanted=[Client])
        peaks, counts = memory_of(log.run())
        assert counts == (6_002, 6_002)
        # The margin is for other allocations of the process.
        assert max(peaks[-4:]) < 2 * max(peaks[:4]) + 2_000_000
        assert max(peaks) < 30_000_000

    def test_auditlog_is_not_installed(self, settings):
        settings.INSTALLED_APPS = [app for app in settings.INSTALLED_APPS if app != "auditlog"]
        with pytest.raises(CommandError, match="django-auditlog is not installed"):
            imported()
