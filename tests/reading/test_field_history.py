"""The history of one field: the tag beside its value, the step chart, and the REST route."""

import re

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.template import Context, Template
from django.test import RequestFactory

from django_customer_history.models import ConfidentialField
from tests.projects.crm.models import Customer, Note
from tests.reading.conftest import grant
from tests.reading.tabs import shown, tab_url

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.reading.urls")]


@pytest.fixture
def rates(customer):
    """A customer whose rate changed twice, and whose name changed once."""
    for rate in ("44.99", "1250.00"):
        Customer.objects.filter(pk=customer.pk).update(rate=rate)
    Customer.objects.filter(pk=customer.pk).update(name="Acme Ltd")
    return customer


class TestTag:
    def tag(self, user, subject, fields="'rate'"):
        request = RequestFactory().get("/x")
        request.user = user
        tags = "".join(f"{{% field_history customer {one} %}}" for one in fields.split())
        source = f"{{% load customer_history %}}{tags}"
        return Template(source).render(Context({"request": request, "customer": subject}))

    def test_links_to_the_changes_of_the_field(self, reader, user, rates):
        text = self.tag(user, rates)
        link = f"/records/crm.customer/{rates.pk}/?field=crm.customer:rate"
        assert re.search('href="([^"]+)" data-close', text).group(1) == link
        assert 'title="History of Rate"' in text
        found = reader.get(link).context["page"].entries
        assert [one.kind for one in found] == ["update", "update", "create"]

    def test_a_page_loads_the_script_once(self, reader, user, rates):
        text = self.tag(user, rates, "'rate' 'name' 'status'")
        assert text.count("<script") == text.count("<link") == 1
        assert text.count("ch-field-link") == 3
        assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son[a-z]+=", text)

    def test_nothing_without_permission(self, user, rates):
        assert self.tag(user, rates).strip() == ""
        grant(user, "view_customer_history")
        assert self.tag(user, None).strip() == ""
        assert self.tag(user, Customer(name="New")).strip() == ""

    def test_a_wrong_field_is_named(self, reader, user, rates):
        with pytest.raises(ImproperlyConfigured, match=r"crm\.Customer has no field 'rat'"):
            self.tag(user, rates, "'rat'")


def chart(answer):
    return answer.context["history"].chart


class TestChart:
    def test_shows_the_values_over_time(self, reader, rates):
        answer = reader.get(tab_url(rates) + "?field=crm.customer:rate")
        found = chart(answer)
        assert (found.label, found.lowest, found.highest) == ("Rate", "39.99", "1,250.00")
        assert re.fullmatch(
            r"Rate, 3 values: 39\.99 on .+, 1,250\.00 on .+\. Lowest 39\.99, highest 1,250\.00\.",
            found.text,
        )
        assert f'aria-label="{found.text}"' in answer.content.decode()
        heights = [float(one.split(",")[1]) for one in found.points.split()]
        assert (heights[0], heights[-1]) == (84.0, 6.0)
        assert heights == sorted(heights, reverse=True)

    @pytest.mark.parametrize(
        "query", ["", "?field=name", "?field=rate&field=name", "?field=ssn", "?kind=update"]
    )
    def test_none_for_other_pages(self, query, reader, rates):
        assert chart(reader.get(tab_url(rates) + query)) is None

    def test_none_for_a_masked_field(self, reader, rates):
        ConfidentialField.objects.create(model="crm.customer", field="rate", mask="full")
        answer = reader.get(tab_url(rates) + "?field=rate")
        assert chart(answer) is None
        assert "1,250" not in shown(answer)

    def test_none_for_one_value(self, reader, customer):
        assert chart(reader.get(tab_url(customer) + "?field=rate")) is None


class TestRest:
    def url(self, customer, field):
        return f"/api/history/subjects/crm.customer/{customer.pk}/fields/{field}/"

    def test_has_the_changes_of_the_field(self, reader, rates):
        Note.objects.create(customer=rates, text="other")
        found = reader.get(self.url(rates, "rate"), {"kind": "update", "limit": 1}).json()
        assert [one["changes"][0]["new"] for one in found["results"]] == ["1250.00"]
        (older,) = reader.get(found["next"]).json()["results"]
        assert older["changes"][0]["new"] == "44.99"

    def test_masks_hold(self, reader, rates):
        ConfidentialField.objects.create(model="crm.customer", field="rate", mask="full")
        answer = reader.get(self.url(rates, "rate"))
        assert "1250" not in answer.content.decode()

    def test_errors(self, reader, stranger, rates):
        assert reader.get(self.url(rates, "rat")).status_code == 404
        assert stranger.get(self.url(rates, "rate")).status_code == 403
        answer = reader.get(self.url(rates, "rate"), {"field": "name"})
        assert answer.status_code == 400
        assert "The URL decides this." in answer.content.decode()
