"""Pages and REST say where an entry is sealed, and give its proof to those who may export."""

import base64
from importlib.util import find_spec
from io import StringIO

import pytest
from django.core.management import call_command
from django.test import Client

from django_customer_history.feed.seals.keys import SealKey, key_of_settings
from django_customer_history.models import Entry, Seal
from django_customer_history.verify import proven
from tests.extras import skip_missing
from tests.reading.conftest import HIDDEN, SSN, grant
from tests.seals.conftest import attack

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def key(settings, tmp_path, monkeypatch):
    """The key of the setting SEAL_KEY."""
    if find_spec("cryptography") is None or find_spec("rfc8785") is None:
        skip_missing("cryptography and rfc8785")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    SealKey.new("example.com/history").write(tmp_path / "seal.key")
    settings.CUSTOMER_HISTORY = {"SEAL_KEY": str(tmp_path / "seal.key")}
    return key_of_settings()


def seal():
    call_command("history_seal", stdout=StringIO(), stderr=StringIO())
    return Seal.objects.latest("id")


@pytest.fixture
def entry(customer):
    """A sealed entry."""
    made = Entry.objects.get(entity_model="crm.customer", kind="create")
    seal()
    return made


def rest(entry, part=""):
    return f"/api/history/entries/{entry.id}/{part}"


def page(entry, customer, more=""):
    return f"/customers/{customer.pk}/history/?entry={entry.id}{more}"


def decoded(proof):
    """Return a proof together with what is Base64 in it."""
    extra = proof.split("\n")[1].removeprefix("extra ")
    return proof + base64.b64decode(extra).decode()


class TestRest:
    def test_permalink_says_where(self, reader, entry):
        made = Seal.objects.get()
        assert reader.get(rest(entry)).json()["sealed"] == {
            "timestamp": made.timestamp.isoformat().replace("000+00:00", "000Z"),
            "log_name": "example.com/history",
            "size": made.size,
            "leaf": list(Entry.objects.order_by("id").values_list("id", flat=True)).index(entry.id),
        }

    def test_entry_that_is_not_sealed(self, reader, customer):
        entry = Entry.objects.get(entity_model="crm.customer")
        assert reader.get(rest(entry)).json()["sealed"] is None
        answer = reader.get(rest(entry, "proof/"))
        assert (answer.status_code, answer["Content-Type"]) == (404, "application/problem+json")
        assert answer.json()["detail"] == "This entry is not sealed yet."

    def test_lists_do_not_say_it(self, reader, entry):
        assert "sealed" not in reader.get("/api/history/").json()["results"][0]

    @pytest.mark.parametrize("accept", ["text/plain", "*/*", "application/json"])
    def test_proof_is_a_file(self, reader, entry, key, accept):
        answer = reader.get(rest(entry, "proof/"), headers={"Accept": accept})
        assert answer["Content-Type"] == "text/plain; charset=utf-8"
        name = f"entry-{entry.id}.tlog-proof"
        assert answer["Content-Disposition"] == f'attachment; filename="{name}"'
        assert answer["Cache-Control"] == "private, no-store"
        checkpoint, found = proven(answer.content.decode(), key.verifiers)
        assert checkpoint.size == Seal.objects.get().size
        assert (found["id"], found["changes"]["name"]) == (str(entry.id), [None, "Acme"])

    def test_proof_is_logged(self, reader, entry, log, customer):
        log.clear()
        reader.head(rest(entry, "proof/"))
        assert log.entries() == []
        reader.get(rest(entry, "proof/"))
        (made,) = log.entries()
        assert (made.action, made.entity_id) == ("History Exported", str(entry.id))
        assert made.subject_id == str(customer.pk)
        assert made.changes == {"format": [None, "tlog-proof"]}

    def test_permissions(self, stranger, entry, django_user_model, log):
        user = django_user_model.objects.create_user("bob")
        grant(user, "view_customer_history")
        client = Client()
        client.force_login(user)
        log.clear()
        assert client.get(rest(entry)).json()["sealed"]["log_name"] == "example.com/history"
        assert client.get(rest(entry, "proof/")).status_code == 403
        assert stranger.get(rest(entry, "proof/")).status_code == 404
        assert Client().get(rest(entry, "proof/")).status_code == 401
        assert log.entries() == []

    def test_other_site(self, reader, entry, log):
        log.clear()
        site = {"Sec-Fetch-Site": "cross-site", "Referer": "https://evil.example/"}
        assert reader.get(rest(entry, "proof/"), headers=site).status_code == 403
        assert log.entries() == []

    def test_unknown_parameter(self, reader, entry):
        assert reader.get(rest(entry, "proof/?field=ssn")).status_code == 400
        assert reader.get("/api/history/entries/x/proof/").status_code == 404

    def test_entry_that_was_altered(self, reader, entry):
        attack("UPDATE customer_history_entry SET user_label = 'x'")
        answer = reader.get(rest(entry, "proof/"))
        assert answer.status_code == 409
        assert "cannot be proved" in answer.json()["detail"]

    def test_server_without_the_key(self, reader, entry, settings):
        settings.CUSTOMER_HISTORY = {}
        assert reader.get(rest(entry)).json()["sealed"] is not None
        assert reader.get(rest(entry, "proof/")).status_code == 404
        settings.CUSTOMER_HISTORY = {"SEAL_KEY": "/no/such/file"}
        answer = reader.get(rest(entry, "proof/"))
        assert answer.status_code == 409
        assert "/no/such" not in answer.content.decode()


