"""What `python -m build` makes: its contents, its page on PyPI, and a project that installs it.

These tests download packages. They run with `make package` only.
"""

import re
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
def wheel_names(wheel):
    with zipfile.ZipFile(wheel) as file:
        return set(file.namelist())


@pytest.fixture(scope="module")
def metadata(wheel):
    with zipfile.ZipFile(wheel) as file:
        text = file.read(f"{PACKAGE}-{VERSION}.dist-info/METADATA").decode()
    return HeaderParser().parsestr(text)


@pytest.fixture(scope="module")
def sdist_names(built):
    (path,) = built.glob("*.tar.gz")
    with tarfile.open(path) as file:
        return {str(PurePosixPath(*PurePosixPath(one.name).parts[1:])) for one in file}


def tracked(folder):
    """Return the files of a folder that are under version control, relative to it."""
    command = ["git", "ls-files", "--", "."]
    listed = subprocess.run(command, cwd=ROOT / folder, capture_output=True, text=True, check=True)
    return set(listed.stdout.splitlines())


class TestWheel:
    def test_has_only_the_package(self, wheel_names):
        metadata = f"{PACKAGE}-{VERSION}.dist-info/"
        assert {name for name in wheel_names if not name.startswith(metadata)} == tracked("src")
        assert f"{metadata}licenses/LICENSE" in wheel_names

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
    def test_has_the_data_files(self, wheel_names, name):
        assert f"{PACKAGE}/{name}" in wheel_names

    def test_each_translation_is_compiled(self, wheel_names):
        sources = {name for name in wheel_names if name.endswith(".po")}
        assert {name.removesuffix(".po") + ".mo" for name in sources} <= wheel_names


class TestMetadata:
    def test_names_the_requirements(self, metadata):
        assert metadata["Name"] == "django-customer-history"
        assert metadata["Version"] == VERSION
        assert metadata["License-Expression"] == "MIT"
        assert metadata["Requires-Python"] == ">=3.11"
        assert set(metadata.get_all("Provides-Extra")) >= {
            "celery",
            "mysql",
            "openapi",
            "postgresql",
        }
        needed = metadata.get_all("Requires-Dist")
        assert "django>=5.2" in needed
        assert not [one for one in needed if "celery" in one and "extra ==" not in one]

    def test_has_the_project_urls(self, metadata):
        urls = dict(one.split(", ") for one in metadata.get_all("Project-URL"))
        assert set(urls) == {"Homepage", "Documentation", "Source", "Issues", "Changelog"}
        assert all(url.startswith("https://") for url in urls.values())


class TestReadme:
    """PyPI shows the README on a page of its own, where relative links lead nowhere."""

    def test_renders_without_warnings(self, built):
        command = [sys.executable, "-m", "twine", "check", "--strict", *map(str, built.iterdir())]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        assert done.stdout.count("PASSED") == 2

    def test_links_and_images_are_absolute(self, metadata):
        from readme_renderer import markdown  # noqa: PLC0415 - installed by `make package` only

        page = markdown.render(metadata.get_payload())
        assert re.search(r"<h1[^>]*>django-customer-history<", page)
        targets = re.findall(r'(?:href|src)="([^"]+)"', page)
        assert targets
        assert [one for one in targets if not one.startswith(("https://", "#"))] == []


class TestSdist:
    def test_has_the_package_and_no_tests(self, sdist_names):
        assert sdist_names >= {"pyproject.toml", "README.md", "CHANGELOG.md", "LICENSE", "PKG-INFO"}
        assert sdist_names >= {f"src/{name}" for name in tracked("src")}
        folders = {name.partition("/")[0] for name in sdist_names if "/" in name}
        assert folders == {"src"}


class TestTutorial:
    def test_works_with_the_wheel(self, wheel, tmp_path):
        tutorial = Tutorial(tmp_path, wheel=wheel)
        tutorial.read_the_page()
        tutorial.shell(WHERE, expect=str(tmp_path / ".venv"))


WHERE = """
import django_customer_history
from django.contrib.staticfiles import finders
print(django_customer_history.__file__, finders.find("customer_history/history.css"))
"""
