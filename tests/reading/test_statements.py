"""What a page costs: three statements at most beyond those that ask who the user is."""

import datetime
import re

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from django_customer_history import history
from django_customer_history.models import (
    ConfidentialField,
    Entry,
)
from django_customer_history.reading.filters import Filters
from django_customer_history.reading.record_labels import RecordLabels
from django_customer_history.reading.timeline import Timeline
from tests.projects.crm.models import (
    Account,
    Code,
    Customer,
    Employee,
    Invoice,
    InvoiceLine,
    Note,
    Oddity,
    Referral,
    Shift,
    Site,
    Specimen,
    Tag,
    Ticket,
)
from tests.reading.conftest import grant

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.reading.urls")]

AUTHENTICATION = re.compile(
    r"SELECT (?!0, ).*(django_session|auth_permission|FROM .auth_user. WHERE .auth_user.\..id. =)"
)


@pytest.fixture
def busy(customer, user):
    """A customer whose page speaks of records of nine models, some of them gone."""
    other = Customer.objects.create(name="Other")
    gone = Customer.objects.create(name="Gone Ltd")
    customer.tags.set([Tag.objects.create(name=f"tag {number}") for number in range(5)])
    invoice = Invoice.objects.create(customer=customer, number="INV-1")
    line = InvoiceLine.objects.create(invoice=invoice, product="Camera")
    Invoice.objects.create(customer=customer, number="INV-2").delete()
    Ticket.objects.create(customer=customer, assigned_to=user)
    Referral.objects.create(seller=customer, buyer=other)
    note = Note.objects.create(customer=customer, text="t")
    Note.objects.filter(pk=note.pk).update(customer=gone)
    Note.objects.filter(pk=note.pk).update(customer=customer)
    employee = Employee.objects.create(name="Bea", badge="7", customer=customer)
    shift = Shift.objects.create(employee=employee)
    Tag.objects.create(name="on nobody's tab")
    gone.delete()
    assert line.pk
    assert shift.pk
    return customer


def statements(work):
    """Return what some work asks the database beyond who the user is, and its result."""
    with CaptureQueriesContext(connection) as captured:
        result = work()
    texts = [one["sql"] for one in captured]
    return [text for text in texts if not AUTHENTICATION.match(text)], result


DOORS = {
    "view": "/customers/{}/history/",
    "subject": "/api/history/subjects/crm.customer/{}/?limit=50",
    "viewset": "/host/customers/{}/history/",
}


@pytest.mark.parametrize("door", DOORS)
def test_a_subjects_page_takes_exactly_three(door, reader, busy):
    found, answer = statements(lambda: reader.get(DOORS[door].format(busy.pk)))
    assert answer.status_code == 200
    for name in ("tag 4", "INV-1", "ann", "Other", "Gone Ltd", "Bea 7", "Acme"):
        assert name in answer.content.decode()
    assert len(found) == 3


ADMIN_DOORS = {
    "log in the admin": "/admin/customer_history/entry/",
    "tab in the admin": "/admin/crm/customer/{}/history/",
}


@pytest.mark.parametrize("door", [*DOORS, *ADMIN_DOORS])
def test_no_door_counts(door, reader, user, busy):
    user.is_staff = True
    user.save()
    grant(user, "view_customer")
    address = {**DOORS, **ADMIN_DOORS}[door].format(busy.pk)
    found, answer = statements(lambda: reader.get(address))
    assert answer.status_code == 200
    assert "INV-1" in answer.content.decode()
    assert not [text for text in found if "COUNT(" in text.upper()]


# The tab of a record asks the admin's own queryset for it first. The log asks for its first and
# last key besides.
@pytest.mark.parametrize(("door", "number"), [("log in the admin", 4), ("tab in the admin", 4)])
def test_a_page_in_the_admin_takes_four(door, number, reader, user, busy):
    user.is_staff = True
    user.save()
    grant(user, "view_customer")
    address = ADMIN_DOORS[door].format(busy.pk)
    assert len(statements(lambda: reader.get(address))[0]) == number


@pytest.mark.parametrize("door", ["view", "subject"])
def test_marks_and_a_subject_that_is_gone_cost_nothing_more(door, reader, busy):
    ConfidentialField.objects.create(model="crm.note", field="text", mask="full")
    address = DOORS[door].format(busy.pk)
    assert len(statements(lambda: reader.get(address))[0]) == 3
    busy.delete()
    found, answer = statements(lambda: reader.get(address))
    assert (len(found), answer.status_code) == (3, 200)


def test_the_tag_takes_three_beside_the_statement_of_its_own_page(reader, busy):
    found, answer = statements(lambda: reader.get(f"/customers/{busy.pk}/page/"))
    assert "Gone Ltd" in answer.content.decode()
    assert len(found) == 4


