"""The documentation is correct: the tutorial works and the reference is complete."""

import importlib
import importlib.util
import inspect
import os
import re
import subprocess
import sys
import tomllib

import pytest
from django.core.management import find_commands, load_command_class
from django.core.management.base import BaseCommand
from django.db import connection
from django.utils.module_loading import import_string

from django_customer_history import (
    checks,
    conf,
    exceptions,
    masks,
)
from django_customer_history.context.current import SOURCES
from django_customer_history.export.formats import (
    COLUMNS,
    FORMATS,
)
from django_customer_history.models import (
    ConfidentialField,
    Entry,
    Watch,
)
from django_customer_history.reading.filters import (
    DEFINITIONS,
    NAMES,
)
from django_customer_history.registration import registry
from django_customer_history.rest_framework import (
    serializers,
    throttling,
    urls,
)
from django_customer_history.rest_framework.pagination import HistoryPagination
from tests.documents import DOCS, PACKAGE, PAGES, ROOT, Tutorial, prose_of, skip_unless_sqlite
from tests.extras import skip_missing


class TestTutorial:
    @pytest.mark.slow
    def test_tutorial_steps_work(self, tmp_path):
        if connection.vendor != "sqlite":
            pytest.skip("the tutorial uses SQLite, so it is done once, in the run on SQLite")
        Tutorial(tmp_path, source=PACKAGE.parent).read_the_page()


def mentioned(name):
    path = DOCS / ("" if "/" in name else "reference") / name
    return set(re.findall(r"`([^`\n]+)`", prose_of(path)))


COMMANDS = find_commands(str(PACKAGE / "management"))


def options_of(command):
    """Return the own options of a command, without those of filters."""
    parser = command.create_parser("manage.py", "a command")
    shared = BaseCommand().create_parser("manage.py", "a command")._option_string_actions
    names = [name.replace("_", "-") for name in DEFINITIONS]
    of_filters = {f"--{prefix}{name}" for name in names for prefix in ("", "not-")}
    return set(parser._option_string_actions) - set(shared) - of_filters


