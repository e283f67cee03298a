"""The filter bar of the History tab: menus, chips, presets, and filters without matches."""

from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest
from django.db import connection
from django.utils import timezone

from django_customer_history import history
from django_customer_history.keys import lowest_uuid_at
from django_customer_history.models import Entry
from django_customer_history.reading import facets
from django_customer_history.reading.timeline import Timeline
from tests.projects.crm.models import Customer, Invoice, Note, Ticket
from tests.reading.conftest import grant
from tests.reading.tabs import actions, chips, shown, tab_url

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.reading.urls")]


class TestFilterBar:
    def test_menus_open_on_request(self, reader, customer):
        assert b"<form" not in reader.get(tab_url(customer)).content
        menus = reader.get(tab_url(customer) + "?filter=open").context["history"].filter_bar.menus
        assert [menu.name for menu in menus] == ["user", "action", "entity", "field", "source"]
        options = {menu.name: [one.label for one in menu.options] for menu in menus}
        assert options["action"] == ["Any create", "Any edit", "Any delete", "Create"]
        assert options["user"] == ["System"]
        assert "Status" in options["field"]

    def test_empty_inputs_are_ignored(self, reader, customer):
        answer = reader.get(tab_url(customer) + "?q=&from=&to=&user=&filter=")
        assert answer.status_code == 200
        assert not answer.context["filters"]

    def test_each_chip_removes_its_filter(self, reader, user, customer):
        with history.acting(user=user):
            Note.objects.create(customer=customer, text="t")
        query = f"?user={user.pk}&entity=crm.note&-kind=delete"
        answer = reader.get(tab_url(customer) + query)
        assert chips(answer) == [("User", "ann"), ("Entity", "Note"), ("Kind", "Delete")]
        assert actions(answer) == ["Create"]
        links = [chip.link for chip in answer.context["history"].filter_bar.chips]
        assert links == [
            "?entity=crm.note&-kind=delete",
            f"?user={user.pk}&-kind=delete",
            f"?user={user.pk}&entity=crm.note",
        ]
        for link in links:
            assert len(chips(reader.get(tab_url(customer) + link))) == 2
        cleared = reader.get(tab_url(customer) + answer.context["history"].filter_bar.clear_link)
        assert chips(cleared) == []

    def test_chip_of_one_of_several_values(self, reader, customer):
        answer = reader.get(tab_url(customer) + "?kind=create&kind=delete")
        assert [chip.link for chip in answer.context["history"].filter_bar.chips] == [
            "?kind=delete",
            "?kind=create",
        ]

    def test_label_of_an_unused_field(self, reader, customer):
        answer = reader.get(tab_url(customer) + "?field=assigned_to&field=udf.size&field=text")
        assert chips(answer) == [
            ("Field", "Assigned to"),
            ("Field", "Udf: size"),
            ("Field", "Text"),
        ]

    def test_form_keeps_other_filters(self, reader, customer):
        answer = reader.get(
            tab_url(customer) + "?ip_address=203.0.113.9&-source=api&entity=crm.note:7"
        )
        text = answer.content.decode()
        assert '<input type="hidden" name="ip_address" value="203.0.113.9">' in text
        assert '<input type="hidden" name="-source" value="api">' in text
        assert '<input type="checkbox" name="entity" value="crm.note:7" checked>' in text

    def test_a_date_with_a_time_is_kept(self, reader, customer):
        answer = reader.get(tab_url(customer) + "?from=2026-11-23T14:02:11Z")
        text = answer.content.decode()
        assert '<input type="text" name="from" value="2026-11-23T14:02:11Z">' in text

    def test_presets_use_the_readers_zone(self, reader, customer, settings):
        settings.CUSTOMER_HISTORY = {"READER_TIME_ZONE": "tests.reading.tabs.zone_of"}
        today = timezone.now().astimezone(ZoneInfo("Pacific/Auckland")).date()
        presets = reader.get(tab_url(customer)).context["history"].filter_bar.presets
        assert [one.name for one in presets] == [
            "Today", "Yesterday", "Last 7 days", "Last 30 days",
            "This month", "Last month", "Last 12 months",
        ]  # fmt: skip
        answer = reader.get(tab_url(customer) + presets[0].link)
        assert presets[0].link == f"?from={today}&to={today}"
        assert actions(answer) == ["Create"]
        current = [
            one.name for one in answer.context["history"].filter_bar.presets if one.is_current
        ]
        assert current[0] == "Today"

    def test_a_preset_keeps_other_filters(self, reader, customer):
        answer = reader.get(tab_url(customer) + "?kind=create&before=&from=2026-01-01")
        links = [one.link for one in answer.context["history"].filter_bar.presets]
        assert all(link.startswith("?kind=create&from=") for link in links)

    def test_no_matches_is_not_no_changes(self, reader, customer):
        answer = reader.get(tab_url(customer) + "?kind=delete")
        assert "No changes match these filters." in shown(answer)
        assert "Clear all filters" in shown(answer)
        assert "No changes yet." not in shown(answer)

    def test_a_customer_without_changes(self, reader):
        with history.paused(reason="test"):
            quiet = Customer.objects.create(name="Quiet")
        answer = reader.get(tab_url(quiet))
        assert "No changes yet." in shown(answer)
        assert "No changes match" not in shown(answer)

    def test_a_wrong_filter_is_named(self, reader, customer):
        answer = reader.get(tab_url(customer) + "?kind=x")
        assert answer.status_code == 400
        assert "Give one of" in shown(answer)
        assert "Show all changes" in shown(answer)

    def test_from_after_to_is_said(self, reader, customer):
        answer = reader.get(tab_url(customer) + "?from=2026-11-23&to=2026-11-22")
        assert answer.status_code == 400
        assert "This is before “from”. Swap them." in shown(answer)


