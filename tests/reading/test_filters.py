"""Filters: the same names everywhere, each with its opposite; unknown filters are errors."""

import re
from datetime import UTC, date, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from django.contrib.auth import get_user_model
from django.http import QueryDict
from django.utils import timezone

from django_customer_history import history
from django_customer_history.context.resolved import NamedUser
from django_customer_history.exceptions import InvalidFilterError
from django_customer_history.keys import uuid_at
from django_customer_history.models import (
    ConfidentialField,
    Entry,
)
from django_customer_history.reading.facets import facets
from django_customer_history.reading.filters import (
    DEFINITIONS,
    NAMES,
    Filters,
)
from django_customer_history.reading.timeline import Timeline
from tests.projects.crm.models import Account, Customer, Note, Specimen, Tag
from tests.reading.conftest import grant

pytestmark = pytest.mark.django_db

REQUEST = UUID("0190f6a8-0000-7000-8000-000000000001")


@pytest.fixture
def everything(user):
    user.is_superuser = True
    user.save()
    return Timeline.of_everything(user)


@pytest.fixture
def sample(customer, user, log):
    """Six entries that all differ. The names of the entries are used in these tests only."""
    with history.acting(user=user, source="web", ip_address="203.0.113.9", request_id=REQUEST):
        Customer.objects.filter(pk=customer.pk).update(rate="44.99")
        note = Note.objects.create(customer=customer, text="Called about the siren")
    with history.acting(user=None, source="import", ip_address="2001:db8::7"):
        Customer.objects.filter(pk=customer.pk).update(name="Renamed")
    rate, text, name = log.entries()
    other = get_user_model().objects.create_user("bob")
    log.clear()
    with history.acting(user=other, source="api"):
        account = Account.objects.create(label="Account")
        history.record("Invoice Generated", subject=customer)
        note.delete()
    account_created, event, note_deleted = log.entries()
    keys = {
        "rate": rate,
        "text": text,
        "name": name,
        "created": account_created,
        "event": event,
        "deleted": note_deleted,
    }
    assert len({entry.id for entry in keys.values()}) == 6
    return {
        "keys": {entry.id: name for name, entry in keys.items()},
        "user": user,
        "other": other,
        "customer": customer,
        "account": account,
        "note": note_deleted.entity_id,
    }


def matching(timeline, sample, query):
    """Return the names of the sample entries that match a query string, oldest first."""
    page = timeline.filtered(Filters.read(QueryDict(query))).page(limit=200)
    names = [sample["keys"].get(entry.id) for entry in reversed(page.entries)]
    return " ".join(name for name in names if name)


ALL = "rate text name created event deleted"


class TestPython:
    def test_takes_records_and_dates(self, everything, sample, user):
        assert Filters.of(user=user, not_kind="create", entity=Note) == Filters.of(
            user=str(user.pk), not_kind=["create"], entity=["crm.note"]
        )
        assert Filters.of(user=None) == Filters.of(user="system")
        timeline = everything.filtered(Filters.of(entity=sample["account"], from_=date.today()))  # noqa: DTZ011
        assert [sample["keys"][entry.id] for entry in timeline.page().entries] == ["created"]

    def test_keywords_of_a_timeline(self, everything, sample, user):
        timeline = everything.filtered(user=user, not_kind="create", from_=date.today())  # noqa: DTZ011
        assert [sample["keys"][entry.id] for entry in timeline.page().entries] == ["rate"]
        with pytest.raises(InvalidFilterError, match="acton"):
            everything.filtered(acton="Update")

    def test_timeline_is_filtered_once(self, everything):
        with pytest.raises(ValueError, match="Give all filters at once"):
            everything.filtered(q="siren").filtered(kind="create")

    def test_applies_to_stored_entries(self, sample, customer):
        entries = history.entries_for(customer)
        found = Filters.of(kind=["create", "delete"], entity=Note).applied(entries)
        assert [sample["keys"][entry.id] for entry in found] == ["deleted", "text"]
        assert Filters.of().applied(entries).count() == entries.count()
        for filters in ({"q": "siren"}, {"not_q": "siren", "kind": "create"}):
            with pytest.raises(InvalidFilterError, match="Text is searched by a timeline alone"):
                Filters.of(**filters).applied(entries)


