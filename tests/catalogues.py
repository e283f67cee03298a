"""The catalogues of translations, and the texts of the code that they translate.

`make messages` brings the texts of the code into each catalogue and compiles it; what it lists
is still to be translated. `make messages LANGUAGES=fr` begins one for a new language.
"""

import sys
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

from babel.messages.catalog import Catalog
from babel.messages.extract import DEFAULT_KEYWORDS, extract
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po
from django.utils.translation.template import templatize

from tests.documents import ROOT

PACKAGE = ROOT / "src" / "django_customer_history"
LOCALE = PACKAGE / "locale"
KEYWORDS = {
    **DEFAULT_KEYWORDS,
    "gettext_noop": None,
    "gettext_lazy": None,
    "ngettext_lazy": (1, 2),
    "pgettext_lazy": ((1, "c"), 2),
    "npgettext_lazy": ((1, "c"), 2, 3),
}
LICENCE = """\
# Translations of django-customer-history.
# This file is distributed under the same license as django-customer-history.
#"""

Place = tuple[str | None, str | tuple[str, ...]]
"""Context and text, which together a translation is found by; with a plural, both texts."""


def languages() -> list[str]:
    """Return the languages that the package has catalogues for."""
    return sorted(path.parent.parent.name for path in LOCALE.glob("*/LC_MESSAGES/django.po"))


def source_of(language: str) -> Path:
    """Return where the catalogue of a language is written."""
    return LOCALE / language / "LC_MESSAGES" / "django.po"


def catalogue_of(language: str) -> Catalog:
    """Return the catalogue of a language as it stands in its file."""
    with source_of(language).open("rb") as file:
        return read_po(file, locale=language)


def texts_of_the_code() -> Catalog:
    """Return every text that the package's Python and templates mark for translation."""
    texts = Catalog(project="django-customer-history", charset="utf-8")
    for path in sorted(PACKAGE.rglob("*.py")):
        _gather(texts, path, path.read_bytes())
    for path in sorted(PACKAGE.rglob("*.html")):
        _gather(texts, path, _as_python(path))
    return texts


def places(catalogue: Catalog) -> set[Place]:
    """Return by what the messages of a catalogue are found, its header left out."""
    return {(message.context, message.id) for message in messages(catalogue)}


def messages(catalogue: Catalog) -> Iterator[Any]:
    """Yield the messages of a catalogue, its header left out."""
    return (message for message in catalogue if message.id)


def compiled(catalogue: Catalog) -> bytes:
    """Return the file that Django reads."""
    file = BytesIO()
    write_mo(file, catalogue)
    return file.getvalue()


def main(wanted: list[str]) -> None:
    """Refresh each catalogue, and say what is still to be translated."""
    texts = texts_of_the_code()
    for language in sorted({*languages(), *wanted}):
        catalogue = _refreshed(language, texts)
        path = source_of(language)
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            write_po(
                file, catalogue, width=100, sort_by_file=True, include_lineno=False,
                ignore_obsolete=True,
            )  # fmt: skip
        path.with_suffix(".mo").write_bytes(compiled(catalogue))
        missing = [one for one in messages(catalogue) if one.fuzzy or not _is_whole(one)]
        print(f"{path.relative_to(ROOT)}: {len(missing)} to translate")
        for message in missing:
            print(f"  {message.id!r}")


def _gather(texts: Catalog, path: Path, source: bytes) -> None:
    place = path.relative_to(ROOT).as_posix()
    found = extract("python", BytesIO(source), keywords=KEYWORDS, options={"encoding": "utf-8"})
    for line, text, _comments, context in found:
        texts.add(text, locations=[(place, line)], context=context)


def _as_python(path: Path) -> bytes:
    # Django's own way: what is no text to translate becomes letters without meaning.
    lines = templatize(path.read_text(encoding="utf-8"), origin=str(path)).splitlines()
    return "\n".join(line.strip() for line in lines).encode()


def _refreshed(language: str, texts: Catalog) -> Catalog:
    is_new = not source_of(language).exists()
    catalogue = Catalog(locale=language) if is_new else catalogue_of(language)
    catalogue.update(texts, no_fuzzy_matching=True, update_creation_date=False)
    catalogue.header_comment, catalogue.project = LICENCE, texts.project
    catalogue.version = ""
    catalogue.msgid_bugs_address = catalogue.last_translator = ""
    catalogue.fuzzy = False
    return catalogue


def _is_whole(message: Any) -> bool:
    return all(message.string if isinstance(message.string, tuple) else (message.string,))


if __name__ == "__main__":
    main(sys.argv[1:])
