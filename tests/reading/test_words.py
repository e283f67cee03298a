"""The project's own labels of JSON keys and formats of values, in every output."""

import csv
import io
import json

import pytest
from django.core.management import call_command
from django.utils import translation
from django.utils.html import format_html

from django_customer_history import history
from django_customer_history.access import field_access
from django_customer_history.access.field_access import FieldAccess
from django_customer_history.models import (
    ConfidentialField,
    Entry,
)
from django_customer_history.registration.registry import (
    Registry,
    registration_of,
)
from tests.projects.crm.models import Claim, Code, Customer, Specimen, Ticket
from tests.reading.conftest import grant
from tests.reading.tabs import chips, shown, tab_url

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.reading.urls")]


@pytest.fixture
def ticket(customer):
    return Ticket.objects.create(
        customer=customer, udf={"code_word": "Heron", "fee": 1299, "colour": "red"}
    )


def rest(reader, customer, **query):
    answer = reader.get(f"/api/history/subjects/crm.customer/{customer.pk}/", query)
    return {
        change["field"]: change for entry in answer.json()["results"] for change in entry["changes"]
    }


class TestNamesOfKeys:
    def test_tab_menus_and_chips(self, reader, customer, ticket):
        answer = reader.get(tab_url(customer) + "?field=udf.code_word&field=udf.colour")
        assert "Alarm code word of ann Heron" in shown(answer)
        assert "Udf: colour red" in shown(answer)
        fields = answer.context["history"].filter_bar.menus[3].options
        assert [one.label for one in fields if one.value.startswith("crm.ticket:udf.")] == [
            "Alarm code word of ann", "Udf: colour", "Udf: fee",
        ]  # fmt: skip
        assert chips(answer) == [("Field", "Alarm code word of ann"), ("Field", "Udf: colour")]

    def test_rest_facets_and_exports(self, reader, customer, ticket):
        assert rest(reader, customer)["udf.code_word"]["label"] == "Alarm code word of ann"
        facets = reader.get(f"/api/history/subjects/crm.customer/{customer.pk}/facets/").json()
        assert {"value": "udf.code_word", "label": "Alarm code word of ann"} in facets["fields"]
        file = reader.get(tab_url(customer) + "?format=csv&entity=crm.ticket").getvalue().decode()
        assert "Alarm code word of ann" in [
            one["field"] for one in csv.DictReader(io.StringIO(file))
        ]
        file = reader.get(tab_url(customer) + "?format=ndjson&entity=crm.ticket").getvalue()
        labels = [one["label"] for one in json.loads(file.splitlines()[-1])["changes"]]
        assert "Alarm code word of ann" in labels

    def test_label_of_a_mark_wins(self, reader, customer, ticket):
        ConfidentialField.objects.create(
            model="crm.ticket", field="udf.code_word", label="Secret word", mask="full"
        )
        change = rest(reader, customer)["udf.code_word"]
        assert (change["label"], change["new_display"]) == ("Secret word", "*****")

    def test_function_is_called_once(self, user, monkeypatch):
        calls = []

        def labels(reader):
            calls.append(reader)
            return {"a": "First"}

        registry = Registry()
        registry.add(registration_of(Ticket, json_keys="udf", key_labels={"udf": labels}))
        monkeypatch.setattr(field_access, "registry", registry)
        access = FieldAccess(user, marks=(), using="default")
        assert access.rule_of("crm.ticket", "note").label == "Note"
        assert calls == []
        found = [access.rule_of("crm.ticket", f"udf.{key}").label for key in ("a", "b", "c")]
        assert found == ["First", "Udf: b", "Udf: c"]
        assert calls == [user]


