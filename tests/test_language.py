"""Rules of style that can be counted: words, names and folders."""

import ast
import re
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "src" / "django_customer_history"
MODULES = sorted(PACKAGE.rglob("*.py"))
TEXTS = [
    path
    for folder in (PACKAGE, ROOT / "docs")
    for path in sorted(folder.rglob("*"))
    if path.suffix in {".css", ".html", ".js", ".md", ".po", ".py", ".sql", ".txt"}
    and "_build" not in path.parts
] + [ROOT / "README.md", ROOT / "CHANGELOG.md"]

BANNED = {
    "mend": r"mend(?:s|ed|ing)?",
    "besides": r"besides",
    "reckon": r"reckon\w*",
    "whomever": r"who(?:m)?ever",
    "superfluous": r"superfluous",
    "of which": r"of which",
    "bear": r"bears?",
    "carried": r"carried",
    "tell": r"tells?|told",
    # "is not a key", not "is no key". "There is no key" is plain English.
    "is no": r"(?<!there )(?<!there\n)is no(?! longer| more)",
    # "stands for" and "stands out" mean something else than "is".
    "stand": r"stands?(?! for| out|-in)",
    "departed": r"departed",
    "origin": r"(?<!same-)(?<!cross-)origins?",
    "actor": r"actors?",
    "attribution": r"attributions?",
    "dialect": r"dialects?",
    "guard": r"(?<!Type )guard(?:s|ed)?",
    "sight": r"sights?",
    "counterpart": r"counterparts?",
    "handover": r"hand-?overs?",
    "host's": r"hosts?'s?",
    "floor": r"floors?",
    "door": r"doors?",
}
"""The word to look for, and its forms. docs/glossary.md has the words to use instead."""

ALLOWED = [
    # Names of django-auditlog and of SQL, and the floor of a building in an example.
    ("src/django_customer_history/contrib/auditlog/", "actor"),
    ("docs/how-to/coming-from.md", "actor"),
    ("docs/how-to/user-defined-fields.md", "floor"),
    # A name of OCSF.
    ("src/django_customer_history/feed/ocsf.py", "actor"),
    # The header Origin, and Django's setting CSRF_TRUSTED_ORIGINS.
    ("src/django_customer_history/export/foreign_requests.py", "origin"),
    ("docs/how-to/exports.md", "origin"),
]
WORDS = {
    name: re.compile(rf"(?<![A-Za-z])(?:{forms})(?![A-Za-z])", re.IGNORECASE)
    for name, forms in BANNED.items()
}


@dataclass(frozen=True, kw_only=True)
class Finding:
    path: str
    line: int
    word: str

    def __str__(self):
        return f"{self.path}:{self.line}: {self.word}"


def findings_in(path, text):
    """Return the banned words of a text, also those within names such as `banned_word`."""
    words = {name: word for name, word in WORDS.items() if not is_allowed(path, name)}
    for number, line in enumerate(text.splitlines(), start=1):
        spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", line).replace("_", " ")
        for word in words.values():
            for found in word.finditer(spaced):
                yield Finding(path=path, line=number, word=found[0])


def is_allowed(path, name):
    return any(path.startswith(start) and name == word for start, word in ALLOWED)


def own_text(path):
    """Return the text of a file. Of translations, keep only the English lines in their places."""
    text = path.read_text(encoding="utf-8")
    if path.suffix != ".po":
        return text
    lines, is_english = [], False
    for line in text.splitlines():
        if not line.startswith('"'):
            is_english = line.startswith(("msgid", "#. ", "# "))
        lines.append(line if is_english else "")
    return "\n".join(lines)


def listed(found):
    return "\n".join(map(str, found))


def relative(path):
    return str(path.relative_to(ROOT))