class TestReference:
    def test_register_options(self):
        assert mentioned("registration.md").issuperset(registry.OPTIONS)

    def test_names_all_settings(self):
        assert mentioned("settings.md").issuperset(conf.DEFAULTS)

    def test_filters_and_their_values(self):
        page = (DOCS / "reference" / "filters.md").read_text(encoding="utf-8")
        rows = dict(re.findall(r"^\| `(\w+)` \| (.+?) \|", page, re.MULTILINE))
        assert list(rows) == list(DEFINITIONS)
        for choice in DEFINITIONS["kind"].choices:
            assert f"`{choice}`" in rows["kind"]
        queries = [text for text in mentioned("filters.md") if re.match(r"-?[a-z]+=", text)]
        assert queries
        for query in queries:
            assert {one.partition("=")[0] for one in query.split("&")} <= set(NAMES)

    def test_routes_of_the_rest_api(self):
        named = mentioned("rest.md")
        assert urls.urlpatterns
        for pattern in urls.urlpatterns:
            route = str(pattern.pattern)
            route = re.sub(r"<\w+:key>", "{key}", route.replace("<str:model>", "{app.model}"))
            route = route.replace("<str:field>", "{field}")
            for method in pattern.callback.actions.keys() - {"head"}:
                assert f"{method.upper()} /{route}" in named
            assert f"{urls.app_name}:{pattern.name}" in named

    def test_fields_of_rest_answers(self):
        page = (DOCS / "reference" / "rest.md").read_text(encoding="utf-8")
        shapes = (
            serializers.EntrySerializer().fields,
            serializers.ChangeSerializer().fields,
            serializers.FacetsSerializer().fields,
            HistoryPagination().get_paginated_response_schema({})["properties"],
        )
        for shape in shapes:
            for name in shape:
                # The last two are there only where something was left out.
                assert f'"{name}": ' in page or name in ("truncated", "omitted_changes")

    def test_throttle_scopes(self):
        scopes = {throttling.HistoryThrottle.scope, throttling.HistoryExportThrottle.scope}
        assert mentioned("rest.md").issuperset(scopes)

    @pytest.mark.parametrize("name", COMMANDS)
    def test_commands_and_options(self, name):
        page = (DOCS / "reference" / "commands.md").read_text(encoding="utf-8")
        section = page.partition(f"## `{name}`\n")[2].partition("\n## ")[0]
        options = options_of(load_command_class("django_customer_history", name))
        assert options
        for option in options:
            assert re.search(rf"^\| `{option}\b", section, re.MULTILINE)

    def test_export_formats_and_columns(self):
        named = mentioned("how-to/exports.md")
        assert named.issuperset(FORMATS)
        assert named.issuperset(COLUMNS)

    def test_global_permissions(self):
        named = mentioned("permissions.md")
        for model in (Entry, ConfidentialField, Watch):
            meta = model._meta
            own = {f"{one}_{meta.model_name}" for one in meta.default_permissions}
            for codename in own | {codename for codename, _name in meta.permissions}:
                assert f"{meta.app_label}.{codename}" in named

    def test_masks_for_marks(self):
        assert mentioned("how-to/confidential.md").issuperset(masks.MASKS)

    def test_names_all_exceptions(self):
        names = {
            name
            for name, one in vars(exceptions).items()
            if isinstance(one, type) and one.__module__ == exceptions.__name__
        }
        named = {name.rpartition(".")[2] for name in mentioned("registration.md")}
        assert named.issuperset(names)

    def test_ids_of_all_checks(self):
        page = (DOCS / "reference" / "checks.md").read_text(encoding="utf-8")
        rows = re.findall(r"^\| `(customer_history\.[EW]\d{3})` \|", page, re.MULTILINE)
        registry = PACKAGE / "registration" / "registry.py"  # E021: the app is not installed.
        modules = (registry, *PACKAGE.rglob("checks.py"), *PACKAGE.rglob("*_checks.py"))
        source = "".join(module.read_text(encoding="utf-8") for module in modules)
        assert rows == sorted(set(re.findall(r"customer_history\.[EW]\d{3}", source)))

    def test_checks_of_the_database(self):
        page = (DOCS / "reference" / "checks.md").read_text(encoding="utf-8")
        (sentence,) = re.findall(r"`manage.py check --database default` only: (.+?)\. ", page)
        found = (
            checks.check_triggers,
            checks.check_snapshot_tables,
            checks.check_marks,
        )
        functions = {one for check in found for one in _functions_behind(check)}
        source = "".join(map(inspect.getsource, functions))
        in_the_database = set(re.findall(r"customer_history\.([EW]\d{3})", source))
        assert set(re.findall(r"[EW]\d{3}", sentence)) == in_the_database

    def test_templates_and_blocks(self):
        page = (DOCS / "reference" / "pages.md").read_text(encoding="utf-8")
        named = {
            name: set(re.findall(r"`(\w+)`", blocks))
            for names, blocks in re.findall(
                r"^\| (`\S+\.html`.*?) \|.*\|(.*)\|$", page, re.MULTILINE
            )
            for name in re.findall(r"`([\w/]+\.html)`", names)
        }
        templates = PACKAGE / "templates"
        assert named == {
            str(path.relative_to(templates)): set(re.findall(r"{% block (\w+)", path.read_text()))
            for path in templates.rglob("*.html")
        }

    def test_stylesheet_variables(self):
        sheet = (PACKAGE / "static/customer_history/history.css").read_text(encoding="utf-8")
        named = {name for name in mentioned("pages.md") if name.startswith("--customer-history-")}
        assert named == set(re.findall(r"--customer-history-[a-z-]+", sheet))

    def test_names_all_sources(self):
        assert mentioned("context.md").issuperset(SOURCES)

    def test_columns_of_the_log(self):
        columns = {field.name for field in Entry._meta.fields}
        assert mentioned("log.md").issuperset(columns)

    def test_registration_masks(self):
        names = {
            f"masks.{name}" for name, one in vars(masks).items() if isinstance(one, masks.Mask)
        }
        assert names
        assert mentioned("registration.md").issuperset(names)

    def test_layers_are_the_contract(self):
        page = (DOCS / "explanation" / "architecture.md").read_text(encoding="utf-8")
        section = page.partition("## Import layers")[2].partition("\n## ")[0]
        layers = [
            set(re.findall(r"`(\w+)`", row.split("|")[2]))
            for row in section.splitlines()
            if row.startswith("| ") and "`" in row.split("|")[2]
        ]
        with (ROOT / "pyproject.toml").open("rb") as file:
            (contract,) = tomllib.load(file)["tool"]["importlinter"]["contracts"]
        assert layers == [set(re.split(r" [|:] ", layer)) for layer in contract["layers"]]

    def test_frozen_paths_exist(self):
        page = (DOCS / "explanation" / "architecture.md").read_text(encoding="utf-8")
        frozen = page.partition("## Frozen paths")[2]
        paths = re.findall(r"`(django_customer_history[\w.]*)`", frozen)
        assert len(paths) > 8
        for path in paths:
            assert _resolved(path) is not None

    def test_frozen_paths_are_documented(self):
        architecture = (DOCS / "explanation" / "architecture.md").read_text(encoding="utf-8")
        frozen = architecture.partition("## Frozen paths")[2]
        paths = set(re.findall(r"`(django_customer_history[\w.]*)`", frozen))
        page = (DOCS / "reference" / "api.md").read_text(encoding="utf-8")
        shown = re.findall(r"^\.\. auto\w+:: (\S+)$", page, re.MULTILINE)
        assert set(shown) >= paths
        for path in shown:
            assert inspect.getdoc(_resolved(path)), path

    def test_endpoints_match_openapi(self):
        skip_unless_sqlite()
        if not _is_installed("drf_spectacular"):
            skip_missing("drf-spectacular (the extra 'openapi')")
        command = [sys.executable, str(DOCS / "endpoints.py"), "--print"]
        written = subprocess.run(command, capture_output=True, text=True, check=False)
        assert written.returncode == 0, written.stderr
        page = (DOCS / "reference" / "endpoints.md").read_text(encoding="utf-8")
        assert page == written.stdout, "Run: python docs/endpoints.py"


