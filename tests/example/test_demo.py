"""The example project: the History tab of the demo."""

import json
import re
from urllib.error import HTTPError
from urllib.request import ProxyHandler, build_opener

import pytest

from demo.browser import Browser
from tests.example.reading import Change, read_changes, read_columns, whole_history

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


@pytest.fixture(scope="module")
def tab(manager, first_page):
    return whole_history(manager, first_page)


def values_of(changes, field):
    return [(change.old, change.new) for change in changes if change.field == field]


class TestMasks:
    def test_manager_sees_only_the_ssn(self, manager, first_page):
        changes = whole_history(manager, first_page)
        assert ("900-12-4417", "900-12-4471") in values_of(changes, "SSN")
        assert ("*****6120", "*****9034") in values_of(changes, "Bank account")

    def test_the_clerk_sees_masks(self, clerk, first_page):
        changes = whole_history(clerk, first_page)
        assert ("***-**-4417", "***-**-4471") in values_of(changes, "SSN")
        assert ("*****6120", "*****9034") in values_of(changes, "Bank account")

    def test_masks_in_rest_and_other_pages(self, clerk, first_page):
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


class TestLogIn:
    def test_pages_and_api_need_a_log_in(self, second_run, first_page):
        stranger = Browser(second_run.site, ip_address="192.0.2.1")
        assert "/log-in?next=" in stranger.open(first_page).url
        for path in ("/api/customers/", "/api/history/"):
            with pytest.raises(HTTPError, match="401"):
                stranger.open(path)

    def test_printed_token_opens_the_api(self, second_run):
        token = re.search(r"Token (\w+)", second_run.output).group(1)
        opener = build_opener(ProxyHandler({}))
        opener.addheaders = [("Authorization", f"Token {token}")]
        with opener.open(f"{second_run.site}/api/customers/") as response:
            assert json.load(response)["count"] >= 13


class TestTab:
    def test_the_tab_has_nine_columns(self, manager, first_page):
        assert read_columns(manager.open(first_page)) == COLUMNS

    @pytest.mark.parametrize(
        "seen",
        [
            ("manager", "Update", "SSN", "900-12-4417", "900-12-4471", "Web", "203.0.113.9"),
            ("manager", "Payment Applied", "Status", "Overdue", "Paid", "Web", "203.0.113.9"),
            ("manager", "Invoice Generated", "Number", "—", "INV-1001", "Web", "203.0.113.9"),
            ("manager", "Customer Archived", "Archived", "No", "Yes", "Web", "203.0.113.9"),
            ("clerk", "Tag Removed", "Tags", "New install", "—", "Web", "198.51.100.23"),
            ("clerk", "File Deleted", "Name", "zone-list.txt", "—", "Web", "198.51.100.23"),
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
            ("System", "Workflow Enrolled", "Step", "—", "First reminder", "Workflow", ""),
        ],
        ids=lambda seen: f"{seen[1]} by {seen[0]}",
    )
    def test_shows_every_column(self, tab, seen):
        assert seen in [
            (
                change.user,
                change.action,
                change.field,
                change.old,
                change.new,
                change.source,
                change.ip_address,
            )
            for change in tab
        ]

    def test_shows_an_import(self, manager):
        customer = manager.open("/lantern/customers").link("Granite State Pharmacy")
        changes = whole_history(manager, f"{customer}/history")
        assert changes[-1].without_ip_address()[:3] == (
            "admin",
            "Customer Created",
            "Customer",
        )
        assert changes[-1].source == "Import"

    def test_an_edit_is_the_newest_change(self, clerk, manager):
        customer = clerk.open("/lantern/customers").link("Wei-Ling Zhao")
        clerk.submit(f"{customer}/edit", "Save", {"phone": "(978) 555-0199"})
        newest = read_changes(manager.open(f"{customer}/history"))[0]
        assert newest == Change(
            user="clerk",
            action="Update",
            entity="Customer",
            field="Phone",
            old="(978) 555-0182",
            new="(978) 555-0199",
            source="Web",
            ip_address="192.0.2.1",
        )

    def test_history_of_a_deleted_customer(self, people, manager):
        admin = people("admin")
        customer = admin.open("/lantern/customers").link("Samuel Okafor")
        key = customer.rpartition("/")[2]
        admin.submit(f"/admin/crm/customer/{key}/delete/", "Yes, I\u2019m sure")
        page = manager.open(f"{customer}/history")
        assert "<h1>Samuel Okafor</h1>" in page.text
        newest = read_changes(page)[0]
        assert newest.without_ip_address()[:3] == ("admin", "Delete", "Customer")
        with pytest.raises(HTTPError, match="404"):
            people("outsider").open(f"{customer}/history".replace("/lantern/", "/harbor/"))

    def test_has_a_strict_content_policy(self, manager, first_page):
        page = manager.open(first_page)
        assert page.headers["Content-Security-Policy"].startswith("default-src 'self';")
        assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son[a-z]+=", page.text)


class TestSecondRun:
    def test_second_run_keeps_the_data(self, first_run, second_run):
        (entries,) = re.findall(r"Entries in the log: (\d+)\.", first_run)
        assert int(entries) > 58
        assert "The database has customers already. Nothing was added." in second_run.output
        assert f"Entries in the log: {entries}." in second_run.output