class TestNoLeak:
    def test_hidden_values_are_hashes(self, reader, confidential_customer, key):
        seal()
        count = 0
        for entry in Entry.objects.all():
            answer = reader.get(rest(entry, "proof/"))
            if answer.status_code == 200:
                text = decoded(answer.content.decode())
                proven(answer.content.decode(), key.verifiers)
                assert [value for value in HIDDEN if value in text] == []
                count += 1
        assert count > 10

    def test_values_with_the_permission(self, reader, user, confidential_customer, key):
        grant(user, "view_confidential_customer_ssn")
        seal()
        entry = Entry.objects.filter(entity_model="crm.customer", kind="update").earliest("id")
        _checkpoint, found = proven(
            reader.get(rest(entry, "proof/")).content.decode(), key.verifiers
        )
        assert found["changes"]["ssn"][1] == SSN


class TestTab:
    def test_link_to_an_entry(self, reader, customer, entry):
        made = Seal.objects.get()
        text = reader.get(page(entry, customer)).content.decode()
        assert f"by the checkpoint of {made.size} entries of" in text
        assert f"?format=tlog-proof&amp;entry={entry.id}" in text
        assert (
            "by the checkpoint of"
            not in reader.get(f"/customers/{customer.pk}/history/").content.decode()
        )

    def test_download(self, reader, customer, entry, key, log):
        log.clear()
        answer = reader.get(page(entry, customer, "&format=tlog-proof"))
        assert proven(answer.content.decode(), key.verifiers)[1]["id"] == str(entry.id)
        assert [one.action for one in log.entries()] == ["History Exported"]

    def test_reader_without_export(self, customer, entry, django_user_model):
        user = django_user_model.objects.create_user("bob")
        grant(user, "view_customer_history")
        client = Client()
        client.force_login(user)
        text = client.get(page(entry, customer)).content.decode()
        assert "by the checkpoint of" in text
        assert "tlog-proof" not in text
        assert client.get(page(entry, customer, "&format=tlog-proof")).status_code == 403

    def test_entry_of_another_record(self, reader, customer, entry):
        other = type(customer).objects.create(name="Other")
        assert reader.get(page(entry, other, "&format=tlog-proof")).status_code == 404

    def test_problems_are_said(self, reader, customer):
        entry = Entry.objects.get(entity_model="crm.customer")
        url = f"/customers/{customer.pk}/history/?format=tlog-proof"
        answer = reader.get(page(entry, customer, "&format=tlog-proof"))
        assert answer.status_code == 400
        assert "This change is not sealed yet." in answer.content.decode()
        assert "Give the ID of an entry." in reader.get(url).content.decode()
        assert "by the checkpoint of" not in reader.get(page(entry, customer)).content.decode()


class TestAdmin:
    def test_page_of_an_entry(self, admin_client, entry, key, log):
        url = f"/admin/customer_history/entry/{entry.id}/change/"
        text = admin_client.get(url).content.decode()
        assert "by the checkpoint of" in text
        assert f"{url}?format=tlog-proof" in text
        log.clear()
        answer = admin_client.get(f"{url}?format=tlog-proof&entry={entry.id}")
        assert proven(answer.content.decode(), key.verifiers)[1]["id"] == str(entry.id)
        assert [one.action for one in log.entries()] == ["History Exported"]

    def test_entry_that_is_not_sealed(self, admin_client, customer):
        entry = Entry.objects.get(entity_model="crm.customer")
        url = f"/admin/customer_history/entry/{entry.id}/change/"
        assert "by the checkpoint of" not in admin_client.get(url).content.decode()
        answer = admin_client.get(f"{url}?format=tlog-proof")
        assert answer.status_code == 400
