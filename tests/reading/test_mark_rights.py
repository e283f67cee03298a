"""Whoever edits marks can hide values, and can show none of those that they may not see."""

import pytest
from django.test import Client

from django_customer_history import history, masks
from django_customer_history.models import ConfidentialField, Entry
from tests.factories import registered_as
from tests.projects.crm.models import Account, Customer, Employee, Person, Specimen
from tests.reading.conftest import grant

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.reading.urls")]

ADMIN = "/admin/customer_history/confidentialfield/"


@pytest.fixture
def staff(user, reader):
    user.is_staff = True
    user.save()
    grant(user, "add_confidentialfield", "change_confidentialfield", "delete_confidentialfield",
          "view_confidentialfield")  # fmt: skip
    return reader


def shown(client, customer):
    url = f"/api/history/subjects/crm.customer/{customer.pk}/?limit=200"
    return client.get(url).content.decode()


class TestAdmin:
    def test_foreign_mark_cannot_be_changed(self, staff, customer):
        mark = ConfidentialField.objects.create(model="crm.customer", field="rate")
        data = {"model": "crm.customer", "field": "status", "label": "", "mask": "full"}
        assert staff.post(f"{ADMIN}{mark.pk}/change/", data).status_code == 403
        assert staff.post(f"{ADMIN}{mark.pk}/delete/", {"post": "yes"}).status_code == 403
        action = {"action": "delete_selected", "_selected_action": [mark.pk], "post": "yes"}
        staff.post(ADMIN, action)
        mark.refresh_from_db()
        assert mark.field == "rate"

    def test_own_mark_can_be_changed(self, staff, user, customer):
        mark = ConfidentialField.objects.create(model="crm.customer", field="rate")
        grant(user, "view_confidential_customer_rate")
        data = {"model": "crm.customer", "field": "status", "label": "", "mask": "full"}
        assert staff.post(f"{ADMIN}{mark.pk}/change/", data).status_code == 302
        assert ConfidentialField.objects.get().field == "status"

    def test_weaker_mask_is_refused(self, staff, user):
        with registered_as(Customer, subject="self", confidential={"ssn": masks.FULL}):
            data = {"model": "crm.customer", "field": "ssn", "label": "", "mask": "ssn"}
            answer = staff.post(f"{ADMIN}add/", data)
        assert "The registration hides more." in answer.content.decode()
        assert not ConfidentialField.objects.exists()


class TestRules:
    def test_removed_mark_still_holds(self, reader, customer):
        Customer.objects.update(rate="44.99")
        mark = ConfidentialField.objects.create(model="crm.customer", field="rate")
        mark.delete()
        Customer.objects.update(rate="55.01")
        text = shown(reader, customer)
        assert "44.99" in text  # The old value of the newest entry.
        (newest, *older) = reader.get(
            f"/api/history/subjects/crm.customer/{customer.pk}/?field=rate"
        ).json()["results"]
        assert newest["changes"][0]["new"] == "55.01"
        assert all(
            change["masked"]
            for entry in older
            for change in entry["changes"]
            if change["field"] == "rate"
        )
        for query in ("q=39.99", "q=44.99&to=1999-01-01"):
            url = f"/api/history/subjects/crm.customer/{customer.pk}/?{query}"
            assert reader.get(url).json()["results"] == []

    def test_label_from_under_a_mark(self, reader, customer):
        # All three entries have the same label and the same fields.
        Customer.objects.update(status="waiting")
        mark = ConfidentialField.objects.create(model="crm.customer", field="name")
        Customer.objects.update(status="paused")
        mark.delete()
        Customer.objects.update(status="closed")
        url = f"/api/history/subjects/crm.customer/{customer.pk}/?field=status&kind=update"
        found = reader.get(url).json()["results"]
        assert [one["entity"]["label"] for one in found] == ["Acme", "*****", "*****"]

    def test_moved_and_weakened_marks(self, reader, customer):
        Customer.objects.update(ssn="111-22-3333", rate="44.99")
        mark = ConfidentialField.objects.create(model="crm.customer", field="rate")
        ConfidentialField.objects.filter(pk=mark.pk).update(field="status")
        assert "44.99" not in shown(reader, customer)
        ConfidentialField.objects.filter(pk=mark.pk).update(field="ssn", mask="account")
        assert "*****3333" not in shown(reader, customer)
        assert "***-**-3333" in shown(reader, customer)

    def test_permission_shows_former_values(self, reader, user, customer):
        Customer.objects.update(rate="44.99")
        ConfidentialField.objects.create(model="crm.customer", field="rate").delete()
        assert "44.99" not in shown(reader, customer)
        grant(user, "view_confidential_customer_rate")
        assert "44.99" in shown(reader, customer)

    def test_mark_never_weakens(self, reader, customer):
        Customer.objects.update(ssn="111-22-3333")
        ConfidentialField.objects.create(model="crm.customer", field="ssn", mask="email")
        with registered_as(Customer, subject="self", confidential={"ssn": masks.FULL}):
            assert "3333" not in shown(reader, customer)

    def test_mark_on_a_child_of_a_full_mask(self, reader, user, customer):
        Employee.objects.create(name="Bea Secret", badge="7", customer=customer)
        ConfidentialField.objects.create(model="crm.employee", field="name", mask="account")
        grant(user, "view_confidential_employee_name")
        with registered_as(Person, subject="customer", confidential={"name": masks.FULL}):
            assert "Bea Secret" not in shown(reader, customer)


class TestReveal:
    def test_nothing_revealed_nothing_logged(self, reader, user, customer, log):
        """A part of a JSON value is hidden: the reader sees the other part anyway."""
        grant(user, "view_account_history")
        specimen = Specimen.objects.create(
            account=Account.objects.create(label="a"), json={"colour": "mauve", "size": 7}
        )
        ConfidentialField.objects.create(model="crm.specimen", field="json.colour")
        ConfidentialField.objects.create(model="crm.specimen", field="json.weight")
        entry = Entry.objects.get(entity_model="crm.specimen", entity_id=str(specimen.pk))
        log.clear()
        url = f"/api/history/entries/{entry.id}/reveal/"
        assert reader.post(url).status_code == 403
        grant(user, "view_confidential_specimen_json__weight")
        assert reader.post(url).status_code == 403  # The value has no such key.
        assert not Entry.objects.filter(action="Confidential Values Revealed").exists()
        grant(user, "view_confidential_specimen_json__colour")
        log.clear()
        assert reader.post(url).status_code == 200
        assert log.only().changes == {"fields": [None, "json.colour"]}

    def test_empty_value_is_not_revealed(self, reader, user, customer, log):
        grant(user, "view_confidential_customer_ssn")
        entry = history.record("Checked", subject=customer, changes={"ssn": (None, None)})
        log.clear()
        answer = reader.post(f"/api/history/entries/{entry.id}/reveal/")
        assert answer.status_code == 403
        assert log.entries() == []


def test_clients_without_rights(customer, stranger, log):
    log.clear()
    for client, status in ((Client(), 401), (stranger, 404)):
        entry = customer.pk
        url = "/api/history/entries/00000000-0000-0000-0000-000000000000/reveal/"
        assert client.post(url).status_code == status, entry
    assert log.entries() == []
