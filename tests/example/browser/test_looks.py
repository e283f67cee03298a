"""The look of the tab: sizes, color schemes, large text, right to left, print, motion, colors."""

import re

import pytest
from playwright.sync_api import expect

from tests.example.browser.conftest import NARROWEST, PHONE, WIDE, entries, overflow

TABLET = {"width": 800, "height": 900}
SIZES = {"wide": WIDE, "tablet": TABLET, "phone": PHONE, "narrowest": NARROWEST}


def style(locator, name):
    return locator.evaluate("(element, name) => getComputedStyle(element)[name]", name)


PRINTING = """
    void (window.print = () => {  // The browser's own dialog would wait for a user.
        dispatchEvent(new Event("beforeprint"));
        const tab = document.querySelector(".customer-history");
        window.printed = {
            entries: tab.querySelectorAll(".ch-entry").length,
            closed: tab.querySelectorAll("table details:not([open])").length,
            paper: tab.querySelector(".ch-print-header").textContent,
        };
        dispatchEvent(new Event("afterprint"));
        document.body.classList.add("is-printed");
    });
"""


class TestPrint:
    def test_prints_all_values_open(self, visit, first_page):
        page = visit(f"{first_page}?kind=create")
        values = page.locator(".ch-values dl")
        expect(values.first).to_be_hidden()
        page.emulate_media(media="print")
        assert values.count() > 3
        heights = values.evaluate_all(
            "(all) => all.map((one) => one.getBoundingClientRect().height)"
        )
        assert min(heights) > 0
        expect(page.locator(".ch-print-header")).to_contain_text("Printed by manager")
        expect(page.locator(".ch-print-header")).to_contain_text("America/New_York")
        for hidden in (".ch-toolbar", ".ch-pages", "header.site"):
            assert not any(one.is_visible() for one in page.locator(hidden).all())

    def test_prints_the_whole_history(self, visit):
        page = visit()
        page.evaluate(PRINTING)
        part = page.locator(".ch-partial")
        expect(part).to_have_count(1)
        link = page.get_by_role("link", name="Print")
        link.click()
        expect(page.locator("body")).to_have_class(re.compile("is-printed"))
        expect(link).to_be_focused()
        expect(page.locator(".ch-entry")).to_have_count(50)
        printed = page.evaluate("window.printed")
        assert printed["entries"] > 50
        assert printed["closed"] == 0
        assert "Printed by manager" in printed["paper"]
        assert "Not all changes are shown." not in printed["paper"]
        expect(part).to_have_count(1)
        page.get_by_role("link", name="Load older").click()
        expect(page.locator(".ch-entry")).to_have_count(printed["entries"])
        expect(part).to_have_count(0)
        assert page.complaints == []

    def test_addresses_are_not_broken(self, visit):
        page = visit(viewport={"width": 1031, "height": 728})  # A4 across, without its margins.
        page.emulate_media(media="print")
        lines = page.locator(".ch-ip bdi").evaluate_all(
            "(all) => all.map((one) => one.getClientRects().length)"
        )
        assert set(lines) == {1}

    def test_print_view_without_a_script(self, visit, first_page):
        page = visit(f"{first_page}?kind=create&print=yes", java_script_enabled=False)
        expect(page.locator(".ch-values dl").first).to_be_visible()
        expect(page.locator(".ch-values > details:not([open])")).to_have_count(0)


class TestMotion:
    @pytest.mark.parametrize(
        ("preference", "animation"), [("reduce", "none"), ("no-preference", "")]
    )
    def test_reduced_motion_is_respected(self, visit, preference, animation):
        page = visit(reduced_motion=preference)
        entries(page).nth(2).locator(".ch-time a").click()
        linked = page.locator(".ch-arrived")
        expect(linked).to_have_count(1)
        name = style(linked, "animationName")
        assert name == (animation or "customer-history-arrive")
        durations = page.locator(".customer-history .ch-button").evaluate_all(
            "(all) => [...new Set(all.map((one) => getComputedStyle(one).transitionDuration))]"
        )
        assert durations == ["0s"] if preference == "reduce" else durations != ["0s"]


class TestColors:
    def test_light_and_dark_schemes(self, visit):
        backgrounds = {}
        for scheme in ("light", "dark"):
            page = visit(color_scheme=scheme)
            backgrounds[scheme] = style(page.locator("thead th").first, "backgroundColor")
        assert backgrounds == {"light": "rgb(248, 250, 250)", "dark": "rgb(27, 38, 43)"}

    def test_variable_changes_the_color(self, visit):
        page = visit()
        # The demo sets the color of text in a stylesheet of its own.
        assert style(page.get_by_role("link", name="Load older"), "color") == "rgb(22, 34, 42)"
        page.locator(".customer-history").evaluate(
            "(tab) => tab.style.setProperty('--customer-history-header', 'rgb(1, 2, 3)')"
        )
        assert style(page.locator("thead th").first, "backgroundColor") == "rgb(1, 2, 3)"


