"""Values that JSON or UTF-8 cannot hold, in every door: one of them breaks no list."""

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
TOLD = {
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


def strict(text):
    """Read JSON as other languages do, which know no NaN."""

    def refuse(name):
        raise AssertionError(f"{name} is no JSON")

    return json.loads(text, parse_constant=refuse)


def told(entry):
    return {change["field"]: [change["old"], change["new"]] for change in entry["changes"]}


def odd_one(entries):
    (entry,) = (one for one in entries if any(two["field"] == "float" for two in one["changes"])
                and one["kind"] == "update")  # fmt: skip
    return entry


@pytest.mark.parametrize(
    "address", ["/api/history/", "/api/history/subjects/crm.account/{}/", "/api/history/?q=plain"]
)
def test_lists_tell_them(address, reader, account):
    answer = reader.get(address.format(account.pk))
    assert answer.status_code == 200
    assert told(odd_one(strict(answer.content)["results"])) == TOLD


def test_one_entry_and_its_record_tell_them(reader, account):
    key = Entry.objects.get(kind="update", entity_model="crm.specimen").id
    answer = reader.get(f"/api/history/entries/{key}/")
    assert told(strict(answer.content)) == TOLD
    record = strict(reader.get(f"/api/history/entries/{key}/record/").content)
    after = {field["field"]: field["after"]["value"] for field in record["fields"]}
    assert (after["float"], after["json.half"]) == ("Infinity", "\ufffd alone")


def test_ndjson_tells_them_and_is_json(reader, account):
    content = reader.get("/api/history/export/?format=ndjson").getvalue().decode()
    assert told(odd_one([strict(line) for line in content.splitlines()])) == TOLD


def test_csv_tells_them(reader, account):
    content = reader.get("/api/history/export/?format=csv").getvalue().decode()
    assert ",Float,'-Infinity,Infinity," in content
    assert ",Json: half,,\ufffd alone," in content


@needs("xlsxwriter")
def test_xlsx_tells_them(reader, account):
    content = reader.get("/api/history/export/?format=xlsx").getvalue()
    cells = {cell for row in load_workbook(io.BytesIO(content)).active.values for cell in row}
    assert {"-Infinity", "Infinity", "\ufffd alone"} <= cells


def test_the_command_tells_them(account):
    out = io.StringIO()
    call_command("history_export", "--format", "ndjson", stdout=out, stderr=io.StringIO())
    assert told(odd_one([strict(line) for line in out.getvalue().splitlines()])) == TOLD


@pytest.mark.parametrize(
    "address",
    [
        "/records/crm.account/{account}/",
        "/records/crm.account/{account}/?print=yes",
        "/records/record/{entry}/",
        "/admin/customer_history/entry/",
        "/admin/customer_history/entry/{entry}/change/",
    ],
)
def test_pages_tell_them(address, reader, user, account):
    user.is_staff = True
    user.save()
    entry = Entry.objects.get(kind="update", entity_model="crm.specimen").id
    answer = reader.get(address.format(account=account.pk, entry=entry))
    assert answer.status_code == 200
    assert "\ufffd alone" in answer.content.decode()


def test_a_mask_inside_of_them_holds(reader, account):
    ConfidentialField.objects.create(model="crm.specimen", field="json.deep.key")
    ConfidentialField.objects.create(model="crm.specimen", field="json.half")
    content = reader.get("/api/history/").content
    deep = next(
        one for one in odd_one(strict(content)["results"])["changes"] if one["field"] == "json.deep"
    )
    assert (deep["new"], deep["new_display"]) == (None, "*****")
    assert "alone" not in content.decode()