def test_a_page_of_all_takes_two(reader, user, busy):
    grant(user, "view_entry")
    found, answer = statements(lambda: reader.get("/api/history/?limit=200"))
    assert "on nobody" in answer.content.decode()
    assert len(found) == 2


def test_a_page_of_all_takes_four_where_each_object_is_asked_for(reader, user, busy, settings):
    settings.AUTHENTICATION_BACKENDS = [
        "django.contrib.auth.backends.ModelBackend",
        "tests.reading.backends.TenantBackend",
    ]
    grant(user, "view_entry")
    timeline = Timeline.of_everything(user)
    # Entries, the records that they are about, what the log knew of those that are gone, names.
    assert len(statements(lambda: timeline.page(limit=200))[0]) == 4


def test_a_search_takes_no_more(reader, user, busy):
    timeline = Timeline.of_subject(user, Customer, busy.pk).filtered(Filters.of(q="INV"))
    found, page = statements(lambda: timeline.page(limit=50))
    assert len(page.entries) == 3
    assert len(found) <= 2


def test_statements_do_not_grow_with_the_page(reader, user, busy):
    for number in range(30):
        Note.objects.create(customer=busy, text=str(number))
        Invoice.objects.create(customer=busy, number=str(number)).delete()
    timeline = Timeline.of_subject(user, Customer, busy.pk)
    for limit in (5, 150):
        assert len(statements(lambda limit=limit: timeline.page(limit=limit))[0]) <= 2


def test_records_of_every_kind_come_back_as_django_loads_them(customer):
    account = Account.objects.create(label="a")
    Specimen.objects.create(
        account=account, big=2**53 + 1, binary=b"\x00\xff", boolean=True, char="é%s",
        date=datetime.date(2026, 11, 23), decimal="1.50", float=0.1, ip_address="2001:db8::7",
        datetime=datetime.datetime(2026, 11, 23, 14, 2, 11, 482913, tzinfo=datetime.UTC),
        duration=datetime.timedelta(hours=1), json={"a": [1, None]}, time=datetime.time(1, 2),
        text="t", uuid=account.pk,
    )  # fmt: skip
    Specimen.objects.create()
    Oddity.objects.create(name="n'ame", backwards="abc")
    Code.objects.create(code="c", text="Text")
    Site.objects.create(name="s", parent=Site.objects.create(name="p"))
    models = (Tag, Specimen, Oddity, Code, Site, Account, Employee, Entry, Customer)
    querysets = [model.objects.order_by("pk") for model in models]
    querysets.append(Site.objects.select_related("parent").order_by("pk"))
    with CaptureQueriesContext(connection) as captured:
        found = answers([question_of(one) for one in querysets], using="default")
        named = [site.parent and site.parent.name for site in found[-1]]
    assert len(captured) == 1
    assert named == [None, "p"] or set(named) == {None, "p"}
    for records, queryset in zip(found, querysets, strict=True):
        expected = {one.pk: _values(one) for one in queryset}
        assert {one.pk: _values(one) for one in records} == expected


def _values(record):
    values = {field.attname: getattr(record, field.attname) for field in record._meta.fields}
    return {
        name: bytes(value) if isinstance(value, memoryview) else value
        for name, value in values.items()
    }


def test_what_can_find_nothing_is_not_asked(customer):
    with CaptureQueriesContext(connection) as captured:
        assert answers([question_of(Tag.objects.none())], using="default") == [[]]
    assert len(captured) == 0


def test_many_names_of_what_is_gone_are_found_at_once(customer, user, reader):
    grant(user, "view_entry")
    tags = [Tag.objects.create(name=f"tag {number}") for number in range(450)]
    customers = [Customer.objects.create(name=f"customer {number}") for number in range(450)]
    assert tags
    for one in customers:
        one.delete()
    timeline = Timeline.of_everything(user)
    entries = timeline.queryset.filter(entity_model="crm.customer", kind="create")
    stored, sight = timeline._query.read(entries)
    names = RecordLabels(stored, sight)
    labels = {names.label_of("crm.customer", entry.entity_id) for entry in stored}
    assert labels == {"Acme", *(f"customer {number}" for number in range(450))}


def test_a_mark_takes_effect_at_once_and_one_that_is_rolled_back_leaves_nothing(
    reader, customer, log
):
    with history.acting(source="web"):
        Customer.objects.filter(pk=customer.pk).update(rate="44.99")
    address = DOORS["subject"].format(customer.pk)
    assert "44.99" in reader.get(address).content.decode()
    mark = ConfidentialField.objects.create(model="crm.customer", field="rate")
    assert "44.99" not in reader.get(address).content.decode()
    ConfidentialField.objects.filter(pk=mark.pk).update(field="status")
    assert "44.99" in reader.get(address).content.decode()
    ConfidentialField.objects.filter(pk=mark.pk).update(field="rate")
    assert "44.99" not in reader.get(address).content.decode()
