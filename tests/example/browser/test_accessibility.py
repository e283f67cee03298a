"""axe on every state of the tab and of the package's pages, light and dark.

On pages of Django's admin it checks the part of the package, elsewhere the whole page.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from playwright.sync_api import expect

from tests.example.browser.conftest import PHONE, WIDE, entries, menu_button, violations

OPEN_ALL = """
    for (const one of document.querySelectorAll(".ch-entry details")) one.open = true
"""
CRAMPED = """
    const style = "padding:0;font-size:8px;line-height:8px;min-height:0;border:0";
    for (const textContent of ["a", "b"]) {
        const button = Object.assign(document.createElement("button"), { textContent });
        button.style.cssText = style;
        document.querySelector(".ch-toolbar").append(button);
    }
"""
OURS = {"include": [[".customer-history"]]}
OURS_WITH_DATES = {"include": [[".customer-history"], [".ch-calendar"]]}


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """A page in one state."""

    path: str
    """`{tab}`, `{key}`, `{untouched}` and `{entry}` are filled in."""
    shows: str
    """A text that only this state has."""
    user: str = "manager"
    act: Callable = lambda page: None
    part: dict | None = None
    """The part to check; None for the whole page."""
    is_revealing: bool = False


def menu(title):
    return lambda page: menu_button(page, title).click()


def open_all(page):
    page.evaluate(OPEN_ALL)


def reveal(page):
    page.get_by_role("button", name=re.compile("^Reveal SSN")).first.click()
    expect(entries(page).filter(has_text="900-12-4471")).to_have_count(1)


STATES = {
    "the tab": State(path="{tab}", shows="Changes, newest first"),
    "filters": State(path="{tab}?filter=open&kind=delete", shows="Apply"),
    "a menu": State(path="{tab}?kind=delete", shows="Apply", act=menu("Action")),
    "dates": State(path="{tab}?kind=delete", shows="Last 7 days", act=menu("Date")),
    "chips": State(path="{tab}?source=web&field=ssn&-user=system&from=2020-01-01", shows="is not"),
    "opened groups": State(
        path="{tab}?kind=create&user=admin&user=clerk", shows="values", act=open_all
    ),
    "deleted": State(path="{tab}?kind=delete", shows="zone-list.txt", act=open_all),
    "nothing matches": State(path="{tab}?q=zebra-in-the-attic", shows="No changes match"),
    "nothing yet": State(path="{untouched}", shows="No changes yet."),
    "wrong filter": State(path="{tab}?acton=x", shows="These filters are not valid"),
    "foreign cursor": State(path="{tab}?before=x", shows="not valid here"),
    "unknown entry": State(
        path="{tab}?entry=0190f6ab-0000-7000-8000-000000000000", shows="Change not found."
    ),
    "no permission": State(
        path="{tab}", shows="You do not have permission to view this history.", user="intern"
    ),
    "masked": State(path="{tab}?field=ssn", shows="***-**-4471", user="clerk", act=open_all),
    "to be revealed": State(path="{tab}?field=ssn", shows="Reveal", is_revealing=True),
    "revealed": State(path="{tab}?field=ssn", shows="900-12-4471", act=reveal, is_revealing=True),
    "CSV": State(
        path="{tab}?field=ssn", shows="Download these changes", user="auditor", act=menu("CSV")
    ),
    "linked entry": State(path="{tab}?entry={entry}#ch-entry", shows="Show newest changes"),
    "for paper": State(path="{tab}?field=ssn&print=yes", shows="Printed by manager"),
    "record as of": State(path="/history/record/{entry}/", shows="Before and after"),
    "page of its own": State(
        path="/history/crm.customer/{key}/?field=phone", shows="History of Eleanor"
    ),
    "log in the admin": State(
        path="/admin/customer_history/entry/?field=ssn",
        shows="Changes, newest first",
        user="admin",
        part=OURS_WITH_DATES,
    ),
    "entry in the admin": State(
        path="/admin/customer_history/entry/{entry}/change/",
        shows="Changes",
        user="admin",
        part=OURS,
    ),
    "tab in the admin": State(
        path="/admin/crm/customer/{key}/history/?field=ssn",
        shows="Changes",
        user="admin",
        part=OURS,
    ),
}


@pytest.fixture(scope="package")
def url_parts(first_page, manager, untouched):
    link = next(
        one for one in manager.open(f"{first_page}?field=ssn&kind=update").urls if "?entry=" in one
    )
    return {
        "tab": first_page,
        "key": first_page.split("/")[-2],
        "untouched": untouched,
        "entry": link.partition("?entry=")[2].removesuffix("#ch-entry"),
    }


CRM = {
    "log-in": ("/log-in", None),
    "not found": ("/lantern/customers/987654/history", "manager"),
    "not allowed": ("{customer}/edit", "intern"),
    "customers": ("/lantern/customers", "manager"),
    "customer": ("{customer}", "manager"),
    "edit": ("{customer}/edit", "manager"),
    "invoices": ("{customer}/invoices", "manager"),
    "profile": ("/profile", "manager"),
}


class TestAxe:
    @pytest.mark.parametrize("name", STATES)
    def test_finds_nothing_in_any_state(self, visit, url_parts, revealing_site, second_run, name):
        state = STATES[name]
        page = visit(
            state.path.format(**url_parts),
            user=state.user,
            site=revealing_site if state.is_revealing else second_run.site,
            reduced_motion="reduce",
        )
        state.act(page)
        expect(page.locator("body")).to_contain_text(state.shows)
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            assert violations(page, state.part) == [], scheme

    @pytest.mark.parametrize("name", ["filters", "chips", "opened groups", "masked", "CSV"])
    def test_finds_nothing_on_a_phone(self, visit, url_parts, second_run, name):
        state = STATES[name]
        page = visit(state.path.format(**url_parts), user=state.user, viewport=PHONE)
        state.act(page)
        assert violations(page) == []

    @pytest.mark.parametrize("name", CRM)
    def test_finds_nothing_on_other_pages(self, visit, url_parts, name):
        path, user = CRM[name]
        page = visit(path.format(customer=url_parts["tab"].removesuffix("/history")), user=user)
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            assert violations(page) == [], scheme

    def test_finds_targets_too_small(self, visit):
        page = visit(viewport=WIDE)
        page.evaluate(f"() => {{{CRAMPED}}}")
        assert "target-size" in [rule for rule, _ in violations(page, OURS)]
