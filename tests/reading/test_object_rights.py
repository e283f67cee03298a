"""The permission for a confidential field can be given for single records."""

import pytest
from django.contrib.auth.backends import BaseBackend
from django.core.exceptions import PermissionDenied
from django.test import Client

from django_customer_history import masks
from tests.extras import needs
from tests.factories import registered_as
from tests.projects.crm.models import Customer, Employee, Person
from tests.reading.conftest import grant

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.reading.urls")]

DJANGO = "django.contrib.auth.backends.ModelBackend"
GUARDIAN = "guardian.backends.ObjectPermissionBackend"
PERMISSION = "crm.view_confidential_customer_ssn"


class DenyingBackend(BaseBackend):
    """Denies the social security numbers of some customers to everybody."""

    def has_perm(self, user_obj, perm, obj=None):
        if perm == PERMISSION and getattr(obj, "name", "") == "Celebrity":
            raise PermissionDenied
        return False


@pytest.fixture
def client(user, customer):
    grant(user, "view_customer_history", "export_customer_history")
    client = Client()
    client.force_login(user, backend=DJANGO)
    return client


@pytest.fixture
def other(customer):
    return Customer.objects.create(name="Other", ssn="555-66-7777")


def outputs(client, customer):
    urls = (
        f"/api/history/subjects/crm.customer/{customer.pk}/",
        f"/api/history/subjects/crm.customer/{customer.pk}/export/?format=csv",
        f"/customers/{customer.pk}/history/",
        "/api/history/?limit=200",
        "/api/history/export/?format=ndjson",
    )
    for url in urls:
        answer = client.get(url)
        yield (answer.getvalue() if answer.streaming else answer.content).decode()


@needs("guardian")
class TestGuardian:
    @pytest.fixture(autouse=True)
    def granted(self, settings, user, customer, client):
        from guardian.shortcuts import assign_perm  # noqa: PLC0415 - an optional third party

        settings.AUTHENTICATION_BACKENDS = [DJANGO, GUARDIAN]
        assign_perm(PERMISSION, user, customer)

    def test_granted_for_one_record(self, client, customer, other):
        assert all("123-45-6789" in text for text in outputs(client, customer))
        assert not any("555-66" in text for text in outputs(client, other))

    def test_search(self, client, customer, other):
        assert len(client.get("/api/history/?q=123-45").json()["results"]) == 1
        assert client.get("/api/history/?q=555-66").json()["results"] == []

    def test_reveal(self, client, customer, other, settings):
        settings.CUSTOMER_HISTORY = {"MASK_UNTIL_REVEALED": True}
        entries = client.get("/api/history/?kind=create").json()["results"]
        assert not any("6789" in str(one["new"]) for entry in entries for one in entry["changes"])
        statuses = {
            entry["subject"]["id"]: client.post(
                f"/api/history/entries/{entry['id']}/reveal/"
            ).status_code
            for entry in entries
        }
        assert statuses == {str(customer.pk): 200, str(other.pk): 403}

    def test_deleted_record(self, client, customer):
        url = f"/api/history/subjects/crm.customer/{customer.pk}/"
        customer.delete()
        assert "123-45-6789" not in client.get(url).content.decode()

    def test_permission_of_the_model(self, client, user, customer, other):
        grant(user, "view_confidential_customer_ssn")
        assert all("555-66-7777" in text for text in outputs(client, other))

    def test_field_of_a_parent_model(self, client, user, customer):
        from django.contrib.auth.models import Permission  # noqa: PLC0415
        from django.contrib.contenttypes.models import ContentType  # noqa: PLC0415
        from guardian.shortcuts import assign_perm  # noqa: PLC0415 - an optional third party

        employee = Employee.objects.create(name="Bea Secret", badge="7", customer=customer)
        Employee.objects.create(name="Cyd Secret", badge="8", customer=customer)
        Permission.objects.create(
            codename="view_confidential_person_name",
            content_type=ContentType.objects.get_for_model(Person),
        )
        assign_perm("crm.view_confidential_person_name", user, employee.person_ptr)
        with registered_as(Person, subject="customer", confidential={"name": masks.FULL}):
            text = next(outputs(client, customer))
        assert "Bea Secret" in text
        assert "Cyd Secret" not in text


class TestDenial:
    def test_backend_denies_one_record(self, client, user, customer, settings):
        settings.AUTHENTICATION_BACKENDS = [DJANGO, f"{__name__}.DenyingBackend"]
        grant(user, "view_confidential_customer_ssn")
        celebrity = Customer.objects.create(name="Celebrity", ssn="777-88-9999")
        assert all("123-45-6789" in text for text in outputs(client, customer))
        assert not any("777-88" in text for text in outputs(client, celebrity))
