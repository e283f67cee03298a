"""What `python -m build` makes: its contents, and a project that lives on it alone.

These tests take packages from the registry. They run with `make package`, not with the others.
"""

import subprocess
import sys
import tarfile
import zipfile
from email.parser import HeaderParser
from pathlib import PurePosixPath

import pytest

import django_customer_history
from tests.documents import ROOT, Tutorial

pytestmark = pytest.mark.packaging
PACKAGE = "django_customer_history"
VERSION = django_customer_history.__version__


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Build the source distribution, and from that the wheel, as a release does."""
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--outdir", str(folder), str(ROOT)]
    finished = subprocess.run(command, capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stdout + finished.stderr
    return folder


@pytest.fixture(scope="module")
def wheel(built):
    (path,) = built.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def in_the_wheel(wheel):
    with zipfile.ZipFile(wheel) as file:
        return set(file.namelist())


@pytest.fixture(scope="module")
def in_the_sdist(built):
    (path,) = built.glob("*.tar.gz")
    with tarfile.open(path) as file:
        return {str(PurePosixPath(*PurePosixPath(one.name).parts[1:])) for one in file}


def tracked(folder):
    """Return the files of a folder that are under version control, relative to it."""
    command = ["git", "ls-files", "--", "."]
    listed = subprocess.run(command, cwd=ROOT / folder, capture_output=True, text=True, check=True)
    return set(listed.stdout.splitlines())


def test_the_wheel_is_the_package_and_nothing_else(in_the_wheel):
    metadata = f"{PACKAGE}-{VERSION}.dist-info/"
    assert {name for name in in_the_wheel if not name.startswith(metadata)} == tracked("src")
    assert f"{metadata}licenses/LICENSE" in in_the_wheel


@pytest.mark.parametrize(
    "name",
    [
        "py.typed",
        "locale/de/LC_MESSAGES/django.mo",
        "migrations/0001_initial.py",
        "management/commands/history_triggers.py",
        "static/customer_history/history.css",
        "templates/customer_history/history.html",
        "templates/admin/customer_history/entry/change_list.html",
        "templatetags/customer_history.py",
    ],
)
def test_the_wheel_has_what_is_not_imported(in_the_wheel, name):
    assert f"{PACKAGE}/{name}" in in_the_wheel


def test_each_translation_in_the_wheel_is_compiled(in_the_wheel):
    sources = {name for name in in_the_wheel if name.endswith(".po")}
    assert {name.removesuffix(".po") + ".mo" for name in sources} <= in_the_wheel


def test_the_wheel_says_what_it_needs(wheel):
    with zipfile.ZipFile(wheel) as file:
        text = file.read(f"{PACKAGE}-{VERSION}.dist-info/METADATA").decode()
    metadata = HeaderParser().parsestr(text)
    assert metadata["Name"] == "django-customer-history"
    assert metadata["Version"] == VERSION
    assert metadata["License-Expression"] == "MIT"
    assert metadata["Requires-Python"] == ">=3.11"
    assert set(metadata.get_all("Provides-Extra")) >= {"celery", "mysql", "openapi", "postgresql"}
    needed = metadata.get_all("Requires-Dist")
    assert "django>=5.2" in needed
    assert not [one for one in needed if "celery" in one and "extra ==" not in one]
    assert "# django-customer-history" in metadata.get_payload()


def test_the_source_distribution_builds_and_reads_but_does_not_test(in_the_sdist):
    assert in_the_sdist >= {"pyproject.toml", "README.md", "CHANGELOG.md", "LICENSE", "PKG-INFO"}
    assert in_the_sdist >= {f"src/{name}" for name in tracked("src")}
    folders = {name.partition("/")[0] for name in in_the_sdist if "/" in name}
    assert folders == {"src"}


def test_the_tutorial_leads_from_the_wheel_in_an_empty_environment_to_the_first_row(
    wheel, tmp_path
):
    done = Tutorial(tmp_path, wheel=wheel)
    done.read_the_page()
    done.shell(WHERE, expect=str(tmp_path / ".venv"))


WHERE = """
import django_customer_history
from django.contrib.staticfiles import finders
print(django_customer_history.__file__, finders.find("customer_history/history.css"))
"""
