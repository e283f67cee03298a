"""The documents are true: the tutorial is done step by step, and every block of code is tried.

A `python` block that stands below `<!-- runnable -->` is run with the models of the tests; all
others are compiled.
"""

import importlib
import importlib.util
import os
import re
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path

import pytest
from django.core.management import find_commands, load_command_class
from django.core.management.base import BaseCommand
from django.db import connection
from django.utils.module_loading import import_string

import django_customer_history
from django_customer_history import conf, exceptions, history, masks, registry
from django_customer_history.context import SOURCES
from django_customer_history.filters import DEFINITIONS, NAMES
from django_customer_history.formats import COLUMNS, FORMATS
from django_customer_history.models import ConfidentialField, Entry
from django_customer_history.rest_framework import serializers, throttling, urls
from tests.crm.models import Customer, Invoice, Note

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
RUNNABLE = "<!-- runnable -->"
BLOCK = re.compile(
    rf"^(?P<mark>{RUNNABLE}\n+)?```(?P<language>\w+)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL
)


@dataclass(frozen=True, kw_only=True)
class Block:
    """A fenced block of a document."""

    path: str
    line: int
    language: str
    text: str
    is_runnable: bool

    def __str__(self):
        return f"{self.path}:{self.line}"


def blocks_of(path):
    document = path.read_text(encoding="utf-8")
    for found in BLOCK.finditer(document):
        yield Block(
            path=str(path.relative_to(ROOT)),
            line=document.count("\n", 0, found.start("text")) + 1,
            language=found["language"],
            text=found["text"],
            is_runnable=bool(found["mark"]),
        )


DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(DOCS.rglob("*.md"))]
PYTHON = [block for path in DOCUMENTS for block in blocks_of(path) if block.language == "python"]


@pytest.mark.parametrize("block", PYTHON, ids=str)
def test_a_block_of_python_compiles(block):
    compile(block.text, str(block), "exec")


@pytest.mark.django_db
@pytest.mark.parametrize("block", [one for one in PYTHON if one.is_runnable], ids=str)
def test_a_runnable_block_runs(block, customer, user):
    invoice = Invoice.objects.create(customer=customer, number="INV-7")
    names = {
        "Customer": Customer,
        "Entry": Entry,
        "Note": Note,
        "customer": customer,
        "history": history,
        "invoice": invoice,
        "masks": masks,
        "user": user,
    }
    exec(compile(block.text, str(block), "exec"), names)


class TestTutorial:
    """Every step, in the order of the page."""

    def test_leads_to_the_rows_that_it_promises(self, tmp_path):
        if connection.vendor != "sqlite":
            pytest.skip("the tutorial uses SQLite, so it is done once, in the run on SQLite")
        done = Tutorial(tmp_path)
        for block in blocks_of(DOCS / "tutorial.md"):
            done.step(block)
        assert done.files == {
            "shop/settings.py",
            "crm/models.py",
            "shop/urls.py",
            "crm/admin.py",
        }
        shown = done.shell(LAST_STEP)
        for text in ("ann", "Admin", "127.0.0.1", "44.99", "49.99", "900-12-4417"):
            assert text in shown
        done.shell(MASKED, expect="***-**-4417")


# What the reader does in the browser.
LAST_STEP = """
from django.test import Client
client = Client(headers={"host": "127.0.0.1"})
assert client.login(username="ann", password="tutorial")
change = client.post("/admin/crm/customer/1/change/", {
    "name": "Acme", "rate": "49.99", "ssn": "900-12-4417"})
assert change.status_code == 302, change.content
page = client.get("/customers/1/history")
assert page.status_code == 200, page.status_code
from django.utils.html import strip_tags
print(strip_tags(page.content.decode()))
"""
MASKED = """
from django.contrib.auth.models import Permission, User
from django.test import Client
clerk = User.objects.create_user("clerk", password="tutorial")
clerk.user_permissions.add(Permission.objects.get(name="Can view the history of customer"))
assert Permission.objects.filter(name="Can see the SSN of customer unmasked").exists()
client = Client(headers={"host": "127.0.0.1"})
assert client.login(username="clerk", password="tutorial")
text = client.get("/customers/1/history").content.decode()
assert "900-12-4417" not in text
print("***-**-4417" if "***-**-4417" in text else "nothing")
"""


