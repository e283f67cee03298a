"""Snapshots of simple-history: whole rows, with the user and context of the log."""

from datetime import timedelta

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group, Permission
from django.db import connection
from django.utils import timezone
from simple_history.utils import bulk_create_with_history

from django_customer_history import (
    checks,
    history,
)
from django_customer_history.context.resolved import NamedUser
from django_customer_history.models import Entry
from django_customer_history.registration.registry import registry
from tests.projects.crm.models import Tag
from tests.projects.past.models import Client, Firm, Member

pytestmark = pytest.mark.django_db


@pytest.fixture
def ann(db):
    return get_user_model().objects.create_user("ann")


class TestReverting:
    def test_differences_and_reverting(self):
        member = Member.objects.create(name="Eve", rate="1.00")
        before = timezone.now()
        member.name, member.rate = "Eva", "2.00"
        member.save()
        assert Member.history.as_of(before).get().name == "Eve"
        newest, oldest = member.history.all()
        assert sorted(newest.diff_against(oldest).changed_fields) == ["name", "rate"]
        oldest.instance.save()
        member.refresh_from_db()
        assert member.name == "Eve"
        last = Entry.objects.filter(entity_model="past.member").latest("id")
        assert last.changes == {"name": ["Eva", "Eve"], "rate": ["2.00", "1.00"]}

    # The page of simple-history calls a method that Django 6.1 deprecates.
    @pytest.mark.filterwarnings("ignore:Calling select_related")
    def test_revert_in_the_admin(self, client, django_user_model):
        root = django_user_model.objects.create_superuser("root")
        client.force_login(root)
        vip = Tag.objects.create(name="vip")
        member = Member.objects.create(name="Eve", pin="4711")
        member.tags.add(vip)
        first = member.history.first()
        member.tags.clear()
        form = {"name": "Eva", "rate": "2.00", "pin": "4711", "password": "x", "tags": []}
        url = f"/admin/past/member/{member.pk}"
        assert client.post(f"{url}/change/", form).status_code == 302
        shown = client.get(f"{url}/history/").content.decode()
        assert "Eve" in shown
        assert "root" in shown
        page = client.get(f"{url}/history/{first.history_id}/").content.decode()
        assert 'value="Eve"' in page
        before = set(Entry.objects.values_list("id", flat=True))
        form |= {"name": "Eve", "rate": "39.99", "tags": [vip.pk]}
        assert client.post(f"{url}/history/{first.history_id}/", form).status_code == 302
        member.refresh_from_db()
        assert (member.name, list(member.tags.all())) == ("Eve", [vip])
        written = (
            Entry.objects.exclude(id__in=before).filter(entity_model="past.member").order_by("id")
        )
        assert [(one.kind, one.changes, one.user_label, one.source) for one in written] == [
            ("update", {"name": ["Eva", "Eve"], "rate": ["2.00", "39.99"]}, "root", "admin"),
            ("add", {"tags": [None, str(vip.pk)]}, "root", "admin"),
        ]
        last = member.history.first()
        assert (last.history_user_label, last.history_source, last.history_user) == (
            "root",
            "admin",
            root,
        )


class TestContext:
    def test_snapshot_has_the_context(self, ann):
        with history.acting(user=ann, source="api", ip_address="203.0.113.9") as context:
            member = Member.objects.create(name="Eve")
        snapshot = Member.history.get()
        entry = Entry.objects.get(entity_model="past.member")
        assert (snapshot.history_user, snapshot.history_user_label) == (ann, "ann")
        assert (snapshot.history_source, snapshot.history_ip_address) == ("api", "203.0.113.9")
        assert snapshot.history_request_id == context.request_id == entry.request_id
        assert (entry.user_id, entry.source, entry.ip_address) == (
            str(ann.pk),
            "api",
            "203.0.113.9",
        )
        member.name = "Eva"
        member.save()
        last = Member.history.first()
        assert (last.history_user, last.history_user_label, last.history_source) == (
            None,
            None,
            "system",
        )

    def test_user_without_record(self, ann):
        for user in (
            NamedUser(id=str(ann.pk), label="key 7"),
            NamedUser(id="robot-7", label="robot"),
        ):
            with history.acting(user=user):
                Member.objects.create(name=user.label)
        assert list(
            Member.history.order_by("history_id").values_list("history_user", "history_user_label")
        ) == [(None, "key 7"), (None, "robot")]

    def test_snapshots_of_bulk_create(self, ann):
        with history.acting(user=ann, source="import"):
            bulk_create_with_history([Member(name="a"), Member(name="b")], Member)
        assert set(Member.history.values_list("history_source", "history_user_label")) == {
            ("import", "ann")
        }

    def test_own_historical_model(self, ann):
        with history.acting(user=ann, source="api", ip_address="203.0.113.9") as context:
            firm = Firm.objects.create(code="a", name="A")
            firm.name = "B"
            firm.save()
        assert {
            (
                one.history_user_label,
                one.history_source,
                one.history_ip_address,
                one.history_request_id,
            )
            for one in firm.history.all()
        } == {("ann", "api", "203.0.113.9", context.request_id)}
        entries = Entry.objects.filter(entity_model="past.firm").order_by("id")
        assert [(one.kind, one.user_label) for one in entries] == [
            ("create", "ann"),
            ("update", "ann"),
        ]
        assert firm.history.count() == 2


