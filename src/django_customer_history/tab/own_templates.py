"""The rows of the tab, through the templates of a project where it has some of its own."""

from collections.abc import Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any

from django.template.base import Template
from django.template.context import Context
from django.utils.safestring import SafeString, mark_safe

from django_customer_history.tab.days import TabEntry
from django_customer_history.tab.entry_html import EntryWriter
from django_customer_history.tab.page import Tab
from django_customer_history.tab.value_html import ValueWriter

_WRITER = "customer_history.entry_rows"
"""Where a page keeps what writes its rows, from one day to the next."""

_PACKAGES_OWN = Path(__file__).resolve().parent.parent / "templates"


def rows_of(context: Context, entries: Sequence[TabEntry]) -> SafeString:
    """Return the rows of entries as HTML, with the variables of a page of the tab."""
    if _WRITER not in context.render_context:
        writer = EntryWriter(value_writer(context), is_print_view=_is_print_view(context))
        template = _own_template(context, "customer_history/entry.html")
        context.render_context[_WRITER] = writer, template
    writer, template = context.render_context[_WRITER]
    if template is None:
        rows = [writer.write(one).joined() for one in entries]
    else:
        rows = [_rendered(template, context, _variables(writer, one)) for one in entries]
    return mark_safe("".join(rows))  # noqa: S308 - the writer escapes every text


def value_writer(context: Context) -> ValueWriter:
    """Return what writes the values of the page."""
    template = _own_template(context, "customer_history/value.html")
    tab = _tab(context)
    return ValueWriter(
        can_reveal=tab is not None and tab.url is not None,
        is_print_view=_is_print_view(context),
        render=None if template is None else partial(_rendered, template, context),
    )


def _variables(writer: EntryWriter, shown: TabEntry) -> dict[str, Any]:
    """Return the variables of `customer_history/entry.html`."""
    return {
        "html": writer.write(shown),
        "tab_entry": shown,
        "entry": shown.entry,
        "tab_user": shown.user,
        "links": shown.links,
        "rows": shown.row_count,
    }


def _is_print_view(context: Context) -> bool:
    tab = _tab(context)
    return tab is not None and tab.is_print_view


def _tab(context: Context) -> Tab | None:
    """Return the tab of the page; None: the page has another, or none."""
    tab = context.get("history")
    return tab if isinstance(tab, Tab) else None


def _own_template(context: Context, name: str) -> Template | None:
    """Return a template of the project that replaces one of the package, or None."""
    template: Template = context.template.engine.get_template(name)  # type: ignore[union-attr]
    return None if template.source == _packages_text(name) else template


@cache
def _packages_text(name: str) -> str:
    return (_PACKAGES_OWN / name).read_text(encoding="utf-8")


def _rendered(template: Template, context: Context, variables: dict[str, Any]) -> str:
    with context.push(**variables):
        return str(template.render(context))
