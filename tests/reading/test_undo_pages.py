"""The pages that undo: preview, reason, conflicts, result; permissions and masks."""

import re

import pytest
from django.contrib.auth.models import Permission
from django.test import Client

from django_customer_history import history
from django_customer_history.models import ConfidentialField, Entry
from tests.projects.crm.models import Customer, Note, Tag
from tests.reading.backends import PerObjectBackend
from tests.reading.conftest import grant
from tests.reading.tabs import get_staff, shown, tab_url

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.reading.urls")]

DJANGO = "django.contrib.auth.backends.ModelBackend"


@pytest.fixture
def editor(reader, user):
    """A client of a user who may undo changes of customers and of notes."""
    models = ("customer", "note")
    grant(user, "undo_customer_history", *(f"{v}_{m}" for v in VERBS for m in models))
    return reader


SEES_SSN = "view_confidential_customer_ssn"
VERBS = ("add", "change", "delete")


@pytest.fixture
def update(customer):
    Customer.objects.filter(pk=customer.pk).update(rate="44.99", name="Acme Ltd")
    return newest()


def newest():
    return Entry.objects.order_by("-id")[0]


def undo_url(entry):
    return f"/records/undo/{entry.id}/"


def digest(answer):
    return re.search(r'name="digest" value="(\w+)"', answer.content.decode()).group(1)


def post(client, url, **data):
    return client.post(url, {"digest": digest(client.get(url)), **data})


class TestPreview:
    def test_shows_what_will_be_written(self, editor, update):
        answer = editor.get(undo_url(update))
        text = shown(answer)
        assert "Undo this change" in text
        assert "What will be written" in text
        assert re.search(r"Rate 44.99 39.99", text)
        assert re.search(r"Name Acme Ltd Acme", text)
        assert answer["Cache-Control"] == "private, no-store"

    def test_writes_nothing(self, editor, update):
        count = Entry.objects.count()
        editor.get(undo_url(update))
        assert Entry.objects.count() == count
        assert Customer.objects.get().name == "Acme Ltd"

    def test_conflict_shows_both_values(self, editor, update):
        Customer.objects.update(rate="50.00")
        text = shown(editor.get(undo_url(update)))
        assert "1 conflict" in text
        assert "The value was changed again since. Now 50.00 Before the change 39.99" in text

    def test_nothing_to_undo(self, editor, update):
        history.undo(update, reason="test")
        answer = editor.get(undo_url(update))
        assert "There is nothing to undo." in shown(answer)
        assert "<form" not in answer.content.decode()

    def test_has_no_inline_script_or_style(self, editor, update):
        page = editor.get(undo_url(update)).content.decode()
        assert "<script" not in page
        assert "style=" not in page


