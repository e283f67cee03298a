"""The pages of the demo in German, whose words are long, and the menu of languages."""

import os
import runpy
import subprocess
import sys

import pytest
from PIL import Image
from playwright.sync_api import expect

from tests.documents import DOCS
from tests.example.browser.conftest import NARROWEST, PHONE, WIDE, overflow, violations

DESKTOP = {"width": 1440, "height": 900}
PATHS = (
    "",
    "/edit",
    "/notes",
    "/tickets",
    "/equipment",
    "/invoices",
    "/invoices/new",
    "/invoices/1",
    "/work-orders/1",
    "/e-documents",
    "/portal-contacts",
    "/history",
)


def columns_that_overlap(page):
    """Return the terms of lists whose text reaches into the value beside them."""
    return page.evaluate(
        "() => [...document.querySelectorAll('main dt')]"
        ".filter((term) => term.scrollWidth > term.clientWidth + 1)"
        ".map((term) => term.textContent)"
    )


class TestGerman:
    @pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
    def test_pages_of_a_customer_fit(self, visit, first_page, size):
        customer = first_page.removesuffix("/history")
        page = visit(customer, viewport=size, locale="de-DE")
        for path in PATHS:
            page.goto(f"{customer}{path}")
            expect(page.locator("html[lang=de]")).to_be_attached()
            assert (path, overflow(page)) == (path, 0)
            assert columns_that_overlap(page) == []
        assert page.complaints == []

    @pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
    @pytest.mark.parametrize("scheme", ["light", "dark"])
    def test_other_pages_fit(self, visit, size, scheme):
        page = visit("/log-in", user=None, viewport=size, locale="de-DE", color_scheme=scheme)
        assert overflow(page) == 0
        assert violations(page) == []
        page = visit("/lantern/customers", viewport=size, locale="de-DE", color_scheme=scheme)
        for path in ("/lantern/customers", "/lantern/fields", "/lantern/jobs", "/profile"):
            page.goto(path)
            assert (path, overflow(page)) == (path, 0)
            assert violations(page) == []
        assert page.complaints == []


class TestMenu:
    @pytest.mark.parametrize("size", [WIDE, PHONE, NARROWEST], ids=["wide", "phone", "narrowest"])
    def test_menu_is_used_with_the_keyboard(self, visit, first_page, size):
        page = visit(f"{first_page}?kind=update", viewport=size)
        page.get_by_text("Language: English").press("Enter")
        spanish = page.get_by_role("button", name="Español")
        expect(spanish).to_be_in_viewport(ratio=1)
        expect(page.get_by_role("button", name="English")).to_have_attribute("aria-current", "true")
        assert violations(page, "header") == []
        assert overflow(page) == 0
        spanish.press("Enter")
        expect(page.locator("html[lang=es]")).to_be_attached()
        assert page.url.endswith(f"{first_page}?kind=update")
        expect(page.get_by_role("heading", name="Eleanor Whitfield")).to_be_visible()
        assert page.complaints == []

    def test_menu_is_right_to_left(self, visit, first_page):
        page = visit(first_page, viewport=PHONE, locale="ar")
        page.locator(".languages summary").click()
        expect(page.get_by_role("button", name="Deutsch")).to_be_in_viewport(ratio=1)
        assert overflow(page) == 0


class TestPackagePages:
    def test_own_changes_have_the_layout(self, visit):
        page = visit("/profile")
        page.get_by_role("link", name="History").click()
        expect(page.get_by_role("heading", name="Changes by manager")).to_be_visible()
        expect(page.get_by_role("link", name="Customers")).to_be_visible()
        expect(page.get_by_role("button", name="Log out")).to_be_visible()
        assert violations(page) == []


SCRIPT = DOCS / "screenshots.py"


class TestPictures:
    def test_script_takes_all_pictures(self):
        taken = sorted(picture.name for picture in runpy.run_path(str(SCRIPT))["PICTURES"])
        assert taken == sorted(path.stem for path in (DOCS / "images").glob("*.png"))

    def test_script_takes_a_picture(self, browser, chromium, second_run, first_page, tmp_path):
        command = [
            sys.executable, SCRIPT, "--site", second_run.site, "--chromium", chromium,
            "--customer", first_page.removesuffix("/history"), "--images", tmp_path,
            "--only", "undo-preview",
        ]  # fmt: skip
        if os.geteuid() == 0:
            command.append("--browser-option=--no-sandbox")
        subprocess.run(command, check=True, capture_output=True)
        (path,) = tmp_path.iterdir()
        assert path.name == "undo-preview.png"
        assert 5_000 < path.stat().st_size < 150_000
        with Image.open(path) as picture:
            assert picture.size == (1920, 840)
