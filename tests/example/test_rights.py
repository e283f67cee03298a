"""Who may see what in the demo: at the tab, over REST and in exports, each within the company."""

import csv
import json
from io import StringIO
from urllib.error import HTTPError
from urllib.parse import urlsplit

import pytest

SSN, ACCOUNT, CARD = "900-12-4471", "0021458879034", "4111 1111 1111 1111"
MASKED_SSN, MASKED_ACCOUNT, MASKED_CARD = "***-**-4471", "*****9034", "**** **** **** 1111"

SEEN = {
    "clerk": {MASKED_SSN, MASKED_ACCOUNT, MASKED_CARD},
    "manager": {SSN, MASKED_ACCOUNT, MASKED_CARD},
    "auditor": {SSN, ACCOUNT, CARD},
}
EVERYTHING = {SSN, ACCOUNT, CARD, MASKED_SSN, MASKED_ACCOUNT, MASKED_CARD}


@pytest.fixture(scope="module")
def addresses(manager, first_page):
    """The doors to the history of one customer."""
    key = first_page.split("/")[3]
    subject = f"/api/history/subjects/crm.customer/{key}"
    return {
        "tab": first_page,
        "REST": f"{subject}/?limit=200&field=ssn&field=bank_account&field=card_number",
        "viewset": f"/api/customers/{key}/history/?limit=200",
        "export": f"{subject}/export/?format=csv",
        "record": f"/api/customers/{key}/",
        "details": first_page.removesuffix("/history"),
    }


def text_at(browser, address):
    """Return what a door shows, on all of its pages."""
    page = browser.open(address)
    texts = [page.text]
    while "Load older" in page.links:
        page = browser.open(page.link("Load older"))
        texts.append(page.text)
    return "\n".join(texts)


@pytest.mark.parametrize("door", ["tab", "REST", "viewset", "details"])
@pytest.mark.parametrize("name", SEEN)
def test_everybody_sees_what_the_rights_say(people, addresses, name, door):
    text = text_at(people(name), addresses[door])
    assert {value for value in EVERYTHING if value in text} == SEEN[name]


def test_the_auditor_exports_everything(people, addresses):
    rows = list(csv.DictReader(StringIO(people("auditor").open(addresses["export"]).text)))
    new_values = {row["field"]: row["new_value"] for row in reversed(rows)}
    assert (new_values["SSN"], new_values["Bank account"]) == (SSN, ACCOUNT)


@pytest.mark.parametrize("name", ["clerk", "manager"])
def test_others_export_nothing(people, addresses, name):
    with pytest.raises(HTTPError, match="403"):
        people(name).open(addresses["export"])


def test_the_auditor_edits_nothing(people, addresses):
    auditor = people("auditor")
    details = auditor.open(addresses["details"])
    assert not {"Archive", "Add"} & {button for form in details.forms for button in form.buttons}
    for page in ("edit", "invoices/new"):
        with pytest.raises(HTTPError, match="403"):
            auditor.open(f"{addresses['details']}/{page}")


@pytest.mark.parametrize("door", ["tab", "REST", "viewset", "export", "record", "details"])
def test_for_another_company_the_customer_does_not_exist(people, addresses, door):
    with pytest.raises(HTTPError, match="404"):
        people("outsider").open(addresses[door])


def test_for_another_company_the_customer_is_not_below_its_own_address_either(people, first_page):
    for path in (first_page, first_page.removesuffix("/history")):
        with pytest.raises(HTTPError, match="404"):
            people("outsider").open(path.replace("/lantern/", "/harbor/"))


@pytest.mark.parametrize("kind", ["notes", "tickets", "billing-methods", "files", "portal"])
def test_no_page_of_a_customer_is_there_for_another_company(people, addresses, kind):
    with pytest.raises(HTTPError, match="404"):
        people("outsider").open(f"{addresses['details']}/{kind}")


def test_the_list_over_all_records_stops_at_the_company(people):
    seen = json.loads(people("outsider").open("/api/history/?limit=200").text)["results"]
    assert {entry["subject"]["label"] for entry in seen} == {"Tidewater Marina"}


def test_the_admin_of_another_company_has_none_of_the_customers(people, addresses):
    outsider = people("outsider")
    assert "Whitfield" not in outsider.open("/admin/crm/customer/").text
    key = addresses["details"].rpartition("/")[2]
    moved_on = outsider.open(f"/admin/crm/customer/{key}/change/")
    assert urlsplit(moved_on.url).path == "/admin/"


def test_a_field_of_the_companys_own_is_masked_once_an_admin_marks_it(people, addresses):
    admin, clerk, auditor = people("admin"), people("clerk"), people("auditor")
    admin.submit("/lantern/fields", "Add field", {"name": "Spare key", "key": "spare_key"})
    admin.submit(f"{addresses['details']}/edit", "Save", {"udf_spare_key": "under the third pot"})
    for door in ("tab", "details"):
        assert "under the third pot" in clerk.open(addresses[door]).text
    mark = {"model": "crm.customer", "field": "udf.spare_key", "label": "Spare key", "mask": "full"}
    admin.submit("/admin/customer_history/confidentialfield/add/", "Save", mark)
    for door in ("tab", "details", "viewset", "record"):
        assert "under the third pot" not in clerk.open(addresses[door]).text
    for door in ("tab", "details", "viewset", "record", "export"):
        assert "under the third pot" in auditor.open(addresses[door]).text


def test_a_password_is_in_no_door_and_neither_is_its_hash(people, addresses):
    admin = people("admin")
    values = {"username": "eleanor.w", "password": "correct-horse"}
    admin.submit(f"{addresses['details']}/portal", "Create log-in", values)
    for door in ("tab", "viewset", "export"):
        text = admin.open(addresses[door]).text
        assert "Portal Log-in Created" in text
        assert "correct-horse" not in text
        assert "pbkdf2" not in text
