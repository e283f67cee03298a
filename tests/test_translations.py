"""The catalogues are whole, and true to the code: whoever adds a text runs `make messages`."""

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
from tests.catalogues import (
    PACKAGE,
    catalogue_of,
    compiled,
    languages,
    messages,
    places,
    source_of,
    texts_of_the_code,
)
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
"""Packages whose translations Django merges with these, the first one to have a text winning."""

MARKS = re.compile(r"(n?p?gettext(_lazy|_noop)?|_)$")

each_language = pytest.mark.parametrize("language", ["de", "es"])


def texts_of(message, attribute):
    value = getattr(message, attribute)
    return value if isinstance(value, list | tuple) else (value,)


def in_the_file(data):
    """Return what a compiled catalogue has, its header left out."""
    content = dict(gettext.GNUTranslations(BytesIO(data))._catalog)
    content.pop("", None)
    return content


def test_there_is_a_catalogue_of_each_language():
    assert languages() == ["de", "es"]


def test_texts_are_found_in_python_and_in_templates_with_context_and_plural():
    found = places(texts_of_the_code())
    assert ("source", "Web") in found
    assert (None, ("%(count)d day ago", "%(count)d days ago")) in found
    assert ("tab of a record", "History") in found
    assert (None, ("%(number)s value", "%(number)s values")) in found
    assert (None, "Changes, newest first. Times are in %(zone)s.") in found


def test_no_text_is_marked_where_it_is_not_found():
    """A call inside of an f-string is one such place."""
    found = texts_of_the_code()
    known = {text for one in messages(found) for text in texts_of(one, "id")}
    known |= {one.context for one in messages(found) if one.context}
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and MARKS.match(getattr(node.func, "id", "")):
                marked = {one.value for one in node.args if isinstance(one, ast.Constant)}
                assert marked <= known, f"{path}:{node.lineno}"


@each_language
def test_a_catalogue_has_just_the_texts_of_the_code(language):
    in_the_code, translated = places(texts_of_the_code()), places(catalogue_of(language))
    assert in_the_code - translated == set(), HINT
    assert translated - in_the_code == set(), HINT


@each_language
def test_every_text_is_translated_and_no_translation_is_a_guess(language):
    catalogue = catalogue_of(language)
    assert [one.id for one in messages(catalogue) if not all(texts_of(one, "string"))] == [], HINT
    assert [one.id for one in messages(catalogue) if one.fuzzy] == []


@each_language
def test_translations_have_the_placeholders_of_their_texts(language):
    for message in messages(catalogue_of(language)):
        expected = sorted(PLACEHOLDER.findall(texts_of(message, "id")[-1]))
        for text in texts_of(message, "string"):
            assert sorted(PLACEHOLDER.findall(text)) == expected, text


@each_language
def test_the_compiled_catalogue_is_that_of_the_source(language):
    file = source_of(language).with_suffix(".mo")
    assert in_the_file(file.read_bytes()) == in_the_file(compiled(catalogue_of(language))), HINT


@each_language
@pytest.mark.parametrize("package", OTHERS)
def test_a_text_that_others_have_too_means_the_same_there(package, language):
    """Else it needs a context: one of both would take the place of the other on every page."""
    folder = Path(import_module(package).__file__).parent / "locale" / language / "LC_MESSAGES"
    theirs = in_the_file((folder / "django.mo").read_bytes())
    ours = in_the_file(compiled(catalogue_of(language)))
    assert {
        text: (ours[text], theirs[text])
        for text in ours.keys() & theirs.keys()
        if ours[text] != theirs[text]
    } == {}


@pytest.mark.parametrize(
    "path", sorted(PACKAGE.rglob("*.html")), ids=lambda path: path.relative_to(PACKAGE).as_posix()
)
def test_templates_have_no_words_but_those_to_translate(path):
    text = path.read_text(encoding="utf-8")
    text = re.sub(r"\{% blocktranslate.*?endblocktranslate %\}", "", text, flags=re.DOTALL)
    text = re.sub(r"\{%.*?%\}|\{\{.*?\}\}|\{#.*?#\}", "", text, flags=re.DOTALL)
    said = re.findall(r'\s(?:title|alt|placeholder|aria-label|aria-description)="([^"]*)"', text)
    words = re.sub(r"<[^>]*>|&\w+;", " ", text)
    assert re.findall(r"\w+", " ".join([words, *said])) == []


def test_the_script_says_only_what_the_page_gives_it():
    script = (PACKAGE / "static" / "customer_history" / "history.js").read_text(encoding="utf-8")
    said = re.findall(r"(?:say\(tab, |textContent = |alert\()([^;)]*)", script)
    assert said
    assert [one for one in said if not re.fullmatch(r'tab\.dataset\.\w+|text|""', one)] == []


def test_make_messages_begins_a_language_and_brings_what_is_new_into_each(tmp_path):
    shutil.copytree(PACKAGE, tmp_path / "src" / PACKAGE.name)
    (tmp_path / "tests").mkdir()
    for name in ("__init__.py", "catalogues.py", "documents.py"):
        shutil.copy(ROOT / "tests" / name, tmp_path / "tests" / name)
    package = tmp_path / "src" / PACKAGE.name
    (package / "more.py").write_text('gettext("A text that is new")', encoding="utf-8")
    command = [sys.executable, "-m", "tests.catalogues", "fr"]
    told = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    assert "/locale/de/LC_MESSAGES/django.po: 1 to translate" in told
    assert "'A text that is new'" in told
    french = package / "locale" / "fr" / "LC_MESSAGES" / "django.po"
    assert 'msgid "A text that is new"' in french.read_text(encoding="utf-8")
    assert french.with_suffix(".mo").exists()
    german = (package / "locale" / "de" / "LC_MESSAGES" / "django.mo").read_bytes()
    assert in_the_file(german) == in_the_file(compiled(catalogue_of("de")))


class TestWords:
    def test_every_kind_and_every_mask_has_a_name(self):
        assert tuple(labels.KIND_LABELS) == labels.KINDS
        assert labels.MASK_LABELS.keys() == masks.MASKS.keys()

    def test_what_the_log_calls_a_change_is_the_name_of_its_kind(self):
        assert {
            kind: str(name) for kind, name in labels.KIND_LABELS.items()
        } == labels.DEFAULT_ACTIONS

    def test_events_of_the_package_itself_have_translations(self):
        own = {str(name) for name in labels.OWN_ACTIONS}
        assert own >= {labels.BASELINE, export.ACTION, revealing.ACTION}
        written = set()
        for path in PACKAGE.rglob("*.py"):
            if path.name != "labels.py":
                text = path.read_text(encoding="utf-8")
                written |= set(re.findall(r'"(History [A-Z]\w+)"', text))
        assert own >= written

    def test_every_source_has_a_name(self):
        assert list(context.SOURCES.values()) == [
            "Web", "API", "Admin", "Workflow", "Integration", "Import", "Command", "Migration",
            "Task", "System",
        ]  # fmt: skip
