"""A filter that can find nothing in this project is an error that names the value."""

import pytest

from django_customer_history import history
from django_customer_history.exceptions import InvalidFilterError
from django_customer_history.reading.filters import Filters
from django_customer_history.reading.timeline import Timeline
from tests.projects.crm.models import Customer, Note
from tests.reading.conftest import grant
from tests.reading.tabs import chips, shown, tab_url

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.reading.urls")]

WRONG = [
    ("user=ann", "user", "There is no user with the key 'ann'."),
    ("user=987654", "user", "There is no user with the key '987654'."),
    ("-user=ann", "-user", "There is no user with the key 'ann'."),
    ("field=nope", "field", "There is no field 'nope'. Did you mean 'note'?"),
    ("field=statsu", "field", "There is no field 'statsu'. Did you mean 'status'?"),
    ("field=name.key", "field", "There is no field 'name.key'. Did you mean 'name'?"),
    ("action=Updat", "action", "There is no action 'Updat'. Did you mean 'Update'?"),
    ("entity=crm.nope", "entity", "There is no model 'crm.nope'. Did you mean 'crm.note'?"),
    ("subject=nope.nope:1", "subject", "There is no model 'nope.nope'."),
]


class TestUnknownValues:
    @pytest.mark.parametrize(("query", "name", "detail"), WRONG)
    def test_rest_names_them(self, query, name, detail, reader, customer):
        for url in ("/api/history/", "/api/history/facets/", "/api/history/export/"):
            answer = reader.get(f"{url}?{query}")
            assert answer.status_code == 400
            assert answer.json()["errors"] == [{"parameter": name, "detail": detail}]

    @pytest.mark.parametrize(("query", "name", "detail"), WRONG)
    def test_page_keeps_the_other_filters(self, query, name, detail, reader, customer):
        answer = reader.get(f"{tab_url(customer)}?{query}&kind=create")
        assert answer.status_code == 400
        assert f"{name}: {detail}".replace("'", "&#x27;") in shown(answer)
        assert chips(answer) == [("Kind", "Create")]
        assert answer.context["history"].newest_link == "?kind=create"
        assert 'href="?kind=create"' in answer.content.decode()

    def test_in_python(self, user, customer):
        user.is_superuser = True
        timeline = Timeline.of_subject(user, Customer, customer.pk)
        with pytest.raises(InvalidFilterError) as caught:
            timeline.filtered(field=["nope", "name"], user="ann")
        assert set(caught.value.errors) == {"field", "user"}

    @pytest.mark.parametrize(
        "query",
        [
            "-user=system",
            "user=name:deploy",
            "user={user}",
            "field=json.any.key",
            "field=quantity",
            "action=Ticket Closed",
            "action=Confidential Values Revealed",
            "action=Api token changed",
            "entity=CRM.Note",
            "entity=crm.customer:0",
            "entity=customer_history.pause",
            "source=import",
        ],
    )
    def test_known_values_without_entries(self, query, reader, user, customer):
        answer = reader.get(f"/api/history/?{query.format(user=user.pk)}")
        assert answer.status_code == 200
        assert answer.json()["results"] == []

    def test_values_that_only_the_log_has(self, reader, user, customer):
        history.record("Credit checked", subject=customer, changes={"score": (1, 2)})
        with history.acting(user=user):
            Note.objects.create(customer=customer, text="t")
        key = user.pk
        user.__class__.objects.create_user("other")
        for query in ("action=Credit checked", "field=score", f"user={key}"):
            assert len(reader.get(f"/api/history/?{query}").json()["results"]) == 1


class TestOtherParameters:
    def test_page_ignores_unknown_names(self, reader, customer):
        query = "utm_source=mail&utm_medium=x&fbclid=1&ref=newsletter&_changelist_filters=x"
        answer = reader.get(f"{tab_url(customer)}?{query}")
        assert answer.status_code == 200
        assert len(answer.context["page"].entries) == 1

    def test_misspelled_filters_are_errors(self, reader, customer):
        for name in ("acton", "fields", "users", "-entitiy"):
            assert reader.get(f"{tab_url(customer)}?{name}=x").status_code == 400

    def test_rest_refuses_unknown_names(self, reader, customer):
        answer = reader.get("/api/history/?utm_source=mail")
        assert answer.status_code == 400
        assert answer.json()["errors"][0]["parameter"] == "utm_source"


class TestNumberOfValues:
    def test_texts_to_search_for(self, reader, customer):
        query = "&".join(f"q=text{number}" for number in range(6))
        answer = reader.get(f"/api/history/?{query}")
        assert answer.status_code == 400
        assert answer.json()["errors"] == [{"parameter": "q", "detail": "Given too often."}]
        assert reader.get(f"/api/history/?{query.partition('&')[2]}").status_code == 200

    def test_values_of_all_filters(self):
        values = {name: ["crm.customer"] * 50 for name in ("entity", "subject")}
        assert Filters.read(values)
        with pytest.raises(InvalidFilterError, match="Give at most 100 values in all filters"):
            Filters.read({**values, "kind": ["create"]})


class TestFieldOfAModel:
    @pytest.mark.parametrize(
        ("value", "detail"),
        [
            ("crm.customer:nmae", "There is no field 'crm.customer:nmae'. Did you mean 'name'?"),
            ("crm.nothing:name", "There is no field 'crm.nothing:name'."),
        ],
    )
    def test_wrong_names_are_errors(self, value, detail, reader, user, customer):
        grant(user, "view_entry")
        answer = reader.get("/api/history/", {"field": value})
        assert answer.status_code == 400
        assert detail in answer.content.decode()

    def test_finds_that_model_alone(self, reader, user, customer):
        grant(user, "view_entry")
        customer.tags.create(name="vip")
        found = reader.get("/api/history/", {"field": "crm.customer:name"}).json()["results"]
        assert [one["entity"]["model"] for one in found] == ["crm.customer"]
