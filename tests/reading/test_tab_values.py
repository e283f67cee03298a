"""Values on the History tab: differences, labels, and the states of a value."""

import io
import re

import pytest
from django.core.management import call_command
from django.utils.html import strip_tags

from django_customer_history import history
from django_customer_history.capture.registration_log import log_registrations
from django_customer_history.models import Entry
from tests.projects.crm.models import Customer, Note, Specimen, Tag, Ticket
from tests.reading.conftest import grant
from tests.reading.tabs import get_staff, shown, tab_url

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.reading.urls")]


class TestValues:
    def test_a_long_text_has_a_word_diff(self, reader, customer):
        note = Note.objects.create(customer=customer, text="Installed panel and five sensors.")
        Note.objects.filter(pk=note.pk).update(text="Installed panel and six sensors.")
        text = reader.get(tab_url(customer)).content.decode()
        assert "Installed panel and <del>five</del> sensors." in text
        assert "Installed panel and <ins>six</ins> sensors." in text

    def test_text_in_a_diff_is_escaped(self, reader, customer):
        note = Note.objects.create(customer=customer, text="<b>one two three</b> four five six")
        Note.objects.filter(pk=note.pk).update(text="<b>one two 3</b> four five six")
        text = reader.get(tab_url(customer)).content.decode()
        assert "<b>" not in text
        assert "<del>three</del>" in text

    def test_a_very_long_text_is_collapsed(self, reader, customer):
        note = Note.objects.create(customer=customer, text="word " * 400)
        Note.objects.filter(pk=note.pk).update(text="word " * 200 + "new " + "word " * 200)
        text = reader.get(tab_url(customer)).content.decode()
        assert "ch-collapsible" in text
        assert text.count("<ins>new ") == 2  # In the excerpt, and in the whole.

    def test_json_shows_changed_members(self, reader, user, customer):
        grant(user, "view_entry")
        specimen = Specimen.objects.create(json={"panel": "a", "zones": ["hall", "attic"]})
        Specimen.objects.filter(pk=specimen.pk).update(
            json={"panel": "a", "zones": ["hall", "cellar"]}
        )
        entry = Entry.objects.filter(entity_model="crm.specimen").order_by("-id")[0]
        get_staff(user)
        page = reader.get(f"/admin/customer_history/entry/{entry.id}/change/").content.decode()
        assert '<li dir="auto"><del>zones: attic</del></li>' in page
        assert '<li dir="auto"><ins>zones: cellar</ins></li>' in page
        assert "panel" not in page[page.index("<table") :]

    def test_choices_relations_and_booleans(self, reader, user, customer):
        ticket = Ticket.objects.create(customer=customer)
        Ticket.objects.filter(pk=ticket.pk).update(urgent=True, assigned_to=user)
        text = shown(reader.get(tab_url(customer)))
        assert "Urgent was No is now Yes" in text
        assert "Assigned to was — is now ann" in text

    def test_record_older_than_its_tracking(self, reader):
        log_registrations("default")  # Other tests may have emptied the log since `migrate`.
        with history.paused(reason="before tracking"):
            old = Customer.objects.create(name="Old")
        Customer.objects.filter(pk=old.pk).update(rate="1.00")
        answer = reader.get(tab_url(old))
        assert "not tracked" in shown(answer)
        assert "Tracking started on" in shown(answer)
        assert "No older changes." not in shown(answer)

    def test_five_states_are_explained(self, reader):
        with history.paused(reason="before tracking"):
            old = Customer.objects.create(name="Old", ssn="123-45-6789")
            old.tags.add(Tag.objects.create(name="Vip"))
        call_command("history_baseline", "crm.customer", stdout=io.StringIO())
        Customer.objects.filter(pk=old.pk).update(name="", api_token="t", ssn="")
        old.tags.clear()
        text = reader.get(tab_url(old)).content.decode()
        for state, words, why in (
            ("null", "—", "No value"),
            ("blank", "empty", "Empty text"),
            (
                "masked",
                "***-**-6789",
                "Hidden. You need the permission “Can see the ssn of customer unmasked”.",
            ),
            ("secret", "not stored", "Secret: only the fact that it changed is stored."),
            ("untracked", "not tracked yet", "The value before tracking started is not known."),
        ):
            cell = re.search(rf'<(\w+) class="ch-{state}".*?</\1>', text)[0]
            assert words in strip_tags(cell)
            assert why in cell

    def test_a_baseline_opens_to_its_values(self, reader):
        with history.paused(reason="before tracking"):
            old = Customer.objects.create(name="Old")
        call_command("history_baseline", "crm.customer", stdout=io.StringIO())
        answer = reader.get(tab_url(old))
        assert "Baseline Customer" in shown(answer)
        assert (
            "not tracked yet The values when tracking started. When they were set is not known."
            in shown(answer)
        )
        assert "<dt>Name\n<dd><bdi>Old</bdi>" in answer.content.decode()
        assert "No older changes." in shown(answer)

    def test_record_created_under_tracking(self, reader, customer):
        answer = reader.get(tab_url(customer))
        assert "No older changes." in shown(answer)
        assert "Tracking started on" not in shown(answer)
