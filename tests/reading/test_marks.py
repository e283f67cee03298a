"""Marks: fields that staff mark as confidential are masked everywhere, also in old entries."""

import html
import json
import re

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.utils import timezone

from django_customer_history.access.mark_form import field_name, model_name
from django_customer_history.access.permissions import create_permissions
from django_customer_history.masks import as_mask
from django_customer_history.models import (
    ConfidentialField,
    Entry,
)
from django_customer_history.registration.registry import (
    Registration,
    registry,
)
from tests.projects.crm.models import Account, Customer, Note, Specimen
from tests.reading.conftest import grant

pytestmark = pytest.mark.django_db


def changes(client, query):
    entries = client.get(f"/api/history/?{query}").json()["results"]
    return {change["field"]: change for change in entries[0]["changes"]}


@pytest.fixture
def staff(django_user_model):
    client = Client()
    client.force_login(django_user_model.objects.create_superuser("root"))
    return client


class TestAdmin:
    def test_marks_are_logged(self, staff, log):
        answer = staff.post(
            "/admin/customer_history/confidentialfield/add/",
            {"model": "crm.customer", "field": "rate", "label": "Price", "mask": "full"},
        )
        assert answer.status_code == 302
        entry = next(one for one in log.entries() if one.kind == "create")
        assert entry.entity_model == "customer_history.confidentialfield"
        assert entry.entity_label == "crm.customer rate"
        assert (entry.source, entry.user_label) == ("admin", "root")
        assert entry.changes["mask"] == [None, "full"]
        ConfidentialField.objects.all().delete()
        assert log.entries()[-1].kind == "delete"

    @pytest.mark.parametrize(
        ("model", "field", "message"),
        [
            ("crm.customer", "nonsense", "This field does not exist"),
            ("crm.customer", "name.first", "Only JSON fields have keys"),
            ("crm.customer", "api_token", "its values are never stored"),
            ("crm.specimen", "json.", "A part of the key is empty"),
            ("crm.specimen", "json..colour", "A part of the key is empty"),
            ("crm.nothing", "name", "Select a valid choice"),
            ("", "name", "This field is required"),
        ],
    )
    def test_rejects_unknown_fields(self, staff, model, field, message):
        answer = staff.post(
            "/admin/customer_history/confidentialfield/add/",
            {"model": model, "field": field, "label": "", "mask": "full"},
        )
        assert message in answer.content.decode()
        assert not ConfidentialField.objects.exists()

    def test_accepts_a_json_key(self, staff):
        staff.post(
            "/admin/customer_history/confidentialfield/add/",
            {"model": "crm.specimen", "field": "json.colour", "label": "", "mask": "full"},
        )
        content = staff.get("/admin/customer_history/confidentialfield/").content.decode()
        assert "json.colour" in content

    def test_the_same_mark_twice(self, staff):
        ConfidentialField.objects.create(model="crm.customer", field="rate")
        answer = staff.post(
            "/admin/customer_history/confidentialfield/add/",
            {"model": "crm.customer", "field": "rate", "label": "", "mask": "full"},
        )
        assert "with this Model and Field already exists" in answer.content.decode()

    def test_models_are_picked_by_app(self, staff):
        page = staff.get("/admin/customer_history/confidentialfield/add/")
        groups = dict(page.context["adminform"].form.fields["model"].choices)
        assert next(iter(groups)) == ""  # Nothing is chosen at first.
        assert ("crm.customer", "Customer") in groups["Crm"]
        assert ("crm.invoiceline", "Invoice line") in groups["Crm"]

    def test_fields_are_suggested(self, staff):
        page = staff.get("/admin/customer_history/confidentialfield/add/").content.decode()
        assert re.search(r'<input[^>]* name="field"[^>]* list="id_field_list"', page)
        assert '<option value="rate" data-model="crm.customer">Customer: Rate</option>' in page
        assert '<option value="tags" data-model="crm.customer">Customer: Tags</option>' in page
        assert '<option value="id" ' not in page  # A key.
        assert '<option value="api_token" ' not in page  # A secret field.
        assert "customer_history/marks.js" in page

    def test_named_keys_are_suggested(self, staff):
        page = staff.get("/admin/customer_history/confidentialfield/add/").content.decode()
        label = "Ticket: Alarm code word of root"
        assert f'<option value="udf.code_word" data-model="crm.ticket">{label}</option>' in page
        assert '<option value="udf" data-model="crm.ticket">Ticket: Udf</option>' in page

    def test_list_has_verbose_names(self, staff):
        ConfidentialField.objects.create(model="crm.ticket", field="udf.code_word")
        ConfidentialField.objects.create(model="crm.invoiceline", field="quantity")
        ConfidentialField.objects.create(model="removed.model", field="some_field")
        url = "/admin/customer_history/confidentialfield/"
        rows = staff.get(url).context["cl"].result_list
        shown = {(model_name(one.model), field_name(one)) for one in rows}
        assert shown == {
            ("Ticket", "Udf (udf.code_word)"),
            ("Invoice line", "Quantity"),
            ("removed.model", "some_field"),
        }
        text = staff.get(f"{url}?model=crm.invoiceline").content.decode()
        assert "Invoice line" in text
        assert ">Quantity</td>" in text
        assert "udf.code_word" not in text

    def test_message_says_what_it_does(self, staff):
        data = {"model": "crm.customer", "field": "rate", "label": "Price", "mask": "full"}
        url = "/admin/customer_history/confidentialfield/"
        text = html.unescape(staff.post(f"{url}add/", data, follow=True).content.decode())
        assert (
            "“Rate” of “Customer” is now masked in all entries, old and new. Users see its values"
            " with the permission “Can see the Price of customer unmasked”." in text
        )
        mark = ConfidentialField.objects.get()
        data["label"] = "Tariff"
        answer = staff.post(f"{url}{mark.pk}/change/", data, follow=True)
        assert "Can see the Tariff of customer unmasked" in answer.content.decode()
        name = Permission.objects.get(codename="view_confidential_customer_rate").name
        assert name == "Can see the Tariff of customer unmasked"

    def test_mark_of_a_removed_model(self, staff):
        mark = ConfidentialField.objects.create(model="removed.model", field="x")
        url = f"/admin/customer_history/confidentialfield/{mark.pk}/change/"
        page = staff.get(url).content.decode()
        assert '<option value="">---------</option>' in page
        data = {"model": "", "field": "x", "label": "", "mask": "full"}
        assert "This field is required" in staff.post(url, data).content.decode()

    def test_view_only(self, client, user):
        mark = ConfidentialField.objects.create(model="crm.customer", field="rate")
        user.is_staff = True
        user.save()
        grant(user, "view_confidentialfield")
        client.force_login(user)
        url = f"/admin/customer_history/confidentialfield/{mark.pk}/change/"
        assert client.get(url).status_code == 200

    def test_permission_is_created(self):
        ConfidentialField.objects.create(model="removed.model", field="x")
        ConfidentialField.objects.create(model="crm.customer", field="rate", label="Price")
        names = Permission.objects.filter(codename="view_confidential_customer_rate")
        assert [one.name for one in names] == ["Can see the Price of customer unmasked"]
        names.delete()
        create_permissions("default")
        assert names.count() == 1


