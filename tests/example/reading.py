"""The History tab as a reader sees it: the changes, read from the HTML of a page."""

from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import urljoin

_WITHOUT_END = {"br", "hr", "img", "input", "link", "meta"}
_REPEATED = {
    f"ch-{name}"
    for name in (
        "button",
        "excerpt",
        "kind",
        "mask-hint",
        "note",
        "reason",
        "show-less",
        "show-more",
        "value-count",
        "visually-hidden",
    )
}
"""Elements that repeat or explain the value next to them. So do all `i`."""

_ENDS = {
    "tr": {"tr", "td", "th"},
    "td": {"td", "th"},
    "th": {"td", "th"},
    "dt": {"dt", "dd"},
    "dd": {"dt", "dd"},
    "li": {"li"},
}
"""The elements that the start of another one ends."""

NO_VALUE = "—"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A change of an entry."""

    user: str
    action: str
    entity: str
    field: str
    old: str
    new: str
    source: str
    ip_address: str

    def without_ip_address(self):
        """Return all columns except the IP address, in their order."""
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
    """An element of a page: its tag, its attributes, and the texts and elements in it."""

    tag: str
    attributes: dict
    inside: list = field(default_factory=list)

    @property
    def classes(self):
        return set((self.attributes.get("class") or "").split())

    def all(self, *, tag=None, name=None):
        """Yield the elements in it that have a tag or a class of the package, in their order."""
        for one in self.inside:
            if isinstance(one, Element):
                if one.tag == tag or f"ch-{name}" in one.classes:
                    yield one
                yield from one.all(tag=tag, name=name)

    def text(self):
        """Return the text, without the texts of repeated elements."""
        return " ".join("".join(self._texts()).split())

    def _texts(self):
        for one in self.inside:
            if isinstance(one, str):
                yield one
            elif one.tag != "i" and not one.classes & _REPEATED:
                yield from one._texts()


class _Tree(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.open = [Element("page", {})]
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        while self.open[-1].tag in _ENDS.get(tag, ()):
            self.open.pop()
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


def read_changes(page):
    """Return the changes that the tab shows on one page."""
    tree = _Tree(page.text).open[0]
    return [change for entry in tree.all(name="entry") for change in _changes_of(entry)]


def read_columns(page):
    """Return the headings of the tab's columns."""
    (head,) = _Tree(page.text).open[0].all(tag="thead")
    return [cell.text() for cell in head.all(tag="th")]


def whole_history(browser, path):
    """Return the changes of all pages of a tab, newest first, by following "Load older"."""
    page = browser.open(path)
    changes = read_changes(page)
    while "Load older" in page.links:
        page = browser.open(urljoin(page.url, page.link("Load older")))
        changes += read_changes(page)
    return changes


def _changes_of(entry):
    shared = {
        "user": _only(entry, "user"),
        "action": _only(entry, "action"),
        "entity": _only(entry, "entity"),
        "source": _only(entry, "source"),
        "ip_address": _only(entry, "ip"),
    }
    collapsed = list(entry.all(tag="dt"))
    if collapsed:
        is_old = any("ch-old" in one.classes for one in entry.all(tag="dl"))
        for label, value in zip(collapsed, entry.all(tag="dd"), strict=True):
            old, new = (value.text(), NO_VALUE) if is_old else (NO_VALUE, value.text())
            yield Change(field=label.text(), old=old, new=new, **shared)
        return
    for row in entry.all(tag="tr"):
        labels = list(row.all(tag="th"))
        if labels:
            old, new = _only(row, "old"), _only(row, "new")
            yield Change(field=labels[0].text(), old=old, new=new, **shared)
        else:
            yield Change(field="", old="", new="", **shared)


def _only(element, name):
    (found,) = element.all(name=name)
    return found.text()
