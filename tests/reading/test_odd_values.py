"""Values that JSON or UTF-8 cannot represent do not break any output."""

import io
import json

import pytest
from django.core.management import call_command
from openpyxl import load_workbook

from django_customer_history.models import (
    ConfidentialField,
    Entry,
)
from tests.extras import needs
from tests.projects.crm.models import Account, Specimen
from tests.reading.conftest import grant

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.reading.urls")]

DEEP = "[" * 20_000 + "]" * 20_000
RATHER_DEEP = "[" * 300 + "]" * 300
ODD = {
    "float": ["-inf", "inf"],
    "json": ["NaN", '{"half \\ud800": ["\\udc00 of it", 1e999]}'],
    "json.deep": [RATHER_DEEP, DEEP],
    "json.half": [None, '"\\ud83d alone"'],
    "char": [None, "plain text"],
}
SHOWN = {
    "float": ["-Infinity", "Infinity"],
    "json": ["NaN", {"half \ufffd": ["\ufffd of it", "Infinity"]}],
    "json.deep": [RATHER_DEEP, DEEP],
    "json.half": [None, "\ufffd alone"],
    "char": [None, "plain text"],
}


@pytest.fixture
def account(reader, user):
    grant(user, "view_account_history", "export_account_history")
    account = Account.objects.create(label="a")
    specimen = Specimen.objects.create(account=account)
    Entry.objects.create(
        timestamp=Entry.objects.first().timestamp,
        kind="update",
        action="Update",
        subject_model="crm.account",
        subject_id=str(account.pk),
        entity_model="crm.specimen",
        entity_id=str(specimen.pk),
        changes=ODD,
        source="web",
    )
    return account


def strict_json(text):
    """Read JSON strictly, as other languages do: NaN is an error."""

    def refuse(name):
        raise AssertionError(f"{name} is not JSON")

    return json.loads(text, parse_constant=refuse)


def shown(entry):
    return {change["field"]: [change["old"], change["new"]] for change in entry["changes"]}


def odd_entry(entries):
    (entry,) = (one for one in entries if any(two["field"] == "float" for two in one["changes"])
                and one["kind"] == "update")  # fmt: skip
    return entry


class TestFiles:
    def test_ndjson_of_odd_values(self, reader, account):
        content = reader.get("/api/history/export/?format=ndjson").getvalue().decode()
        assert shown(odd_entry([strict_json(line) for line in content.splitlines()])) == SHOWN

    def test_csv_of_odd_values(self, reader, account):
        content = reader.get("/api/history/export/?format=csv").getvalue().decode()
        assert ",Float,'-Infinity,Infinity," in content
        assert ",Json: half,,\ufffd alone," in content

    @needs("xlsxwriter")
    def test_xlsx_of_odd_values(self, reader, account):
        content = reader.get("/api/history/export/?format=xlsx").getvalue()
        cells = {cell for row in load_workbook(io.BytesIO(content)).active.values for cell in row}
        assert {"-Infinity", "Infinity", "\ufffd alone"} <= cells

    def test_ndjson_of_the_command(self, account):
        out = io.StringIO()
        call_command("history_export", "--format", "ndjson", stdout=out, stderr=io.StringIO())
        assert (
            shown(odd_entry([strict_json(line) for line in out.getvalue().splitlines()])) == SHOWN
        )


class TestPages:
    @pytest.mark.parametrize(
        "url",
        [
            "/records/crm.account/{account}/",
            "/records/crm.account/{account}/?print=yes",
            "/records/record/{entry}/",
            "/admin/customer_history/entry/",
            "/admin/customer_history/entry/{entry}/change/",
        ],
    )
    def test_pages_show_odd_values(self, url, reader, user, account):
        user.is_staff = True
        user.save()
        entry = Entry.objects.get(kind="update", entity_model="crm.specimen").id
        answer = reader.get(url.format(account=account.pk, entry=entry))
        assert answer.status_code == 200
        assert "\ufffd alone" in answer.content.decode()


class TestRest:
    @pytest.mark.parametrize(
        "url",
        ["/api/history/", "/api/history/subjects/crm.account/{}/", "/api/history/?q=plain"],
    )
    def test_lists_of_entries(self, url, reader, account):
        answer = reader.get(url.format(account.pk))
        assert answer.status_code == 200
        assert shown(odd_entry(strict_json(answer.content)["results"])) == SHOWN

    def test_an_entry_and_its_record(self, reader, account):
        key = Entry.objects.get(kind="update", entity_model="crm.specimen").id
        answer = reader.get(f"/api/history/entries/{key}/")
        assert shown(strict_json(answer.content)) == SHOWN
        record = strict_json(reader.get(f"/api/history/entries/{key}/record/").content)
        after = {field["field"]: field["after"]["value"] for field in record["fields"]}
        assert (after["float"], after["json.half"]) == ("Infinity", "\ufffd alone")

    def test_masks_of_odd_values(self, reader, account):
        ConfidentialField.objects.create(model="crm.specimen", field="json.deep.key")
        ConfidentialField.objects.create(model="crm.specimen", field="json.half")
        content = reader.get("/api/history/").content
        deep = next(
            one
            for one in odd_entry(strict_json(content)["results"])["changes"]
            if one["field"] == "json.deep"
        )
        assert (deep["new"], deep["new_display"]) == (None, "*****")
        assert "alone" not in content.decode()