class TestWords:
    def test_no_word_is_banned(self):
        found = [
            finding for path in TEXTS for finding in findings_in(relative(path), own_text(path))
        ]
        if found:
            pytest.fail(f"{len(found)} banned words:\n" + listed(found), pytrace=False)

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("The context that is carried along", ["carried"]),
            ("class FieldSight:", ["Sight"]),
            ("def entity_told(self):", ["told"]),
            ("a key is no name", ["is no"]),
            ("The host's page stands here.", ["stands", "host's"]),
            ("There is no page. It is no longer there.", []),
            ("UDF stands for user-defined field. Figures that stand out.", []),
            ("original doorway, factor, bearer, insight", []),
            ('fetch(url, {credentials: "same-origin"})', []),
        ],
    )
    def test_forms_of_banned_words(self, text, expected):
        assert [finding.word for finding in findings_in("docs/page.md", text)] == expected

    def test_translations_in_english(self, tmp_path):
        path = tmp_path / "django.po"
        path.write_text('msgid ""\n"who bears it"\nmsgstr ""\n"The told"\n', encoding="utf-8")
        text = own_text(path)
        assert [str(one) for one in findings_in("django.po", text)] == ["django.po:2: bears"]

    @pytest.mark.parametrize(("start", "word"), ALLOWED)
    def test_each_exception_is_needed(self, start, word):
        paths = [path for path in TEXTS if relative(path).startswith(start)]
        assert any(WORDS[word].search(own_text(path).replace("_", " ")) for path in paths)


def tree_of(path):
    return ast.parse(path.read_text(encoding="utf-8"))


VENDORS = {"mariadb", "mysql", "oracle", "postgresql", "sqlite"}


class TestNames:
    def test_public_classes_are_unique(self):
        definitions = defaultdict(list)
        for path in MODULES:
            for node in ast.walk(tree_of(path)):
                if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                    definitions[node.name].append(f"{relative(path)}:{node.lineno}")
        shared = {
            name: places
            for name, places in definitions.items()
            if len(places) > 1 and name not in {"Meta", "Command", "Migration"}
        }
        assert shared == {}

    def test_only_backends_name_vendors(self):
        outside = [path for path in MODULES if PACKAGE / "backends" not in path.parents]
        found = [
            f"{relative(path)}:{node.lineno}: {node.value!r}"
            for path in outside
            for node in ast.walk(tree_of(path))
            if isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and node.value.lower() in VENDORS
        ]
        assert not found, listed(found)


class TestTree:
    VAGUE_NAMES = frozenset({"utils", "helpers", "core", "mixins", "constants"})

    def test_module_is_a_topic(self):
        found = [
            relative(path)
            for path in PACKAGE.rglob("*")
            if path.stem in self.VAGUE_NAMES and (path.is_dir() or path.suffix == ".py")
        ]
        assert found == []

    def test_root_fits_on_a_screen(self):
        entries = [path.name for path in PACKAGE.iterdir() if path.name != "__pycache__"]
        assert len(entries) <= 38, sorted(entries)

    def test_modules_are_short(self):
        lengths = {relative(path): len(path.read_text().splitlines()) for path in hand_written()}
        assert {path: length for path, length in lengths.items() if length >= 400} == {}

    def test_functions_are_short(self):
        found = {
            f"{relative(path)}:{node.lineno} {node.name}": node.end_lineno - node.lineno + 1
            for path in hand_written()
            for node in ast.walk(tree_of(path))
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        }
        assert {name: length for name, length in found.items() if length >= 60} == {}


def hand_written():
    """Return the modules without the migrations that Django wrote."""
    return [path for path in MODULES if not re.match(r"\d{4}_", path.name)]


class TestMigrations:
    def test_imports_from_one_module(self):
        dependencies = "django_customer_history.migrations._dependencies"
        migrations = sorted((PACKAGE / "migrations").glob("0*.py"))
        assert migrations
        for path in migrations:
            found = {
                name
                for node in ast.walk(tree_of(path))
                for name in imported_modules(node)
                if not name.startswith("django.") and name != "uuid"
            }
            assert found <= {dependencies}, relative(path)


def imported_modules(node):
    if isinstance(node, ast.Import):
        return [name.name for name in node.names]
    if isinstance(node, ast.ImportFrom):
        # A relative import would hide the module.
        return ["." * node.level + (node.module or "")]
    return []
