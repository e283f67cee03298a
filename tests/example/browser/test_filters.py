"""Filtering in a real browser, with a script and without one."""

from playwright.sync_api import expect

from tests.example.browser.conftest import assert_chips, chips, entries, is_focused, menu_button


def open_filters(page):
    page.get_by_role("link", name="Filter", exact=True).click()
    expect(page.get_by_role("search", name="Filter history")).to_be_visible()


def choose(page, menu, option):
    menu_button(page, menu).click()
    page.get_by_role("group", name=menu).get_by_label(option, exact=True).first.check()
    page.locator("details[open] button", has_text="Apply").click()
    page.wait_for_load_state()


class TestFilters:
    def test_a_filter_is_in_the_url(self, visit, first_page):
        page = visit()
        open_filters(page)
        assert is_focused(page.locator("input[name=q]"))
        choose(page, "User", "clerk")
        assert page.url.endswith(f"{first_page}?user=clerk") or "user=" in page.url
        assert_chips(page, ["User clerk"])
        assert {one.strip() for one in page.locator(".ch-user").all_inner_texts()} == {"clerk"}
        assert page.complaints == []

    def test_one_chip_can_be_removed(self, visit, first_page):
        page = visit(f"{first_page}?source=web&field=phone&kind=update")
        assert_chips(page, ["Kind Update", "Field Phone", "Source Web"])
        page.get_by_role("link", name="Remove filter Field").click()
        page.wait_for_url("**?*")
        assert_chips(page, ["Kind Update", "Source Web"])
        assert "field" not in page.url

    def test_clear_all_removes_all_filters(self, visit, first_page):
        page = visit(f"{first_page}?source=web&field=phone")
        page.get_by_role("link", name="Clear all", exact=True).click()
        expect(page.locator(".ch-chip")).to_have_count(0)
        assert page.url.rstrip("?").endswith(first_page)
        expect(entries(page)).to_have_count(50)

    def test_a_preset_sets_both_dates(self, visit):
        page = visit()
        open_filters(page)
        menu_button(page, "Date").click()
        page.get_by_role("link", name="Last 7 days").click()
        expect(page.locator(".ch-chip")).to_have_count(2)
        assert [chip.split()[0] for chip in chips(page)] == ["From", "To"]

    def test_no_matches_has_a_clear_link(self, visit, first_page):
        page = visit(f"{first_page}?q=zebra-in-the-attic")
        expect(page.get_by_text("No changes match these filters.")).to_be_visible()
        page.get_by_role("link", name="Clear all filters").click()
        expect(entries(page)).to_have_count(50)

    def test_search_finds_what_is_shown(self, visit, first_page):
        page = visit(f"{first_page}?q=36 months")
        expect(entries(page)).not_to_have_count(0)
        expect(page.get_by_text("36 months").first).to_be_visible()

    def test_form_works_without_a_script(self, visit):
        page = visit(java_script_enabled=False)
        open_filters(page)
        page.locator("input[name=q]").fill("0148")
        page.locator(".ch-apply").click()
        assert_chips(page, ["Search 0148"])
        expect(entries(page)).not_to_have_count(0)
        page.get_by_role("link", name="Remove filter Search").click()
        expect(page.locator(".ch-chip")).to_have_count(0)
        assert page.complaints == []


class TestMenus:
    def test_a_text_box_finds_an_option(self, visit, first_page):
        page = visit(f"{first_page}?filter=open")
        menu_button(page, "Field").click()
        group = page.get_by_role("group", name="Field", exact=True)
        assert group.get_by_role("checkbox").count() > 20
        page.get_by_label("Find in Field").fill("monthly rate")
        expect(group.get_by_role("checkbox")).to_have_count(1)
        page.keyboard.press("Enter")
        expect(group.get_by_role("checkbox")).to_have_count(1)
        group.get_by_role("checkbox").check()
        page.locator("details[open] button", has_text="Apply").click()
        page.wait_for_url("**field=**")
        assert_chips(page, ["Field Monthly rate"])
        assert page.complaints == []

    def test_just_the_deletes(self, visit):
        page = visit()
        open_filters(page)
        choose(page, "Action", "Any delete")
        assert_chips(page, ["Kind Delete"])
        expect(page.locator(".ch-entry.ch-delete")).not_to_have_count(0)
        expect(page.locator(".ch-entry:not(.ch-delete)")).to_have_count(0)

    def test_a_preset_keeps_ticks(self, visit, first_page):
        page = visit(f"{first_page}?filter=open")
        menu_button(page, "Action").click()
        page.get_by_label("Any edit").check()
        menu_button(page, "Date").click()
        page.get_by_role("link", name="Last 12 months").click()
        expect(page.locator(".ch-chip")).to_have_count(3)
        assert chips(page)[2] == "Kind Update"

    def test_escape_closes_a_menu(self, visit, first_page):
        page = visit(f"{first_page}?filter=open")
        menu = page.locator("details", has=menu_button(page, "User"))
        menu_button(page, "User").click()
        expect(menu).to_have_attribute("open", "")
        menu.locator("input").first.focus()
        page.keyboard.press("Escape")
        expect(menu).not_to_have_attribute("open", "")
        assert is_focused(menu_button(page, "User"))

    def test_outside_click_closes_a_menu(self, visit, first_page):
        page = visit(f"{first_page}?filter=open")
        menu = page.locator("details", has=menu_button(page, "Source"))
        menu_button(page, "Source").click()
        page.locator("caption").click()
        expect(menu).not_to_have_attribute("open", "")

    def test_keyboard_sets_a_filter(self, visit):
        page = visit()
        tab_to(page, page.get_by_role("link", name="Filter", exact=True))
        page.keyboard.press("Enter")
        expect(page.locator("input[name=q]")).to_be_focused()
        tab_to(page, menu_button(page, "Source"))
        page.keyboard.press("Enter")
        api = page.get_by_role("group", name="Source").get_by_label("API", exact=True)
        tab_to(page, api)
        page.keyboard.press("Space")
        page.keyboard.press("Enter")
        assert_chips(page, ["Source API"])
        tab_to(page, page.locator(".ch-chip"))
        page.keyboard.press("Enter")
        expect(page.locator(".ch-chip")).to_have_count(0)
        assert page.complaints == []


def tab_to(page, wanted, *, most=60):
    """Press Tab until an element has the focus, and check that the focus is visible."""
    for _ in range(most):
        page.keyboard.press("Tab")
        if is_focused(wanted):
            outline = wanted.evaluate("(element) => getComputedStyle(element).outlineStyle")
            assert outline not in ("none", "")
            return
    raise AssertionError(f"{wanted} is never reached by Tab.")
