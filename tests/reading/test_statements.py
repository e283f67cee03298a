"""The statements of a page: which ones, in which order, and the same number for any length."""

import re
from itertools import chain, groupby

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from django_customer_history import history
from django_customer_history.models import ConfidentialField
from django_customer_history.reading.field_plans import FieldPlans
from django_customer_history.reading.logged_labels import logged_labels
from django_customer_history.reading.record_labels import RecordLabels
from django_customer_history.reading.timeline import Timeline
from django_customer_history.registration.renames import renames
from tests.projects.crm.models import (
    Customer,
    Employee,
    Invoice,
    InvoiceLine,
    Note,
    Referral,
    Shift,
    Tag,
    Ticket,
)
from tests.reading.conftest import grant

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.reading.urls")]

AUTHENTICATION = re.compile(
    r"SELECT .*(django_session|auth_permission|FROM .auth_user. WHERE .auth_user.\..id. =)"
)
SEARCHING = re.compile("SAVEPOINT|RELEASE|.*(current_setting|set_config)")
"""What PostgreSQL needs around a statement that searches many entries."""
ENTRIES = "customer_history_entry"
MARKS = "customer_history_confidentialfield"
REGISTRATIONS = "registrations that changed"
LAST_LABELS = "last labels"
DELETIONS = "deletions"

READ = [ENTRIES, MARKS, REGISTRATIONS]
"""The marks come after the entries, so that no value is shown under older marks."""


@pytest.fixture
def busy(customer, user):
    """A customer whose page refers to records of nine models, some of them deleted."""
    other = Customer.objects.create(name="Other")
    deleted = Customer.objects.create(name="Gone Ltd")
    customer.tags.set([Tag.objects.create(name=f"tag {number}") for number in range(5)])
    invoice = Invoice.objects.create(customer=customer, number="INV-1")
    InvoiceLine.objects.create(invoice=invoice, product="Camera")
    Invoice.objects.create(customer=customer, number="INV-2").delete()
    Ticket.objects.create(customer=customer, assigned_to=user)
    Referral.objects.create(seller=customer, buyer=other)
    note = Note.objects.create(customer=customer, text="t")
    Note.objects.filter(pk=note.pk).update(customer=deleted)
    Note.objects.filter(pk=note.pk).update(customer=customer)
    employee = Employee.objects.create(name="Bea", badge="7", customer=customer)
    Shift.objects.create(employee=employee)
    Tag.objects.create(name="on nobody's tab")
    deleted.delete()
    return customer


RELATED = ["auth_user", "crm_customer", "crm_employee", "crm_invoice", "crm_tag", "crm_ticket"]
"""The tables of the records that the page of `busy` refers to."""

PAGE = [*READ, *RELATED, LAST_LABELS]
PAGE_OF_ALL = PAGE


def statements(work):
    """Return the statements of some work, and its result.

    Each statement is named after its table or its purpose. The statements that authenticate the
    user, and the settings of a search, are left out. Related records are in alphabetical order,
    because databases order the changes of an entry differently.
    """
    renames.of(connection.alias)  # Read once in a process.
    with CaptureQueriesContext(connection) as captured:
        result = work()
    left_out = (AUTHENTICATION, SEARCHING)
    texts = [sql for one in captured if not any(out.match(sql := one["sql"]) for out in left_out)]
    return list(
        chain.from_iterable(map(sorted_run, groupby(map(name_of, texts), is_of_records)))
    ), result


def is_of_records(name):
    return name.startswith(("auth_", "crm_"))


def sorted_run(run):
    are_records, names = run
    return sorted(names) if are_records else names


def name_of(sql):
    assert "COUNT(" not in sql.upper()
    if "AS record" in sql:
        return LAST_LABELS
    if "'History Changed'" in sql:
        return REGISTRATIONS
    (table,) = re.search(r"FROM .(\w+).", sql).groups()
    if table == ENTRIES and "'delete'" in sql:
        return DELETIONS
    return table


PAGES = {
    "view": "/customers/{}/history/",
    "subject": "/api/history/subjects/crm.customer/{}/?limit=50",
    "viewset": "/project/customers/{}/history/",
}


class TestSubject:
    @pytest.mark.parametrize("page", PAGES)
    def test_page_of_a_subject(self, page, reader, busy):
        names, answer = statements(lambda: reader.get(PAGES[page].format(busy.pk)))
        assert names == ["crm_customer", *PAGE]
        for label in ("tag 4", "INV-1", "ann", "Other", "Gone Ltd", "Bea 7", "Acme"):
            assert label in answer.content.decode()

    def test_the_template_tag(self, reader, busy):
        names, answer = statements(lambda: reader.get(f"/customers/{busy.pk}/page/"))
        assert names == ["crm_customer", "crm_customer", *PAGE]  # The page also loads the record.
        assert "Gone Ltd" in answer.content.decode()

    def test_history_in_the_admin(self, reader, user, busy):
        user.is_staff = True
        user.save()
        grant(user, "view_customer")
        names, answer = statements(lambda: reader.get(f"/admin/crm/customer/{busy.pk}/history/"))
        # The admin's own queryset loads the record first.
        assert names == ["crm_customer", "crm_customer", *PAGE]
        assert "INV-1" in answer.content.decode()

    @pytest.mark.parametrize("page", ["view", "subject"])
    def test_page_with_marks(self, page, reader, busy):
        ConfidentialField.objects.create(model="crm.note", field="text", mask="full")
        names, _answer = statements(lambda: reader.get(PAGES[page].format(busy.pk)))
        assert names == ["crm_customer", *PAGE]

    @pytest.mark.parametrize("page", ["view", "subject"])
    def test_a_deleted_subject(self, page, reader, busy):
        url = PAGES[page].format(busy.pk)
        busy.delete()
        names, answer = statements(lambda: reader.get(url))
        assert names == ["crm_customer", *PAGE, LAST_LABELS]  # Its own last name.
        assert answer.status_code == 200

    def test_search_in_a_subject(self, user, busy, reader):
        timeline = Timeline.of_subject(user, Customer, busy.pk).filtered(q="INV")
        names, page = statements(lambda: timeline.page(limit=50))
        # First the entry at which the search stops. The names of the records that entries refer
        # to are searched, and those of the entries found are read again for the page.
        assert names == [ENTRIES, *READ, *RELATED, LAST_LABELS, "crm_invoice", LAST_LABELS]
        assert len(page.entries) == 4