def _functions_behind(function):
    """Return a function of the checks and those of the same module that it calls."""
    found, waiting = [], [function]
    while waiting:
        found.append(waiting.pop())
        module = inspect.getmodule(found[-1])
        called = (getattr(module, name, None) for name in found[-1].__code__.co_names)
        waiting += [
            one
            for one in called
            if inspect.isfunction(one) and one.__module__ == module.__name__ and one not in found
        ]
    return found


def _resolved(path):
    try:
        return importlib.import_module(path)
    except ImportError:
        return import_string(path)


def _is_installed(name):
    return importlib.util.find_spec(name) is not None


@pytest.fixture(scope="module")
def project():
    with (ROOT / "pyproject.toml").open("rb") as file:
        return tomllib.load(file)["project"]


@pytest.fixture(scope="module")
def readme():
    return (ROOT / "README.md").read_text(encoding="utf-8")


class TestReadme:
    """The README renders on PyPI, and its links lead to pages of this documentation."""

    SITE = "https://django-customer-history.readthedocs.io/en/latest/"
    REPOSITORY = "https://github.com/django-customer-history/django-customer-history/blob/main/"
    PICTURES = (
        "https://raw.githubusercontent.com/django-customer-history/django-customer-history/main/"
    )

    @staticmethod
    def urls_of(text):
        return re.findall(r"\]\(([^)\s]+)\)", text) + re.findall(r'src="([^"]+)"', text)

    def test_links_are_absolute(self, readme):
        starts = (self.SITE, self.REPOSITORY, self.PICTURES)
        assert [url for url in self.urls_of(readme) if not url.startswith(starts)] == []

    @pytest.mark.parametrize("name", ["README.md", "CHANGELOG.md"])
    def test_pages_of_the_site_exist(self, name):
        found = self.urls_of((ROOT / name).read_text(encoding="utf-8"))
        pages = [url.removeprefix(self.SITE) for url in found if url.startswith(self.SITE)]
        assert len(pages) > 10
        for page in pages:
            assert (DOCS / page).with_suffix(".md").exists(), page

    def test_files_of_the_repository_exist(self, readme):
        for start in (self.REPOSITORY, self.PICTURES):
            paths = [url.removeprefix(start) for url in self.urls_of(readme) if start in url]
            assert paths
            assert [path for path in paths if not (ROOT / path).is_file()] == []

    def test_names_the_commands(self, readme):
        assert set(re.findall(r"`make ([\w-]+)`", readme)) == {"demo", "test", "test-all"}


