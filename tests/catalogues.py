"""The translation catalogs, and the texts of the code that they translate.

The package has catalogs, and the example project has its own. `make messages` updates each of them
with the texts of the code, compiles it, and lists the texts that are not translated yet.
`make messages LANGUAGES=fr` starts the catalogs of a new language.
"""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

from babel.messages.catalog import Catalog
from babel.messages.extract import DEFAULT_KEYWORDS, extract
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po
from django.utils.translation.template import templatize

from tests.documents import ROOT

KEYWORDS = {
    **DEFAULT_KEYWORDS,
    "gettext_noop": None,
    "gettext_lazy": None,
    "ngettext_lazy": (1, 2),
    "pgettext_lazy": ((1, "c"), 2),
    "npgettext_lazy": ((1, "c"), 2, 3),
}
LICENSE = """\
# Translations of {name}.
# This file is distributed under the same license as django-customer-history.
#"""

MessageId = tuple[str | None, str | tuple[str, ...]]
"""Context and text, which identify a message. A message with a plural has two texts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    """The code in a folder, with its catalogs in the folder `locale`."""

    name: str
    folder: Path

    @property
    def languages(self) -> list[str]:
        """The languages that have a catalog."""
        catalogs = (self.folder / "locale").glob("*/LC_MESSAGES/django.po")
        return sorted(path.parent.parent.name for path in catalogs)

    def source_of(self, language: str) -> Path:
        """Return the path of a language's catalog."""
        return self.folder / "locale" / language / "LC_MESSAGES" / "django.po"

    def catalog_of(self, language: str) -> Catalog:
        """Return the catalog of a language, read from its file."""
        with self.source_of(language).open("rb") as file:
            return read_po(file, locale=language)

    def files(self, ending: str) -> list[Path]:
        """Return the paths of the files whose names have an ending."""
        return sorted(self.folder.rglob(f"*.{ending}"))

    def texts(self) -> Catalog:
        """Return every text that the Python code and the templates mark for translation."""
        texts = Catalog(project=self.name, charset="utf-8")
        for path in self.files("py"):
            _gather(texts, path, path.read_bytes())
        for path in self.files("html"):
            _gather(texts, path, _as_python(path))
        return texts


PACKAGE = Code(name="django-customer-history", folder=ROOT / "src" / "django_customer_history")
DEMO = Code(name="the example project of django-customer-history", folder=ROOT / "example_project")


def message_ids(catalog: Catalog) -> set[MessageId]:
    """Return what identifies the messages of a catalog, without its header."""
    return {(message.context, message.id) for message in messages(catalog)}


def messages(catalog: Catalog) -> Iterator[Any]:
    """Yield the messages of a catalog, without its header."""
    return (message for message in catalog if message.id)


def compiled(catalog: Catalog) -> bytes:
    """Return the compiled catalog that Django reads."""
    file = BytesIO()
    write_mo(file, catalog)
    return file.getvalue()


def main(wanted: list[str]) -> None:
    """Update each catalog and print the texts that are not translated yet."""
    for code in (PACKAGE, DEMO):
        texts = code.texts()
        for language in sorted({*code.languages, *wanted}):
            _update(code, language, texts)


def _update(code: Code, language: str, texts: Catalog) -> None:
    catalog = _refreshed(code, language, texts)
    path = code.source_of(language)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        write_po(
            file, catalog, width=100, sort_by_file=True, include_lineno=False,
            ignore_obsolete=True,
        )  # fmt: skip
    path.with_suffix(".mo").write_bytes(compiled(catalog))
    missing = [one for one in messages(catalog) if one.fuzzy or not _is_translated(one)]
    print(f"{path.relative_to(ROOT)}: {len(missing)} to translate")
    for message in missing:
        print(f"  {message.id!r}")


def _gather(texts: Catalog, path: Path, source: bytes) -> None:
    location = path.relative_to(ROOT).as_posix()
    found = extract("python", BytesIO(source), keywords=KEYWORDS, options={"encoding": "utf-8"})
    for line, text, _comments, context in found:
        texts.add(text, locations=[(location, line)], context=context)


def _as_python(path: Path) -> bytes:
    # As Django's makemessages does: everything that is not translated becomes meaningless letters.
    lines = templatize(path.read_text(encoding="utf-8"), origin=str(path)).splitlines()
    return "\n".join(line.strip() for line in lines).encode()


def _refreshed(code: Code, language: str, texts: Catalog) -> Catalog:
    is_new = not code.source_of(language).exists()
    catalog = Catalog(locale=language) if is_new else code.catalog_of(language)
    catalog.update(texts, no_fuzzy_matching=True, update_creation_date=False)
    catalog.header_comment = LICENSE.format(name=code.name)
    catalog.project = texts.project
    catalog.version = ""
    catalog.msgid_bugs_address = catalog.last_translator = ""
    catalog.fuzzy = False
    return catalog


def _is_translated(message: Any) -> bool:
    return all(message.string if isinstance(message.string, tuple) else (message.string,))


if __name__ == "__main__":
    main(sys.argv[1:])