def menu(answer, name):
    menus = answer.context["history"].filter_bar.menus
    return next(one for one in menus if one.name == name)


class TestMenuOfActions:
    def test_kinds_come_first(self, reader, customer):
        customer.tags.create(name="vip")
        kinds, actions_of_log = menu(
            reader.get(tab_url(customer) + "?filter=open"), "action"
        ).groups
        assert [(one.name, one.value, one.label) for one in kinds.options] == [
            ("kind", "create", "Any create"),
            ("kind", "update", "Any edit"),
            ("kind", "delete", "Any delete"),
            ("kind", "add", "Any addition"),
        ]
        assert [(one.name, one.value) for one in actions_of_log.options] == [
            ("action", "Add"), ("action", "Create"),
        ]  # fmt: skip

    def test_any_edit_has_named_edits_too(self, reader, customer):
        ticket = Ticket.objects.create(customer=customer)
        Ticket.objects.filter(pk=ticket.pk).update(status="closed")
        Customer.objects.filter(pk=customer.pk).update(name="Acme Ltd")
        answer = reader.get(tab_url(customer) + "?kind=update")
        assert actions(answer) == ["Update", "Ticket Closed"]
        assert {entry.kind for entry in answer.context["page"].entries} == {"update"}
        assert [one.value for one in menu(answer, "action").options if one.is_chosen] == ["update"]
        assert '<input type="hidden" name="kind"' not in answer.content.decode()


class TestMenuOfFields:
    def test_grouped_by_entity(self, reader, customer):
        Invoice.objects.create(customer=customer, number="1")
        groups = menu(reader.get(tab_url(customer) + "?filter=open"), "field").groups
        titles = [group.title for group in groups]
        assert titles == ["Customer", "Invoice"]
        assert ("crm.invoice:number", "Number") in [
            (one.value, one.label) for one in groups[1].options
        ]

    def test_equal_names_are_told_apart(self, reader, customer):
        Note.objects.create(customer=customer, text="moves")
        Invoice.objects.create(customer=customer, number="1")
        query = "?field=crm.invoice:customer&field=crm.invoice:number"
        answer = reader.get(tab_url(customer) + query)
        assert chips(answer) == [("Field", "Customer (Invoice)"), ("Field", "Number")]
        (entry,) = answer.context["page"].entries
        assert entry.entity.model == "crm.invoice"

    def test_a_long_menu_has_a_text_box(self, reader, customer):
        for number in range(2):
            Note.objects.create(customer=customer, text=f"note {number}")
            Invoice.objects.create(customer=customer, number=f"{number}")
        answer = reader.get(tab_url(customer) + "?filter=open")
        bar = answer.context["history"].filter_bar
        assert len(menu(answer, "field").options) > 8
        assert [one.name for one in bar.menus if one.has_search] == ["field"]
        assert "Find in Field" in shown(answer)


