"""Snapshots of django-simple-history become entries like those of the triggers."""

import io
import itertools
import json
import time
import uuid
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta

import pytest
from django.contrib.auth import get_user_model
from django.core.management import CommandError, call_command

from django_customer_history import history
from django_customer_history.capture import registration_log as registrations
from django_customer_history.capture.events import record_about_history
from django_customer_history.capture.registration_log import (
    KIND,
    log_registrations,
)
from django_customer_history.context.resolved import NamedUser
from django_customer_history.contrib.simple_history.importing import historical_tables
from django_customer_history.models import Entry
from django_customer_history.registration.registry import (
    Registry,
    registry,
)
from tests.factories import registered_as
from tests.projects.crm.models import Tag
from tests.projects.past.memory import memory_of
from tests.projects.past.models import Branch, Client, Deal, DealLine, Firm

pytestmark = pytest.mark.django_db

START = datetime(2024, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)


def at(record, days, *, user=None, reason=None, **values):
    """Save a record, dated to a number of days after the start."""
    record._history_date = START + timedelta(days=days)
    record._history_user = user
    record._change_reason = reason
    for name, value in values.items():
        setattr(record, name, value)
    record.save()
    return record


def imported(*models, **options):
    out = io.StringIO()
    call_command(
        "history_import_simple_history", *models, stdout=out, stderr=io.StringIO(), **options
    )
    return out.getvalue()


def logged(*names, **wanted):
    entries = Entry.objects.filter(source="import", **wanted).order_by("id")
    return [tuple(getattr(entry, name) for name in names) for entry in entries]


@pytest.fixture
def ann(db):
    return get_user_model().objects.create_user("ann")


@pytest.fixture
def before_installation(db):
    """Write without triggers, as before the installation of the package."""
    with history.paused(reason="before it was installed"):
        yield


class TestRegistrations:
    def test_import_with_new_registration(self, before_installation):
        vip, eu = Tag.objects.create(name="vip"), Tag.objects.create(name="eu")
        client = at(Client(name="A", rate="1.00"), 0)
        at(client, 1, name="B", rate="2.00")
        at(client, 2, rate="3.00")
        client._history_date = START + timedelta(days=3)
        client.tags.add(vip, eu)
        client._history_date = START + timedelta(days=4)
        client.delete()
        with registered_as(Client, subject="self", exclude=["rate", "tags"]):
            assert "3 entries written from 5 records" in imported("past.client")
        # The change of the rate, and the tags that were added and removed.
        assert "5 entries written from 5 records" in imported("past.client")
        assert "0 entries written from 5 records" in imported("past.client")
        with registered_as(Client, subject="self", only=["rate"]):
            assert "0 entries written from 5 records" in imported("past.client")
        kinds = [kind for (kind,) in logged("kind")]
        assert kinds[:3] == ["create", "update", "update"]
        assert kinds[3:] == ["add", "add", "remove", "remove", "delete"]
        assert logged("changes", kind="update") == [
            ({"name": ["A", "B"]},),
            ({"rate": ["2.00", "3.00"]},),
        ]

    def test_import_with_new_subject_path(self, before_installation):
        one, other = at(Client(name="one"), 0), at(Client(name="other"), 0)
        deal = at(Deal(client=one, title="d"), 1)
        at(DealLine(deal=deal), 2)
        assert "1 entries written" in imported("past.dealline")
        at(deal, 3, client=other)
        assert "0 entries written" in imported("past.dealline")
        assert logged("subject_id", entity_model="past.dealline") == [(str(one.pk),)]


