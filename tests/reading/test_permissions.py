"""Who may read: permissions for a model and for one object, and objects that are denied."""

import pytest
from django.contrib.auth.models import Permission
from django.core.management import call_command
from django.test import Client

from django_customer_history.access.permissions import confidential_permission
from django_customer_history.models import Entry
from tests.projects.crm.models import Account, Customer, Note, Specimen
from tests.reading.backends import PerObjectBackend
from tests.reading.conftest import grant

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.reading.urls")]

DJANGO = "django.contrib.auth.backends.ModelBackend"
PER_OBJECT = "tests.reading.backends.PerObjectBackend"
TENANTS = "tests.reading.backends.TenantBackend"


@pytest.fixture
def per_object(settings, monkeypatch):
    """Use a backend with object permissions, and return the set of its permissions."""
    settings.AUTHENTICATION_BACKENDS = [DJANGO, PER_OBJECT]
    granted = set()
    monkeypatch.setattr(PerObjectBackend, "granted", granted)
    return granted


@pytest.fixture
def client(user):
    client = Client()
    client.force_login(user, backend=DJANGO)
    return client


def rest(customer):
    return f"/api/history/subjects/crm.customer/{customer.pk}/"


def page(customer):
    return f"/customers/{customer.pk}/history/"


class TestNames:
    def test_names_of_permissions(self):
        names = dict(Permission.objects.values_list("codename", "name"))
        assert names["view_customer_history"] == "Can view the history of customer"
        assert names["export_customer_history"] == "Can export the history of customer"
        assert names["view_confidential_customer_ssn"] == "Can see the ssn of customer unmasked"
        assert names["view_entry"] == "Can view history entry"
        assert names["view_confidential"] == "Can view every confidential value in the history"
        assert names["export_entry"] == "Can export the history of everything"
        assert "view_note_history" not in names
        assert "export_note_history" not in names

    def test_permissions_are_created_once(self):
        before = Permission.objects.count()
        call_command("migrate", verbosity=0)
        assert Permission.objects.count() == before

    def test_long_codenames_are_unique(self):
        names = {confidential_permission(Specimen, "json." + "x" * 100 + end) for end in "ab"}
        assert {len(name.removeprefix("crm.")) for name in names} == {100}
        assert len(names) == 2


class TestOfAModel:
    def test_without_permission(self, client, customer):
        assert client.get(rest(customer)).status_code == 403
        assert client.get(page(customer)).status_code == 403
        answer = Client().get(rest(customer))
        assert answer.status_code == 401
        assert answer["WWW-Authenticate"]
        assert answer["Content-Type"] == "application/problem+json"
        assert answer.json()["title"] == "Unauthorized"
        assert Client().get(page(customer)).status_code == 302

    def test_other_models_stay_closed(self, client, user, customer):
        account = Account.objects.create(label="a")
        grant(user, "view_customer_history")
        assert client.get(rest(customer)).status_code == 200
        other = f"/api/history/subjects/crm.account/{account.pk}/"
        assert client.get(other).status_code == 403

    def test_view_entry_is_for_everything(self, client, user, customer):
        account = Account.objects.create(label="a")
        grant(user, "view_entry")
        url = f"/api/history/subjects/crm.account/{str(account.pk).upper()}/"
        assert len(client.get(url).json()["results"]) == 1
        found = client.get("/api/history/?limit=200").json()["results"]
        assert {None} < {entry["subject"] and entry["subject"]["model"] for entry in found}

    def test_a_deleted_record(self, client, user, customer):
        grant(user, "view_customer_history")
        url = rest(customer)
        customer.delete()
        assert len(client.get(url).json()["results"]) == 2
        assert client.get(url + "facets/").status_code == 200

    @pytest.mark.parametrize("key", ["987654", "no-number", "9" * 40, "%00", "-1"])
    def test_an_unknown_record(self, client, user, key):
        grant(user, "view_customer_history", "export_customer_history")
        for route in ("", "facets/", "export/"):
            answer = client.get(f"/api/history/subjects/crm.customer/{key}/{route}")
            assert answer.status_code == 404
            assert answer["Content-Type"] == "application/problem+json"

    def test_key_is_normalized(self, client, user, customer):
        grant(user, "view_customer_history")
        answer = client.get(f"/api/history/subjects/CRM.Customer/00{customer.pk}/")
        assert len(answer.json()["results"]) == 1


