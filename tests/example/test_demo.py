"""The example project: what somebody sees who runs the demo and opens the History tab."""

import json
import re
from html.parser import HTMLParser
from urllib.error import HTTPError
from urllib.request import ProxyHandler, build_opener

import pytest

from demo.browser import Browser

COLUMNS = [
    "Timestamp",
    "User",
    "Action",
    "Entity",
    "Field",
    "Old value",
    "New value",
    "Source",
    "IP address",
]


class Table(HTMLParser):
    """The first table of a page, with each cell at the place where a reader sees it."""

    def __init__(self, text):
        super().__init__()
        self.cells = {}
        self._row, self._column, self._place = -1, 0, None
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        if tag == "tr":
            self._row, self._column = self._row + 1, 0
        elif tag in {"td", "th"}:
            while (self._row, self._column) in self.cells:
                self._column += 1
            self._place = self._row, self._column
            cell = []
            for row in range(int(dict(attrs).get("rowspan", 1))):
                self.cells[self._row + row, self._column] = cell

    def handle_endtag(self, tag):
        if tag in {"td", "th"}:
            self._place = None

    def handle_data(self, data):
        if self._place:
            self.cells[self._place].append(data)

    def rows(self):
        return [
            [" ".join("".join(self.cells.get((row, column), [])).split()) for column in range(9)]
            for row in range(self._row + 1)
        ]


@pytest.fixture(scope="module")
def manager(second_run):
    return logged_in(second_run.site, "manager")


@pytest.fixture(scope="module")
def clerk(second_run):
    return logged_in(second_run.site, "clerk")


@pytest.fixture(scope="module")
def tab(manager, first_page):
    return Table(manager.open(first_page).text).rows()


def logged_in(site, name):
    browser = Browser(site, address="192.0.2.1")
    browser.log_in(name, "demo")
    return browser


def changes_of(rows, field):
    return [(row[5], row[6]) for row in rows if row[4] == field]


def test_the_tab_has_nine_columns(tab):
    assert tab[0] == COLUMNS


@pytest.mark.parametrize(
    "seen",
    [
        ("manager", "Update", "SSN", "900-12-4417", "900-12-4471", "Web", "203.0.113.9"),
        ("manager", "Payment Applied", "Status", "Overdue", "Paid", "Web", "203.0.113.9"),
        ("manager", "Invoice Generated", "Number", "—", "INV-1001", "Web", "203.0.113.9"),
        ("manager", "Customer Archived", "Archived", "No", "Yes", "Web", "203.0.113.9"),
        ("clerk", "Remove", "Tags", "New install", "—", "Web", "198.51.100.23"),
        ("clerk", "Delete", "Name", "zone-list.txt", "—", "Web", "198.51.100.23"),
        ("admin", "Update", "Contract term", "36 months", "60 months", "Admin", "192.0.2.44"),
        (
            "integration",
            "Update",
            "Monitoring company",
            "Bluewater Monitoring",
            "Northstar Central Station",
            "API",
            "2001:db8::7",
        ),
        ("System", "Invoice Overdue", "Status", "Open", "Overdue", "Workflow", ""),
        ("System", "Workflow Advanced", "Step", "Invoice due", "First reminder", "Workflow", ""),
    ],
    ids=lambda seen: f"{seen[1]} by {seen[0]}",
)
def test_the_tab_tells_who_did_what_from_where(tab, seen):
    assert seen in [(*row[1:3], *row[4:]) for row in tab]


def test_the_tab_of_an_imported_customer_tells_of_the_import(manager):
    customer = manager.open("/customers").link("Granite State Pharmacy")
    rows = Table(manager.open(f"{customer}/history").text).rows()
    assert rows[1][1:4] == ["admin", "Create", "Customer Granite State Pharmacy"]
    assert {row[7] for row in rows[1:]} == {"Import"}


def test_the_manager_sees_confidential_values(manager, first_page):
    rows = Table(manager.open(first_page).text).rows()
    assert ("900-12-4417", "900-12-4471") in changes_of(rows, "SSN")
    assert ("0021458876120", "0021458879034") in changes_of(rows, "Bank account")


def test_the_clerk_sees_masks(clerk, first_page):
    text = clerk.open(first_page).text
    rows = Table(text).rows()
    assert ("***-**-4417", "***-**-4471") in changes_of(rows, "SSN")
    assert ("*****6120", "*****9034") in changes_of(rows, "Bank account")
    assert "900-12-" not in text
    assert "002145887" not in text


def test_the_clerk_sees_masks_over_rest_and_on_the_other_pages(clerk, first_page):
    customer = first_page.removesuffix("/history")
    key = customer.rpartition("/")[2]
    pages = [
        customer,
        f"{customer}/edit",
        f"/api/history/subjects/crm.customer/{key}/",
        f"/api/customers/{key}/",
        f"/admin/crm/customer/{key}/change/",
    ]
    for page in pages:
        text = clerk.open(page).text
        assert "Whitfield" in text
        assert "900-12-" not in text
        assert "002145887" not in text


def test_who_edits_a_customer_finds_it_on_the_tab(clerk, manager):
    customer = clerk.open("/customers").link("Wei-Ling Zhao")
    clerk.submit(f"{customer}/edit", "Save", {"phone": "(978) 555-0199"})
    rows = Table(manager.open(f"{customer}/history").text).rows()
    assert rows[1][1:] == [
        "clerk",
        "Update",
        "Customer Wei-Ling Zhao",
        "Phone",
        "(978) 555-0182",
        "(978) 555-0199",
        "Web",
        "192.0.2.1",
    ]


def test_a_deleted_customer_still_has_a_history(second_run, manager):
    admin = logged_in(second_run.site, "admin")
    customer = admin.open("/customers").link("Samuel Okafor")
    key = customer.rpartition("/")[2]
    admin.submit(f"/admin/crm/customer/{key}/delete/", "Yes, I\u2019m sure")
    rows = Table(manager.open(f"{customer}/history").text).rows()
    assert rows[1][1:4] == ["admin", "Delete", "Customer Samuel Okafor"]


def test_pages_need_a_log_in_and_the_api_a_token(second_run, first_page):
    stranger = Browser(second_run.site, address="192.0.2.1")
    assert "/log-in?next=" in stranger.open(first_page).url
    for path in ("/api/customers/", "/api/history/"):
        with pytest.raises(HTTPError, match="401"):
            stranger.open(path)


def test_the_printed_token_opens_the_api(second_run):
    token = re.search(r"Token (\w+)", second_run.output).group(1)
    opener = build_opener(ProxyHandler({}))
    opener.addheaders = [("Authorization", f"Token {token}")]
    with opener.open(f"{second_run.site}/api/customers/") as response:
        assert json.load(response)["count"] >= 13


def test_pages_have_a_strict_policy_and_nothing_inline(manager, first_page):
    page = manager.open(first_page)
    assert page.headers["Content-Security-Policy"].startswith("default-src 'self';")
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son[a-z]+=", page.text)


def test_a_second_run_keeps_the_data(first_run, second_run):
    (entries,) = re.findall(r"Entries in the log: (\d+)\.", first_run)
    assert int(entries) > 58
    assert "There are customers already; they are kept as they are." in second_run.output
    assert f"Entries in the log: {entries}." in second_run.output