class TestValues:
    def test_same_values_as_triggers(self, before_installation):
        values = {
            "name": 'it\'s "so" 100% é',
            "udf": {"colour": "é", "list": [1, "a b"]},
            "since": datetime(2026, 1, 2, 3, 4, 5, 120, tzinfo=UTC),
            "born": date(2026, 2, 28),
            "is_vip": True,
            "backwards": "abc",
        }
        at(Client(), 0, **values)
        imported("past.client")
        (changes,) = logged("changes")[0]
        assert {name: json.loads(changes.pop(name)[1]) for name in ("udf.colour", "udf.list")} == {
            "udf.colour": "é",
            "udf.list": [1, "a b"],
        }
        assert changes == {
            "name": [None, 'it\'s "so" 100% é'],
            "status": [None, "open"],
            "rate": [None, "39.99"],
            "ssn": [None, ""],
            "since": [None, "2026-01-02T03:04:05.000120Z"],
            "born": [None, "2026-02-28"],
            "is_vip": [None, "true"],
            "backwards": [None, "cba"],
        }

    def test_secret_and_excluded_fields(self, before_installation):
        client = at(Client(name="A", api_token="tok-1", portal_password="pw-1", remarks="hush"), 0)
        at(client, 1, api_token="tok-2", portal_password="pw-2", remarks="hush hush")
        imported()
        text_of_entries = str(logged("changes", "context", "entity_label"))
        assert len(logged("id")) == 1
        for text in ("tok-", "pw-", "hush", "portal_password", "api_token"):
            assert text not in text_of_entries

    def test_keys_of_json_fields(self, before_installation):
        client = at(Client(name="A", udf={"colour": "red", "size": 1}), 0)
        at(client, 1, udf={"colour": "blue", "weight": None})
        imported()
        assert logged("changes")[1:] == [
            (
                {
                    "udf.colour": ['"red"', '"blue"'],
                    "udf.size": ["1", None],
                    "udf.weight": [None, "null"],
                },
            )
        ]

    def test_links_become_entries(self, before_installation, ann):
        vip, eu = Tag.objects.create(name="vip"), Tag.objects.create(name="eu")
        client = at(Client(name="A"), 0)
        client._history_date, client._history_user = START + timedelta(days=1), ann
        client.tags.add(vip, eu)
        client._history_date = START + timedelta(days=2)
        client.tags.remove(vip)
        client._history_date = START + timedelta(days=3)
        client.delete()
        imported()
        links = logged("kind", "changes", "user_label", kind__in=["add", "remove"])
        assert sorted(links[:2], key=str) == sorted(
            [
                ("add", {"tags": [None, str(vip.pk)]}, "ann"),
                ("add", {"tags": [None, str(eu.pk)]}, "ann"),
            ],
            key=str,
        )
        assert links[2] == ("remove", {"tags": [str(vip.pk), None]}, "ann")
        assert links[3] == ("remove", {"tags": [str(eu.pk), None]}, "ann")
        assert logged("kind")[-1] == ("delete",)

    def test_entry_for_each_subject(self, before_installation):
        one, other = at(Client(name="one"), 0), at(Client(name="other"), 0)
        deal = at(Deal(client=one, title="d"), 1)
        at(DealLine(deal=deal), 2)
        at(deal, 3, client=other)
        at(deal, 4, client=None)
        imported("past.deal", "past.dealline")
        found = logged("entity_model", "kind", "subject_id")
        assert found[:2] == [
            ("past.deal", "create", str(one.pk)),
            ("past.dealline", "create", None),  # The deal has no client now.
        ]
        assert sorted(found[2:]) == sorted(
            [
                ("past.deal", "update", str(one.pk)),
                ("past.deal", "update", str(other.pk)),
                ("past.deal", "update", str(other.pk)),
            ]
        )

    def test_row_of_two_tables(self, before_installation, ann):
        branch = at(Branch(code="B-é", name="Acme", city="Bonn"), 0, user=ann)
        at(branch, 1, name="Acme Ltd", city="Köln")
        branch._history_date = START + timedelta(days=2)
        branch.delete()
        assert "past.branch: 3 entries written from 3 records" in imported("past.branch")
        assert logged("kind", "entity_id", "entity_label", "subject_id", "changes") == [
            ("create", "B-é", "Acme Bonn", "B-é", {"name": [None, "Acme"], "city": [None, "Bonn"]}),
            (
                "update",
                "B-é",
                "Acme Ltd Köln",
                "B-é",
                {"name": ["Acme", "Acme Ltd"], "city": ["Bonn", "Köln"]},
            ),
            (
                "delete",
                "B-é",
                "Acme Ltd Köln",
                "B-é",
                {"name": ["Acme Ltd", None], "city": ["Köln", None]},
            ),
        ]
        assert "0 entries written from 3 records" in imported("past.branch")

    def test_keys_that_differ_in_case(self, before_installation):
        for number, code in enumerate(["a", "A", "á", "a b"]):
            at(Firm(code=code, name=f"{number}"), number)
        for number, code in enumerate(["a", "A", "á", "a b"]):
            at(Firm(code=code, name=f"{number} again"), number + 10)
        assert "8 entries written from 8 records" in imported("past.firm", batch_size=3)
        assert {(key, changes["name"][0]) for key, changes in logged("entity_id", "changes")} == {
            *((code, None) for code in ("a", "A", "á", "a b")),
            *((code, str(number)) for number, code in enumerate(["a", "A", "á", "a b"])),
        }


