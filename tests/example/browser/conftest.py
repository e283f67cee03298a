"""One Chromium for all browser tests, and the users who are logged in."""

import os
import shutil
import subprocess
import sys

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect, sync_playwright

from tests.example.conftest import MANAGE, serving
from tests.extras import skip_missing

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")

# Pages can be slow on a busy machine.
expect.set_options(timeout=20_000)

PHONE = {"width": 390, "height": 844}
NARROWEST = {"width": 320, "height": 700}
WIDE = {"width": 1280, "height": 900}

AXE = {"resultTypes": ["violations"], "rules": {"target-size": {"enabled": True}}}
"""All rules of axe, and that of WCAG 2.2 for targets of 24 pixels, which is off by default."""

WATCH = """
    window.violations = [];
    window.shifts = [];
    document.addEventListener("securitypolicyviolation", (event) => {
        window.violations.push(`${event.violatedDirective} ${event.blockedURI}`);
    });
    new PerformanceObserver((list) => {
        for (const one of list.getEntries()) if (!one.hadRecentInput) window.shifts.push(one.value);
    }).observe({ type: "layout-shift", buffered: true });
"""

MAKE = """
from django.contrib.auth.models import Permission, User
from crm.models import Company, Customer, Employee
from django_customer_history import history
intern = User.objects.create_user("intern", password="demo")
intern.user_permissions.add(Permission.objects.get(codename="view_customer"))
Employee.objects.create(user=intern, company_id="lantern")
with history.paused(reason="A customer without a history, for the tests"):
    untouched = Customer.objects.create(
        company_id="lantern", name="Untouched", address="1 Still Street", city="Keene", state="NH",
        postal_code="03431",
    )
print("MADE", untouched.get_history_url())
"""


@pytest.fixture(scope="package")
def chromium():
    is_on_sqlite = os.environ.get("DATABASE_URL", "sqlite").startswith("sqlite")
    if not is_on_sqlite and "TEST_IN_BROWSER" not in os.environ:
        pytest.skip("the demo has a database of its own; the run on SQLite opens it in the browser")
    if CHROMIUM is None:
        skip_missing("no Chromium; name one in the variable CHROMIUM")
    return CHROMIUM


@pytest.fixture(scope="package")
def browser(chromium):
    # Closed after these tests: Playwright runs an event loop, and other tests need their own.
    with sync_playwright() as playwright:
        # Chromium's sandbox does not work for root, which is the user in most containers.
        sandbox = [] if os.geteuid() else ["--no-sandbox"]
        browser = playwright.chromium.launch(executable_path=chromium, args=sandbox)
        yield browser
        browser.close()


@pytest.fixture(scope="package")
def untouched(browser, environment, second_run):
    """The URL of the tab of a customer without entries. An intern may not read any tab."""
    command = [sys.executable, MANAGE, "shell", "-c", MAKE]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.partition("MADE ")[2].strip()


@pytest.fixture(scope="package")
def revealing_site(browser, environment, second_run):
    """The URL of the same demo, with confidential values masked until they are revealed."""
    with serving({**environment, "MASK_UNTIL_REVEALED": "1"}) as served:
        yield served.site


@pytest.fixture(scope="package")
def logged_in(browser, second_run):
    """Return a function that returns the stored log-in of a user."""
    states = {}

    def state_of(user):
        if user not in states:
            context = browser.new_context(base_url=second_run.site)
            log_in(context.new_page(), user)
            states[user] = context.storage_state()
            context.close()
        return states[user]

    return state_of


def log_in(page, user):
    page.goto("/log-in")
    page.get_by_label("Username").fill(user)
    page.get_by_label("Password").fill("demo")
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url("**/customers")


@pytest.fixture
def visit(browser, second_run, logged_in, first_page):
    """Return a function that opens a page, by default the tab, as a user.

    `page.complaints` has the messages and errors of the browser's console.
    """
    contexts = []

    def open_it(path=first_page, *, user="manager", site=second_run.site, **options):
        options = {"viewport": WIDE, "storage_state": user and logged_in(user), **options}
        context = browser.new_context(base_url=site, **options)
        contexts.append(context)
        context.add_init_script(WATCH)
        page = context.new_page()
        page.complaints = []
        page.on("console", lambda message: page.complaints.append(message.text))
        page.on("pageerror", lambda error: page.complaints.append(str(error)))
        page.goto(path)
        return page

    yield open_it
    for context in contexts:
        context.close()


def overflow(page):
    """Return how many pixels a page is wider than its window."""
    root = "document.documentElement"
    return page.evaluate(f"{root}.scrollWidth - {root}.clientWidth")


def violations(page, context=None):
    """Return what axe finds in a page or a part of it: rules and elements."""
    page.evaluate("Promise.all(document.getAnimations().map((one) => one.finished))")
    found = Axe().run(page, context=context, options=AXE).response["violations"]
    return [(one["id"], [node["html"] for node in one["nodes"]][:3]) for one in found]


def entries(page):
    return page.locator(".ch-entry")


def chips(page):
    """Return the visible texts of the chips."""
    return [
        one.evaluate(
            "(chip) => [...chip.querySelectorAll('.ch-chip-title, strong')]"
            ".map((part) => part.textContent.trim()).join(' ')"
        )
        for one in page.locator(".ch-chip").all()
    ]


def assert_chips(page, expected):
    """Wait for a page with as many chips as expected, and compare their texts."""
    expect(page.locator(".ch-chip")).to_have_count(len(expected))
    assert chips(page) == expected


def menu_button(page, title):
    """Return the button of a filter's menu. The preview of an entry can have the same word."""
    return page.locator("summary.ch-button", has_text=title)


def is_focused(locator):
    return locator.evaluate("(element) => element === document.activeElement")
