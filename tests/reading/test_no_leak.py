"""One contract for every output: it never contains a value that the reader may not see."""

import io
import json

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.core.management import call_command
from openpyxl import load_workbook

from django_customer_history.models import (
    Entry,
)
from tests.extras import needs
from tests.projects.crm.models import Customer
from tests.reading.conftest import HIDDEN, SSN, grant

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.reading.urls")]


def _page(client, customer):
    return client.get(f"/customers/{customer.pk}/history/").content


def _tab(client, customer):
    text = client.get(f"/customers/{customer.pk}/page/").content.decode()
    return text[text.index("customer-history") :].encode()  # The project's own page is above it.


def _subject(client, customer):
    return client.get(f"/api/history/subjects/crm.customer/{customer.pk}/?limit=200").content


def _viewset(client, customer):
    return client.get(f"/project/customers/{customer.pk}/history/?limit=200").content


def _all(client, customer):
    return client.get("/api/history/?limit=200").content


def _entries(client, customer):
    keys = Entry.objects.values_list("id", flat=True)
    return b"".join(client.get(f"/api/history/entries/{key}/").content for key in keys)


def _records(client, customer):
    keys = Entry.objects.values_list("id", flat=True)
    return b"".join(client.get(f"/api/history/entries/{key}/record/").content for key in keys)


def _record_pages(client, customer):
    keys = Entry.objects.values_list("id", flat=True)
    return b"".join(client.get(f"/records/record/{key}/").content for key in keys)


def _reveal(client, customer):
    keys = Entry.objects.values_list("id", flat=True)
    return b"".join(client.post(f"/api/history/entries/{key}/reveal/").content for key in keys)


def _facets(client, customer):
    url = f"/api/history/subjects/crm.customer/{customer.pk}/facets/"
    return client.get("/api/history/facets/").content + client.get(url).content


def _search(client, customer):
    answers = [
        client.get("/api/history/", {"q": text}).content for text in (*HIDDEN, SSN, "4321", "-65-")
    ]
    assert all(json.loads(answer)["results"] == [] for answer in answers)
    return b"".join(answers)


def _negated_search(client, customer):
    everything = client.get("/api/history/?limit=200").json()["results"]
    answer = client.get("/api/history/", {"-q": "987654321", "limit": "200"})
    assert len(answer.json()["results"]) == len(everything)
    return answer.content


def _errors(client, customer):
    urls = (
        "/api/history/?kind=x",
        "/api/history/?ssn=x",
        "/api/history/subjects/crm.customer/nobody/",
        "/api/history/subjects/crm.note/1/",
        "/api/history/?cursor=x",
        f"/customers/{customer.pk}/history/?fields=ssn",
    )
    return b"".join(client.get(url).content for url in urls)


def _csv(client, customer):
    return client.get("/api/history/export/?format=csv").getvalue()


def _ndjson(client, customer):
    url = f"/api/history/subjects/crm.customer/{customer.pk}/export/?format=ndjson"
    return client.get(url).getvalue()


def _xlsx(client, customer):
    content = client.get("/api/history/export/?format=xlsx").getvalue()
    sheet = load_workbook(io.BytesIO(content)).active
    return "\n".join(str(row) for row in sheet.iter_rows(values_only=True)).encode()


def _command(client, customer):
    out, err = io.StringIO(), io.StringIO()
    call_command("history_export", stdout=out, stderr=err)
    call_command("history_export", "--as", "ann", "--format", "ndjson", stdout=out, stderr=err)
    return (out.getvalue() + err.getvalue()).encode()


def _admin(client, customer):
    _make_staff(customer)
    url = "/admin/customer_history/entry/"
    keys = Entry.objects.values_list("id", flat=True)
    answers = [client.get(url), *(client.get(f"{url}{key}/change/") for key in keys)]
    assert answers[0].status_code == 200
    return b"".join(answer.content for answer in answers)


def _admin_history(client, customer):
    _make_staff(customer)
    keys = Entry.objects.values_list("id", flat=True)
    urls = [f"/admin/customer_history/entry/{key}/history/" for key in keys]
    return b"".join(client.get(url, follow=True).content for url in urls)


def _admin_tab(client, customer):
    _make_staff(customer)
    grant(get_user_model().objects.get(username="ann"), "view_customer")
    url = f"/admin/crm/customer/{customer.pk}/history/"
    answers = [client.get(url), client.get(f"{url}?filter=open&q=auve")]
    assert answers[0].status_code == 200
    return b"".join(answer.content for answer in answers)


def _menus(client, customer):
    return client.get(f"/customers/{customer.pk}/history/?filter=open").content


def _user_pages(client, customer):
    users = get_user_model().objects.values_list("pk", flat=True)
    urls = [f"/records/user/{key}/" for key in users]
    return b"".join(client.get(url, {"filter": "open"}).content for url in urls)