class TestTab:
    def test_keeps_filters_while_paging(self, reader, customer, settings):
        settings.CUSTOMER_HISTORY = {"PAGE_SIZE": 1}
        for text in ("first", "second"):
            Note.objects.create(customer=customer, text=text)
        url = f"/customers/{customer.pk}/history/"
        response = reader.get(f"{url}?entity=crm.note")
        assert response["Cache-Control"] == "private, no-store"
        assert "second" in response.content.decode()
        link = response.content.decode().partition('rel="next" href="')[2].partition('"')[0]
        older = reader.get(url + link.replace("&amp;", "&"))
        assert "first" in older.content.decode()
        assert older.context["page"].older is None

    def test_names_wrong_filters(self, reader, stranger, customer):
        url = f"/customers/{customer.pk}/history/?acton=Update&kind=%3Cb%3E&from=yesterday"
        response = reader.get(url)
        assert response.status_code == 400
        assert response["Content-Type"].startswith("text/html")
        assert response["Cache-Control"] == "private, no-store"
        text = response.content.decode()
        for shown in ("<strong>acton</strong>", "<strong>kind</strong>", "<strong>from</strong>"):
            assert shown in text
        assert "Unknown filter. Did you mean &#x27;action&#x27;?" in text
        assert "Give a date, like 2026-11-23" in text
        assert "<table>" not in text
        assert "Acme" not in text
        assert stranger.get(url).status_code == 403

    def test_tag_ignores_other_parameters(self, reader, customer):
        Note.objects.create(customer=customer, text="a note")
        Customer.objects.filter(pk=customer.pk).update(rate="44.99")
        url = f"/customers/{customer.pk}/page/"
        text = reader.get(f"{url}?entity=crm.note&tab=history").content.decode()
        assert "a note" in text
        assert "44.99" not in text
        text = reader.get(f"{url}?-entity=crm.note&kind=update").content.decode()
        assert "a note" not in text
        assert "44.99" in text
        text = reader.get(f"{url}?action=Delete").content.decode()
        assert "No changes match these filters." in text

    def test_tag_names_errors_and_pages(self, reader, customer, settings):
        url = f"/customers/{customer.pk}/page/"
        response = reader.get(f"{url}?kind=x&kind=create")
        assert response.status_code == 200
        text = response.content.decode()
        assert "<strong>kind</strong>: Give one of: " in text
        assert "39.99" not in text
        settings.CUSTOMER_HISTORY = {"PAGE_SIZE": 1}
        for note in ("first", "second"):
            Note.objects.create(customer=customer, text=note)
        text = reader.get(f"{url}?entity=crm.note").content.decode()
        link = text.partition('rel="next" href="')[2].partition('"')[0].replace("&amp;", "&")
        assert "first" in reader.get(url + link).content.decode()
        assert "entity=crm.note" in link