class TestMasking:
    def test_old_entries_are_masked(self, reader, user, customer):
        Note.objects.create(customer=customer, text="4111 1111 1111 1234")
        assert changes(reader, "entity=crm.note")["text"]["new"] == "4111 1111 1111 1234"
        ConfidentialField.objects.create(
            model="crm.note", field="text", label="Card number", mask="card"
        )
        assert changes(reader, "entity=crm.note")["text"] == {
            "field": "text",
            "label": "Card number",
            "type": "text",
            "old": None,
            "new": None,
            "old_display": None,
            "new_display": "**** **** **** 1234",
            "masked": True,
            "permission": "crm.view_confidential_note_text",
        }
        grant(user, "view_confidential_note_text")
        assert changes(reader, "entity=crm.note")["text"]["new"] == "4111 1111 1111 1234"

    def test_key_of_a_json_field(self, reader, user):
        grant(user, "view_account_history")
        account = Account.objects.create(label="a")
        Specimen.objects.create(account=account, json={"colour": "mauve", "size": 7})
        Entry.objects.create(
            timestamp=Entry.objects.first().timestamp,
            kind="update",
            action="Update",
            subject_model="crm.account",
            subject_id=str(account.pk),
            entity_model="crm.specimen",
            entity_id="1",
            changes={"json.colour": ['"red"', '"mauve"'], "json.size": ["6", "7"]},
            source="web",
        )
        ConfidentialField.objects.create(model="crm.specimen", field="json.colour", label="Colour")
        whole = changes(reader, "entity=crm.specimen&kind=create")["json"]
        assert whole["masked"]
        assert whole["new"] is None
        assert json.loads(whole["new_display"]) == {"colour": "*****", "size": 7}
        assert whole["permission"] == "crm.view_confidential_specimen_json__colour"
        alone = changes(reader, "entity=crm.specimen&kind=update")
        assert (alone["json.colour"]["label"], alone["json.colour"]["new_display"]) == (
            "Colour",
            "*****",
        )
        assert alone["json.size"] == {
            "field": "json.size",
            "label": "Json: size",
            "type": "json",
            "old": 6,
            "new": 7,
            "old_display": "6",
            "new_display": "7",
            "masked": False,
        }
        assert reader.get("/api/history/?q=mauve").json()["results"] == []
        grant(user, "view_confidential_specimen_json__colour")
        shown = changes(reader, "entity=crm.specimen&kind=update")["json.colour"]
        assert (shown["new"], shown["new_display"]) == ("mauve", "mauve")
        assert len(reader.get("/api/history/?q=mauve").json()["results"]) == 2

    def test_json_field_hides_its_keys(self, reader, user):
        grant(user, "view_account_history")
        account = Account.objects.create(label="a")
        Entry.objects.create(
            timestamp=Entry.objects.first().timestamp,
            kind="update",
            action="Update",
            subject_model="crm.account",
            subject_id=str(account.pk),
            entity_model="crm.specimen",
            entity_id="1",
            changes={"json.colour": [None, '"ann@example.com"']},
            source="web",
        )
        ConfidentialField.objects.create(model="crm.specimen", field="json", mask="email")
        shown = changes(reader, "entity=crm.specimen")["json.colour"]
        assert (shown["old_display"], shown["new_display"]) == (None, "a***@example.com")
        assert shown["permission"] == "crm.view_confidential_specimen_json"

    def test_mask_function_of_the_project(self, reader, customer, monkeypatch):
        def first_letter(value):
            return f"{value[0]}..."

        original = registry.of(Customer)
        own = Registration(
            model=Customer, subject=("self",), label=("name",), confidential={"ssn": first_letter}
        )
        monkeypatch.setitem(registry._registrations, Customer, own)
        assert original != own
        assert changes(reader, "entity=crm.customer")["ssn"]["new_display"] == "1..."
        assert as_mask(first_letter)("") == ""

    def test_str_with_a_confidential_value(self, reader, user, customer):
        original = Customer.__str__
        Customer.__str__ = lambda self: f"{self.name} {self.ssn}"
        given = registry.of(Customer)
        own = Registration(model=Customer, subject=("self",), confidential=given.confidential)
        registry._registrations[Customer] = own
        try:
            content = reader.get("/api/history/").content.decode()
            page = reader.get(f"/customers/{customer.pk}/history/").content.decode()
        finally:
            Customer.__str__, registry._registrations[Customer] = original, given
        assert "123-45" not in content + page


