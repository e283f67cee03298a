"""The rows of an entry as HTML, in the pieces that `customer_history/entry.html` puts together.

Python writes them, not the template engine: a page has thousands of these texts. If a project has
a template `customer_history/entry.html` of its own, it gets the pieces and puts them together.

The end tags of rows, cells, `dt` and `dd` are left out, as HTML allows: they are a twelfth of a
page. A line break between cells keeps their texts apart.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from html import escape

from django.utils.formats import localize
from django.utils.safestring import SafeString
from django.utils.text import Truncator
from django.utils.translation import gettext, ngettext, pgettext

from django_customer_history.tab.days import Moment, TabEntry, TabUser
from django_customer_history.tab.urls import ENTRY_ID
from django_customer_history.tab.value_html import ValueWriter, icon, is_open
from django_customer_history.tab.values import TabChange


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeHtml:
    """The cells of one change: the field, the old and the new value."""

    cells: SafeString
    """One cell, if the values of the entry are in one row that opens."""
    tab_change: TabChange | None = None
    """None if it is not one change."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryHtml:
    """The pieces of one entry, each with the names of the blocks of the template."""

    attributes: SafeString
    """Of the element around the rows, with a space before each."""
    rowspan: SafeString
    """The attribute of the cells that the rows share; empty for one row."""
    time: SafeString
    user: SafeString
    action: SafeString
    entity: SafeString
    """What the cell of the entity has before the link `as_of`."""
    as_of: SafeString
    changes: tuple[ChangeHtml, ...]
    """One for each row."""
    is_collapsed: bool
    source: SafeString
    ip_address: SafeString
    below: SafeString
    """Rows below the changes: what is left out, and the edits of a run."""

    def joined(self) -> str:
        """Return the rows, as the template of the package puts the pieces together."""
        first, *more = self.changes
        rows = "".join([f"\n<tr>{one.cells}" for one in more])
        return (
            f"<tbody{self.attributes}><tr>{self.time}\n{self.user}\n{self.action}"
            f'\n<td class="ch-entity"{self.rowspan}>{self.entity}{self.as_of}'
            f"\n{first.cells}\n{self.source}\n{self.ip_address}{rows}{self.below}</tbody>\n"
        )


