"""The markup of the tab: the same through templates and without, and escaped."""

import re
from dataclasses import fields, is_dataclass, replace
from html.parser import HTMLParser

import pytest

from django_customer_history import history
from django_customer_history.models import ConfidentialField
from django_customer_history.tab.entry_html import EntryWriter
from django_customer_history.tab.value_html import ValueWriter
from tests.projects.crm.models import Customer, Note, Ticket
from tests.reading.tabs import tab_url

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.reading.urls")]

BAD = """<b onclick='x'>&"e\""""
ROWS = re.compile(r"<table>.*</table>", re.DOTALL)


@pytest.fixture
def busy(customer, user):
    """A customer with entries of each kind and values in each state."""
    with history.acting(user=user, source="api", reason="A reason", ip_address="203.0.113.7"):
        note = Note.objects.create(customer=customer, text="one")
        for text in ("two", "three", "four", "", "A longer text " * 40, "A longer note " * 40):
            Note.objects.filter(pk=note.pk).update(text=text)
        Customer.objects.update(ssn="999-88-7777", rate="44.99", name="Acme Ltd")
        ticket = Ticket.objects.create(customer=customer, udf={"a": [1, 2], "b": "c"})
        ticket.delete()
        history.record("Called Back", subject=customer, changes={"number": (None, "0123")})
    ConfidentialField.objects.create(model="crm.customer", field="name")
    return customer


@pytest.fixture
def use_template(settings, tmp_path):
    """Return a function that gives the project a template of its own."""
    (tmp_path / "customer_history").mkdir()

    def use(name, text=""):
        (tmp_path / "customer_history" / name).write_text(
            f'{{% extends "customer_history/{name}" %}}{text}'
        )
        settings.TEMPLATES = [{**settings.TEMPLATES[0], "DIRS": [tmp_path]}]

    return use


def rows(reader, customer, query=""):
    (found,) = ROWS.findall(reader.get(tab_url(customer) + query).content.decode())
    return found


class TestTemplates:
    @pytest.mark.parametrize("query", ["", "?print=yes", "?kind=create"])
    @pytest.mark.parametrize("name", ["entry.html", "value.html"])
    def test_same_rows_through_a_template(self, reader, busy, use_template, name, query):
        plain = rows(reader, busy, query)
        use_template(name)
        assert rows(reader, busy, query) == plain

    def test_project_replaces_a_value(self, reader, busy, use_template):
        use_template("value.html", "{% block null %}nothing at all{% endblock %}")
        text = rows(reader, busy)
        assert "nothing at all" in text
        assert "ch-null" not in text

    def test_value_is_wrapped(self, reader, busy, use_template):
        use_template("value.html", "{% block text %}<b>{{ html }}</b>{% endblock %}")
        assert "<b><bdi>three</bdi></b>" in rows(reader, busy)

    def test_project_adds_to_a_row(self, reader, busy, use_template):
        block = "{% block change %}{{ change.cells }}<!-- {{ tab_change.change.field }} -->"
        use_template("entry.html", f"{block}{{% endblock %}}")
        assert "<!-- rate -->" in rows(reader, busy)


class _Tags(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.found = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, sorted(name for name, _ in attrs)))


def spoiled(value):
    """Return a value with all texts in it replaced, as if each were an attack."""
    if isinstance(value, str):
        return BAD
    if hasattr(value, "_fields"):
        return value._replace(**_spoiled_fields(value, value._fields))
    if isinstance(value, tuple):
        return tuple(spoiled(one) for one in value)
    if is_dataclass(value):
        names = [one.name for one in fields(value) if one.init]
        return replace(value, **_spoiled_fields(value, names))
    return value


def _spoiled_fields(value, names):
    kept = ("kind", "state", "type", "model")
    return {name: spoiled(getattr(value, name)) for name in names if name not in kept}


class TestEscaping:
    @pytest.mark.parametrize("query", ["", "?kind=delete"])
    def test_every_text_is_escaped(self, reader, busy, query):
        answer = reader.get(tab_url(busy) + query)
        writer = EntryWriter(ValueWriter(can_reveal=True), is_print_view=False)
        for day in answer.context["history"].days:
            for entry in day.entries:
                good, bad = (writer.write(one).joined() for one in (entry, spoiled(entry)))
                assert BAD not in bad
                assert "&lt;b onclick=" in bad
                assert {tag for tag, _ in _Tags(bad).found} <= {
                    *(tag for tag, _ in _Tags(good).found), "a", "bdi", "span", "del", "ins", "i",
                    "em", "details", "summary", "svg", "use", "small", "button",
                }  # fmt: skip
                assert not [names for _, names in _Tags(bad).found if "onclick" in names]
