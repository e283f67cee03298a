"""What people use a history for, with a bound on the clicks that it takes."""

import re
from urllib.parse import urljoin

import pytest
from playwright.sync_api import expect

from tests.example.browser.conftest import assert_chips, chips, entries, menu_button, violations


@pytest.fixture
def clicks(visit, first_page):
    """Return a function that opens the page of the first customer, and counts the clicks."""

    def open_page(**options):
        page = visit(first_page.removesuffix("/history"), **options)
        page.clicks = 0

        def click(locator):
            locator.click()
            page.clicks += 1

        return page, click

    return open_page


def icon(page, label):
    return page.locator(f".ch-field-link[title='History of {label}']").first


class TestDispute:
    def test_who_changed_the_rate_and_when(self, clicks):
        page, click = clicks()
        url = page.url
        click(icon(page, "Monthly rate"))
        dialog = page.get_by_role("dialog", name="History of Monthly rate")
        expect(dialog.get_by_role("img")).to_have_attribute("aria-label", re.compile("Lowest"))
        newest = dialog.locator(".ch-entry").first
        expect(newest.locator(".ch-user")).to_have_text(re.compile("[a-z]+"))
        assert newest.locator("time").get_attribute("datetime")
        assert page.url == url
        assert page.clicks <= 3
        assert violations(page, ".ch-dialog") == []
        page.keyboard.press("Escape")
        expect(icon(page, "Monthly rate")).to_be_focused()
        assert page.complaints == []

    def test_without_a_script(self, clicks):
        page, click = clicks(java_script_enabled=False)
        click(icon(page, "Monthly rate"))
        assert_chips(page, ["Field Monthly rate"])
        expect(page.locator(".ch-chart")).to_be_visible()
        assert page.clicks <= 3


class TestDebugging:
    def test_was_it_wrong_when_entered(self, clicks):
        page, click = clicks()
        click(icon(page, "Phone"))
        dialog = page.get_by_role("dialog", name="History of Phone")
        first = dialog.locator(".ch-entry").last
        expect(first).to_have_class(re.compile("ch-create"))
        click(first.locator("summary").first)
        expect(first.locator("dd").first).to_be_visible()
        assert page.clicks <= 3


class TestPersonnelReview:
    def test_what_one_person_changed(self, clicks):
        page, click = clicks()
        click(page.get_by_role("link", name="History", exact=True))
        click(page.locator(".ch-user a", has_text="clerk").first)
        click(page.get_by_role("link", name="All changes by this user"))
        expect(page.get_by_role("heading", name="Changes by clerk")).to_be_visible()
        assert page.clicks <= 3
        expect(entries(page)).not_to_have_count(0)
        assert violations(page) == []
        users, customers = users_and_subjects(page)
        assert users == {"clerk"}
        assert len(customers) > 1


def users_and_subjects(page):
    """Return what a page and the older ones have: other tests let a user work on one customer."""
    users, subjects = set(), set()
    while True:
        users |= {one.strip() for one in page.locator(".ch-user").all_inner_texts()}
        subjects |= set(page.locator(".ch-subject").all_inner_texts())
        older = page.locator(".ch-load-older")
        if not older.count():
            return users, subjects
        page.goto(urljoin(page.url, older.get_attribute("href")))


class TestComplianceAudit:
    def test_changes_of_rights_in_a_year(self, clicks):
        page, click = clicks(user="auditor")
        click(page.get_by_role("link", name="History", exact=True))
        click(page.get_by_role("rowheader", name="Rights").get_by_role("link").first)
        click(menu_button(page, "Date"))
        click(page.get_by_role("link", name="Last 12 months"))
        expect(page.locator(".ch-chip")).to_have_count(3)  # From, to, field.
        assert page.clicks <= 4
        assert "Field Rights" in chips(page)
        assert [rights_of(entry) for entry in entries(page).all()] == [
            ("System", "Remove", "Manages users", "—"),
            ("manager", "Add", "—", "Manages users"),
            ("manager", "Add", "—", "Orders equipment"),
        ]
        assert violations(page) == []
        assert page.complaints == []


def rights_of(entry):
    """Return the user, the action, and the old and the new value of an entry."""
    names = (".ch-user", ".ch-action > :first-child", ".ch-old", ".ch-new")
    texts = [entry.locator(name).first.text_content() for name in names]
    return tuple(
        " ".join(text.split()).removeprefix("was ").removeprefix("is now ") for text in texts
    )
