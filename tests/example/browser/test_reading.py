"""Reading the tab in a real browser: from the log-in to the link of one entry."""

import re

import pytest
from playwright.sync_api import expect

from tests.example.browser.conftest import PHONE, assert_chips, entries, is_focused, log_in


class TestPaging:
    def test_load_older_adds_rows(self, visit):
        page = visit()
        before = permalinks(page)
        page.get_by_role("link", name="Load older").click()
        expect(entries(page)).not_to_have_count(50)
        assert permalinks(page)[:50] == before
        assert is_focused(entries(page).nth(50))
        expect(page.get_by_role("status").filter(has_text="Older changes loaded.")).to_have_count(1)
        days = page.locator(".ch-day time").evaluate_all("(all) => all.map((one) => one.dateTime)")
        assert sorted(set(days), reverse=True) == days
        assert page.complaints == []

    def test_cards_have_the_roles_of_a_table(self, visit):
        page = visit(viewport=PHONE)
        page.get_by_role("link", name="Load older").click()
        expect(entries(page)).not_to_have_count(50)
        roles = page.locator(".customer-history :is(table, thead, tbody, tr, th, td)").evaluate_all(
            "(all) => all.map((one) => `${one.localName} ${one.getAttribute('role')}`)"
        )
        assert set(roles) == {
            "table table", "thead rowgroup", "tbody rowgroup", "tr row",
            "th columnheader", "th rowheader", "td cell",
        }  # fmt: skip

    def test_last_page_has_an_end_note(self, visit):
        page = visit()
        while page.get_by_role("link", name="Load older").count():
            shown = entries(page).count()
            page.get_by_role("link", name="Load older").click()
            expect(entries(page)).not_to_have_count(shown)
        expect(page.get_by_text("No older changes.")).to_be_visible()
        expect(entries(page).last).to_contain_text("Customer Created")

    def test_pages_without_a_script(self, visit):
        page = visit(java_script_enabled=False)
        first = permalinks(page)[0]
        page.get_by_role("link", name="Load older").click()
        expect(page.locator(f"[href='{first}']")).to_have_count(0)
        expect(page.get_by_text("No older changes.")).to_be_visible()
        page.get_by_role("link", name="Show newest changes").click()
        expect(page.locator(f"[href='{first}']")).to_have_count(1)
        assert page.complaints == []


def permalinks(page):
    links = page.locator(".ch-entry > tr:first-child > .ch-time a")
    return links.evaluate_all("(all) => all.map((one) => one.getAttribute('href'))")


def deep_link(page):
    """Return the link to an entry that is not on the first page, and its id there."""
    page.get_by_role("link", name="Load older").click()
    expect(entries(page)).not_to_have_count(50)
    link = entries(page).nth(60).locator(".ch-time a").get_attribute("href")
    return link, link.partition("#")[2]


class TestEntry:
    def test_an_edit_is_in_the_first_row(self, visit, first_page):
        page = visit("/log-in", user=None)
        log_in(page, "manager")
        page.goto(f"{first_page.removesuffix('/history')}/edit")
        page.get_by_label("Phone").fill("+1 802 555 0199")
        page.get_by_role("button", name="Save").click()
        page.get_by_role("link", name="History", exact=True).click()
        row = entries(page).first
        expect(row).to_contain_text("+1 802 555 0199")
        expect(row).to_contain_text("manager")
        expect(row).to_contain_text("Web")
        assert page.complaints == []

    def test_link_focuses_its_entry(self, visit, first_page):
        page = visit()
        link, name = deep_link(page)
        page.goto("about:blank")
        page.goto(first_page + link)
        entry = page.locator(f"[id='{name}']")
        expect(entry).to_be_in_viewport()
        assert is_focused(entry)
        expect(entry).to_have_class(re.compile("ch-target"))
        assert page.complaints == []

    def test_link_works_without_a_script(self, visit, first_page):
        link, name = deep_link(visit())
        page = visit(first_page + link, java_script_enabled=False)
        expect(page.locator(f"[id='{name}']")).to_be_in_viewport()
        assert page.complaints == []

    def test_exact_time_shows_on_focus(self, visit):
        page = visit()
        time = entries(page).first.locator(".ch-time a")
        tip = "(link) => getComputedStyle(link, '::after').content"
        assert time.evaluate(tip) == "none"
        time.focus()
        assert re.search("E[SD]T", time.evaluate(tip))

    def test_filters_by_click(self, visit):
        page = visit()
        entries(page).first.locator(".ch-user a").click()
        assert_chips(page, ["User manager"])
        page.locator(".ch-entry th a", has_text="Phone").first.click()
        assert_chips(page, ["User manager", "Field Phone"])
        assert page.complaints == []

    def test_names_the_profiles_time_zone(self, visit, first_page):
        page = visit("/profile", user="clerk")
        page.get_by_label("Time zone").fill("Europe/Berlin")
        page.get_by_role("button", name="Save").click()
        page.goto(first_page)
        expect(page.locator("caption")).to_contain_text("Times are in Europe/Berlin.")
        page.goto("/profile")
        page.get_by_label("Time zone").fill("")
        page.get_by_role("button", name="Save").click()
        page.goto(first_page)
        expect(page.locator("caption")).to_contain_text("Times are in America/New_York.")


