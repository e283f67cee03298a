"""The log on the tab and over REST: what readers see, and what is hidden."""

import json

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.utils import timezone
from django.utils.html import strip_tags

from django_customer_history import history
from django_customer_history.models import Entry
from tests.projects.crm.models import Account, Customer, Invoice, Note, Tag

pytestmark = pytest.mark.django_db

SSN = "123-45-6789"


def grant(user, *codenames):
    for codename in codenames:
        user.user_permissions.add(Permission.objects.get(codename=codename))


@pytest.fixture
def reader(user):
    grant(user, "view_customer_history")
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def stranger(django_user_model):
    client = Client()
    client.force_login(django_user_model.objects.create_user("eve"))
    return client


def urls(customer):
    """Return the URL of each output with the history of a customer."""
    return {
        "view": f"/customers/{customer.pk}/history/",
        "tag": f"/customers/{customer.pk}/page/",
        "subject": f"/api/history/subjects/crm.customer/{customer.pk}/",
        "all": "/api/history/",
    }


@pytest.mark.parametrize("output", ["view", "tag", "subject", "all"])
class TestEveryOutput:
    def test_shows_user_source_and_values(self, output, reader, customer, user):
        with history.acting(user=user, source="import", ip_address="203.0.113.9"):
            Customer.objects.filter(pk=customer.pk).update(rate="44.99")
        text = reader.get(urls(customer)[output]).content.decode()
        for shown in ("ann", "39.99", "44.99", "Import", "203.0.113.9", "Update"):
            assert shown in text

    def test_hides_protected_values(self, output, reader, customer):
        Customer.objects.filter(pk=customer.pk).update(ssn="999-88-7777", portal_password="pw2")
        text = reader.get(urls(customer)[output]).content.decode()
        assert "***-**-6789" in text
        assert "***-**-7777" in text
        for hidden in (SSN, "123-45", "999-88", "s3cret", "pw2"):
            assert hidden not in text

    def test_permission_shows_the_value(self, output, reader, user, customer):
        grant(user, "view_confidential_customer_ssn")
        assert SSN in reader.get(urls(customer)[output]).content.decode()

    def test_masks_an_unknown_field(self, output, reader, customer, user):
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
        assert "old value" not in reader.get(urls(customer)[output]).content.decode()
        grant(user, "view_confidential")
        assert "old value" in reader.get(urls(customer)[output]).content.decode()

    def test_escapes_html_in_values(self, output, reader, customer):
        Customer.objects.filter(pk=customer.pk).update(name="<script>alert(1)</script>")
        response = reader.get(urls(customer)[output])
        assert b"<script>alert" not in response.content or response["Content-Type"].startswith(
            "application/json"
        )

    def test_refuses_without_permission(self, output, stranger, customer):
        response = stranger.get(urls(customer)[output])
        assert response.status_code == (200 if output == "tag" else 403)
        assert "39.99" not in response.content.decode()

    def test_anonymous_visitor_must_log_in(self, output, customer):
        response = Client().get(urls(customer)[output])
        if output == "view":
            assert response.status_code == 302
            assert response["Location"].startswith("/log-in/")
        elif output != "tag":
            assert response.status_code in (401, 403)
        assert "39.99" not in response.content.decode()


class TestTab:
    def test_has_the_nine_columns(self, reader, customer):
        text = reader.get(urls(customer)["view"]).content.decode()
        columns = (
            "Timestamp", "User", "Action", "Entity", "Field",
            "Old value", "New value", "Source", "IP address",
        )  # fmt: skip
        found = [text.index(f'scope="col">{column}</th>') for column in columns]
        assert found == sorted(found)

    def test_shows_labels_of_values(self, reader, customer):
        customer.tags.add(Tag.objects.create(name="Vip"))
        Customer.objects.filter(pk=customer.pk).update(status="canceled")
        Invoice.objects.create(customer=customer, number="INV-7")
        text = strip_tags(reader.get(urls(customer)["view"]).content.decode())
        for shown in ("Vip", "Active customer", "Canceled", "System", "Invoice INV-7"):
            assert shown in text

    def test_newest_first_page_by_page(self, reader, customer, settings):
        settings.CUSTOMER_HISTORY = {"PAGE_SIZE": 2}
        for number in range(4):
            Note.objects.create(customer=customer, text=f"note {number}")
        shown, url = [], urls(customer)["view"]
        while url:
            response = reader.get(url)
            page = response.context["page"]
            shown += [str(entry.changes[-1].new) for entry in page.entries]
            url = page.older and f"{urls(customer)['view']}?before={page.older}"
        assert [text for text in shown if text.startswith("note")] == [
            "note 3", "note 2", "note 1", "note 0",
        ]  # fmt: skip
        assert len(shown) == 5

    def test_cursor_of_another_record(self, reader, customer, settings):
        settings.CUSTOMER_HISTORY = {"PAGE_SIZE": 1}
        other = Customer.objects.create(name="Other")
        Note.objects.create(customer=customer, text="t")
        older = reader.get(urls(customer)["view"]).context["page"].older
        assert older
        assert reader.get(urls(other)["view"] + f"?before={older}").status_code == 400
        shown = reader.get(urls(other)["tag"] + f"?before={older}")
        assert shown.status_code == 200
        assert "This link is not valid here." in shown.content.decode()

    def test_history_of_a_deleted_record(self, reader, customer):
        url = urls(customer)["view"]
        customer.delete()
        text = reader.get(url).content.decode()
        assert "<h1>History of <bdi>Acme</bdi>" in text
        assert "Delete" in text

    def test_unknown_record_is_not_found(self, reader, customer):
        assert reader.get("/customers/987654/history/").status_code == 404

    def test_null_blank_masked_and_secret(self, reader, customer):
        Customer.objects.filter(pk=customer.pk).update(api_token="t", name="")
        customer.tags.add(Tag.objects.create(name="Vip"))
        text = reader.get(urls(customer)["view"]).content.decode()
        for state in ("null", "blank", "masked", "secret"):
            assert f"ch-{state}" in text
        assert "Can see the ssn of customer unmasked" in text

    def test_number_of_statements(self, reader, customer, django_assert_max_num_queries):
        for number in range(20):
            Note.objects.create(customer=customer, text=str(number))
        # session, user, permissions of user and of groups, subject twice, page, two names
        with django_assert_max_num_queries(9):
            reader.get(urls(customer)["view"])