class TestAllSubjects:
    def test_page_of_all_entries(self, reader, user, busy):
        grant(user, "view_entry")
        names, answer = statements(lambda: reader.get("/api/history/?limit=200"))
        assert names == PAGE_OF_ALL
        assert "on nobody" in answer.content.decode()

    def test_log_in_the_admin(self, reader, user, busy):
        user.is_staff = True
        user.save()
        grant(user, "view_customer")
        names, answer = statements(lambda: reader.get("/admin/customer_history/entry/"))
        # The calendar needs the first and the last entry of the log.
        assert names == [*PAGE, ENTRIES, ENTRIES]
        assert "INV-1" in answer.content.decode()

    def test_object_permissions(self, reader, user, busy, settings):
        settings.AUTHENTICATION_BACKENDS = [
            "django.contrib.auth.backends.ModelBackend",
            "tests.reading.backends.TenantBackend",
        ]
        grant(user, "view_entry")
        timeline = Timeline.of_everything(user)
        names, _page = statements(lambda: timeline.page(limit=200))
        # First the entry at which the search stops. The backend is asked about the records with
        # confidential fields, and about the subjects. Deleted ones are rebuilt from the log first.
        subjects = ["crm_customer", "crm_customer", DELETIONS]
        # So are the deleted records that have names. Customers are loaded already.
        assert names == [ENTRIES, *READ, *subjects, *RELATED, DELETIONS, LAST_LABELS]


class TestNumber:
    def test_does_not_grow_with_the_page(self, reader, user, busy):
        for number in range(30):
            tag = busy.tags.create(name=f"more {number}")
            if number % 2:
                tag.delete()
        timeline = Timeline.of_subject(user, Customer, busy.pk)
        for limit in (3, 40):
            names, page = statements(lambda limit=limit: timeline.page(limit=limit))
            assert names == [*READ, "crm_tag"]
            assert len(page.entries) == limit

    def test_no_queries_without_entries(self, reader, user):
        with history.paused(reason="before tracking"):
            older = Customer.objects.create(name="Old")
        timeline = Timeline.of_subject(user, Customer, older.pk)
        names, page = statements(timeline.page)
        assert (names, page.entries) == (READ, ())

    def test_no_queries_without_labels(self, django_assert_num_queries):
        with django_assert_num_queries(0):
            assert logged_labels([], using="default") == {}

    def test_names_of_labelled_records(self, reader, user, customer):
        customer.tags.add(Tag.objects.create(name="vip"))
        timeline = Timeline.of_subject(user, Customer, customer.pk)
        names, _page = statements(timeline.page)
        # The entries about the customer have its label.
        assert names == [*READ, "crm_tag"]

    def test_many_last_labels(self, reader, user):
        grant(user, "view_entry")
        customers = [Customer.objects.create(name=f"customer {n}") for n in range(450)]
        Note.objects.bulk_create(Note(customer=one, text="t") for one in customers)
        timeline = Timeline.of_everything(user).filtered(entity="crm.note", kind="create")
        entries, access = timeline.newest(450)
        plans = list(map(FieldPlans(access).of, entries))
        names, labels = statements(lambda: RecordLabels(entries, plans, access))
        # SQLite limits a UNION. PostgreSQL takes all in one statement.
        count = 1 if connection.vendor == "postgresql" else 2
        assert names == ["crm_customer", *[LAST_LABELS] * count]
        rules = [plan.rules for plan in plans]
        shown = {subject.label for subject, _entity in map(labels.names, entries, rules)}
        assert shown == {f"customer {n}" for n in range(450)}


class TestMarks:
    def test_mark_changes_apply_at_once(self, reader, customer, log):
        with history.acting(source="web"):
            Customer.objects.filter(pk=customer.pk).update(rate="44.99")
        url = PAGES["subject"].format(customer.pk)
        assert "44.99" in reader.get(url).content.decode()
        mark = ConfidentialField.objects.create(model="crm.customer", field="rate")
        assert "44.99" not in reader.get(url).content.decode()
        ConfidentialField.objects.filter(pk=mark.pk).update(field="status")
        # What was recorded under the mark stays masked.
        assert "44.99" not in reader.get(url).content.decode()
        Customer.objects.filter(pk=customer.pk).update(rate="45.01")
        assert "45.01" in reader.get(url).content.decode()
        ConfidentialField.objects.filter(pk=mark.pk).update(field="rate")
        assert "45.01" not in reader.get(url).content.decode()