class TestUndoing:
    def test_undoes_with_a_reason(self, editor, user, update):
        answer = post(editor, undo_url(update), reason="a typing error")
        assert answer.status_code == 200
        assert "Done. 1 change was written." in shown(answer)
        assert Customer.objects.get().name == "Acme"
        entry = newest()
        assert (entry.user_id, entry.context["reason"]) == (str(user.pk), "a typing error")
        assert entry.context["undoes"] == [str(update.id)]

    @pytest.mark.parametrize("reason", ["", "  "])
    def test_reason_is_required(self, editor, update, reason):
        answer = post(editor, undo_url(update), reason=reason)
        assert answer.status_code == 400
        assert "Say why you undo this. Nothing was written." in shown(answer)
        assert Customer.objects.get().name == "Acme Ltd"

    def test_conflicts_are_left(self, editor, update):
        Customer.objects.update(rate="50.00")
        answer = post(editor, undo_url(update), reason="r")
        assert "This was left as it is." in shown(answer)
        assert Customer.objects.values_list("name", "rate").get()[0] == "Acme"
        assert str(Customer.objects.get().rate) == "50.00"

    def test_force_overwrites(self, editor, update):
        Customer.objects.update(rate="50.00")
        post(editor, undo_url(update), reason="r", force="yes")
        assert str(Customer.objects.get().rate) == "39.99"

    def test_changed_since_the_preview(self, editor, update):
        url = undo_url(update)
        seen = digest(editor.get(url))
        Customer.objects.update(rate="50.00")
        answer = editor.post(url, {"digest": seen, "reason": "r", "force": "yes"})
        assert answer.status_code == 409
        assert "The record has changed meanwhile. Nothing was written." in shown(answer)
        assert Customer.objects.get().name == "Acme Ltd"

    def test_csrf_token_is_required(self, editor, user, update):
        strict = Client(enforce_csrf_checks=True)
        strict.force_login(user)
        assert strict.post(undo_url(update), {"reason": "r"}).status_code == 403
        assert Customer.objects.get().name == "Acme Ltd"

    def test_whole_request(self, editor, customer):
        with history.acting(source="web") as context:
            Note.objects.create(customer=customer, text="oops")
            Customer.objects.update(name="Oops")
        url = f"/records/undo/{context.request_id}/crm.customer/{customer.pk}/"
        assert "Undo this request" in shown(editor.get(url))
        post(editor, url, reason="r")
        assert not Note.objects.exists()
        assert Customer.objects.get().name == "Acme"

    def test_deleted_record(self, editor, user, customer):
        grant(user, SEES_SSN)
        Note.objects.create(customer=customer, text="kept")
        key = customer.pk
        with history.acting(source="web"):
            customer.delete()
        url = f"/records/restore/crm.customer/{key}/"
        assert "Restore this record" in shown(editor.get(url))
        post(editor, url, reason="deleted by mistake")
        assert Customer.objects.get().pk == key
        assert Note.objects.get().text == "kept"

    def test_value_can_be_given(self, editor, user, customer, monkeypatch):
        field = Customer._meta.get_field("portal_password")
        monkeypatch.setattr(field, "blank", False)
        grant(user, SEES_SSN)
        key = customer.pk
        customer.delete()
        url = f"/records/restore/crm.customer/{key}/"
        name = "value:crm.customer.portal_password"
        text = editor.get(url).content.decode()
        assert f'name="{name}"' in text
        post(editor, url, reason="r")
        assert not Customer.objects.exists()
        post(editor, url, reason="r", **{name: "new"})
        assert Customer.objects.get().portal_password == "new"


