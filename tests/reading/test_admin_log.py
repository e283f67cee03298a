"""The log in the admin: its download."""

import csv
import io
import re

import pytest
from django.test import Client

from django_customer_history.models import ConfidentialField, Entry
from tests.projects.crm.models import Account, Customer, Note
from tests.reading.conftest import grant
from tests.reading.tabs import get_staff, shown

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.reading.urls")]

LOG = "/admin/customer_history/entry/"
EXPORT = f"{LOG}export/"


def rows(answer):
    return list(csv.DictReader(io.StringIO(answer.getvalue().decode(), newline="")))


class TestDownload:
    @pytest.fixture
    def staff(self, client, user):
        get_staff(user)
        grant(user, "view_entry", "export_entry")
        client.force_login(user)
        return client

    def test_has_the_filters_of_the_list(self, staff, customer, log):
        Note.objects.create(customer=customer, text="called")
        log.clear()
        page = staff.get(f"{LOG}?entity=crm.note&before=&colour=red")
        link = page.context["history"].export_link
        assert link == f"{EXPORT}?entity=crm.note&format=csv"
        assert f'<form method="post" action="{link.replace("&", "&amp;")}">' in shown_html(page)
        answer = staff.post(link)
        assert answer["Content-Disposition"] == 'attachment; filename="history-all.csv"'
        assert [(row["entity"], row["new_value"]) for row in rows(answer)] == [
            ("Note", "Acme"),
            ("Note", "called"),
        ]
        entry = log.only()
        assert (entry.action, entry.source, entry.user_label) == (
            "History Exported",
            "admin",
            "ann",
        )
        assert entry.changes == {
            "format": [None, "csv"],
            "filters": [None, "entity=crm.note"],
        }

    def test_needs_the_csrf_token(self, staff, user, customer, log):
        client = Client(enforce_csrf_checks=True)
        client.force_login(user)
        log.clear()
        assert client.post(f"{EXPORT}?format=csv").status_code == 403
        assert log.entries() == []
        token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', shown_html(client.get(LOG)))
        answer = client.post(f"{EXPORT}?format=csv", {"csrfmiddlewaretoken": token[1]})
        assert "Acme" in answer.getvalue().decode()

    def test_a_link_downloads_nothing(self, staff, customer, log):
        log.clear()
        answer = staff.get(f"{EXPORT}?kind=create&format=csv")
        assert (answer.status_code, answer["Location"]) == (302, f"{LOG}?kind=create")
        assert log.entries() == []

    def test_another_site_is_refused(self, staff, customer, log):
        log.clear()
        headers = {"Sec-Fetch-Site": "cross-site"}
        answer = staff.post(f"{EXPORT}?format=csv", headers=headers)
        assert answer.status_code == 403
        assert "Another site started this download." in shown(answer)
        assert log.entries() == []

    @pytest.mark.parametrize("query", ["?format=csv&kind=nonsense", "?format=odt", ""])
    def test_wrong_filters_and_formats(self, staff, customer, query, log):
        log.clear()
        answer = staff.post(f"{EXPORT}{query}")
        assert answer.status_code == 400
        assert answer["Content-Type"].startswith("text/html")
        assert log.entries() == []

    @pytest.mark.parametrize(
        ("granted", "status"),
        [
            (("view_entry",), 403),
            (("export_entry",), 403),
            (("view_entry", "export_customer_history"), 403),
            (("view_customer_history",), 403),
            (("view_customer_history", "export_account_history"), 403),
            (("view_customer_history", "export_customer_history"), 200),
            (("view_customer_history", "export_entry"), 200),
        ],
        ids=str,
    )
    def test_permissions(self, user, customer, log, granted, status):
        Account.objects.create(label="not theirs")
        get_staff(user)
        grant(user, *granted)
        client = Client()
        client.force_login(user)
        log.clear()
        answer = client.post(f"{EXPORT}?format=csv")
        assert answer.status_code == status
        assert len(log.entries()) == (status == 200)
        assert ("Download CSV" in shown(client.get(LOG))) == (status == 200)
        assert b"not theirs" not in answer.getvalue()

    def test_only_for_staff(self, client, user, customer):
        grant(user, "view_entry", "export_entry")
        client.force_login(user)
        assert client.post(f"{EXPORT}?format=csv").status_code == 302  # To the log-in.

    def test_masks_hold(self, staff, user, customer):
        Customer.objects.filter(pk=customer.pk).update(rate="44.99")
        ConfidentialField.objects.create(model="crm.customer", field="rate")
        assert "44.99" not in staff.post(f"{EXPORT}?format=csv").getvalue().decode()
        grant(user, "view_confidential_customer_rate")
        assert "44.99" in staff.post(f"{EXPORT}?format=csv").getvalue().decode()

    def test_an_entry_has_no_download(self, staff, customer):
        key = Entry.objects.get(entity_model="crm.customer").id
        assert "Download CSV" not in shown(staff.get(f"{LOG}{key}/change/"))


def shown_html(answer):
    return answer.content.decode()
