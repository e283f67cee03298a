"""The demo around the History tab: its URL, checks, profiles and languages."""

import re
import subprocess
import sys
from urllib.parse import urlsplit

import pytest

from demo.browser import Browser, FormRefusedError
from tests.example.conftest import MANAGE


class TestProject:
    def test_djangos_checks_find_nothing(self, environment):
        command = [sys.executable, MANAGE, "check", "--fail-level", "WARNING"]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0
        assert (done.stdout, done.stderr) == (
            "System check identified no issues (0 silenced).\n",
            "",
        )

    def test_migrations_are_complete(self, environment):
        command = [sys.executable, MANAGE, "makemigrations", "--check", "--dry-run"]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert done.stdout == "No changes detected\n"


class TestTab:
    def test_tab_bar_links_to_the_history(self, manager, first_page):
        page = manager.open(first_page.removesuffix("/history"))
        assert urlsplit(page.link("History")).path == first_page
        item = re.search(r'<a class="customer-history-link"[^>]*>.*?</a>', page.text, re.DOTALL)
        assert "<svg" in item.group(0)
        assert "aria-current" not in item.group(0)
        here = manager.open(first_page).text
        assert re.search(r'<a class="customer-history-link"[^>]* aria-current="page">', here)

    def test_first_page_is_small(self, manager, first_page):
        text = manager.open(first_page).text
        assert text.count('<tbody class="ch-entry') == 50
        assert len(text.encode()) < 72_000

    def test_files_have_the_companys_url(self, people, first_page):
        auditor = people("auditor")
        link = auditor.open(f"{first_page}?field=ssn").link("Download CSV")
        assert urlsplit(link).path == first_page
        assert urlsplit(link).query == "field=ssn&format=csv"
        assert auditor.open(link).text.startswith("timestamp,user,action,")


@pytest.fixture
def in_tokyo(people):
    """The auditor's browser, with the time zone of Tokyo in the profile."""
    auditor = people("auditor")
    auditor.submit("/profile", "Save", {"time_zone": "Asia/Tokyo"})
    yield auditor
    auditor.submit("/profile", "Save", {"time_zone": ""})


class TestTimeZones:
    def test_tab_uses_the_profiles_zone(self, in_tokyo, manager, first_page):
        tokyo, new_york = in_tokyo.open(first_page).text, manager.open(first_page).text
        assert "Times are in Asia/Tokyo." in tokyo
        assert "Times are in America/New_York." in new_york
        first_times = [re.search(r'<time datetime="(\S{11,})"', one) for one in (tokyo, new_york)]
        assert [one.group(1)[-6:] for one in first_times] in (
            ["+09:00", "-05:00"],
            ["+09:00", "-04:00"],
        )

    def test_other_pages_use_it_too(self, in_tokyo, manager, first_page):
        notes = first_page.replace("/history", "/notes")
        assert re.search(r'<time datetime="\S+\+09:00"', in_tokyo.open(notes).text)
        assert re.search(r'<time datetime="\S+-0[45]:00"', manager.open(notes).text)

    def test_rejects_an_unknown_time_zone(self, people):
        with pytest.raises(FormRefusedError):
            people("auditor").submit("/profile", "Save", {"time_zone": "Mars/Olympus"})


LANGUAGES = {"en": "English", "de": "Deutsch", "es": "Español", "ar": "العربيّة"}


@pytest.fixture
def open_in_language(people, first_page):
    """Return a function that opens the tab in a language. English is restored afterwards."""
    auditor = people("auditor")

    def open_in(language):
        return auditor.submit(first_page, LANGUAGES[language], {"language": language})

    yield open_in
    open_in("en")


class TestLanguages:
    @pytest.mark.parametrize(
        ("language", "direction"), [("en", "ltr"), ("de", "ltr"), ("ar", "rtl")]
    )
    def test_page_language_and_direction(self, open_in_language, first_page, language, direction):
        page = open_in_language(language)
        assert urlsplit(page.url).path == first_page
        assert f'<html lang="{language}" dir="{direction}">' in page.text

    def test_language_before_the_log_in(self, second_run):
        stranger = Browser(second_run.site, ip_address="192.0.2.1")
        page = stranger.submit("/log-in", LANGUAGES["es"], {"language": "es"})
        assert '<html lang="es" dir="ltr">' in page.text
        assert urlsplit(page.url).path == "/log-in"