class TestPermissions:
    def test_needs_all_of_them(self, reader, user, update):
        for needed, name in (
            ("undo_customer_history", "Can undo changes in the history of customer"),
            ("change_customer", "Can change customer"),
        ):
            answer = reader.get(undo_url(update))
            assert answer.status_code == 403
            assert name in shown(answer)
            assert needed not in answer.content.decode()
            answer = reader.post(undo_url(update), {"reason": "r"})
            assert answer.status_code == 403
            grant(user, needed)
        assert Customer.objects.get().name == "Acme Ltd"
        assert reader.get(undo_url(update)).status_code == 200

    def test_unknown_permission_keeps_its_code(self, reader, update):
        Permission.objects.filter(codename="change_customer").delete()
        assert "You also need: Can undo" in shown(reader.get(undo_url(update)))
        assert "crm.change_customer" in shown(reader.get(undo_url(update)))

    def test_verb_of_the_model(self, reader, user, customer):
        grant(user, "undo_customer_history", "change_note", "add_note")
        Note.objects.create(customer=customer, text="t")
        assert "Can delete note" in shown(reader.get(undo_url(newest())))
        Note.objects.all().delete()
        assert reader.get(undo_url(newest())).status_code == 200

    def test_masked_field_needs_its_permission(self, editor, user, customer):
        Customer.objects.update(ssn="999-88-7777")
        entry = newest()
        answer = editor.get(undo_url(entry))
        assert answer.status_code == 403
        assert "Can see the ssn of customer unmasked" in shown(answer)
        assert "999-88-7777" not in answer.content.decode()
        grant(user, "view_confidential_customer_ssn")
        assert "999-88-7777" in editor.get(undo_url(entry)).content.decode()

    def test_mark_of_staff(self, editor, update):
        ConfidentialField.objects.create(model="crm.customer", field="name")
        answer = editor.get(undo_url(update))
        assert answer.status_code == 403
        assert "Acme" not in answer.content.decode()

    def test_masked_until_revealed(self, editor, user, customer, settings):
        grant(user, "view_confidential_customer_ssn")
        settings.CUSTOMER_HISTORY = {"MASK_UNTIL_REVEALED": True}
        Customer.objects.update(ssn="999-88-7777")
        answer = editor.get(undo_url(newest()))
        assert answer.status_code == 200
        assert "999-88-7777" not in answer.content.decode()

    def test_strangers_get_404(self, stranger, client, update):
        assert stranger.get(undo_url(update)).status_code == 404
        assert client.get(undo_url(update)).status_code == 302

    def test_without_subject(self, editor, user):
        tag = Tag.objects.create(name="t")
        Tag.objects.filter(pk=tag.pk).update(name="u")
        grant(user, "view_entry", "change_tag")
        (entry,) = Entry.objects.filter(entity_model="crm.tag", kind="update")
        assert "Can undo every change in the history" in shown(editor.get(undo_url(entry)))
        grant(user, "undo_entry")
        assert editor.get(undo_url(entry)).status_code == 200

    def test_object_permission(self, reader, user, update, settings, monkeypatch):
        settings.AUTHENTICATION_BACKENDS = [DJANGO, "tests.reading.backends.PerObjectBackend"]
        monkeypatch.setattr(PerObjectBackend, "granted", set())
        client = Client()
        client.force_login(user, backend=DJANGO)
        grant(user, "change_customer")
        assert client.get(undo_url(update)).status_code == 403
        PerObjectBackend.granted.add(("crm.undo_customer_history", Customer.objects.get().pk))
        assert client.get(undo_url(update)).status_code == 200

    def test_forced_cascade_needs_permissions(self, reader, user):
        grant(user, "undo_customer_history", "delete_customer", "change_customer")
        customer = Customer.objects.create(name="B")
        created = newest()
        Note.objects.create(customer=customer, text="later")
        url = undo_url(created)
        assert "1 Note" in shown(reader.get(url)) or "1 note" in shown(reader.get(url))
        assert post(reader, url, reason="r", force="yes").status_code == 403
        assert Note.objects.count() == 1
        grant(user, "delete_note")
        assert post(reader, url, reason="r", force="yes").status_code == 200
        assert not Customer.objects.filter(name="B").exists()


class TestLinks:
    def test_on_the_tab(self, editor, customer, update):
        page = editor.get(tab_url(customer)).content.decode()
        assert f'href="/records/undo/{update.id}/"' in page

    def test_only_with_permission(self, reader, customer, update):
        assert "/undo/" not in reader.get(tab_url(customer)).content.decode()

    def test_not_for_events(self, editor, customer):
        event = history.record("Letter Sent", subject=customer)
        page = editor.get(tab_url(customer)).content.decode()
        assert f"/undo/{event.id}/" not in page

    def test_of_a_request(self, editor, customer):
        with history.acting(source="web") as context:
            Customer.objects.update(name="B")
        url = f"{tab_url(customer)}?request_id={context.request_id}"
        page = editor.get(url).content.decode()
        assert f"/records/undo/{context.request_id}/crm.customer/{customer.pk}/" in page

    def test_of_a_deleted_record(self, editor, customer):
        url, key = tab_url(customer), customer.pk
        customer.delete()
        assert f"/records/restore/crm.customer/{key}/" in editor.get(url).content.decode()

    def test_in_the_admin(self, editor, user, update):
        get_staff(user)
        grant(user, "view_entry")
        page = editor.get("/admin/customer_history/entry/").content.decode()
        url = f"/admin/customer_history/entry/undo/{update.id}/"
        assert f'href="{url}"' in page
        answer = editor.get(url)
        assert "What will be written" in shown(answer)
        assert "Django administration" in shown(answer)
        post(editor, url, reason="in the admin")
        assert Customer.objects.get().name == "Acme"
        assert newest().source == "admin"
