"""The History tab as a reader sees it: one line for each field of each entry, from the HTML."""

from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import urljoin

_WITHOUT_END = {"br", "hr", "img", "input", "link", "meta"}
_SAID_TWICE = {
    f"customer-history-{name}"
    for name in ("button", "excerpt", "hidden", "hint", "less", "more", "note", "number", "reason")
}
"""What repeats or explains the value next to it."""

NO_VALUE = "—"


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A field of an entry."""

    user: str
    action: str
    entity: str
    field: str
    old: str
    new: str
    source: str
    address: str

    def told(self):
        """Return everything but the address, in the order of the columns."""
        return (
            self.user,
            self.action,
            self.entity,
            self.field,
            self.old,
            self.new,
            self.source,
        )


@dataclass(slots=True)
class Element:
    """An element of a page: its tag, its attributes, and texts and elements inside."""

    tag: str
    attributes: dict
    inside: list = field(default_factory=list)

    @property
    def classes(self):
        return set((self.attributes.get("class") or "").split())

    def all(self, *, tag=None, name=None):
        """Yield the elements inside with a tag or a class of the package, in their order."""
        for one in self.inside:
            if isinstance(one, Element):
                if one.tag == tag or f"customer-history-{name}" in one.classes:
                    yield one
                yield from one.all(tag=tag, name=name)

    def text(self):
        """Return the words, without those that are there twice."""
        return " ".join("".join(self._texts()).split())

    def _texts(self):
        for one in self.inside:
            if isinstance(one, str):
                yield one
            elif not one.classes & _SAID_TWICE:
                yield from one._texts()


class _Tree(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.open = [Element("page", {})]
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        element = Element(tag, dict(attrs))
        self.open[-1].inside.append(element)
        if tag not in _WITHOUT_END:
            self.open.append(element)

    def handle_startendtag(self, tag, attrs):
        self.open[-1].inside.append(Element(tag, dict(attrs)))

    def handle_endtag(self, tag):
        while len(self.open) > 1 and tag not in _WITHOUT_END:
            if self.open.pop().tag == tag:
                return

    def handle_data(self, data):
        self.open[-1].inside.append(data)


def lines_of(page):
    """Return the lines of the tab on one page."""
    tree = _Tree(page.text).open[0]
    return [line for entry in tree.all(name="entry") for line in _lines_of_entry(entry)]


def columns_of(page):
    """Return the headings of the tab's columns."""
    (head,) = _Tree(page.text).open[0].all(tag="thead")
    return [cell.text() for cell in head.all(tag="th")]


def whole_history(browser, path):
    """Return the lines of all pages of a tab, newest first, as "Load older" leads to them."""
    page = browser.open(path)
    lines = lines_of(page)
    while "Load older" in page.links:
        page = browser.open(urljoin(page.url, page.link("Load older")))
        lines += lines_of(page)
    return lines


def _lines_of_entry(entry):
    shared = {
        "user": _only(entry, "user"),
        "action": _only(entry, "action"),
        "entity": _only(entry, "entity").removesuffix(" View as of"),
        "source": _only(entry, "source"),
        "address": _only(entry, "address"),
    }
    folded = list(entry.all(tag="dt"))
    if folded:
        for label, value in zip(folded, entry.all(tag="dd"), strict=True):
            is_old = "customer-history-old" in value.classes
            old, new = (value.text(), NO_VALUE) if is_old else (NO_VALUE, value.text())
            yield Line(field=label.text(), old=old, new=new, **shared)
        return
    for row in entry.all(tag="tr"):
        labels = list(row.all(tag="th"))
        if labels:
            old, new = _only(row, "old"), _only(row, "new")
            yield Line(field=labels[0].text(), old=old, new=new, **shared)
        else:
            yield Line(field="", old="", new="", **shared)


def _only(element, name):
    (found,) = element.all(name=name)
    return found.text()
