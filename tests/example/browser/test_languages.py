"""The tab in German and Spanish: longer words fit, and the texts of the script are translated."""

import pytest
from playwright.sync_api import expect

from tests.example.browser.conftest import (
    NARROWEST,
    PHONE,
    WIDE,
    menu_button,
    overflow,
    violations,
)

WORDS = {
    "de-AT": {
        "filter": "Filter",
        "date": "Datum",
        "preset": "Letzte 7 Tage",
        "older": "Ältere laden",
        "loaded": "Ältere Änderungen geladen.",
        "failed": "Etwas ist schiefgegangen. Bitte erneut versuchen.",
    },
    "es-ES": {
        "filter": "Filtro",
        "date": "Fecha",
        "preset": "Últimos 7 días",
        "older": "Cargar anteriores",
        "loaded": "Cambios anteriores cargados.",
        "failed": "Algo ha fallado. Inténtelo de nuevo.",
    },
}


class TestTranslations:
    @pytest.mark.parametrize("language", WORDS)
    @pytest.mark.parametrize("size", [WIDE, PHONE, NARROWEST], ids=["wide", "phone", "narrowest"])
    def test_longer_words_fit(self, visit, size, language):
        page, words = visit(viewport=size, locale=language), WORDS[language]
        expect(page.locator(f"html[lang={language[:2]}]")).to_be_attached()
        assert violations(page, ".customer-history") == []
        # Not by name alone: a row can have a field of that name, as a logged export has.
        page.locator(".ch-open-filters", has_text=words["filter"]).click()
        menu_button(page, words["date"]).click()
        expect(page.get_by_role("link", name=words["preset"])).to_be_in_viewport()
        assert overflow(page) <= 0
        # The open menu covers parts of the rows below it.
        assert violations(page, ".ch-toolbar") == []
        assert page.complaints == []

    @pytest.mark.parametrize("language", WORDS)
    @pytest.mark.parametrize("width", [768, 800, 1024, 1280, 1440])
    def test_table_fits_into_its_place(self, visit, width, language):
        page = visit(viewport={"width": width, "height": 900}, locale=language)
        expect(page.locator(f"html[lang={language[:2]}]")).to_be_attached()
        tab = page.locator(".customer-history")
        assert tab.evaluate("(element) => element.scrollWidth - element.clientWidth") <= 0
        assert overflow(page) <= 0

    @pytest.mark.parametrize("language", WORDS)
    def test_script_texts_are_translated(self, visit, language):
        page, words = visit(locale=language), WORDS[language]
        status = page.locator(".ch-status")
        page.get_by_role("link", name=words["older"]).click()
        expect(status).to_have_text(words["loaded"])
        assert status.bounding_box()["height"] > 20  # Everybody sees it.
        assert page.locator(".customer-history").get_attribute("data-failed") == words["failed"]
        assert page.complaints == []
