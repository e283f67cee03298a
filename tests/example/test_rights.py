"""What each user of the demo sees on the tab, over REST and in exports, within the company."""

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
def urls(manager, first_page):
    """The URLs of one customer and its history, by the name of the view."""
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


def text_at(browser, url):
    """Return the text at a URL, of all its pages."""
    page = browser.open(url)
    texts = [page.text]
    while "Load older" in page.links:
        page = browser.open(page.link("Load older"))
        texts.append(page.text)
    return "\n".join(texts)


class TestUsers:
    @pytest.mark.parametrize("view", ["tab", "REST", "viewset", "details"])
    @pytest.mark.parametrize("user", SEEN)
    def test_see_what_permissions_allow(self, people, urls, user, view):
        text = text_at(people(user), urls[view])
        assert {value for value in EVERYTHING if value in text} == SEEN[user]

    def test_auditor_exports_everything(self, people, urls):
        rows = list(csv.DictReader(StringIO(people("auditor").open(urls["export"]).text)))
        new_values = {row["field"]: row["new_value"] for row in reversed(rows)}
        assert (new_values["SSN"], new_values["Bank account"]) == (SSN, ACCOUNT)

    @pytest.mark.parametrize("name", ["clerk", "manager"])
    def test_others_cannot_export(self, people, urls, name):
        with pytest.raises(HTTPError, match="403"):
            people(name).open(urls["export"])

    def test_the_auditor_cannot_edit(self, people, urls):
        auditor = people("auditor")
        details = auditor.open(urls["details"])
        assert not {"Archive", "Add"} & {
            button for form in details.forms for button in form.buttons
        }
        for page in ("edit", "invoices/new"):
            with pytest.raises(HTTPError, match="403"):
                auditor.open(f"{urls['details']}/{page}")


class TestOtherCompany:
    @pytest.mark.parametrize("view", ["tab", "REST", "viewset", "export", "record", "details"])
    def test_customer_does_not_exist(self, people, urls, view):
        with pytest.raises(HTTPError, match="404"):
            people("outsider").open(urls[view])

    def test_own_urls_lack_the_customer(self, people, first_page):
        for path in (first_page, first_page.removesuffix("/history")):
            with pytest.raises(HTTPError, match="404"):
                people("outsider").open(path.replace("/lantern/", "/harbor/"))

    @pytest.mark.parametrize("kind", ["notes", "tickets", "billing-methods", "files", "portal"])
    def test_pages_of_records_are_missing(self, people, urls, kind):
        with pytest.raises(HTTPError, match="404"):
            people("outsider").open(f"{urls['details']}/{kind}")

    def test_list_has_own_records_only(self, people):
        seen = json.loads(people("outsider").open("/api/history/?limit=200").text)["results"]
        assert {entry["subject"]["label"] for entry in seen} == {"Tidewater Marina"}

    def test_admin_has_no_other_customers(self, people, urls):
        outsider = people("outsider")
        assert "Whitfield" not in outsider.open("/admin/crm/customer/").text
        key = urls["details"].rpartition("/")[2]
        redirected = outsider.open(f"/admin/crm/customer/{key}/change/")
        assert urlsplit(redirected.url).path == "/admin/"


class TestConfidential:
    def test_mark_masks_a_custom_field(self, people, urls):
        admin, clerk, auditor = people("admin"), people("clerk"), people("auditor")
        admin.submit("/lantern/fields", "Add field", {"name": "Spare key", "key": "spare_key"})
        admin.submit(f"{urls['details']}/edit", "Save", {"udf_spare_key": "under the third pot"})
        for view in ("tab", "details"):
            assert "under the third pot" in clerk.open(urls[view]).text
        mark = {
            "model": "crm.customer",
            "field": "udf.spare_key",
            "label": "Spare key",
            "mask": "full",
        }
        admin.submit("/admin/customer_history/confidentialfield/add/", "Save", mark)
        for view in ("tab", "details", "viewset", "record"):
            assert "under the third pot" not in clerk.open(urls[view]).text
        for view in ("tab", "details", "viewset", "record", "export"):
            assert "under the third pot" in auditor.open(urls[view]).text

    def test_passwords_are_never_shown(self, people, urls):
        admin = people("admin")
        values = {"username": "eleanor.w", "password": "correct-horse"}
        admin.submit(f"{urls['details']}/portal", "Create log-in", values)
        for view in ("tab", "viewset", "export"):
            text = admin.open(urls[view]).text
            assert "Portal Log-in Created" in text
            assert "correct-horse" not in text
            assert "pbkdf2" not in text