class TestMatches:
    @pytest.mark.parametrize(
        ("query", "expected"),
        [
            ("", ALL),
            ("user={user}", "rate text"),
            ("user=system", "name"),
            ("user={user}&user=system", "rate text name"),
            ("-user={user}", "name created event deleted"),
            ("-user=system", "rate text created event deleted"),
            ("kind=update", "rate name"),
            ("kind=update&kind=delete", "rate name deleted"),
            ("-kind=update&-kind=delete", "text created event"),
            ("action=Invoice+Generated", "event"),
            ("-action=Update", "text created event deleted"),
            ("entity=crm.note", "text deleted"),
            ("entity=CRM.Note", "text deleted"),
            ("entity=crm.note:{note}", "text deleted"),
            ("entity=crm.note:999999", ""),
            ("-entity=crm.note&-entity=crm.account", "rate name event"),
            ("field=rate", "rate"),
            ("field=text", "text deleted"),
            ("field=label&field=name", "name created"),
            ("-field=rate", "text name created event deleted"),
            ("source=web", "rate text"),
            ("-source=web&-source=import", "created event deleted"),
            ("ip_address=203.0.113.9", "rate text"),
            ("ip_address=2001:DB8:0::7", "name"),
            ("-ip_address=203.0.113.9", "name created event deleted"),
            ("request_id=0190f6a8-0000-7000-8000-000000000001", "rate text"),
            ("-request_id=0190f6a8-0000-7000-8000-000000000001", "name created event deleted"),
            ("subject=crm.customer", "rate text name event deleted"),
            ("subject=crm.customer:{customer}", "rate text name event deleted"),
            ("-subject=crm.customer", "created"),
            ("q=SIREN", "text deleted"),
            ("q=about the", "text deleted"),
            ("q=siren&q=44.99", "rate text deleted"),
            ("-q=siren", "rate name created event"),
            ("q=e&-q=renamed", "rate text event deleted"),
            ("q=rate", ""),
            ("user={user}&kind=update", "rate"),
        ],
    )
    def test_a_filter_and_its_opposite(self, everything, sample, query, expected):
        given = query.format(
            user=sample["user"].pk, customer=sample["customer"].pk, note=sample["note"]
        )
        assert matching(everything, sample, given) == expected

    def test_user_without_a_key(self, everything, sample, reader, customer):
        with history.acting(user=NamedUser(id=None, label="deploy"), source="command"):
            history.record("Deployed", subject=customer)
        (deployed,) = everything.filtered(user="name:deploy").page().entries
        assert (deployed.action, deployed.user) == ("Deployed", NamedUser(id="", label="deploy"))
        assert everything.filtered(user="name:ann").page().entries == ()
        assert "Deployed" not in [
            one.action for one in everything.filtered(user=None).page().entries
        ]
        others = everything.filtered(not_user="name:deploy").page(limit=200).entries
        assert {one.id for one in others} >= sample["keys"].keys()
        assert deployed.id not in {one.id for one in others}
        menu = {one.label: one.value for one in facets(everything).users}
        assert menu["deploy"] == "name:deploy"
        assert menu["System"] == "system"
        page = reader.get(f"/customers/{customer.pk}/history/?user=name:deploy").content.decode()
        assert re.search(r'<strong dir="auto">deploy</strong>', page)

    def test_text_in_any_script_and_case(self, everything, customer, log):
        Customer.objects.filter(pk=customer.pk).update(name='Café "Größe" 100%_')
        history.record("Noted", subject=customer, changes={"what": (None, 'Café "Größe" 100%_')})
        account = Account.objects.create(label="a")
        Specimen.objects.create(account=account, json={"colour": "Größe"})
        Note.objects.create(customer=customer, text="Привет Мир")
        Note.objects.create(customer=customer, text="привет")
        history.record("Greeted", subject=customer, changes={"what": ("ПРИВЕТ!", None)})
        for text, count in (
            ("café", 2), ("GRÖßE", 3), ('"Größe" 1', 2), ("100%_", 2), ("_%", 0), ("ö", 3),
            ("ПРИВет", 3), ("приВЕТ мир", 1),
        ):  # fmt: skip
            page = everything.filtered(Filters.of(q=text)).page(limit=200)
            assert (text, len(page.entries)) == (text, count)

    def test_changes_by_one_user(self, customer, reader, user):
        with history.acting(user=user):
            for name in ("One", "Two"):
                Customer.objects.create(name=name)
            Tag.objects.create(name="on nobody's tab")
        found = reader.get(f"/api/history/?user={user.pk}&kind=create").json()["results"]
        assert [entry["entity"]["label"] for entry in found] == ["Two", "One"]

    def test_confidential_value_not_found(self, reader, user, customer):
        assert len(reader.get("/api/history/?field=ssn").json()["results"]) == 1
        assert reader.get("/api/history/?q=123-45").json()["results"] == []
        grant(user, "view_confidential_customer_ssn")
        assert len(reader.get("/api/history/?q=123-45").json()["results"]) == 1
        ConfidentialField.objects.create(model="crm.customer", field="name")
        assert reader.get("/api/history/?q=Acme").json()["results"] == []

    def test_search_pages_are_full(self, reader, customer, monkeypatch):
        monkeypatch.setattr("django_customer_history.reading.query.CHUNK", 3)
        for number in range(10):
            Customer.objects.filter(pk=customer.pk).update(ssn=f"needle {number}")
            if number % 3 == 0:
                Note.objects.create(customer=customer, text=f"needle {number}")
        url, found = "/api/history/?q=needle&limit=2", []
        pages = 0
        while url:
            page = reader.get(url).json()
            found += [entry["changes"][-1]["new"] for entry in page["results"]]
            url, pages = page["next"], pages + 1
        assert found == ["needle 9", "needle 6", "needle 3", "needle 0"]
        assert pages == 2