class TestDisplay:
    def test_on_the_tab_and_over_rest(self, reader, customer):
        with history.acting(reason="hail"):
            claim = Claim.objects.create(customer=customer, amount="1299.00")
            Claim.objects.filter(pk=claim.pk).update(amount="1450.5")
        answer = reader.get(tab_url(customer) + "?kind=update")
        assert "Amount was $1,299.00 is now $1,450.50" in shown(answer)
        change = rest(reader, customer, kind="update")["amount"]
        assert (change["old"], change["old_display"]) == ("1299.00", "$1,299.00")
        assert (change["new"], change["new_display"]) == ("1450.50", "$1,450.50")

    def test_csv_has_plain_numbers(self, reader, customer):
        with history.acting(reason="hail"):
            Claim.objects.create(customer=customer, amount="1299.00")
        query = "?entity=crm.claim&format="
        (line,) = reader.get(f"{tab_url(customer)}{query}ndjson").getvalue().splitlines()
        change = next(one for one in json.loads(line)["changes"] if one["field"] == "amount")
        assert (change["new"], change["new_display"]) == ("1299.00", "$1,299.00")
        file = reader.get(f"{tab_url(customer)}{query}csv").getvalue().decode()
        values = {one["field"]: one["new_value"] for one in csv.DictReader(io.StringIO(file))}
        assert values["Amount"] == "1299.00"

    def test_key_of_a_json_field(self, reader, customer, ticket):
        change = rest(reader, customer)["udf.fee"]
        assert (change["new"], change["new_display"]) == (1299, "$1,299.00")

    def test_skips_null_and_other_types(self, reader, customer, ticket):
        entry = Entry.objects.get(entity_model="crm.ticket")
        displays = {
            field: (change["old_display"], change["new_display"])
            for field, change in rest(reader, customer).items()
            if field.startswith("udf.")
        }
        assert displays["udf.fee"] == (None, "$1,299.00")
        Entry.objects.create(
            timestamp=entry.timestamp, kind="update", action="Update", source="web",
            changes={"amount": ["a lot", "7"]}, subject_model="crm.customer",
            subject_id=str(customer.pk), entity_model="crm.claim", entity_id="1",
        )  # fmt: skip
        change = rest(reader, customer, entity="crm.claim")["amount"]
        assert (change["old_display"], change["new_display"]) == ("a lot", "$7.00")

    def test_not_called_for_masked_values(self, reader, user, customer):
        ConfidentialField.objects.create(model="crm.claim", field="amount", mask="full")
        with history.acting(reason="hail"):
            Claim.objects.create(customer=customer, amount="1299.00")
        masked = rest(reader, customer)["amount"]
        assert (masked["new"], masked["new_display"]) == (None, "*****")
        call_command("migrate", verbosity=0)
        grant(user, "view_confidential_claim_amount")
        assert rest(reader, customer)["amount"]["new_display"] == "$1,299.00"

    def test_html_is_escaped(self, reader, customer, monkeypatch):
        registry = Registry()
        for one in field_access.registry:
            registry.add(one)
        registry.remove(Claim)
        registry.add(registration_of(Claim, subject="customer", display={"amount": _as_html}))
        monkeypatch.setattr(field_access, "registry", registry)
        with history.acting(reason="hail"):
            Claim.objects.create(customer=customer, amount="1299.00")
        text = reader.get(tab_url(customer)).content.decode()
        assert "<b>1299.00</b>" not in text
        assert "&lt;b&gt;1299.00&lt;/b&gt;" in text


def _as_html(amount):
    return format_html("<b>{}</b>", amount)


class TestNumbers:
    @pytest.mark.parametrize(
        ("language", "decimal", "number"),
        [
            ("en", "1,234,567.50", "0.5"),
            ("de", "1.234.567,50", "0,5"),
            ("es", "1\xa0234\xa0567,50", "0,5"),
        ],
    )
    def test_amounts_have_separators(self, reader, user, language, decimal, number):
        grant(user, "view_entry")
        Specimen.objects.create(decimal="1234567.50", float=0.5, positive=2026, big=1234567)
        with translation.override(language):
            answer = reader.get("/api/history/?entity=crm.specimen").json()
        shown_as = {one["field"]: one["new_display"] for one in answer["results"][0]["changes"]}
        assert (shown_as["decimal"], shown_as["float"]) == (decimal, number)
        # It may be a year or a code.
        assert (shown_as["positive"], shown_as["big"]) == ("2026", "1234567")

    def test_integers_follow_the_settings(self, reader, user, settings):
        settings.USE_THOUSAND_SEPARATOR = True
        grant(user, "view_entry")
        Specimen.objects.create(id=1234567, big=1234567)
        Specimen.objects.update(id=7654321)
        Code.objects.create(code="12345", text="t")
        answer = reader.get("/api/history/?entity=crm.specimen").json()["results"]
        changed, created = (
            {one["field"]: one["new_display"] for one in entry["changes"]} for entry in answer
        )
        assert created["big"] == "1,234,567"
        assert changed["id"] == "7654321"

    def test_amount_without_display(self, reader, customer):
        Customer.objects.filter(pk=customer.pk).update(rate="1299.00")
        assert rest(reader, customer, kind="update")["rate"]["new_display"] == "1,299.00"