class TestLayout:
    @pytest.mark.parametrize("scheme", ["light", "dark"])
    @pytest.mark.parametrize("size", SIZES)
    def test_fits_into_the_window(self, visit, size, scheme):
        page = visit(viewport=SIZES[size], color_scheme=scheme)
        expect(page.locator(".customer-history caption")).to_be_visible()
        assert overflow(page) <= 0
        page.get_by_role("link", name="Filter", exact=True).click()
        page.get_by_text("Date", exact=True).click()
        expect(page.get_by_role("link", name="Last 7 days")).to_be_in_viewport()
        assert overflow(page) <= 0
        assert page.complaints == []

    @pytest.mark.parametrize(
        ("width", "display"), [(1440, "table"), (800, "table"), (740, "block"), (390, "block")]
    )
    def test_table_or_cards(self, visit, width, display):
        page = visit(viewport={"width": width, "height": 900})
        assert style(page.locator(".customer-history table"), "display") == display
        assert overflow(page) <= 0

    def test_address_below_the_source(self, visit):
        page = visit(viewport=TABLET)
        row = entries(page).first
        source = row.locator(".ch-source").bounding_box()
        address = row.locator(".ch-ip").bounding_box()
        assert address["x"] == source["x"]
        assert address["y"] == source["y"] + source["height"]

    @pytest.mark.parametrize("size", SIZES)
    def test_day_and_header_stay_in_view(self, visit, size):
        page = visit(viewport=SIZES[size])
        days = page.locator(".ch-day th")
        # The page is scrolled into the changes of the second day.
        second = days.nth(1).bounding_box()["y"]
        page.evaluate("(top) => scrollTo(0, top)", second + 20)
        header = page.locator(".customer-history thead").bounding_box()
        is_table = style(page.locator(".customer-history table"), "display") == "table"
        top = days.nth(1).bounding_box()["y"]
        if is_table:
            assert abs(header["y"]) <= 1
            assert abs(top - header["height"]) <= 1
        else:
            assert abs(top) <= 1
        assert style(days.nth(1), "backgroundColor") != "rgba(0, 0, 0, 0)"

    @pytest.mark.parametrize("size", SIZES)
    def test_linked_change_is_not_covered(self, visit, size):
        page = visit(viewport=SIZES[size])
        entries(page).nth(6).locator(".ch-time a").click()
        row = page.locator("#ch-entry")
        expect(row).to_be_focused()
        covers = page.locator(".ch-day th").evaluate_all(
            """(all) => all.map((one) => one.getBoundingClientRect())
                .filter((one) => one.top < 60).map((one) => one.bottom)"""
        )
        assert row.bounding_box()["y"] >= max([0, *covers]) - 1

    @pytest.mark.parametrize("size", SIZES)
    def test_large_text_is_not_clipped(self, visit, size):
        page = visit(viewport=SIZES[size])
        page.evaluate("document.documentElement.style.fontSize = '200%'")
        assert overflow(page) <= 0
        clipped = """(rows) => rows
        .flatMap((row) => [...row.querySelectorAll(":scope td, :scope th")])
        .filter((cell) => cell.getClientRects().length && cell.scrollWidth > cell.clientWidth + 1)
        .filter((cell) => getComputedStyle(cell).overflowX !== "visible").length"""
        assert entries(page).evaluate_all(clipped) == 0

    @pytest.mark.parametrize("size", SIZES)
    def test_right_to_left_is_mirrored(self, visit, second_run, size, first_page):
        page = visit(viewport=SIZES[size])
        language = {"name": "django_language", "value": "ar", "url": second_run.site}
        page.context.add_cookies([language])
        page.goto(f"{first_page}?filter=open")
        expect(page.locator("html[dir=rtl][lang=ar]")).to_be_attached()
        assert overflow(page) <= 0
        assert style(page.locator(".customer-history caption"), "direction") == "rtl"
        box = page.locator(".ch-action > :first-child").first.bounding_box()
        assert box["x"] + box["width"] / 2 > page.viewport_size["width"] / 2
        assert page.complaints == []

    def test_stable_while_changes_load(self, visit):
        page = visit()
        page.wait_for_load_state("networkidle")
        page.get_by_role("link", name="Load older").click()
        expect(entries(page)).not_to_have_count(50)
        assert sum(page.evaluate("window.shifts")) < 0.1