class Tutorial:
    """An empty folder in which the blocks of the tutorial are carried out."""

    SKIPPED = ("python -m venv", "source ", "pip install", "python manage.py runserver")
    """There is an environment already, with the package in it, and nobody looks at a server."""

    def __init__(self, folder):
        self.folder = folder
        self.files = set()
        self._printed = ""
        source = Path(django_customer_history.__file__).parents[1]
        self._environment = {
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(source),
            "PYTHONWARNINGS": "error",
            "DJANGO_SUPERUSER_PASSWORD": "tutorial",
        }

    def step(self, block):
        if block.language == "console":
            for line in block.text.splitlines():
                self._command(line.removeprefix("$ "))
        elif block.language == "text":
            assert self._printed.strip().endswith(block.text.strip()), self._printed
        elif block.text.startswith("# in the shell"):
            self.shell(block.text)
        else:
            self._write(block.text)

    def shell(self, code, *, expect=""):
        self._run("python", "manage.py", "shell", "-c", code)
        assert expect in self._printed
        return self._printed

    def _command(self, line):
        if line.startswith(self.SKIPPED) or line == "python manage.py shell":
            return
        extra = ["--noinput"] if "createsuperuser" in line else []
        self._run(*line.split(), *extra)

    def _run(self, program, *arguments):
        command = [sys.executable] if program == "python" else [sys.executable, "-m", "django"]
        finished = subprocess.run(
            [*command, *arguments],
            cwd=self.folder,
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert finished.returncode == 0, finished.stdout + finished.stderr
        self._printed = finished.stdout

    def _write(self, text):
        first, _, rest = text.partition("\n")
        name, _, where = first.removeprefix("# ").partition(", ")
        path = self.folder / name
        assert path.exists() or where == "new", f"The tutorial has not made {name} yet."
        before = path.read_text(encoding="utf-8") + "\n" if where == "at the end" else ""
        path.write_text(before + rest, encoding="utf-8")
        self.files.add(name)


def mentioned(name):
    path = DOCS / ("" if "/" in name else "reference") / name
    return set(re.findall(r"`([^`\n]+)`", FENCED.sub("", path.read_text(encoding="utf-8"))))


FENCED = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
PACKAGE = Path(django_customer_history.__file__).parent
COMMANDS = find_commands(str(PACKAGE / "management"))


def options_of(command):
    """Return the options that a command has of its own, apart from those of filters."""
    parser = command.create_parser("manage.py", "a command")
    shared = BaseCommand().create_parser("manage.py", "a command")._option_string_actions
    of_filters = {f"--{prefix}{name}" for name in DEFINITIONS for prefix in ("", "not-")}
    return set(parser._option_string_actions) - set(shared) - of_filters


class TestReference:
    def test_names_every_option_of_register(self):
        assert mentioned("registration.md").issuperset(registry.OPTIONS)

    def test_names_every_setting(self):
        assert mentioned("settings.md").issuperset(conf.DEFAULTS)

    def test_names_every_filter_and_its_values(self):
        page = (DOCS / "reference" / "filters.md").read_text(encoding="utf-8")
        rows = dict(re.findall(r"^\| `(\w+)` \| (.+?) \|", page, re.MULTILINE))
        assert list(rows) == list(DEFINITIONS)
        for choice in DEFINITIONS["kind"].choices:
            assert f"`{choice}`" in rows["kind"]
        queries = [text for text in mentioned("filters.md") if re.match(r"-?[a-z]+=", text)]
        assert queries
        for query in queries:
            assert {one.partition("=")[0] for one in query.split("&")} <= set(NAMES)

    def test_names_every_route_of_rest(self):
        told = mentioned("rest.md")
        assert urls.urlpatterns
        for pattern in urls.urlpatterns:
            route = str(pattern.pattern)
            route = route.replace("<str:model>", "{app.model}").replace("<str:key>", "{key}")
            assert f"GET /{route}" in told
            assert f"{urls.app_name}:{pattern.name}" in told

    def test_shows_every_field_of_an_entry_over_rest(self):
        page = (DOCS / "reference" / "rest.md").read_text(encoding="utf-8")
        shapes = (serializers.EntrySerializer(), serializers.ChangeSerializer())
        for shape in (*shapes, serializers.PageSerializer(), serializers.FacetsSerializer()):
            for name in shape.fields:
                assert f'"{name}": ' in page

    def test_names_every_throttle_scope(self):
        scopes = {throttling.HistoryThrottle.scope, throttling.HistoryExportThrottle.scope}
        assert mentioned("rest.md").issuperset(scopes)

    @pytest.mark.parametrize("name", COMMANDS)
    def test_names_every_command_and_its_options(self, name):
        page = (DOCS / "reference" / "commands.md").read_text(encoding="utf-8")
        section = page.partition(f"## `{name}`\n")[2].partition("\n## ")[0]
        options = options_of(load_command_class("django_customer_history", name))
        assert options
        for option in options:
            assert re.search(rf"^\| `{option}\b", section, re.MULTILINE)

    def test_names_every_format_and_column_of_exports(self):
        told = mentioned("how-to/exports.md")
        assert told.issuperset(FORMATS)
        assert told.issuperset(COLUMNS)

    def test_names_every_global_permission(self):
        told = mentioned("permissions.md")
        for model in (Entry, ConfidentialField):
            meta = model._meta
            own = {f"{one}_{meta.model_name}" for one in meta.default_permissions}
            for codename in own | {codename for codename, _name in meta.permissions}:
                assert f"{meta.app_label}.{codename}" in told

    def test_names_every_mask_that_staff_can_choose(self):
        assert mentioned("how-to/confidential.md").issuperset(masks.MASKS)

    def test_names_every_exception(self):
        names = {
            name
            for name, one in vars(exceptions).items()
            if isinstance(one, type) and one.__module__ == exceptions.__name__
        }
        told = {name.rpartition(".")[2] for name in mentioned("registration.md")}
        assert told.issuperset(names)

    def test_names_every_check(self):
        source = (ROOT / "src/django_customer_history/checks.py").read_text(encoding="utf-8")
        ids = set(re.findall(r"customer_history\.[EW]\d{3}", source))
        assert ids
        assert mentioned("checks.md").issuperset(ids)

    def test_names_every_source(self):
        assert mentioned("context.md").issuperset(SOURCES)

    def test_names_every_column_of_the_log(self):
        columns = {field.name for field in Entry._meta.fields}
        assert mentioned("log.md").issuperset(columns)

    def test_names_every_mask(self):
        names = {
            f"masks.{name}" for name, one in vars(masks).items() if isinstance(one, masks.Mask)
        }
        assert names
        assert mentioned("registration.md").issuperset(names)

    def test_the_floors_are_those_that_are_checked(self):
        page = (DOCS / "explanation" / "architecture.md").read_text(encoding="utf-8")
        floors = page.partition("## Floors")[2].partition("\n## ")[0]
        told = [
            set(re.findall(r"`(\w+)`", row.split("|")[2]))
            for row in floors.splitlines()
            if row.startswith("| ") and "`" in row.split("|")[2]
        ]
        with (ROOT / "pyproject.toml").open("rb") as file:
            (contract,) = tomllib.load(file)["tool"]["importlinter"]["contracts"]
        assert told == [set(layer.split(" | ")) for layer in contract["layers"]]

    def test_a_frozen_path_leads_to_what_it_says(self):
        page = (DOCS / "explanation" / "architecture.md").read_text(encoding="utf-8")
        frozen = page.partition("## Frozen paths")[2]
        paths = re.findall(r"`(django_customer_history[\w.]*)`", frozen)
        assert len(paths) > 8
        for path in paths:
            assert _resolved(path) is not None


def _resolved(path):
    try:
        return importlib.import_module(path)
    except ImportError:
        return import_string(path)


def test_the_documents_build_without_a_warning(tmp_path):
    missing = [name for name in ("sphinx", "furo", "myst_parser") if not _is_installed(name)]
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)} (the extra 'docs' of the package)")
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", str(DOCS), str(tmp_path)]
    built = subprocess.run(command, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    assert (tmp_path / "tutorial.html").exists()


def _is_installed(name):
    return importlib.util.find_spec(name) is not None


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_link_to_a_file_leads_to_one(path):
    text = path.read_text(encoding="utf-8")
    for target in re.findall(r"\]\((?!https?://|mailto:|#)([^)#\s]+)", text):
        assert (path.parent / target).exists(), target


def test_pictures_are_small():
    pictures = list((DOCS / "images").glob("*.png"))
    assert pictures
    too_large = [one.name for one in pictures if one.stat().st_size > SMALL]
    assert too_large == []


SMALL = 200_000
