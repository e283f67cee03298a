"""The catalogs translate all texts of the code. After you add a text, run `make messages`."""

import ast
import gettext
import re
import shutil
import subprocess
import sys
from importlib import import_module
from io import BytesIO
from pathlib import Path

import pytest

from django_customer_history import labels, masks
from django_customer_history.context import current as context
from django_customer_history.export import streaming as export
from django_customer_history.reading import reveal as revealing
from tests.catalogues import DEMO, PACKAGE, compiled, message_ids, messages
from tests.documents import ROOT

HINT = "Run `make messages`, translate what it lists in the .po files, and run it again."
PLACEHOLDER = re.compile(r"%\(\w+\)[a-z]|%[a-z%]|\{\w*\}")
OTHERS = (
    "django.conf",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "rest_framework",
)
"""Packages whose translations Django merges with ours. The first package with a text wins."""

OTHERS_OF = {PACKAGE: OTHERS, DEMO: (*OTHERS, "django_customer_history")}

MARKS = re.compile(r"(n?p?gettext(_lazy|_noop)?|_)$")

each_language = pytest.mark.parametrize("language", ["de", "es"])
each_code = pytest.mark.parametrize("code", [PACKAGE, DEMO], ids=["package", "demo"])


def texts_of(message, attribute):
    value = getattr(message, attribute)
    return value if isinstance(value, list | tuple) else (value,)


def in_the_file(data):
    """Return the messages of a compiled catalog, without its header."""
    content = dict(gettext.GNUTranslations(BytesIO(data))._catalog)
    content.pop("", None)
    return content


@each_code
class TestCatalogs:
    def test_languages_of_the_package(self, code):
        assert code.languages == ["de", "es"]

    @each_language
    def test_catalog_has_all_texts(self, code, language):
        in_the_code = message_ids(code.texts())
        translated = message_ids(code.catalog_of(language))
        assert in_the_code - translated == set(), HINT
        assert translated - in_the_code == set(), HINT

    @each_language
    def test_every_text_is_translated(self, code, language):
        catalog = code.catalog_of(language)
        assert [one.id for one in messages(catalog) if not all(texts_of(one, "string"))] == [], HINT
        assert [one.id for one in messages(catalog) if one.fuzzy] == []

    @each_language
    def test_placeholders_are_the_same(self, code, language):
        for message in messages(code.catalog_of(language)):
            expected = sorted(PLACEHOLDER.findall(texts_of(message, "id")[-1]))
            for text in texts_of(message, "string"):
                assert sorted(PLACEHOLDER.findall(text)) == expected, text

    @each_language
    def test_compiled_catalog_is_current(self, code, language):
        file = code.source_of(language).with_suffix(".mo")
        assert in_the_file(file.read_bytes()) == in_the_file(compiled(code.catalog_of(language))), (
            HINT
        )

    @each_language
    def test_texts_of_other_packages(self, code, language):
        """Django uses one of two translations. If they differ, ours needs a context."""
        ours = in_the_file(compiled(code.catalog_of(language)))
        for package in OTHERS_OF[code]:
            folder = Path(import_module(package).__file__).parent / "locale" / language
            theirs = in_the_file((folder / "LC_MESSAGES" / "django.mo").read_bytes())
            assert {
                text: (ours[text], theirs[text])
                for text in ours.keys() & theirs.keys()
                if ours[text] != theirs[text]
            } == {}, package


