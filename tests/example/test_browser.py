"""The History tab of the demo in a real browser: what people see, and what a script would not."""

import os
import shutil

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect, sync_playwright

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")

pytestmark = [
    pytest.mark.skipif(
        CHROMIUM is None, reason="no Chromium was found; name one in the variable CHROMIUM"
    ),
    pytest.mark.skipif(
        not os.environ.get("DATABASE_URL", "sqlite").startswith("sqlite"),
        reason="the demo has a database of its own; the run on SQLite opens it in the browser",
    ),
]

SIZES = {"wide": (1280, 900), "phone": (390, 844), "narrowest": (320, 700)}


@pytest.fixture(scope="module")
def browser(second_run):
    with sync_playwright() as playwright:
        # Root, as in most containers, cannot have Chromium's sandbox.
        sandbox = [] if os.geteuid() else ["--no-sandbox"]
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=sandbox)
        yield browser
        browser.close()


@pytest.fixture
def open_tab(browser, second_run, first_page):
    """Return a function that logs somebody in and opens the tab, with all that went wrong."""
    contexts = []

    def open_it(user="manager", **options):
        context = browser.new_context(base_url=second_run.site, **options)
        contexts.append(context)
        page = context.new_page()
        page.complaints = []
        page.on("console", lambda message: page.complaints.append(message.text))
        page.on("pageerror", lambda error: page.complaints.append(str(error)))
        page.goto("/log-in")
        page.fill("input[name=username]", user)
        page.fill("input[name=password]", "demo")
        page.click("main form button")
        page.wait_for_url("**/customers")
        page.goto(first_page)
        return page

    yield open_it
    for context in contexts:
        context.close()


def test_a_change_made_with_the_form_is_the_first_row_of_the_tab(open_tab, first_page):
    page = open_tab()
    customer = first_page.removesuffix("/history")
    page.goto(f"{customer}/edit")
    page.fill("input[name=phone]", "+1 802 555 0199")
    page.get_by_role("button", name="Save").click()
    page.goto(first_page)
    row = page.locator(".customer-history tbody").first
    expect(row).to_contain_text("+1 802 555 0199")
    expect(row).to_contain_text("manager")
    expect(row).to_contain_text("Web")
    assert page.complaints == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
def test_every_size_and_scheme_is_readable_and_accessible(open_tab, size, scheme):
    width, height = SIZES[size]
    page = open_tab(viewport={"width": width, "height": height}, color_scheme=scheme)
    expect(page.locator(".customer-history caption")).to_be_visible()
    overflow = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert page.evaluate(overflow) <= 0
    found = Axe().run(page, context=".customer-history").response["violations"]
    assert [(one["id"], len(one["nodes"])) for one in found] == []
    assert page.complaints == []


def test_the_tab_works_without_a_script_and_opens_at_a_linked_entry(open_tab, first_page):
    page = open_tab(java_script_enabled=False)
    link = page.locator(".customer-history tbody td a").nth(2).get_attribute("href")
    page.goto(first_page + link)
    expect(page.locator(f"[id='{link[1:]}']")).to_be_in_viewport()
    assert page.complaints == []


def test_a_clerk_sees_masks_and_what_would_lift_them(open_tab):
    page = open_tab("clerk")
    masked = page.locator(".customer-history-masked").first
    expect(masked).to_be_visible()
    assert "crm.view_confidential_customer_" in masked.get_attribute("title")