class TestOfAnObject:
    def test_backend_grants_one_record(self, per_object, client, customer):
        per_object.add(("crm.view_customer_history", customer.pk))
        for url in (rest(customer), page(customer)):
            assert client.get(url).status_code == 200
        entry = Entry.objects.get(entity_model="crm.customer")
        assert client.get(f"/api/history/entries/{entry.id}/").status_code == 200

    def test_hidden_record_is_not_found(self, per_object, client, customer):
        other = Customer.objects.create(name="Other")
        per_object.add(("crm.view_customer_history", customer.pk))
        for url in (rest(other), page(other), rest(other) + "export/"):
            assert client.get(url).status_code == 404
        entry = Entry.objects.get(entity_model="crm.customer", entity_id=str(other.pk))
        assert client.get(f"/api/history/entries/{entry.id}/").status_code == 404

    def test_visible_record_is_forbidden(self, per_object, client, user, customer):
        per_object.add(("crm.view_customer", customer.pk))
        assert client.get(rest(customer)).status_code == 403
        other = Customer.objects.create(name="Other")
        grant(user, "view_customer")
        assert client.get(rest(other)).status_code == 403

    def test_export_of_one_record(self, per_object, client, customer):
        per_object.add(("crm.view_customer_history", customer.pk))
        assert client.get(rest(customer) + "export/").status_code == 403
        per_object.add(("crm.export_customer_history", customer.pk))
        assert client.get(rest(customer) + "export/").status_code == 200


class TestDenied:
    @pytest.fixture(autouse=True)
    def tenants(self, settings, user):
        settings.AUTHENTICATION_BACKENDS = [DJANGO, TENANTS]
        grant(user, "view_customer_history", "export_customer_history")

    @pytest.fixture
    def other_record(self, user):
        record = Customer.objects.create(name="Theirs")
        Note.objects.create(customer=record, text="their secret plan")
        return record

    def test_record_is_not_found(self, client, other_record, customer):
        assert client.get(rest(customer)).status_code == 200
        for url in (rest(other_record), page(other_record), rest(other_record) + "facets/"):
            answer = client.get(url)
            assert answer.status_code == 404
            assert b"Theirs" not in answer.content
        for entry in Entry.objects.filter(subject_id=str(other_record.pk)):
            assert client.get(f"/api/history/entries/{entry.id}/").status_code == 404

    def test_deleted_record_is_not_found(self, client, other_record, customer):
        urls = [
            rest(other_record),
            page(other_record),
            rest(other_record) + "facets/",
            rest(other_record) + "export/",
        ]
        existing, deleted = rest(customer), Customer.objects.create(name="Gone")
        url_of_deleted = rest(deleted)
        other_record.delete()
        deleted.delete()
        for url in urls:
            answer = client.get(url)
            assert answer.status_code == 404
            assert b"Theirs" not in answer.content
        content = client.get("/api/history/").content.decode()
        content += client.get("/api/history/export/").getvalue().decode()
        assert "Theirs" not in content
        assert "their secret plan" not in content
        assert "Gone" in content
        assert [client.get(one).status_code for one in (existing, url_of_deleted)] == [200, 200]

    def test_entries_are_not_listed(self, client, other_record, customer):
        Note.objects.create(customer=customer, text="ours")
        content = client.get("/api/history/").content.decode()
        content += client.get("/api/history/export/").getvalue().decode()
        content += client.get("/api/history/facets/").content.decode()
        assert "ours" in content
        assert "Theirs" not in content
        assert "their secret plan" not in content

    def test_label_is_hidden_elsewhere(self, client, other_record, customer):
        Note.objects.filter(customer=other_record).update(customer=customer)
        (moved,) = client.get(f"{rest(customer)}?entity=crm.note").json()["results"]
        (change,) = moved["changes"]
        assert (change["old_display"], change["new_display"]) == (f"#{other_record.pk}", "Acme")

    def test_every_page_is_full(self, client, other_record, customer):
        for number in range(3):
            Note.objects.create(customer=customer, text=str(number))
            Note.objects.create(customer=other_record, text=str(number))
        url, seen = "/api/history/?limit=2&entity=crm.note", []
        while url:
            answer = client.get(url).json()
            seen.append([entry["changes"][-1]["new"] for entry in answer["results"]])
            url = answer["next"]
        assert seen == [["2", "1"], ["0"]]

    def test_superusers_see_it(self, client, user, other_record):
        user.is_superuser = True
        user.save()
        assert client.get(rest(other_record)).status_code == 200