class TestDefinitions:
    def test_have_text_and_an_opposite(self):
        assert set(NAMES) == {f"{sign}{name}" for name in DEFINITIONS for sign in ("", "-")}
        assert all(definition.description for definition in DEFINITIONS.values())


def monrovia(user):
    return "Africa/Monrovia"


class TestDates:
    def test_date_is_a_day_of_the_reader(self, everything, customer, log):
        for hour in (4, 5, 28, 29):
            moment = datetime(2026, 3, 10, tzinfo=UTC) + timedelta(hours=hour)
            microseconds = int(moment.timestamp()) * 1_000_000
            Entry.objects.create(
                id=uuid_at(microseconds), timestamp=moment, kind="event", action=str(hour),
                entity_model="crm.customer", entity_id=str(customer.pk), source="web",
            )  # fmt: skip

        def hours(**filters):
            page = everything.filtered(Filters.of(**filters)).page(limit=200)
            return [entry.action for entry in page.entries if entry.action.isdigit()]

        with timezone.override(ZoneInfo("Etc/GMT+5")):
            assert hours(from_="2026-03-10", to="2026-03-10") == ["28", "5"]
            assert hours(from_=date(2026, 3, 11)) == ["29"]
            assert hours(not_from="2026-03-10") == ["4"]
            assert hours(not_to="2026-03-10") == ["29"]
            assert hours(to="2026-03-10T00:00:00") == ["5", "4"]
        assert hours(from_="2026-03-10", to="2026-03-10") == ["5", "4"]
        assert hours(from_="2026-03-10T04:00:00Z", to="2026-03-10T05:00:00+00:00") == ["5", "4"]
        assert hours(from_="2026-03-10T04:00:00.000001Z", to="2026-03-10T04:59:59.999999Z") == []
        assert hours(from_="0001-01-01", to="9999-12-31") == ["29", "28", "5", "4"]

    def test_dates_are_ranges_of_the_key(self, everything):
        timeline = everything.filtered(Filters.of(from_="2026-03-10", to="2026-03-12"))
        condition = str(timeline.queryset.query).partition("WHERE")[2]
        assert [part.split(".")[1].strip('`"') for part in condition.split()[::4]] == ["id", "id"]

    def test_zone_offset_with_seconds(self, reader, customer, settings):
        """Until 1972 Liberia was 44 minutes and 30 seconds behind UTC. Offsets have no seconds."""
        settings.CUSTOMER_HISTORY = {"READER_TIME_ZONE": "tests.reading.test_filters.monrovia"}
        midnight = datetime(1970, 6, 1, 0, 44, 30, tzinfo=UTC)
        for name, moment in (("before", midnight - timedelta(seconds=1)), ("first", midnight)):
            Entry.objects.create(
                id=uuid_at(int(moment.timestamp()) * 1_000_000), timestamp=moment, kind="event",
                action=name, entity_model="crm.customer", entity_id=str(customer.pk),
                subject_model="crm.customer", subject_id=str(customer.pk), source="web",
            )  # fmt: skip
        found = reader.get("/api/history/?from=1970-06-01&to=1970-06-01").json()["results"]
        assert [entry["action"] for entry in found] == ["first"]
        first = reader.get("/api/history/?from=1970-06-01&limit=1").json()
        second = reader.get(first["next"]).json()
        assert [entry["action"] for entry in second["results"]] == ["first"]
        assert second["next"] is None
        before = reader.get("/api/history/?to=1970-05-31").json()["results"]
        assert [entry["action"] for entry in before] == ["before"]
        since = datetime(1970, 6, 1, tzinfo=ZoneInfo("Africa/Monrovia"))
        kept = Filters.of(from_=since, subject=customer, kind="event").applied(
            Entry.objects.order_by("id")
        )
        assert [entry.action for entry in kept] == ["first"]

    @pytest.mark.parametrize("day", ["0001-01-01", "9999-12-31"])
    @pytest.mark.parametrize("zone", ["Etc/GMT+12", "Etc/GMT-12"])
    def test_first_and_last_possible_day(self, day, zone, everything):
        with timezone.override(ZoneInfo(zone)):
            assert everything.filtered(**{"from": day}).page().entries == (
                () if day[0] == "9" else everything.page().entries
            )
            assert everything.filtered(to=day).page().entries == (
                everything.page().entries if day[0] == "9" else ()
            )