class TestNamesOfPermissions:
    """Masks name the permission as the admin does."""

    def hint(self, reader, customer):
        page = reader.get(f"/customers/{customer.pk}/history/?kind=update").content.decode()
        found = re.findall(r'title="Hidden. You need the permission “(.*?)”', page)
        return set(found)

    def stored(self):
        return Permission.objects.get(codename="view_confidential_customer_rate").name

    def test_of_a_mark(self, reader, customer):
        Customer.objects.update(rate="44.99")
        mark = ConfidentialField.objects.create(model="crm.customer", field="rate")
        assert self.hint(reader, customer) == {"Can see the rate of customer unmasked"}
        assert self.stored() == "Can see the rate of customer unmasked"
        mark.label = "Price"
        mark.save()
        assert self.hint(reader, customer) == {"Can see the Price of customer unmasked"}
        assert self.stored() == "Can see the Price of customer unmasked"

    def test_of_a_removed_mark(self, reader, customer):
        """Its label is not known any more: the codename is."""
        Customer.objects.update(rate="44.99")
        ConfidentialField.objects.create(model="crm.customer", field="rate", label="Price").delete()
        assert self.hint(reader, customer) == {"crm.view_confidential_customer_rate"}
        assert self.stored() == "Can see the Price of customer unmasked"

    def test_of_all_confidential_values(self, reader, customer):
        Entry.objects.create(
            timestamp=timezone.now(),
            kind="update",
            action="Update",
            subject_model="crm.customer",
            subject_id=str(customer.pk),
            entity_model="crm.customer",
            entity_id=str(customer.pk),
            changes={"dropped": ["old value", "new value"]},
            source="web",
        )
        page = reader.get(f"/customers/{customer.pk}/history/").content.decode()
        assert "“Can view every confidential value in the history”" in page

    def test_migrate_corrects_the_name(self, customer):
        names = Permission.objects.filter(codename="view_confidential_customer_ssn")
        names.update(name="Can see the former name of customer unmasked")
        create_permissions("default")
        assert names.get().name == "Can see the ssn of customer unmasked"

    def test_other_names_stay(self, customer):
        names = Permission.objects.filter(codename="view_customer_history")
        names.update(name="Own words")
        create_permissions("default")
        assert names.get().name == "Own words"