class TestAdmin:
    URL = "/admin/customer_history/entry/"

    @pytest.fixture(autouse=True)
    def staff(self, user):
        user.is_staff = True
        user.save()

    def test_log_is_read_only(self, client, user, customer):
        grant(user, "view_customer_history")
        key = Entry.objects.get(entity_model="crm.customer").id
        assert "Acme" in client.get(self.URL).content.decode()
        assert "Acme" in client.get(f"{self.URL}{key}/change/").content.decode()
        assert client.get(f"{self.URL}add/").status_code == 403
        assert client.post(f"{self.URL}{key}/delete/", {"post": "yes"}).status_code == 403
        for key in ("x", "00000000-0000-0000-0000-000000000000"):
            assert client.get(f"{self.URL}{key}/change/").status_code == 404

    def test_shows_permitted_models_only(self, client, user, customer):
        assert client.get(self.URL).status_code == 403
        Account.objects.create(label="not theirs to read")
        grant(user, "view_customer_history")
        assert "not theirs" not in client.get(self.URL).content.decode()
        hidden = Entry.objects.get(entity_model="crm.account").id
        for page in ("change", "history", "delete"):
            answer = client.get(f"{self.URL}{hidden}/{page}/", follow=True)
            assert answer.status_code in (403, 404)
            assert "account" not in answer.content.decode().lower()

    def test_history_of_an_entry_redirects(self, client, user, customer):
        grant(user, "view_customer_history")
        key = Entry.objects.get(entity_model="crm.customer").id
        answer = client.get(f"{self.URL}{key}/history/", follow=True)
        assert answer.redirect_chain == [(f"{self.URL}{key}/change/", 302)]
        assert "Acme" in answer.content.decode()
        assert client.get(f"{self.URL}x/history/", follow=True).status_code == 404

    def test_wrong_filter_is_named(self, client, user, customer):
        grant(user, "view_customer_history")
        answer = client.get(f"{self.URL}?acton=x")
        assert answer.status_code == 400
        assert "Did you mean &#x27;action&#x27;?" in answer.content.decode()
        assert answer["Content-Type"].startswith("text/html")
        assert "no-store" in answer["Cache-Control"]
        assert "Acme" not in answer.content.decode()
        answer = client.get(f"{self.URL}?before=x")
        assert answer.status_code == 400
        assert "This link is not valid here." in answer.content.decode()
        assert "Acme" not in client.get(f"{self.URL}?entity=crm.note").content.decode()

    def test_search_keeps_other_filters(self, client, user, customer):
        grant(user, "view_customer_history")
        Note.objects.create(customer=customer, text="Acme called")
        both = client.get(f"{self.URL}?entity=crm.note&-kind=add&q=").content.decode()
        assert "Acme called" in both
        assert '<input type="checkbox" name="entity" value="crm.note" checked>' in both
        assert '<input type="hidden" name="-kind" value="add">' in both
        assert 'name="before"' not in both
        searched = client.get(f"{self.URL}?q=acme").content.decode()
        assert "Customer" in searched
        assert 'name="q" value="acme"' in searched
        narrowed = client.get(f"{self.URL}?entity=crm.note&q=acme").context
        assert [entry.entity.model for entry in narrowed["page"].entries] == ["crm.note"]