class TestErrors:
    @pytest.mark.parametrize(
        ("query", "parameter", "detail"),
        [
            ("acton=Update", "acton", "Did you mean 'action'?"),
            ("-sorce=web", "-sorce", "Did you mean '-source'?"),
            ("zzz=1", "zzz", "Unknown filter."),
            ("kind=updte", "kind", "Did you mean 'update'?"),
            ("source=wbe", "source", "Did you mean 'web'?"),
            ("-kind=nonsense", "-kind", "Give one of: create, update"),
            ("from=yesterday", "from", "Give a date, like 2026-11-23"),
            ("from=2026-02-30", "from", "Give a date"),
            ("to=2026-13-01T00:00:00Z", "to", "Give a date"),
            ("from=2026-01-01&from=2026-02-01", "from", "Given too often."),
            ("entity=note", "entity", 'Give a model, like "crm.customer"'),
            ("entity=crm.note:", "entity", "or a record"),
            ("subject=.", "subject", "Give a model"),
            ("ip_address=10.0.0", "ip_address", "Give an IP address"),
            ("request_id=7", "request_id", "a UUID"),
            ("user=", "user", "Give a value of 1 to 500 characters."),
            ("q=%00", "q", "Give a value of 1 to 500 characters."),
            ("q=" + "x" * 501, "q", "Give a value of 1 to 500 characters."),
            ("&".join(["user=1"] * 51), "user", "Given too often."),
            ("limit=5&limit=6", "limit", "Given too often."),
        ],
    )
    def test_unknown_or_malformed_filter(self, reader, customer, query, parameter, detail):
        for url in ("/api/history/", f"/api/history/subjects/crm.customer/{customer.pk}/"):
            response = reader.get(f"{url}?{query}")
            assert response.status_code == 400
            assert response["Content-Type"] == "application/problem+json"
            (error,) = response.json()["errors"]
            assert error["parameter"] == parameter
            assert detail in error["detail"]

    @pytest.mark.parametrize("route", ["facets", "export"])
    def test_same_errors_at_every_route(self, route, reader, customer):
        url = {
            "facets": "/api/history/facets/",
            "export": "/api/history/export/",
        }[route]
        response = reader.get(f"{url}?acton=Update&kind=x")
        assert response.status_code == 400
        assert response["Content-Type"] == "application/problem+json"
        assert {error["parameter"] for error in response.json()["errors"]} == {"acton", "kind"}

    def test_names_all_errors_at_once(self):
        with pytest.raises(InvalidFilterError) as raised:
            Filters.read({"acton": "x", "kind": ["x"], "user": "7"})
        assert set(raised.value.errors) == {"acton", "kind"}

    def test_never_match_silently(self, everything):
        wrong = Filters(values=(("from", ("yesterday",)),))
        with pytest.raises(InvalidFilterError, match="from: Give a date"):
            wrong.applied(Entry.objects.all())