class EntryWriter:
    """Writes the entries of one page. Texts of the user interface are translated once."""

    def __init__(self, values: ValueWriter, *, is_print_view: bool) -> None:
        """Make a writer whose values are written by `values`."""
        self._values = values
        self._is_print_view = is_print_view
        self._was = _hidden_word(pgettext("an old value", "was"))
        self._is_now = _hidden_word(pgettext("a new value", "is now"))
        self._same_request = escape(gettext("same request"))
        self._record = _icon_link("as-of", gettext("Record at this change"))
        self._request = _icon_link("same", gettext("All changes of this request"))
        self._undo = _icon_link("undo-link", gettext("Undo this change"))
        self._undo_text = escape(gettext("Undo this change"))

    def write(self, shown: TabEntry) -> EntryHtml:
        """Return the pieces of an entry."""
        rows = shown.row_count
        rowspan = f' rowspan="{rows}"' if rows > 1 else ""
        return EntryHtml(
            attributes=_safe(_attributes(shown)),
            rowspan=_safe(rowspan),
            time=_safe(f'<td class="ch-time"{rowspan}>{self._time(shown)}'),
            user=_safe(_user(shown, rowspan)),
            action=_safe(f'<td class="ch-action"{rowspan}>{_action(shown)}'),
            entity=_safe(_entity(shown)),
            as_of=_safe(_linked(self._record, shown.record_link)),
            changes=tuple(self._changes(shown)),
            is_collapsed=shown.is_collapsed,
            source=_safe(f'<td class="ch-source"{rowspan}>{self._source(shown)}'),
            ip_address=_safe(f'<td class="ch-ip"{rowspan}>{_ip_address(shown)}'),
            below=_safe(_omitted_row(shown) + (self._run(shown) if shown.run else "")),
        )

    def _time(self, shown: TabEntry) -> str:
        moment = shown.moment
        link = _time_link(shown.link, moment)
        if shown.continues_request:
            return f'{link} <span class="ch-continues"><bdi>{self._same_request}</bdi></span>'
        if moment.relative:
            return f'{link} <span class="ch-relative"><bdi>{escape(moment.relative)}</bdi></span>'
        return link

    def _source(self, shown: TabEntry) -> str:
        label = escape(str(shown.entry.source.label))
        return (
            _link(shown.links.source, label)
            + _linked(self._request, shown.request_link)
            + _linked(self._undo, shown.undo_link)
        )

    def _changes(self, shown: TabEntry) -> Iterator[ChangeHtml]:
        if shown.is_collapsed:
            inside = _labels(shown) if shown.entry.kind == "view" else self._collapsed(shown)
            yield ChangeHtml(cells=_safe(f'<td colspan="3" class="ch-values">{inside}'))
        elif not shown.changes:
            yield ChangeHtml(cells=_safe("<td></td><td></td><td></td>"))
        else:
            for one in shown.changes:
                old, new = self._pair(shown, one)
                cells = (
                    f'<th scope="row">{_named_link(one.link, one.change.label)}'
                    f'\n<td class="ch-old">{old}\n<td class="ch-new">{new}'
                )
                yield ChangeHtml(cells=_safe(cells), tab_change=one)

    def _pair(self, shown: TabEntry, change: TabChange) -> tuple[str, str]:
        """Return the old and the new value, each with a word for screen readers."""
        write, key = self._values.write, shown.entry.id
        old, new = write(change, change.old, entry=key), write(change, change.new, entry=key)
        return f"{self._was}{old}", f"{self._is_now}{new}"

    def _collapsed(self, shown: TabEntry) -> str:
        entry = shown.entry
        opens = is_open(self._is_print_view or shown.is_target or shown.is_revealed)
        number = len(shown.changes)
        count = ngettext("%(number)s value", "%(number)s values", number)
        preview = f'<span class="ch-preview" dir="auto">{escape(shown.preview)}</span>'
        note = _baseline_note() if entry.is_baseline else ""
        fields = "".join(
            [
                f"<dt>{escape(one.change.label)}"
                f"\n<dd>{self._values.write(one, one.shown, entry=entry.id)}\n"
                for one in shown.changes
            ]
        )
        return (
            f'<details{opens}><summary><span class="ch-value-count">'
            f"{escape(count % {'number': localize(number)})}</span> {preview}</summary>{note}"
            f'<dl class="ch-{"old" if entry.kind == "delete" else "new"}">{fields}</dl>'
            f"{_omitted(entry.omitted_changes)}</details>"
        )

    def _run(self, shown: TabEntry) -> str:
        number = len(shown.run)
        edited = ngettext("edited %(number)s time", "edited %(number)s times", number)
        edits = "".join([self._edit(one) for one in shown.run])
        return (
            '\n<tr><td colspan="3" class="ch-values">'
            f'<details class="ch-run"{is_open(self._is_print_view)}><summary>'
            f"{escape(edited % {'number': localize(number)})}</summary>"
            f"<ol reversed>{edits}</ol></details>"
        )

    def _edit(self, one: TabEntry) -> str:
        old, new = self._pair(one, one.changes[0])
        undo = f' <a href="{escape(one.undo_link)}">{self._undo_text}</a>' if one.undo_link else ""
        return (
            f'<li>{_time_link(one.link, one.moment)} <span class="ch-old">{old}</span>'
            f' <span class="ch-new">{new}</span>{undo}\n'
        )


def _safe(html: str) -> SafeString:
    """Mark HTML as safe, as `mark_safe` does for a str, but without its checks."""
    return SafeString(html)  # The functions of this module escape every text.


def _attributes(shown: TabEntry) -> str:
    states = (
        (shown.is_target, "ch-target"),
        (shown.is_revealed, "ch-revealed"),
        (shown.continues_request, "ch-continued"),
    )
    names = ["ch-entry", f"ch-{shown.entry.kind}", *[name for has, name in states if has]]
    place = f' id="{ENTRY_ID}" tabindex="-1"' if shown.is_target else ""
    return f'{place} class="{escape(" ".join(names))}"'


def _time_link(link: str, moment: Moment) -> str:
    return (
        f'<a href="{escape(link)}" title="{escape(moment.exact)}">'
        f'<time datetime="{escape(moment.iso)}">{escape(moment.clock)}</time></a>'
    )