class Terminal(io.StringIO):
    def isatty(self):
        return True


@contextmanager
def unregistered(model):
    """Hide a model from `log_registrations`."""
    others = Registry()
    for registration in registry:
        if registration.model is not model:
            others.add(registration)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(registrations, "registry", others)
        yield


class TestSnapshots:
    def test_snapshots_become_entries(self, before_installation, ann):
        client = at(Client(name="Acme", rate="10.00"), 0, user=ann)
        at(client, 1, reason="asked by phone", name="Acme Ltd", rate="12.50")
        at(client, 2, user=ann, status="closed", reason="")
        key = str(client.pk)
        client._history_date = START + timedelta(days=3)
        client.delete()
        printed = imported("past.client")
        assert "past.client: 4 entries written from 4 records" in printed
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
            "ssn": [None, ""],
            "is_vip": [None, "false"],
            "backwards": [None, ""],
        }
        assert second.changes == {"name": ["Acme", "Acme Ltd"], "rate": ["10.00", "12.50"]}
        assert third.changes == {"status": ["open", "closed"]}
        assert last.changes == {
            "name": ["Acme Ltd", None],
            "status": ["closed", None],
            "rate": ["12.50", None],
            "ssn": ["", None],
            "is_vip": ["false", None],
            "backwards": ["", None],
        }
        assert [one.timestamp for one in (first, second, third, last)] == [
            START + timedelta(days=days) for days in range(4)
        ]
        assert {(one.subject_model, one.subject_id) for one in (first, second, third, last)} == {
            ("past.client", key)
        }
        record = Client.history.order_by("history_date")[1]
        assert second.context == {
            "imported_from": "django-simple-history",
            "record": f"past.historicalclient:{record.history_id}",
            "reason": "asked by phone",
        }
        assert not first.is_baseline

    def test_row_older_than_its_snapshots(self, before_installation):
        tag = Tag.objects.create(name="vip")
        client = Client(name="A")
        client.save_without_historical_record()
        client.skip_history_when_saving = True
        client.tags.add(tag)
        del client.skip_history_when_saving
        at(client, 1, name="B")
        at(client, 2, name="C")
        imported("past.client")
        assert logged("kind", "action") == [
            ("event", "Baseline"),
            ("event", "Baseline"),
            ("update", "Update"),
        ]
        first, link, _ = Entry.objects.filter(source="import").order_by("id")
        assert first.changes["name"] == [None, "B"]
        assert link.changes == {"tags": [None, str(tag.pk)]}
        assert first.is_baseline
        assert link.is_baseline

    def test_snapshots_with_context(self, before_installation, ann, settings):
        request = uuid.UUID("12345678-1234-4234-8234-123456789abc")
        with history.acting(user=ann, source="api", ip_address="203.0.113.77", request_id=request):
            at(Firm(code="acme/1", name="Acme"), 0, user=ann, reason="a call")
        with history.acting(user=NamedUser(id=None, label="robot"), source="web"):
            at(Firm(code="acme/1", name="Acme Ltd"), 1)
        settings.CUSTOMER_HISTORY = {"IP_ADDRESS_STORAGE": "truncated"}
        imported("past.firm")
        first, second = Firm.history.order_by("history_date")
        assert logged(
            "entity_id", "user_id", "user_label", "source", "ip_address", "request_id", "context"
        ) == [
            (
                "acme/1",
                str(ann.pk),
                "ann",
                "import",
                "203.0.113.0",
                request,
                {
                    "imported_from": "django-simple-history",
                    "record": f"past.historicalfirm:{first.history_id}",
                    "reason": "a call",
                    "source": "api",
                },
            ),
            (
                "acme/1",
                None,
                "robot",
                "import",
                None,
                second.history_request_id,
                {
                    "imported_from": "django-simple-history",
                    "record": f"past.historicalfirm:{second.history_id}",
                    "source": "web",
                },
            ),
        ]
        assert first.history_user == ann

    def test_unknown_user_key(self, before_installation):
        at(Firm(code="a", name="A"), 0)
        Firm.history.update(history_user_id="robot-7", history_user_label=None)
        imported("past.firm")
        assert logged("user_id", "user_label") == [("robot-7", "robot-7")]

    def test_user_was_deleted(self, before_installation, ann):
        at(Client(name="A"), 0, user=ann)
        ann.delete()
        imported("past.client")
        assert logged("user_id", "user_label") == [(None, None)]