class TestContent:
    def test_secret_and_excluded_fields(self):
        member = Member.objects.create(name="Eve", pin="4711", password="hash", remarks="hush")
        columns = {field.name for field in Member.history.model._meta.fields}
        assert columns.isdisjoint({"pin", "password", "remarks"})
        assert {"name", "ssn", "rate"} <= columns
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT * FROM {Member.history.model._meta.db_table}")
            stored = str(cursor.fetchall())
        assert "Eve" in stored
        for text in ("4711", "hash", "hush"):
            assert text not in stored
        assert member.history.get().instance.pin == "4711"  # From the row as it is now.

    def test_links_from_both_sides(self):
        member, tag = Member.objects.create(name="Eve"), Tag.objects.create(name="vip")
        tag.members.add(member)
        assert [one.tag_id for one in member.history.first().tags.all()] == [tag.pk]
        tag.members.remove(member)
        assert list(member.history.first().tags.all()) == []
        member.tags.add(tag)
        other = Member.objects.create(name="Eva")
        other.tags.add(tag)
        tag.members.clear()
        assert (
            list(member.history.first().tags.all()) == list(other.history.first().tags.all()) == []
        )
        assert [one.history_type for one in member.history.all()] == ["~", "~", "~", "~", "+"]
        assert [one.history_type for one in other.history.all()] == ["~", "~", "+"]
        tag.members.clear()
        assert (member.history.count(), other.history.count()) == (5, 3)
        entries = Entry.objects.filter(entity_model="past.member").order_by("id")
        assert [one.kind for one in entries.filter(entity_id=str(member.pk))] == [
            "create",
            "add",
            "remove",
            "add",
            "remove",
        ]

    def test_snapshots_are_not_logged(self):
        Member.objects.create(name="Eve").tags.create(name="vip")
        labels = set(Entry.objects.values_list("entity_model", flat=True))
        assert {"past.member", "crm.tag"} <= labels
        assert not any("historical" in label for label in labels)

    def test_pause_stops_snapshots(self):
        with history.paused(reason="test"):
            Member.objects.create(name="Eve")
        assert Member.history.count() == 0

    def test_writes_without_signals(self):
        member = Member.objects.create(name="Eve")
        Member.objects.update(name="Eva")
        assert member.history.get().name == "Eve"
        assert Entry.objects.latest("id").changes == {"name": ["Eve", "Eva"]}

    def test_table_in_another_app(self):
        group = Group.objects.create(name="Sales")
        group.permissions.add(Permission.objects.first())
        model = Group.history.model
        assert (model._meta.app_label, model.__name__) == ("past", "HistoricalGroup")
        assert [one.history_type for one in group.history.order_by("history_id")] == ["+", "~"]
        assert group.history.first().permissions.count() == 1
        past = timezone.now() - timedelta(days=1)
        assert list(Group.history.as_of(past)) == []

    def test_own_snapshots_are_kept(self):
        assert not hasattr(Client.history.model, "history_source")
        assert registry.of(Client).snapshots is False


class TestChecks:
    def test_check_of_missing_snapshots(self, settings):
        assert checks.check_snapshots() == []
        history.register(Tag, snapshots=True)
        conflict = registry.conflicts.pop()
        history.unregister(Tag)
        registry.add(conflict)
        try:
            (found,) = checks.check_snapshots()
            assert (found.id, found.obj) == ("customer_history.E008", Tag)
        finally:
            history.unregister(Tag)
            history.register(Tag)

    def test_check_of_installed_package(self, settings):
        settings.INSTALLED_APPS = [
            one for one in settings.INSTALLED_APPS if one != "simple_history"
        ]
        assert [one.id for one in checks.check_snapshots()] == ["customer_history.W009"]

    @pytest.mark.django_db(transaction=True)
    def test_check_of_a_missing_table(self):
        model = Group.history.model
        with connection.schema_editor() as editor:
            editor.alter_db_table(model, model._meta.db_table, "elsewhere")
        try:
            found = checks.check_snapshot_tables(["default"])
            assert [one.obj for one in found] == [Group]
            assert "'past_historicalgroup'" in found[0].msg
        finally:
            with connection.schema_editor() as editor:
                editor.alter_db_table(model, "elsewhere", model._meta.db_table)