class TestLongHistory:
    @pytest.fixture
    def long(self, customer, user, monkeypatch):
        """A record of whose history the menus read only the newest entry in full."""
        with history.acting(user=user, source="import"):
            note = Note.objects.create(customer=customer, text="first")
        note.delete()
        Customer.objects.filter(pk=customer.pk).update(name="Acme Ltd")
        monkeypatch.setattr(facets.menu_facets, "__kwdefaults__", {"depth": 1})
        return customer

    def test_menus_have_older_values(self, reader, long):
        answer = reader.get(tab_url(long) + "?filter=open")
        users = [(one.label, one.is_older) for one in menu(answer, "user").options]
        assert users == [("System", False), ("ann", True)]
        kinds = [(one.value, one.is_older) for one in menu(answer, "action").options]
        assert kinds == [
            ("create", True), ("update", False), ("delete", True),
            ("Create", True), ("Delete", True), ("Update", False),
        ]  # fmt: skip
        fields = {one.value: one.is_older for one in menu(answer, "field").options}
        assert (fields["crm.customer:name"], fields["crm.note:text"]) == (False, True)
        assert [one.label for one in menu(answer, "source").options if one.is_older] == ["Import"]
        assert "“Older” values are not in the recent changes." in shown(answer)

    def test_number_of_statements(self, user, long, django_assert_num_queries):
        grant(user, "view_customer_history")
        timeline = Timeline.of_subject(user, Customer, long.pk)
        # Limit, values, marks, registrations, times; limit, older values. PostgreSQL has its
        # settings and a savepoint around each of the five searches.
        with django_assert_num_queries(22 if connection.vendor == "postgresql" else 7):
            facets.menu_facets(timeline)


class TestActivity:
    def log_at(self, customer, *moments):
        for moment in moments:
            Entry.objects.create(
                id=lowest_uuid_at(moment), timestamp=moment, kind="update", action="Update",
                source="web", changes={}, subject_model="crm.customer",
                subject_id=str(customer.pk), entity_model="crm.customer",
                entity_id=str(customer.pk),
            )  # fmt: skip

    def bars(self, reader, customer):
        answer = reader.get(tab_url(customer) + "?filter=open&kind=update")
        return answer.context["history"].filter_bar.activity.bars, answer

    def test_a_bar_for_each_month(self, reader, customer):
        now = timezone.now()
        self.log_at(customer, now - timedelta(days=70), now - timedelta(days=71))
        bars, answer = self.bars(reader, customer)
        assert len(bars) in (3, 4)
        assert (bars[0].count + bars[1].count, bars[-1].count) == (2, 1)
        assert bars[-1].name in shown(answer)
        first = next(one for one in bars if one.count)
        filtered = reader.get(tab_url(customer) + first.link)
        assert len(actions(filtered)) == first.count
        assert f'<a href="{first.link.replace("&", "&amp;")}" tabindex="-1">' in (
            answer.content.decode()
        )

    def test_a_bar_for_each_day(self, reader, customer):
        now = timezone.now()
        self.log_at(customer, now - timedelta(days=3))
        bars, _answer = self.bars(reader, customer)
        assert [one.count for one in bars] == [1, 0, 0, 1]
        assert [one.height for one in bars] == [48, 0, 0, 48]

    def test_none_for_one_day(self, reader, customer):
        answer = reader.get(tab_url(customer) + "?filter=open")
        assert answer.context["history"].filter_bar.activity is None