class TestChangelog:
    def test_each_bullet_has_a_link(self):
        text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
        bullets = re.split(r"^- ", text.partition("## [0.1.0]")[2], flags=re.MULTILINE)[1:]
        assert 0 < len(bullets) <= 20
        assert [bullet for bullet in bullets if "](https://" not in bullet] == []


class TestVersions:
    """The README, the metadata and the matrix name the same versions."""

    def test_supported_pythons(self, project, readme):
        start = "Programming Language :: Python :: 3."
        minors = [one.removeprefix(start) for one in project["classifiers"] if start in one]
        assert project["requires-python"] == f">=3.{minors[0]}"
        assert f"Python 3.{minors[0]} to 3.{minors[-1]} and Django" in readme
        tox = (ROOT / "tox.ini").read_text(encoding="utf-8")
        tried = set(re.findall(r"1\d(?=[,}\d-])", tox.partition("skip_missing")[0]))
        assert set(minors) <= tried
        workflow = (ROOT / ".github/workflows/test.yml").read_text(encoding="utf-8")
        required = set(re.findall(r"- py3(\d+)-django", workflow))
        assert required == set(minors)

    def test_supported_djangos(self, project, readme):
        start = "Framework :: Django :: "
        versions = [one.removeprefix(start) for one in project["classifiers"] if start in one]
        assert f"Django {', '.join(versions[:-1])} and {versions[-1]}" in readme


def anchors_of(path):
    """Return the anchors of a page: those of its headings and the explicit ones."""
    text = prose_of(path)
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    slugs = {re.sub(r"[^\w\- ]", "", one.lower()).replace(" ", "-") for one in headings}
    return slugs | set(re.findall(r"^\(([\w-]+)\)=$", text, re.MULTILINE))


class TestSite:
    @pytest.mark.slow
    def test_builds_without_warning(self, tmp_path):
        missing = [name for name in ("sphinx", "furo", "myst_parser") if not _is_installed(name)]
        if missing:
            skip_missing(f"{', '.join(missing)} (the extra 'docs')")
        command = [
            sys.executable,
            "-m",
            "sphinx",
            "-W",
            "--keep-going",
            "-q",
            str(DOCS),
            str(tmp_path),
        ]
        # Sphinx and its dependencies have warnings of their own, which we cannot fix.
        strict = ("PYTHONWARNINGS", "PYTHONDEVMODE")
        inherited = {name: value for name, value in os.environ.items() if name not in strict}
        built = subprocess.run(command, env=inherited, capture_output=True, text=True, check=False)
        assert built.returncode == 0, built.stderr
        assert (tmp_path / "tutorial.html").exists()

    @pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
    def test_link_has_file_and_anchor(self, path):
        for target in re.findall(r"\]\((?!https?://|mailto:)([^)\s]+)", prose_of(path)):
            name, _, anchor = target.partition("#")
            file = path.parent / name if name else path
            assert file.exists(), target
            assert not anchor or anchor in anchors_of(file), target

    @pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
    def test_reference_link_has_url(self, path):
        text = prose_of(path)
        given = dict(re.findall(r"^\[([^\]]+)\]: (\S+)$", text, re.MULTILINE))
        for url in given.values():
            assert url.startswith("https://") or (path.parent / url).exists(), url
        used = set(re.findall(r"\]\[([^\]]+)\]", text))
        assert used <= set(given)
        assert {one for one in given if f"[{one}]" not in text.replace(f"[{one}]:", "")} == set()

    def test_pictures_are_small(self):
        pictures = list((DOCS / "images").glob("*.png"))
        assert pictures
        too_large = [one.name for one in pictures if one.stat().st_size > SMALL]
        assert too_large == []

    def test_every_picture_is_shown(self):
        text = "".join(path.read_text(encoding="utf-8") for path in PAGES)
        pictures = sorted(one.name for one in (DOCS / "images").glob("*.png"))
        assert [one for one in pictures if f"images/{one}" not in text] == []


SMALL = 150_000
