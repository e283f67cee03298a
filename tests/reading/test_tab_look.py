"""The stylesheet in a real browser: the project's colors apply, and cards are still a table."""

import os
import shutil
from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright

import django_customer_history
from tests.extras import MISSING

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        CHROMIUM is None, reason=f"{MISSING}no Chromium; name one in the variable CHROMIUM"
    ),
]

PACKAGE = Path(django_customer_history.__file__).parent
SHEET = (PACKAGE / "static/customer_history/history.css").read_text(encoding="utf-8")
TAB = '<section class="customer-history"><a href="#">a link</a></section>'
TABLE = """
<section class="customer-history">
<table><tbody class="ch-entry"><tr><th scope="row">Rate<td class="ch-new">39.99</tbody></table>
</section>
"""


RECORD = """
<section class="customer-history"><table role="table" class="ch-record">
<thead><tr><th scope="col">Field</th>
<th scope="col">Before</th><th scope="col">After</th></tr></thead>
<tbody><tr><th scope="row">Rate</th><td>39.99</td><td>44.99</td></tr>
<tr><th scope="row">Status</th><td>Open</td><td>Closed</td></tr></tbody></table></section>
"""


@pytest.fixture
def page():
    with sync_playwright() as playwright:
        # Chromium's sandbox does not work for root, which is the user in most containers.
        sandbox = [] if os.geteuid() else ["--no-sandbox"]
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=sandbox)
        yield browser.new_page(viewport={"width": 390, "height": 600})
        browser.close()


class TestStylesheet:
    @pytest.mark.parametrize("sheets", ["{own}{packages}", "{packages}{own}"])
    def test_project_overrides_a_variable(self, page, sheets):
        own = "<style>.customer-history { --customer-history-accent: rgb(1, 2, 3) }</style>"
        page.set_content(sheets.format(own=own, packages=f"<style>{SHEET}</style>") + TAB)
        assert page.locator("a").evaluate("link => getComputedStyle(link).color") == "rgb(1, 2, 3)"


class TestNarrowTables:
    def test_cards_are_rows_and_cells(self, page):
        page.set_content(f"<style>{SHEET}</style>{TABLE}")
        assert page.locator("table").evaluate("table => getComputedStyle(table).display") == "block"
        row = page.get_by_role("table").get_by_role("row")
        assert row.get_by_role("rowheader").text_content() == "Rate"
        assert row.get_by_role("cell").text_content() == "39.99"

    def test_a_record_on_a_phone(self, page):
        page.set_content(f"<style>{SHEET}</style>{RECORD}")
        places = {
            name: page.get_by_text(name, exact=True).bounding_box()
            for name in ("Before", "Rate", "39.99", "44.99", "Status")
        }
        assert places["Rate"]["y"] < places["39.99"]["y"] < places["Status"]["y"]
        assert places["39.99"]["y"] == places["44.99"]["y"]
        assert places["39.99"]["x"] == places["Before"]["x"] < places["44.99"]["x"]
        assert page.get_by_text("Field", exact=True).is_hidden()