def _user(shown: TabEntry, rowspan: str) -> str:
    user = shown.user
    is_system = " ch-system" if user.kind == "system" else ""
    # Most users are persons: an icon is only in the rows where it says something.
    picture = "" if user.kind == "person" else icon(user.kind)
    through = f" <i>{escape(user.through)}</i>" if user.through else ""
    return (
        f'<td class="ch-user{is_system}"{rowspan}>{picture}'
        f"{_link(shown.links.user, _user_name(user))}{through}"
    )


def _user_name(user: TabUser) -> str:
    name = f"<bdi>{escape(user.name)}</bdi>"
    if not user.impersonated:
        return name
    other = f"<bdi>{escape(user.impersonated)}</bdi>"
    return gettext("%(name)s (as %(other)s)") % {"name": name, "other": other}


def _action(shown: TabEntry) -> str:
    html = _named_link(shown.links.action, shown.action)
    if shown.is_recorded_event:
        hint = gettext("An event that was recorded by a program, not a change of a row.")
        word = escape(pgettext("mark of an entry", "event"))
        html += f' <span class="ch-kind" title="{escape(hint)}">{word}</span>'
    if shown.entry.reason:
        html += f' <span class="ch-reason"><bdi>{escape(shown.entry.reason)}</bdi></span>'
    return html


def _entity(shown: TabEntry) -> str:
    entry, entity = shown.entry, shown.entry.entity
    subject = ""
    if shown.subject_link and entry.subject is not None:
        name = escape(entry.subject.label or entry.subject.id)
        link = escape(shown.subject_link)
        subject = f'<a class="ch-subject" href="{link}"><bdi>{name}</bdi></a> '
    kind = escape(f"{entity.name[:1].upper()}{entity.name[1:]}")
    if shown.is_own:
        return f"{subject}{kind}"
    return f"{subject}<small>{kind}</small> {_record(shown)}"


def _record(shown: TabEntry) -> str:
    entity = shown.entry.entity
    name = f"<bdi>{escape(entity.label or entity.id)}</bdi>"
    if entity.url:
        return f'<a href="{escape(entity.url)}">{name}</a>'
    if shown.entity_link:
        part = escape(Truncator(entity.id).chars(9))
        title = escape(entity.id)
        return f'<a href="{escape(shown.entity_link)}" title="{title}"><bdi>{part}</bdi></a>'
    return name


def _ip_address(shown: TabEntry) -> str:
    address = shown.entry.ip_address
    # Only a cell that is closed at once is empty for the stylesheet.
    return f"<bdi>{escape(address)}</bdi>" if address else "</td>"


def _labels(shown: TabEntry) -> str:
    return ", ".join([f"<bdi>{escape(one.change.label)}</bdi>" for one in shown.changes])


def _baseline_note() -> str:
    text = gettext("The values when tracking started. When they were set is not known.")
    mark = gettext("not tracked yet")
    return f'<p class="ch-note"><em class="ch-untracked">{escape(mark)}</em> {escape(text)}</p>'


def _omitted(number: int) -> str:
    if not number:
        return ""
    text = ngettext(
        "%(number)s more change is not shown here.",
        "%(number)s more changes are not shown here.",
        number,
    )
    return f'<p class="ch-note">{escape(text % {"number": localize(number)})}</p>'


def _omitted_row(shown: TabEntry) -> str:
    number = 0 if shown.is_collapsed else shown.entry.omitted_changes
    return f'\n<tr><td colspan="3">{_omitted(number)}' if number else ""


def _hidden_word(word: str) -> str:
    """Return a word that only screen readers get."""
    return f"<i>{escape(word)} </i>"


def _link(url: str, inside: str) -> str:
    return f'<a href="{escape(url)}">{inside}</a>' if url else inside


def _named_link(url: str, name: str) -> str:
    """Return a name that is a link, or not. Either has the text direction of the name."""
    return f'<a href="{escape(url)}">{escape(name)}</a>' if url else f"<bdi>{escape(name)}</bdi>"


def _icon_link(name: str, title: str) -> tuple[str, str]:
    """Return what a link that is an icon, drawn by the stylesheet, has around its URL."""
    return f' <a class="ch-{name}" href="', f'" title="{escape(title)}"></a>'


def _linked(parts: tuple[str, str], url: str | None) -> str:
    return f"{parts[0]}{escape(url)}{parts[1]}" if url else ""
