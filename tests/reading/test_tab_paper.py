"""The files and the print view of the History tab."""

import csv
import io
import re
from datetime import datetime

import pytest
from django.utils import timezone

from tests.projects.crm.models import Note
from tests.reading.conftest import grant
from tests.reading.tabs import actions, shown, tab_url

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.reading.urls")]


class TestFile:
    def test_has_the_filtered_changes(self, reader, customer):
        Note.objects.create(customer=customer, text="in the file")
        page = reader.get(tab_url(customer) + "?entity=crm.note")
        link = page.context["history"].export_link
        assert link == f"{tab_url(customer)}?entity=crm.note&format=csv"
        answer = reader.get(link)
        assert answer["Content-Disposition"].startswith("attachment")
        rows = list(csv.DictReader(io.StringIO(answer.getvalue().decode())))
        assert {row["entity"] for row in rows} == {"Note"}
        assert "in the file" in [row["new_value"] for row in rows]

    def test_masked_fields_are_named_before(self, reader, user, customer):
        assert "Masked fields: Ssn" in shown(reader.get(tab_url(customer)))
        grant(user, "view_confidential_customer_ssn")
        assert "Masked fields:" not in shown(reader.get(tab_url(customer)))

    def test_needs_its_permission(self, client, django_user_model, customer):
        user = django_user_model.objects.create_user("bob")
        grant(user, "view_customer_history")
        client.force_login(user)
        page = client.get(tab_url(customer))
        assert page.context["history"].export_link is None
        assert "Download" not in shown(page)
        answer = client.get(tab_url(customer) + "?format=csv")
        assert answer.status_code == 403
        assert "You do not have permission to export this history." in shown(answer)
        assert "39.99" not in answer.content.decode()

    def test_an_unknown_format_is_named(self, reader, customer):
        answer = reader.get(tab_url(customer) + "?format=pdf")
        assert answer.status_code == 400
        assert "csv, ndjson, xlsx" in shown(answer)


class TestPrintView:
    def test_names_user_time_and_filters(self, reader, customer):
        before = timezone.now().replace(microsecond=0)
        answer = reader.get(tab_url(customer) + "?print=yes&kind=create")
        text = answer.content.decode()
        moment = re.search(r'class="ch-print-time" datetime="([^"]+)"', text)[1]
        assert before <= datetime.fromisoformat(moment) <= timezone.now()
        written = f"{before:%Y}, {moment[11:19]} UTC"
        assert re.search(rf"Printed by ann on [^,]+, {written}. Times are in UTC.", shown(answer))
        assert "Filters: Kind Create" in shown(answer)
        assert "No filters." in shown(reader.get(tab_url(customer) + "?print=yes"))

    def test_everything_is_open(self, reader, customer):
        Note.objects.create(customer=customer, text="word " * 400)
        Note.objects.update(text="word " * 200 + "new " + "word " * 200)
        paper = reader.get(tab_url(customer) + "?print=yes").content.decode()
        opened = re.findall(r"<details[^>]*>", paper[paper.index("<table") :])
        # Open: the note's creation and its value, the two sides of its update, and the customer.
        # Closed: the hint why the SSN is masked, which opens when the page is printed.
        assert len([one for one in opened if one.endswith(" open>")]) == 5
        assert [one for one in opened if not one.endswith(" open>")] == [
            '<details class="ch-mask-details">'
        ]

    def test_has_more_than_one_page(self, reader, customer, settings):
        settings.CUSTOMER_HISTORY = {"PAGE_SIZE": 2}
        for number in range(4):
            Note.objects.create(customer=customer, text=str(number))
        first = reader.get(tab_url(customer))
        assert "Not all changes are shown." in shown(first)
        paper = reader.get(tab_url(customer) + first.context["history"].print_link)
        assert len(actions(paper)) == 5
        assert "Not all changes are shown." not in shown(paper)
        older = reader.get(tab_url(customer) + first.context["history"].older_link)
        assert "Not all changes are shown." in shown(older)