class TestCapturedChanges:
    def test_captured_changes_are_skipped(self, before_installation, db):
        client = at(Client(name="A"), 0)
        at(client, 1, name="B")
        imported("past.client")
        log_registrations("default")  # As `migrate` does when the model is registered.
        tracked = Client.objects.get(pk=client.pk)
        tracked.name = "C"
        tracked.save()
        assert tracked.history.first().name == "C"
        assert "0 entries written from 3 records" in imported("past.client")

    def test_before_triggers_exist(self, db):
        with unregistered(Client):
            log_registrations("default")
        started = datetime.now(UTC)
        with history.paused(reason="there are no triggers yet"):
            client = Client.objects.create(name="A")
        time.sleep(0.1)
        client.name = "B"
        client.save()  # The triggers exist, but there is no entry about them yet.
        log_registrations("default", since=started)
        client.name = "C"
        client.save()
        assert "1 entries written from 3 records" in imported("past.client")
        entries = Entry.objects.of_entity(Client, client.pk).order_by("id")
        assert [(one.source, one.changes["name"]) for one in entries] == [
            ("import", [None, "A"]),
            ("system", ["A", "B"]),
            ("system", ["B", "C"]),
        ]

    def test_after_triggers_are_removed(self, db):
        log_registrations("default")
        started = datetime.now(UTC)
        client = Client.objects.create(name="A")
        time.sleep(0.1)
        with history.paused(reason="there are no triggers any more"):
            client.name = "B"
            client.save()
        with unregistered(Client):
            log_registrations("default", since=started)
        assert "1 entries written from 2 records" in imported("past.client")
        entries = Entry.objects.of_entity(Client, client.pk).order_by("id")
        assert [(one.source, one.changes["name"]) for one in entries] == [
            ("system", [None, "A"]),
            ("import", ["A", "B"]),
        ]

    def test_changes_while_not_tracked(self, before_installation):
        for action in ("History Started", "History Stopped"):
            record_about_history(action, about=(KIND, "past.client"), changes={}, using="default")
        client = at(Client(name="A"), 0)
        tracked_at = Entry.objects.filter(entity_model=KIND, entity_id="past.client").latest("id")
        client._history_date = tracked_at.timestamp + timedelta(seconds=1)
        client.name = "B"
        client.save()
        imported("past.client")
        assert [changes["name"] for (changes,) in logged("changes")] == [[None, "A"], ["A", "B"]]

    def test_no_baseline_after_import(self, before_installation):
        at(Client(name="A"), 0)
        imported("past.client")
        out = io.StringIO()
        call_command("history_baseline", "past.client", stdout=out, stderr=io.StringIO())
        assert "past.client: 0 of 1 rows got" in out.getvalue()

    def test_one_entry_for_each_change(self, db, ann):
        before = Entry.objects.count()
        with history.acting(user=ann):
            client = Client.objects.create(name="A")
            client.tags.add(Tag.objects.create(name="vip"))
            client.name = "B"
            client.save()
            Client.objects.filter(pk=client.pk).update(name="C")
            client.delete()
        entries = Entry.objects.filter(entity_model="past.client").order_by("id")
        assert [(one.kind, sorted(one.changes)) for one in entries if one.kind != "create"] == [
            ("add", ["tags"]),
            ("update", ["name"]),
            ("update", ["name"]),
            ("remove", ["tags"]),
            ("delete", sorted(entries[0].changes)),
        ]
        # Six entries of the client and one of the new tag, none of a historical table.
        assert Entry.objects.count() - before == 7
        assert [one.history_type for one in Client.history.order_by("history_id")] == list("+~~-")