class TestReveal:
    def test_a_reveal_is_logged(self, reader, user, customer, log):
        grant(user, "view_confidential_customer_ssn")
        log.clear()
        entry = Entry.objects.get(entity_model="crm.customer")
        answer = reader.post(f"/api/history/entries/{entry.id}/reveal/")
        assert "123-45-6789" in answer.content.decode()
        revealed = log.only()
        assert revealed.action == "Confidential Values Revealed"
        assert (revealed.kind, revealed.source, revealed.user_label) == ("event", "api", "ann")
        assert revealed.entity_id == str(entry.id)
        assert revealed.subject_id == str(customer.pk)
        assert revealed.changes == {"fields": [None, "ssn"]}
        shown = reader.get("/api/history/").json()["results"][0]
        assert shown["changes"][0]["new"] == "ssn"

    def test_without_permission(self, reader, customer, log):
        log.clear()
        entry = Entry.objects.get(entity_model="crm.customer")
        answer = reader.post(f"/api/history/entries/{entry.id}/reveal/")
        assert answer.status_code == 403
        assert log.entries() == []

    def test_mask_until_revealed(self, reader, user, customer, settings):
        settings.CUSTOMER_HISTORY = {"MASK_UNTIL_REVEALED": True}
        grant(user, "view_confidential_customer_ssn")
        entry = Entry.objects.get(entity_model="crm.customer")
        assert "123-45" not in reader.get("/api/history/").content.decode()
        assert reader.get("/api/history/?q=123-45").json()["results"] == []
        revealed = reader.post(f"/api/history/entries/{entry.id}/reveal/")
        assert "123-45-6789" in revealed.content.decode()
        assert "123-45" not in reader.get("/api/history/").content.decode()

    def test_removed_field_is_logged(self, reader, user, customer, log, settings):
        settings.CUSTOMER_HISTORY = {"MASK_UNTIL_REVEALED": True}
        grant(user, "view_confidential")
        entry = Entry.objects.create(
            timestamp=timezone.now(),
            kind="update",
            action="Update",
            subject_model="crm.customer",
            subject_id=str(customer.pk),
            entity_model="crm.customer",
            entity_id=str(customer.pk),
            changes={"dropped": ["old value", "new value"]},
            source="web",
        )
        log.clear()
        assert "old value" not in reader.get("/api/history/").content.decode()
        revealed = reader.post(f"/api/history/entries/{entry.id}/reveal/")
        assert "old value" in revealed.content.decode()
        assert log.only().changes == {"fields": [None, "dropped"]}
