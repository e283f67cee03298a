"""The History tab by days: times, requests, links, and users."""

import datetime
from uuid import UUID, uuid4

import pytest
from django.utils import timezone

from django_customer_history import history
from django_customer_history.context.resolved import NamedUser
from django_customer_history.exceptions import UnknownTimeZoneError
from django_customer_history.models import Entry
from tests.projects.crm.models import Customer, Note, Ticket
from tests.reading.conftest import grant
from tests.reading.tabs import actions, shown, tab_url, zone_of

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.reading.urls")]


class TestTime:
    def test_is_in_the_readers_time_zone(self, reader, customer, settings):
        settings.CUSTOMER_HISTORY = {"READER_TIME_ZONE": zone_of}
        answer = reader.get(tab_url(customer))
        assert "Times are in Pacific/Auckland." in shown(answer)
        (entry,) = answer.context["history"].days[0].entries
        assert entry.moment.iso.endswith(("+13:00", "+12:00"))
        assert entry.moment.exact.endswith(("NZDT", "NZST"))

    def test_filter_days_are_in_that_zone(self, reader, customer, settings):
        settings.CUSTOMER_HISTORY = {"READER_TIME_ZONE": zone_of}
        moment = datetime.datetime(2026, 6, 1, 11, 59, 59, 999999, tzinfo=datetime.UTC)
        query = "?from=2026-06-01&to=2026-06-01"
        filters = dict(reader.get(tab_url(customer) + query).context["filters"].values)
        assert datetime.datetime.fromisoformat(filters["to"][0]) == moment

    def test_an_unknown_time_zone_raises(self, client, customer, settings, django_user_model):
        settings.CUSTOMER_HISTORY = {"READER_TIME_ZONE": zone_of}
        lost = django_user_model.objects.create_user("lost")
        grant(lost, "view_customer_history")
        client.force_login(lost)
        with pytest.raises(UnknownTimeZoneError, match="Nowhere/Land"):
            client.get(tab_url(customer))

    def test_is_relative_and_exact(self, reader, customer):
        old = timezone.now() - datetime.timedelta(days=70)
        entry = Entry.objects.get(subject_id=str(customer.pk), subject_model="crm.customer")
        Entry.objects.create(
            id=UUID(int=entry.id.int - (70 * 86_400_000 << 80)),
            timestamp=old, kind="update", action="Update", source="web", changes={},
            subject_model="crm.customer", subject_id=str(customer.pk),
            entity_model="crm.customer", entity_id=str(customer.pk),
        )  # fmt: skip
        answer = reader.get(tab_url(customer))
        days = answer.context["history"].days
        assert [len(day.entries) for day in days] == [1, 1]
        assert days[0].name.startswith("Today · ")
        assert days[0].entries[0].moment.relative == "just now"
        assert days[1].entries[0].moment.relative == ""
        text = answer.content.decode()
        assert f'title="{days[1].entries[0].moment.exact}"' in text
        assert f'datetime="{days[1].entries[0].moment.iso}"' in text


def tab_entries(answer):
    return [entry for day in answer.context["history"].days for entry in day.entries]


def continues_request(answer):
    return [entry.continues_request for entry in tab_entries(answer)]