class TestRest:
    def test_json_of_an_entry(self, reader, customer, user, log):
        with history.acting(
            user=user, source="api", ip_address="2001:db8::7", reason="asked by phone"
        ):
            Customer.objects.filter(pk=customer.pk).update(
                rate="44.99", status="canceled", ssn="111-22-3333", portal_password="x"
            )
        entry = log.only()
        response = reader.get(urls(customer)["subject"])
        assert response["Cache-Control"] == "private, no-store"
        shown = response.json()["results"][0]
        assert shown.pop("timestamp").endswith("Z")
        assert shown == {
            "id": str(entry.id),
            "user": {"id": str(user.pk), "name": "ann"},
            "impersonator": None,
            "action": entry.action,
            "kind": "update",
            "subject": {"model": "crm.customer", "id": str(customer.pk), "label": "Acme"},
            "entity": {
                "model": "crm.customer",
                "id": str(customer.pk),
                "label": "Acme",
                "name": "customer",
                "url": None,
            },
            "changes": [
                {
                    "field": "status",
                    "label": "Status",
                    "type": "choice",
                    "old": "active",
                    "new": "canceled",
                    "old_display": "Active customer",
                    "new_display": "Canceled",
                    "masked": False,
                },
                {
                    "field": "rate",
                    "label": "Rate",
                    "type": "decimal",
                    "old": "39.99",
                    "new": "44.99",
                    "old_display": "39.99",
                    "new_display": "44.99",
                    "masked": False,
                },
                {
                    "field": "ssn",
                    "label": "Ssn",
                    "type": "text",
                    "old": None,
                    "new": None,
                    "old_display": "***-**-6789",
                    "new_display": "***-**-3333",
                    "masked": True,
                    "permission": "crm.view_confidential_customer_ssn",
                },
                {
                    "field": "portal_password",
                    "label": "Portal password",
                    "type": "secret",
                    "old": None,
                    "new": None,
                    "old_display": None,
                    "new_display": None,
                    "masked": True,
                },
            ],
            "source": {"code": "api", "label": "API"},
            "ip_address": "2001:db8::7",
            "request_id": str(entry.request_id),
            "reason": "asked by phone",
            "is_baseline": False,
            "primary_id": None,
        }
        link = reader.get(f"/api/history/entries/{entry.id}/").json()
        assert link["id"] == str(entry.id)

    def test_cursor_shows_each_entry_once(self, reader, customer):
        for number in range(5):
            Note.objects.create(customer=customer, text=str(number))
        url, seen = urls(customer)["subject"] + "?limit=2", []
        while url:
            page = reader.get(url).json()
            seen += [entry["id"] for entry in page["results"]]
            url = page["next"]
            Note.objects.create(customer=customer, text="arrives meanwhile")
        assert len(seen) == len(set(seen)) == 6
        assert seen == sorted(seen, reverse=True)

    def test_list_has_only_readable_entries(self, reader, customer, log):
        Account.objects.create(label="another subject model")
        Tag.objects.create(name="on nobody's tab")
        models = {
            entry["subject"]["model"] for entry in reader.get("/api/history/").json()["results"]
        }
        assert models == {"crm.customer"}
        hidden = log.entries()[0]
        assert reader.get(f"/api/history/entries/{hidden.id}/").status_code == 404

    @pytest.mark.parametrize(
        ("query", "parameter"),
        [
            ("limit=0", "limit"),
            ("limit=201", "limit"),
            ("limit=many", "limit"),
            ("cursor=nonsense", "cursor"),
            ("acton=Update", "acton"),
        ],
    )
    def test_wrong_parameter_is_a_problem(self, reader, customer, query, parameter):
        response = reader.get(f"/api/history/?{query}")
        assert response.status_code == 400
        assert response["Content-Type"] == "application/problem+json"
        problem = response.json()
        assert problem["title"] == "Bad Request"
        assert problem["errors"][0]["parameter"] == parameter

    @pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
    def test_endpoints_are_read_only(self, reader, method):
        response = getattr(reader, method)("/api/history/")
        assert response.status_code == 405
        assert "GET" in response["Allow"]
        assert json.loads(response.content)["status"] == 405

    @pytest.mark.parametrize("path", ["nobody.knows/1", "crm.note/1", "crm.customer/not-a-number"])
    def test_wrong_subject_is_not_found(self, reader, path):
        assert reader.get(f"/api/history/subjects/{path}/").status_code == 404
