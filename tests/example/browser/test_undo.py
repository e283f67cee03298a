"""Undo in a browser: from the tab to the preview, the reason, and the result."""

import pytest
from playwright.sync_api import expect

from tests.example.browser.conftest import NARROWEST, PHONE, entries, overflow, violations


@pytest.fixture
def preview(visit, first_page):
    """Open the preview of the newest edit of a customer's address."""

    def open_it(**options):
        page = visit(f"{first_page.replace('/history', '/edit')}", **options)
        address = page.get_by_label("Address")
        page.former_address = address.input_value()
        address.fill(f"{page.former_address} B")
        page.get_by_role("button", name="Save").click()
        page.goto(first_page)
        newest = entries(page).first
        # Edits of other tests within minutes are one line with this one.
        if newest.locator(".ch-run").count():
            newest.locator(".ch-run summary").click()
        newest.get_by_role("link", name="Undo this change").first.click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Undo this change")
        return page

    return open_it


class TestUndo:
    def test_from_preview_to_result(self, preview, first_page):
        page = preview()
        row = page.get_by_role("row", name="Address")
        expect(row.get_by_role("cell").last).to_have_text(page.former_address)
        page.get_by_label("Reason").fill("typed twice")
        page.get_by_role("button", name="Undo").click()
        expect(page.get_by_role("status")).to_contain_text("Done. 1 change was written.")
        page.get_by_role("link", name="Back to history").click()
        first = entries(page).first
        page.goto(first_page)
        expect(first).to_contain_text("Undo")
        expect(first).to_contain_text("typed twice")
        # The page of the package has no icon of its own.
        assert [one for one in page.complaints if "404" not in one] == []
        assert page.evaluate("window.violations") == []

    def test_reason_is_required(self, preview):
        page = preview(java_script_enabled=False)
        page.get_by_role("button", name="Undo").click()
        # The browser refuses the form: the page is still the preview.
        expect(page.get_by_role("heading", name="What will be written")).to_be_visible()

    @pytest.mark.parametrize("size", [PHONE, NARROWEST], ids=["phone", "narrowest"])
    @pytest.mark.parametrize("scheme", ["light", "dark"])
    def test_fits_and_is_accessible(self, preview, size, scheme):
        page = preview(viewport=size, color_scheme=scheme)
        assert overflow(page) == 0
        assert violations(page, ".customer-history") == []