class TestEntries:
    def test_a_create_is_one_collapsed_row(self, reader, customer):
        text = reader.get(tab_url(customer)).content.decode()
        body = text.partition("ch-create")[2].partition("</tbody>")[0]
        assert body.count("<tr") == 1
        assert "<dt>Rate\n<dd><bdi>39.99</bdi>" in body
        assert "<summary>" in body

    def test_a_link_shows_the_same_request(self, reader, customer):
        with history.acting(source="import"):
            Note.objects.create(customer=customer, text="one")
            Note.objects.create(customer=customer, text="two")
        page = reader.get(tab_url(customer))
        assert continues_request(page) == [False, True, False]
        answer = reader.get(tab_url(customer) + tab_entries(page)[0].request_link)
        assert len(actions(answer)) == 2

    def test_request_continues_on_next_page(self, reader, customer, settings):
        settings.CUSTOMER_HISTORY = {"PAGE_SIZE": 2}
        with history.acting(source="import"):
            for text in ("one", "two", "three"):
                Note.objects.create(customer=customer, text=text)
        first = reader.get(tab_url(customer))
        assert continues_request(first) == [False, True]
        second = reader.get(tab_url(customer) + first.context["history"].older_link)
        assert continues_request(second) == [True, False]
        assert shown(second).count("same request") == 1
        Note.objects.create(customer=customer, text="of a request of its own")
        newer = reader.get(tab_url(customer) + second.context["history"].newer_link)
        assert continues_request(newer) == [False, True]
        older = reader.get(tab_url(customer) + newer.context["history"].older_link)
        assert continues_request(older) == [True, False]

    def test_a_new_request_is_a_new_group(self, reader, customer, settings):
        settings.CUSTOMER_HISTORY = {"PAGE_SIZE": 1}
        for text in ("one", "two"):
            with history.acting(source="import"):
                Note.objects.create(customer=customer, text=text)
        first = reader.get(tab_url(customer))
        second = reader.get(tab_url(customer) + first.context["history"].older_link)
        last = reader.get(tab_url(customer) + second.context["history"].older_link)
        newer = reader.get(tab_url(customer) + last.context["history"].newer_link)
        assert [continues_request(one) for one in (first, second, last, newer)] == [[False]] * 4

    def test_permalink_shows_its_entry(self, reader, customer, settings):
        settings.CUSTOMER_HISTORY = {"PAGE_SIZE": 2}
        for number in range(5):
            Note.objects.create(customer=customer, text=str(number))
        key = Entry.objects.filter(entity_model="crm.note").order_by("id")[1].id
        answer = reader.get(tab_url(customer) + f"?entry={key}")
        entries = tab_entries(answer)
        assert [entry.is_target for entry in entries] == [True, False]
        assert entries[0].link == f"?entry={key}#ch-entry"
        assert (
            '<tbody id="ch-entry" tabindex="-1" class="ch-entry ch-create ch-target">'
            in answer.content.decode()
        )
        assert "Show newest changes" in shown(answer)
        newer = reader.get(tab_url(customer) + answer.context["history"].newer_link)
        assert len(actions(newer)) == 2

    @pytest.mark.parametrize("key", ["x", "01932f6e-7b7a-7c3e-9d1e-0a1b2c3d4e5f"])
    def test_a_permalink_to_no_entry(self, reader, customer, key):
        answer = reader.get(tab_url(customer) + f"?entry={key}")
        assert answer.status_code == 404
        assert "Change not found." in shown(answer)

    def test_entry_of_another_customer(self, reader, customer):
        other = Customer.objects.create(name="Other Ltd")
        key = Entry.objects.get(entity_id=str(other.pk), entity_model="crm.customer").id
        answer = reader.get(tab_url(customer) + f"?entry={key}")
        assert answer.status_code == 404
        assert "Other Ltd" not in shown(answer)

    def test_people_programs_and_imports(self, reader, user, customer, django_user_model):
        bob = django_user_model.objects.create_user("bob")
        for source in ("web", "api", "import"):
            with history.acting(user=user, source=source):
                Note.objects.create(customer=customer, text=source)
        with history.acting(user=bob, impersonator=user):
            Note.objects.create(customer=customer, text="as bob")
        answer = reader.get(tab_url(customer))
        users = [entry.user for entry in tab_entries(answer)]
        assert [user.kind for user in users] == ["person", "import", "program", "person", "system"]
        assert "ann (as bob)" in shown(answer)
        through = ["", "via an import", "via the API", "", ""]
        assert [user.through for user in users] == through
        assert "ann via an import" in shown(answer)
        assert "ann via the API" in shown(answer)

    def test_entity_is_linked_until_deleted(self, reader, customer):
        kept, deleted = (Ticket.objects.create(customer=customer) for _ in range(2))
        links = [f'href="/tickets/{one.pk}/"' for one in (kept, deleted)]
        text = reader.get(tab_url(customer)).content.decode()
        assert [text.count(link) for link in links] == [1, 1]
        deleted.delete()
        text = reader.get(tab_url(customer)).content.decode()
        assert [text.count(link) for link in links] == [1, 0]
        assert text.count(">Ticket Discarded</a>") == 1


class TestFilterLinks:
    def test_each_value_filters_by_itself(self, reader, user, customer):
        with history.acting(user=user, source="api"):
            Note.objects.filter(pk=Note.objects.create(customer=customer, text="a").pk).update(
                text="b"
            )
        answer = reader.get(tab_url(customer) + "?from=2020-01-01&before=")
        entry = tab_entries(answer)[0]
        links = (entry.links.user, entry.links.action, entry.links.source, entry.changes[0].link)
        kept = "?from=2020-01-01"
        assert links == (
            f"{kept}&user={user.pk}",
            f"{kept}&action=Update",
            f"{kept}&source=api",
            f"{kept}&field=crm.note:text",
        )
        for link in links:
            filtered = reader.get(tab_url(customer) + link)
            assert filtered.status_code == 200
            assert tab_entries(filtered)[0].entry == entry.entry

    def test_system_and_names_without_a_key(self, reader, customer):
        with history.acting(user=NamedUser(id="", label="deploy")):
            Customer.objects.filter(pk=customer.pk).update(name="Acme Ltd")
        named, system = tab_entries(reader.get(tab_url(customer)))
        assert (named.links.user, system.links.user) == ("?user=name:deploy", "?user=system")

    def test_request_link_needs_other_entries(self, reader, customer):
        with history.acting(request_id=uuid4()):
            Note.objects.create(customer=customer, text="a")
        with history.acting(request_id=uuid4()):
            Note.objects.create(customer=customer, text="b")
            Note.objects.create(customer=customer, text="c")
        links = [bool(one.request_link) for one in tab_entries(reader.get(tab_url(customer)))]
        assert links == [True, True, False, False]

    def test_own_record_needs_no_name(self, reader, customer):
        Note.objects.create(customer=customer, text="a")
        note, own = tab_entries(reader.get(tab_url(customer)))
        assert (note.is_own, own.is_own) == (False, True)

    def test_a_filtered_field_comes_first(self, reader, customer):
        (create,) = tab_entries(reader.get(tab_url(customer) + "?field=crm.customer:rate"))
        assert create.changes[0].change.label == "Rate"
        assert create.preview.startswith("Rate: 39.99")
        (create,) = tab_entries(reader.get(tab_url(customer)))
        assert create.changes[0].change.label == "Name"
