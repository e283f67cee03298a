"""Values as HTML: the old or the new value of a change, in any of its states.

Python writes them, not the template engine: a page has hundreds, and most are short texts. A
project that has its own `customer_history/value.html` still gets each value through it.
"""

from collections.abc import Callable
from html import escape
from uuid import UUID

from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext, pgettext

from django_customer_history.tab.diff import ADDED, REMOVED, Segments
from django_customer_history.tab.values import Cell, TabChange

Render = Callable[[dict[str, object]], str]
"""Renders a template of the project with these variables."""


def icon(name: str) -> str:
    """Return an icon of `customer_history/icons.html`, which says nothing to screen readers."""
    return f'<svg aria-hidden="true"><use href="#ch-{name}"/></svg>'


def is_open(is_print_view: bool) -> str:  # noqa: FBT001
    """Return the attribute that opens what is folded on the screen."""
    return " open" if is_print_view else ""


class ValueWriter:
    """Writes the values of one page. Texts of the user interface are translated once."""

    def __init__(
        self, *, can_reveal: bool = False, is_print_view: bool = False, render: Render | None = None
    ) -> None:
        """Make a writer.

        `can_reveal` says that the page has the form that reveals values. `render` renders the
        project's own `customer_history/value.html`; None: it has none.
        """
        self._can_reveal = can_reveal
        self._open = is_open(is_print_view)
        self._render = render
        self._states = {
            "secret": _hint(
                "secret",
                gettext("Secret: only the fact that it changed is stored."),
                gettext("not stored"),
            ),
            "untracked": _hint(
                "untracked",
                gettext("The value before tracking started is not known."),
                gettext("not tracked yet"),
            ),
            "null": _dash(gettext("No value")),
            "blank": _hint(
                "blank",
                gettext("Empty text"),
                pgettext("text without characters", "empty"),
            ),
        }

    def write(self, change: TabChange, cell: Cell, *, entry: UUID | None = None) -> SafeString:
        """Return a value as HTML.

        `entry` is the id of its entry, which a button that reveals the value sends.
        """
        shows = _shows(cell)
        if cell.is_plain:
            html = f"<bdi>{escape(cell.text)}</bdi>"
        else:
            html = self._states.get(shows) or self._value(shows, change, cell, entry)
        if cell.is_truncated:
            word = pgettext("long value", "shortened")
            html += f' <em class="ch-blank">{escape(word)}</em>'
        safe = SafeString(html)  # Every text in it is escaped.
        if self._render is None:
            return safe
        names = {"shows": shows, "html": safe, "cell": cell, "change": change.change}
        rendered = self._render({**names, "tab_change": change})
        return mark_safe(rendered.strip())  # noqa: S308 - a template escapes

    def _value(self, shows: str, change: TabChange, cell: Cell, entry: UUID | None) -> str:
        if shows == "json":
            html = self._json(cell)
            return html + self._masked(change, cell, "", entry) if change.change.masked else html
        if shows == "masked":
            return self._masked(change, cell, cell.text, entry)
        text = _segments(cell.segments)
        if shows == "text":
            return f'<bdi class="ch-text">{text}</bdi>'
        return self._folded(
            f'<bdi class="ch-excerpt ch-text">{_segments(cell.excerpt)}</bdi>',
            f'<bdi class="ch-text">{text}</bdi>',
        )

    def _json(self, cell: Cell) -> str:
        members = _members(cell.members)
        if not cell.first_members:
            return members
        return self._folded(
            f'<span class="ch-excerpt">{_members(cell.first_members)}</span>', members
        )

    def _folded(self, excerpt: str, whole: str) -> str:
        more, less = pgettext("long value", "Show all"), pgettext("long value", "Show less")
        return (
            f'<details class="ch-collapsible"{self._open}><summary>{excerpt}'
            f'<span class="ch-show-more">{escape(more)}</span>'
            f'<span class="ch-show-less">{escape(less)}</span></summary>{whole}</details>'
        )

    def _masked(self, change: TabChange, cell: Cell, text: str, entry: UUID | None) -> str:
        of = change.change
        inside = f"{icon('lock')}<bdi>{escape(text)}</bdi>"
        if of.revealable:
            hint = escape(gettext("Hidden until you reveal it. This is logged."))
            shown = f'<span class="ch-masked" title="{hint}">{inside}</span>'
            has_button = self._can_reveal and entry is not None and cell is change.reveal_cell
            return f"{shown} {_button(of.label, entry, hint)}" if has_button else shown
        hint = gettext("Hidden.")
        if of.permission_name:
            needs = gettext("Hidden. You need the permission “%(permission)s”.")
            hint = needs % {"permission": of.permission_name}
        hint = escape(hint)
        return (
            f'<details class="ch-mask-details"><summary class="ch-masked" title="{hint}">{inside}'
            f'</summary><span class="ch-mask-hint">{hint}</span></details>'
        )


def _shows(cell: Cell) -> str:
    """Return what a cell shows: the name of a block of `customer_history/value.html`."""
    if cell.state in ("secret", "untracked", "null", "blank"):
        return cell.state
    if cell.members:
        return "json"
    if cell.state == "masked":
        return "masked"
    return "long" if cell.excerpt else "text"


def _dash(title: str) -> str:
    return f'<span class="ch-null" role="img" title="{escape(title)}">—</span>'


def _hint(name: str, title: str, text: str) -> str:
    return f'<em class="ch-{name}" title="{escape(title)}">{escape(text)}</em>'


def _button(label: str, entry: UUID | None, hint: str) -> str:
    says = gettext("Reveal %(field)s. This is logged.") % {"field": label}
    word, note = gettext("Reveal"), gettext("This is logged.")
    return (
        '<button class="ch-button ch-reveal" type="submit" form="ch-reveal" name="reveal"'
        f' value="{entry}" title="{hint}" aria-label="{escape(says)}">'
        f'{escape(word)}</button> <span class="ch-reveal-note" aria-hidden="true">'
        f"{escape(note)}</span>"
    )


_ELEMENTS = {REMOVED: "del", ADDED: "ins"}


def _segment(text: str, kind: str) -> str:
    element = _ELEMENTS.get(kind)
    return f"<{element}>{escape(text)}</{element}>" if element else escape(text)


def _segments(segments: Segments) -> str:
    return "".join([_segment(one.text, one.kind) for one in segments])


def _members(members: Segments) -> str:
    items = "".join([f'<li dir="auto">{_segment(one.text, one.kind)}</li>' for one in members])
    return f'<ul class="ch-members">{items}</ul>'