class TestContentPolicy:
    def test_page_has_a_strict_policy(self, visit, first_page):
        page = visit()
        headers = page.request.get(first_page).headers
        assert headers["content-security-policy"] == (
            "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none';"
            " object-src 'none'"
        )
        page.get_by_role("link", name="Filter", exact=True).click()
        page.get_by_role("link", name="Load older").click()
        expect(entries(page)).not_to_have_count(50)
        assert page.evaluate("window.violations") == []
        assert page.complaints == []

    def test_violations_are_detected(self, visit):
        page = visit()
        page.evaluate(
            "document.body.append("
            "Object.assign(document.createElement('style'), {textContent: 'b{}'}))"
        )
        page.wait_for_function("window.violations.length")
        assert page.evaluate("window.violations") == ["style-src-elem inline"]


class TestRevealing:
    def test_mask_names_its_permission(self, visit, first_page):
        page = visit(f"{first_page}?field=ssn&kind=update", user="clerk")
        masked = page.locator("summary.ch-masked").first
        expect(masked).to_be_visible()
        masked.click()
        hint = page.locator(".ch-mask-hint").first
        expect(hint).to_be_visible()
        expect(hint).to_contain_text("“Can see the SSN of customer unmasked”")

    @pytest.mark.parametrize("has_script", [True, False])
    def test_reveals_until_the_next_visit(self, visit, revealing_site, first_page, has_script):
        url = f"{first_page}?field=ssn&kind=update"
        page = visit(url, site=revealing_site, java_script_enabled=has_script)
        row = entries(page).first
        expect(row).to_contain_text("***-**-4471")
        reveals = page.locator("#ch-reveal")
        assert reveals.get_attribute("action").startswith(f"{first_page}?")
        page.get_by_role("button", name=re.compile("^Reveal SSN")).first.click()
        expect(entries(page).filter(has_text="900-12-4471")).to_have_count(1)
        page.goto(first_page)
        expect(entries(page).first).to_contain_text("Confidential Values Revealed")
        page.goto(url)
        expect(page.locator("body")).not_to_contain_text("900-12-4471")
        expect(entries(page).first).to_contain_text("***-**-4471")
        assert page.complaints == []

    def test_revealed_entry_has_the_focus(self, visit, revealing_site, first_page):
        page = visit(f"{first_page}?field=ssn&kind=update", site=revealing_site)
        page.get_by_role("button", name=re.compile("^Reveal SSN")).first.click()
        revealed = entries(page).filter(has_text="900-12-4471")
        expect(revealed).to_be_focused()
        expect(page.get_by_role("status").filter(has_text="This was logged.")).to_have_count(1)

    def test_reveals_on_an_older_page(self, visit, revealing_site):
        page = visit(site=revealing_site)
        page.get_by_role("link", name="Load older").click()
        expect(entries(page)).not_to_have_count(50)
        shown = entries(page).count()
        created = entries(page).last
        created.locator("summary").first.click()
        expect(created).to_contain_text("***-**-4417")
        created.get_by_role("button", name=re.compile("^Reveal")).first.click()
        expect(entries(page).last).to_contain_text("900-12-4417")
        expect(entries(page).last).to_be_focused()
        expect(entries(page)).to_have_count(shown)
        assert page.complaints == []
