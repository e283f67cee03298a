"""The filter bar of the History tab: menus, chips, presets, and filters without matches."""

from zoneinfo import ZoneInfo

import pytest
from django.utils import timezone

from django_customer_history import history
from tests.projects.crm.models import Customer, Note
from tests.reading.tabs import actions, chips, shown, tab_url

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.reading.urls")]


class TestFilterBar:
    def test_menus_open_on_request(self, reader, customer):
        assert b"<form" not in reader.get(tab_url(customer)).content
        menus = reader.get(tab_url(customer) + "?filter=open").context["history"].filter_bar.menus
        assert [menu.name for menu in menus] == ["user", "action", "entity", "field", "source"]
        options = {menu.name: [one.label for one in menu.options] for menu in menus}
        assert options["action"] == ["Create"]
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
        answer = reader.get(tab_url(customer) + "?field=assigned_to&field=udf.size&field=nope")
        assert chips(answer) == [
            ("Field", "Assigned to"),
            ("Field", "Udf: size"),
            ("Field", "nope"),
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
