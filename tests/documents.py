"""Read the documentation for tests: its code blocks, and the tutorial step by step."""

import os
import re
import subprocess
import sys
import textwrap
from dataclasses import dataclass
from pathlib import Path

import pytest
from django.db import connection

import django_customer_history

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
RUNNABLE = "<!-- runnable -->"
FENCE = re.compile(r"(?P<indent> *)(?P<ticks>`{3,}|~{3,})(?P<language>\S*).*")
PACKAGE = Path(django_customer_history.__file__).parent
PROJECT = ROOT / "tests" / "projects" / "documented"
"""A project with the models that the documentation uses."""
PAGES = [*sorted(ROOT.glob("*.md")), *sorted(DOCS.rglob("*.md"))]
"""All Markdown files of the documentation and of the root."""


@dataclass(frozen=True, kw_only=True)
class CodeBlock:
    """A fenced block of a page."""

    path: str
    line: int
    language: str
    text: str
    is_runnable: bool

    def __str__(self):
        return f"{self.path}:{self.line}"


def blocks_of(path):
    """Return the fenced blocks of a page, also indented ones and those without a language."""
    lines = path.read_text(encoding="utf-8").splitlines()
    number = 0
    while number < len(lines):
        found = FENCE.fullmatch(lines[number])
        number += 1
        if found is None:
            continue
        closing = found["indent"] + found["ticks"]
        end = lines.index(closing, number)
        mark = next((line for line in reversed(lines[: number - 1]) if line), "")
        yield CodeBlock(
            path=str(path.relative_to(ROOT)),
            line=number + 1,
            language=found["language"],
            text=textwrap.dedent("\n".join(lines[number:end]) + "\n"),
            is_runnable=mark == RUNNABLE,
        )
        number = end + 1


def prose_of(path):
    """Return a page without its fenced blocks."""
    text = path.read_text(encoding="utf-8")
    return re.sub(r"^( *)(`{3,}|~{3,}).*?^\1\2$", "", text, flags=re.MULTILINE | re.DOTALL)


def skip_unless_sqlite():
    """Skip the running test: it does not depend on the database, and once is enough."""
    if connection.vendor != "sqlite":
        pytest.skip("the documentation is the same for every database and is tested with SQLite")


def run_documented_python(*arguments, stdin=None, folder=ROOT, **environment):
    """Run Python in the project of the documentation. Its names differ from those of the tests."""
    path = f"{PROJECT}:{PACKAGE.parent}"
    inherited = {"PATH": "/usr/bin:/bin", "PYTHONPATH": path, "DJANGO_SETTINGS_MODULE": "settings"}
    return subprocess.run(
        [sys.executable, *arguments],
        input=stdin,
        cwd=folder,
        env=inherited | environment,
        capture_output=True,
        text=True,
        check=False,
    )


class Tutorial:
    """An empty folder in which the blocks of the tutorial are run."""

    FILES = frozenset({"shop/settings.py", "crm/models.py", "shop/urls.py", "crm/admin.py"})
    """The files that the tutorial creates."""

    SKIPPED = ("source ", "python manage.py runserver")
    """Commands that are not run: programs are called by their paths, and no server is needed."""

    INSTALLING = ("python -m venv", "pip install")

    def __init__(self, folder, *, wheel=None, source=None):
        """Without a wheel, use the environment of the tests and the package in `source`."""
        self.folder = folder
        self.files = set()
        self._wheel = wheel
        self._printed = ""
        self._programs = Path(sys.executable).parent
        test_variables = ("PYTHON", "DJANGO_", "DATABASE_URL", "COV_CORE_", "PYTEST_")
        self._environment = {
            name: value for name, value in os.environ.items() if not name.startswith(test_variables)
        }
        self._environment["DJANGO_SUPERUSER_PASSWORD"] = "tutorial"
        if source is not None:
            self._environment["PYTHONPATH"] = str(source)

    def read_the_page(self):
        """Run all blocks, then do what the page asks the user to do in the browser."""
        for block in blocks_of(DOCS / "tutorial.md"):
            self._step(block)
        assert self.files == self.FILES
        shown = self.shell(BROWSER_SESSION)
        for text in ("ann", "Admin", "127.0.0.1", "44.99", "49.99", "900-12-4417"):
            assert text in shown
        self.shell(CLERK_SESSION, expect="***-**-4417")

    def shell(self, code, *, expect=""):
        self._manage("python", "manage.py", "shell", "-c", code)
        assert expect in self._printed, self._printed
        return self._printed

    def _step(self, block):
        if block.language == "console":
            for line in block.text.splitlines():
                self._command(line.removeprefix("$ "))
        elif block.language == "text":
            assert self._printed.strip().endswith(block.text.strip()), self._printed
        elif block.text.startswith("# in the shell"):
            self.shell(block.text)
        else:
            self._write(block.text)

    def _command(self, line):
        if line.startswith(self.SKIPPED) or line == "python manage.py shell":
            return
        if not line.startswith(self.INSTALLING):
            extra = ["--noinput"] if "createsuperuser" in line else []
            self._manage(*line.split(), *extra)
        elif self._wheel is not None:
            self._install(line)

    def _install(self, line):
        self._run(*line.replace("django-customer-history", str(self._wheel)).split())
        self._programs = self.folder / ".venv" / "bin"

    def _manage(self, *command):
        self._run(*command, PYTHONWARNINGS="error", PYTHONDEVMODE="1")

    def _run(self, program, *arguments, **environment):
        finished = subprocess.run(
            [str(self._programs / program), *arguments],
            cwd=self.folder,
            env=self._environment | environment,
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
        assert path.exists() or where == "new", f"The tutorial has not created {name} yet."
        before = path.read_text(encoding="utf-8") + "\n" if where == "at the end" else ""
        path.write_text(before + rest, encoding="utf-8")
        self.files.add(name)


BROWSER_SESSION = """
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
CLERK_SESSION = """
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