def _printed(client, customer):
    return client.get(f"/customers/{customer.pk}/history/?print=yes").content


def _tab_search(client, customer):
    url = f"/customers/{customer.pk}/history/"
    answers = [client.get(url, {"q": text}) for text in ("-65-", "auve", "ivate L")]
    assert all(answer.context["page"].entries == () for answer in answers)
    return b"".join(answer.content for answer in answers)


def _tab_csv(client, customer):
    return client.get(f"/customers/{customer.pk}/history/?format=csv").getvalue()


def _tab_reveal(client, customer):
    keys = Entry.objects.of_subject(Customer, customer.pk).values_list("id", flat=True)
    url = f"/customers/{customer.pk}/history/"
    return b"".join(client.post(url, {"reveal": str(key)}).content for key in list(keys))


def _admin_search(client, customer):
    _make_staff(customer)
    answers = [client.get("/admin/customer_history/entry/?q=" + text) for text in ("-65-", "auve")]
    assert all(b"ch-entry" not in answer.content for answer in answers)
    return b"".join(answer.content for answer in answers)


def _make_staff(customer):
    get_user_model().objects.filter(username="ann").update(is_staff=True)


OUTPUTS = {
    "page": _page,
    "tab": _tab,
    "subject": _subject,
    "viewset": _viewset,
    "all": _all,
    "entries": _entries,
    "records": _records,
    "record pages": _record_pages,
    "reveal": _reveal,
    "facets": _facets,
    "search": _search,
    "negated search": _negated_search,
    "errors": _errors,
    "csv": _csv,
    "ndjson": _ndjson,
    "xlsx": _xlsx,
    "command": _command,
    "admin": _admin,
    "admin search": _admin_search,
    "admin history of an entry": _admin_history,
    "admin tab": _admin_tab,
    "menus": _menus,
    "user pages": _user_pages,
    "printed": _printed,
    "tab search": _tab_search,
    "tab csv": _tab_csv,
    "tab reveal": _tab_reveal,
}

WITHOUT_VALUES = {
    "search",
    "negated search",
    "errors",
    "facets",
    "command",
    "admin search",
    "tab search",
    "user pages",  # The user changed no confidential value.
}


NEEDS = {"xlsx": needs("xlsxwriter")}


def output_params(names):
    return [pytest.param(name, marks=NEEDS.get(name, ())) for name in names]


@pytest.fixture(params=output_params(OUTPUTS))
def output(request):
    return OUTPUTS[request.param]


class TestContract:
    def test_no_output_has_hidden_values(self, output, reader, confidential_customer):
        content = output(reader, confidential_customer).decode()
        assert content
        for hidden in HIDDEN:
            assert hidden not in content

    @pytest.mark.parametrize("name", output_params(sorted(OUTPUTS.keys() - WITHOUT_VALUES)))
    def test_permission_shows_the_values(self, name, reader, user, confidential_customer):
        grant(user, "view_confidential", "view_entry", "export_entry")
        content = OUTPUTS[name](reader, confidential_customer).decode()
        assert SSN in content
        assert "5f4dcc3b" not in content

    def test_hides_values_of_removed_fields(self, reader, confidential_customer):
        entry = Entry.objects.filter(entity_model="crm.customer", action="Baseline").get()
        assert entry.changes["ssn"] == [None, SSN]
        Entry.objects.bulk_create(
            [
                Entry(
                    timestamp=entry.timestamp,
                    kind="event",
                    action=entry.action,
                    subject_model="crm.customer",
                    subject_id=str(confidential_customer.pk),
                    entity_model="crm.customer",
                    entity_id=str(confidential_customer.pk),
                    changes={"removed_field": [None, "987-65"]},
                    source="command",
                    context={"baseline": True},
                )
            ]
        )
        assert b"987-65" not in _subject(reader, confidential_customer)


class TestPermissions:
    def test_one_field_shows_only_itself(self, reader, user, confidential_customer):
        grant(user, "view_confidential_customer_ssn")
        content = _subject(reader, confidential_customer).decode()
        assert SSN in content
        assert "4711-secret" not in content
        assert "Very Private Ltd" not in content

    def test_search_finds_visible_values(self, reader, user, confidential_customer):
        grant(user, "view_confidential_customer_ssn")
        found = reader.get("/api/history/", {"q": SSN}).json()["results"]
        assert [entry["action"] for entry in found][-1:] == ["Create"]
        assert len(found) == 4

    def test_names_of_the_permissions(self, confidential_customer):
        names = dict(
            Permission.objects.filter(codename__startswith="view_confidential_").values_list(
                "codename", "name"
            )
        )
        assert names["view_confidential_customer_ssn"] == "Can see the ssn of customer unmasked"
        assert names["view_confidential_invoice_number"] == "Can see the Number of invoice unmasked"
        assert (
            names["view_confidential_specimen_json__colour"]
            == "Can see the json.colour of specimen unmasked"
        )