class TestRun:
    def test_second_and_interrupted_run(self, before_installation):
        for number in range(5):
            client = at(Client(name=str(number)), number)
            at(client, number, name=f"{number} again")  # at the same time
        (table,) = historical_tables("default", models_wanted=[Client])
        unfinished = table.run(size=3)
        assert next(unfinished).entries == 3
        unfinished.close()
        assert "7 entries written from 10 records" in imported("past.client", batch_size=4)
        assert "0 entries written from 10 records" in imported("past.client")
        assert len(logged("id")) == 10
        for key in Client.objects.values_list("pk", flat=True):
            assert [kind for (kind,) in logged("kind", entity_id=str(key))] == ["create", "update"]

    def test_dry_run_writes_nothing(self, before_installation):
        at(Client(name="A"), 0)
        assert "past.client: 1 entries would be written from 1 records" in imported(
            "past.client", dry_run=True
        )
        assert logged("id") == []

    def test_terminal_shows_progress(self, before_installation):
        for number in range(4):
            at(Client(name=f"{number}"), number)
        screen = Terminal()
        call_command(
            "history_import_simple_history",
            "past.client",
            batch_size=2,
            stdout=screen,
            stderr=screen,
        )
        shown = screen.getvalue()
        assert f"\rpast.client [{'#' * 15}{'.' * 15}] 2/4 2 entries" in shown
        assert f"\rpast.client [{'#' * 30}] 4/4 4 entries\n" in shown
        assert shown.endswith("past.client: 4 entries written from 4 records\n")

    @pytest.mark.parametrize(
        ("models", "message"),
        [(("crm.note",), "keeps no snapshots"), (("crm.nothing",), "does not exist")],
    )
    def test_model_without_snapshots(self, db, models, message):
        with pytest.raises(CommandError, match=message):
            imported(*models)

    def test_pages_of_equal_times(self, before_installation):
        client = at(Client(name="0"), 0)
        for number in range(1, 60):
            at(client, 0, name=str(number))
        (table,) = historical_tables("default", models_wanted=[Client])
        pages = list(table.run(size=20))
        assert [page.rows for page in pages] == [20, 40, 60]
        entries = Entry.objects.of_entity(Client, client.pk).order_by("id")
        assert [one.changes["name"][1] for one in entries] == [str(number) for number in range(60)]

    @pytest.mark.slow
    def test_memory_stays_constant(self, before_installation):
        client = at(Client(name="Acme", udf={"colour": "red"}, remarks="x" * 200), 0)
        (first,) = Client.history.values()
        first.pop("history_id")
        model = Client.history.model
        # Copies of a snapshot: one row with many snapshots, and many rows with few.
        copies = (
            {**first, "id": client.pk if number % 2 else number, "name": f"Acme {number}"}
            for number in range(6_000)
        )
        while some := [model(**copy) for copy in itertools.islice(copies, 2_000)]:
            model._base_manager.bulk_create(some)
        (table,) = historical_tables("default", models_wanted=[Client])
        peaks, counts = memory_of(table.run())
        assert counts == (6_001, 6_001)
        # The margin is for other allocations of the process.
        assert max(peaks[-4:]) < 2 * max(peaks[:4]) + 2_000_000
        assert max(peaks) < 30_000_000
