"""Undo over REST: entries, requests, deleted records; dry runs and errors."""

import pytest
from django.test import Client

from django_customer_history import history
from django_customer_history.models import Entry
from tests.projects.crm.models import Customer, Note
from tests.reading.conftest import grant

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.reading.urls")]


@pytest.fixture
def editor(reader, user):
    grant(user, "undo_customer_history", "change_customer", "add_customer", "delete_note")
    grant(user, "add_note")
    return reader


@pytest.fixture
def update(customer):
    Customer.objects.filter(pk=customer.pk).update(rate="44.99")
    return Entry.objects.order_by("-id")[0]


def post(client, path, content, query=""):
    url = f"/api/history/{path}{query}"
    return client.post(url, content, content_type="application/json")


class TestEntry:
    def test_undo(self, editor, update):
        answer = post(editor, f"entries/{update.id}/undo/", {"reason": "a mistake"})
        assert answer.status_code == 200, answer.content
        content = answer.json()
        assert (content["dry_run"], content["done"]) == (False, [str(update.id)])
        (written,) = content["written"]
        (change,) = written["changes"]
        assert (change["field"], change["old"], change["new"]) == ("rate", "44.99", "39.99")
        assert (written["action"], written["reason"]) == ("Undo", "a mistake")
        assert str(Customer.objects.get().rate) == "39.99"

    def test_dry_run(self, editor, update):
        answer = post(editor, f"entries/{update.id}/undo/", {}, "?dry_run=1")
        assert answer.json()["dry_run"] is True
        assert len(answer.json()["written"]) == 1
        assert str(Customer.objects.get().rate) == "44.99"

    def test_conflict(self, editor, update):
        Customer.objects.update(rate="50.00")
        answer = post(editor, f"entries/{update.id}/undo/", {"reason": "r"})
        (conflict,) = answer.json()["conflicts"]
        assert (conflict["reason"], conflict["forceable"]) == ("changed", True)
        assert (conflict["change"]["old"], conflict["change"]["new"]) == ("50.00", "39.99")
        post(editor, f"entries/{update.id}/undo/", {"reason": "r", "force": True})
        assert str(Customer.objects.get().rate) == "39.99"

    @pytest.mark.parametrize(
        ("content", "query", "parameter"),
        [
            ({}, "", "reason"),
            ({"reason": " "}, "", "reason"),
            ({"reason": "r", "force": "maybe"}, "", "force"),
            ({"reason": "r"}, "?dry_run=perhaps", "dry_run"),
            ({"reason": "r"}, "?dryrun=1", "dryrun"),
            ({"reason": "r", "values": {"crm.customer.nope": 1}}, "", "values.crm.customer.nope"),
        ],
    )
    def test_errors(self, editor, update, content, query, parameter):
        answer = post(editor, f"entries/{update.id}/undo/", content, query)
        assert answer.status_code == 400
        assert answer["Content-Type"] == "application/problem+json"
        assert [one["parameter"] for one in answer.json()["errors"]] == [parameter]
        assert str(Customer.objects.get().rate) == "44.99"

    def test_missing_permissions_are_named(self, reader, update):
        answer = post(reader, f"entries/{update.id}/undo/", {"reason": "r"})
        assert answer.status_code == 403
        assert answer.json()["detail"] == (
            "Missing permissions: crm.undo_customer_history, crm.change_customer."
        )

    def test_masked_value(self, editor, customer):
        Customer.objects.update(ssn="999-88-7777")
        entry = Entry.objects.order_by("-id")[0]
        answer = post(editor, f"entries/{entry.id}/undo/", {}, "?dry_run=1")
        assert answer.status_code == 403
        assert "999-88-7777" not in answer.content.decode()

    def test_strangers(self, stranger, update):
        path = f"entries/{update.id}/undo/"
        assert post(stranger, path, {"reason": "r"}).status_code == 404
        assert post(Client(), path, {"reason": "r"}).status_code == 401

    def test_get_is_refused(self, editor, update):
        answer = editor.get(f"/api/history/entries/{update.id}/undo/")
        assert (answer.status_code, answer["Allow"]) == (405, "POST, OPTIONS")

    def test_csrf(self, editor, user, update):
        client = Client(enforce_csrf_checks=True)
        client.force_login(user)
        assert post(client, f"entries/{update.id}/undo/", {"reason": "r"}).status_code == 403


class TestOthers:
    def test_request(self, editor, customer):
        with history.acting(source="web") as context:
            Note.objects.create(customer=customer, text="t")
            Customer.objects.update(name="B")
        path = f"requests/{context.request_id}/undo/"
        answer = post(editor, path, {"reason": "r"})
        assert len(answer.json()["done"]) == 2
        assert not Note.objects.exists()

    def test_unknown_request(self, editor, customer):
        path = "requests/01890a5d-ac96-774b-bcce-b302099a8057/undo/"
        assert post(editor, path, {"reason": "r"}).status_code == 404

    def test_deleted_record(self, editor, user, customer):
        grant(user, "view_confidential_customer_ssn")
        Note.objects.create(customer=customer, text="t")
        key = customer.pk
        with history.acting(source="web"):
            customer.delete()
        path = f"subjects/crm.customer/{key}/restore/"
        answer = post(editor, path, {"reason": "r"})
        assert answer.status_code == 200, answer.content
        assert [one["reason"] for one in answer.json()["skipped"]] == ["unlogged"] * 3
        assert Note.objects.get().customer_id == key

    def test_record_that_exists(self, editor, customer):
        path = f"subjects/crm.customer/{customer.pk}/restore/"
        assert post(editor, path, {"reason": "r"}).status_code == 404