class TestCode:
    def test_texts_of_python_and_templates(self):
        found = message_ids(PACKAGE.texts())
        assert ("source", "Web") in found
        assert (None, ("%(count)d day ago", "%(count)d days ago")) in found
        assert ("tab of a record", "History") in found
        assert (None, ("%(number)s value", "%(number)s values")) in found
        assert (None, "Changes, newest first. Times are in %(zone)s.") in found

    @each_code
    def test_each_marked_text_is_found(self, code):
        """For example, calls inside f-strings are not found."""
        found = code.texts()
        known = {text for one in messages(found) for text in texts_of(one, "id")}
        known |= {one.context for one in messages(found) if one.context}
        for path in code.files("py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Call) and MARKS.match(getattr(node.func, "id", "")):
                    marked = {one.value for one in node.args if isinstance(one, ast.Constant)}
                    assert marked <= known, f"{path}:{node.lineno}"

    @pytest.mark.parametrize(
        "path",
        [*PACKAGE.files("html"), *DEMO.files("html")],
        ids=lambda path: path.relative_to(ROOT).as_posix(),
    )
    def test_templates_mark_all_words(self, path):
        text = path.read_text(encoding="utf-8")
        text = re.sub(r"\{% blocktranslate.*?endblocktranslate %\}", "", text, flags=re.DOTALL)
        text = re.sub(r"\{%.*?%\}|\{\{.*?\}\}|\{#.*?#\}", "", text, flags=re.DOTALL)
        shown_texts = re.findall(
            r'\s(?:title|alt|placeholder|aria-label|aria-description)="([^"]*)"', text
        )
        words = re.sub(r"<[^>]*>|&\w+;", " ", text)
        assert re.findall(r"\w+", " ".join([words, *shown_texts])) == []

    def test_script_has_no_texts(self):
        script = (PACKAGE.folder / "static" / "customer_history" / "history.js").read_text(
            encoding="utf-8"
        )
        shown_texts = re.findall(r"(?:announce\(tab, |textContent = |alert\()([^;)]*)", script)
        assert shown_texts
        assert [
            one
            for one in shown_texts
            if not re.fullmatch(r'(?:tab|link)\.dataset\.\w+|link\.title|text|""', one)
        ] == []


class TestMakeMessages:
    def test_new_language_and_new_texts(self, tmp_path):
        for code in (PACKAGE, DEMO):
            shutil.copytree(code.folder, tmp_path / code.folder.relative_to(ROOT))
        (tmp_path / "tests").mkdir()
        for name in ("__init__.py", "catalogues.py", "documents.py"):
            shutil.copy(ROOT / "tests" / name, tmp_path / "tests" / name)
        package = tmp_path / PACKAGE.folder.relative_to(ROOT)
        (package / "more.py").write_text('gettext("A text that is new")', encoding="utf-8")
        command = [sys.executable, "-m", "tests.catalogues", "fr"]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
        assert "/locale/de/LC_MESSAGES/django.po: 1 to translate" in done.stdout
        assert "'A text that is new'" in done.stdout
        french = package / "locale" / "fr" / "LC_MESSAGES" / "django.po"
        assert 'msgid "A text that is new"' in french.read_text(encoding="utf-8")
        assert french.with_suffix(".mo").exists()
        assert "example_project/locale/de/LC_MESSAGES/django.po: 0 to translate" in done.stdout
        assert (tmp_path / "example_project/locale/fr/LC_MESSAGES/django.po").exists()
        german = (package / "locale" / "de" / "LC_MESSAGES" / "django.mo").read_bytes()
        assert in_the_file(german) == in_the_file(compiled(PACKAGE.catalog_of("de")))


class TestWords:
    def test_kinds_and_masks_have_names(self):
        assert tuple(labels.KIND_LABELS) == labels.KINDS
        assert labels.MASK_LABELS.keys() == masks.MASKS.keys()

    def test_actions_are_names_of_kinds(self):
        assert {
            kind: str(name) for kind, name in labels.KIND_LABELS.items()
        } == labels.DEFAULT_ACTIONS

    def test_own_actions_are_translated(self):
        own = {str(name) for name in labels.OWN_ACTIONS}
        assert own >= {labels.BASELINE, export.ACTION, revealing.ACTION}
        written = set()
        for path in PACKAGE.files("py"):
            if path.name != "labels.py":
                text = path.read_text(encoding="utf-8")
                written |= set(re.findall(r'"(History [A-Z]\w+)"', text))
        assert own >= written

    def test_every_source_has_a_name(self):
        assert list(context.SOURCES.values()) == [
            "Web", "API", "Admin", "Workflow", "Integration", "Import", "Command", "Migration",
            "Task", "System",
        ]  # fmt: skip
