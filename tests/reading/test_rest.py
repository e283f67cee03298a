"""HEAD, reveal, problems, the browsable API and own sources at the REST endpoints."""

import io
from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth.models import Permission
from django.core.management import call_command
from django.test import Client
from django.urls import reverse
from rest_framework.authtoken.models import Token
from rest_framework.renderers import JSONRenderer
from rest_framework.serializers import Serializer

from django_customer_history import history
from django_customer_history.context.resolved import NamedUser
from django_customer_history.keys import uuid_at
from django_customer_history.models import Entry
from django_customer_history.rest_framework.serializers import EntrySerializer
from django_customer_history.rest_framework.viewsets import HistoryViewSet
from tests.extras import needs
from tests.projects.crm.models import Account, Code, Customer, Note, Specimen
from tests.reading.conftest import grant

pytestmark = pytest.mark.django_db

SSN_PERMISSION = "view_confidential_customer_ssn"
BOB = NamedUser(id=None, label="bob")


@pytest.fixture
def reveal_url(reader, user, customer):
    """The URL that reveals the values of an entry."""
    grant(user, SSN_PERMISSION)
    entry = Entry.objects.get(entity_model="crm.customer")
    return f"/api/history/entries/{entry.id}/reveal/"


class TestReveal:
    def test_post_shows_the_value(self, reveal_url, reader, log):
        log.clear()
        answer = reader.post(reveal_url)
        assert answer.status_code == 200
        assert "ETag" not in answer
        assert answer["Cache-Control"] == "private, no-store"
        assert "123-45-6789" in answer.content.decode()
        assert len(log.entries()) == 1

    @pytest.mark.parametrize("method", ["get", "head", "put", "patch", "delete", "trace"])
    def test_rejects_other_methods(self, method, reveal_url, reader, user, log):
        log.clear()
        strict = Client(enforce_csrf_checks=True)
        strict.force_login(user)
        for client in (reader, strict, Client()):
            answer = getattr(client, method)(reveal_url)
            assert answer.status_code == 405
            assert answer["Allow"] == "POST, OPTIONS"
            assert answer["Content-Type"] == "application/problem+json"
            assert answer["Cache-Control"] == "private, no-store"
        assert log.entries() == []

    def test_session_needs_a_csrf_token(self, reveal_url, user, log):
        log.clear()
        strict = Client(enforce_csrf_checks=True)
        strict.force_login(user)
        answer = strict.post(reveal_url)
        assert answer.status_code == 403
        assert answer["Content-Type"] == "application/problem+json"
        assert log.entries() == []
        strict.cookies["csrftoken"] = "a" * 32
        assert strict.post(reveal_url, headers={"X-CSRFToken": "a" * 32}).status_code == 200

    def test_api_token_needs_no_csrf_token(self, reveal_url, user):
        token = Token.objects.create(user=user).key
        client = Client(enforce_csrf_checks=True, headers={"Authorization": f"Token {token}"})
        assert client.post(reveal_url).status_code == 200

    def test_anonymous_users_get_a_401(self, reveal_url, log):
        log.clear()
        answer = Client().post(reveal_url)
        assert answer.status_code == 401
        assert answer["WWW-Authenticate"]
        assert log.entries() == []

    def test_failed_reveal_is_not_logged(self, reader, stranger, customer, log):
        log.clear()
        entry = Entry.objects.get(entity_model="crm.customer").id
        url = f"/api/history/entries/{entry}/reveal/"
        assert stranger.post(url).status_code == 404
        assert reader.post(url).status_code == 403
        for key in ("x", "00000000-0000-0000-0000-000000000000"):
            answer = reader.post(f"/api/history/entries/{key}/reveal/")
            assert answer.status_code == 404
            assert answer.json()["status"] == 404
        assert log.entries() == []


class TestHeadAndOptions:
    @pytest.mark.parametrize(
        "query", ["", "?format=ndjson", pytest.param("?format=xlsx", marks=needs("xlsxwriter"))]
    )
    def test_export_head_is_not_logged(self, query, reader, customer, log):
        for url in (
            "/api/history/export/",
            f"/api/history/subjects/crm.customer/{customer.pk}/export/",
            f"/customers/{customer.pk}/history/",
        ):
            if url.endswith("/history/") and not query:
                continue  # It is a page.
            log.clear()
            head = reader.head(f"{url}{query}")
            assert head.status_code == 200
            assert head.content == b""
            assert log.entries() == []
            whole = reader.get(f"{url}{query}")
            assert len(log.entries()) == 1
            for name in ("Content-Type", "Content-Disposition", "Cache-Control"):
                assert head[name] == whole[name]

    @pytest.mark.parametrize("path", ["export/", "reveal"])
    def test_options_are_not_logged(self, path, reveal_url, reader, log):
        log.clear()
        url = reveal_url if path == "reveal" else f"/api/history/{path}"
        assert reader.options(url).status_code == 200
        assert log.entries() == []

    def test_head_fails_like_get(self, reader, stranger, customer, log):
        log.clear()
        record = f"/api/history/subjects/crm.customer/{customer.pk}/export/"
        entry = Entry.objects.get(entity_model="crm.customer").id
        for client, url, status in (
            (stranger, record, 403),
            (reader, "/api/history/subjects/crm.customer/987654/export/", 404),
            (reader, f"{record}?format=pdf", 400),
            (reader, f"{record}?acton=x", 400),
            (stranger, f"/api/history/entries/{entry}/", 404),
        ):
            assert client.head(url).status_code == status
            assert client.get(url).status_code == status
        assert log.entries() == []


def errors(answer):
    assert answer.status_code == 400
    assert answer["Content-Type"] == "application/problem+json"
    return {error["parameter"]: error["detail"] for error in answer.json()["errors"]}


KEYS = ["a/b", "a/", "/a", "facets", "a/facets", "ä b?c#d", "a%2Fb", "a\nb", "..", "export/x"]


class TestKeys:
    @pytest.mark.urls("tests.reading.urls")
    @pytest.mark.parametrize("key", KEYS)
    def test_may_have_any_character(self, key, reader, user):
        grant(user, "view_code_history", "export_code_history")
        Code.objects.create(code=key, text="t")
        Code.objects.create(code="other", text="t")
        whole = reverse("customer_history_api:subject", args=["crm.code", key])
        if key != "a/facets":  # This URL belongs to the facets of "a".
            found = reader.get(whole).json()["results"]
            assert [entry["subject"]["id"] for entry in found] == [key]
        found = reader.get("/api/history/", {"subject": f"crm.code:{key}"}).json()["results"]
        assert [entry["entity"]["id"] for entry in found] == [key]
        for route in ("facets", "export"):
            url = reverse(f"customer_history_api:subject-{route}", args=["crm.code", key])
            answer = reader.get(url)
            content = answer.getvalue() if answer.streaming else answer.content
            assert answer.status_code == 200
            assert b"Create" in content
        page = reader.get(reverse("customer_history:subject", args=["crm.code", "a/b"]))
        assert page.status_code == (200 if key == "a/b" else 404)


class TestOwnSources:
    @pytest.fixture(autouse=True)
    def kiosk(self, settings, customer):
        settings.CUSTOMER_HISTORY = {"SOURCES": {"kiosk": "Kiosk in the hall"}}
        with history.acting(source="kiosk"):
            Customer.objects.filter(pk=customer.pk).update(rate="44.99")

    def test_are_filters_with_own_labels(self, reader):
        (entry,) = reader.get("/api/history/?source=kiosk").json()["results"]
        assert entry["source"] == {"code": "kiosk", "label": "Kiosk in the hall"}
        others = reader.get("/api/history/?-source=kiosk").json()["results"]
        assert [one["kind"] for one in others] == ["create"]
        assert "Did you mean 'kiosk'?" in errors(reader.get("/api/history/?source=kisk"))["source"]

    def test_facets_follow_the_settings(self, reader, settings):
        found = reader.get("/api/history/facets/").json()["sources"]
        assert {"value": "kiosk", "label": "Kiosk in the hall"} in found
        settings.CUSTOMER_HISTORY = {}
        found = reader.get("/api/history/facets/").json()["sources"]
        assert [one["value"] for one in found] == ["system"]
        assert "source" in errors(reader.get("/api/history/?source=kiosk"))


def zone_of(user):
    return "Etc/GMT+5" if user.get_username() == "ann" else None


class TestReaderTimeZone:
    """Days and displayed times are in the time zone of the reader, at every endpoint."""

    @pytest.fixture(autouse=True)
    def entries(self, settings, customer):
        settings.CUSTOMER_HISTORY = {"READER_TIME_ZONE": "tests.reading.test_rest.zone_of"}
        account = Account.objects.create(label="a")
        Specimen.objects.create(account=account, datetime=datetime(2026, 3, 10, 4, tzinfo=UTC))
        for hour in (4, 5, 28, 29):
            moment = datetime(2026, 3, 10, tzinfo=UTC) + timedelta(hours=hour)
            Entry.objects.create(
                id=uuid_at(int(moment.timestamp()) * 1_000_000), timestamp=moment, kind="event",
                action=f"at {hour}", entity_model="crm.customer", entity_id=str(customer.pk),
                subject_model="crm.customer", subject_id=str(customer.pk), source="web",
            )  # fmt: skip

    @pytest.mark.urls("tests.reading.urls")
    def test_days_start_in_that_zone(self, reader, user, customer):
        query = "from=2026-03-10&to=2026-03-10"
        lists = (
            "/api/history/",
            f"/api/history/subjects/crm.customer/{customer.pk}/",
            f"/project/customers/{customer.pk}/history/",
        )
        for url in lists:
            found = reader.get(f"{url}?{query}").json()["results"]
            assert [entry["action"] for entry in found] == ["at 28", "at 5"]
        facets = reader.get(f"/api/history/facets/?{query}").json()
        assert [one["value"] for one in facets["actions"]] == ["at 28", "at 5"]
        content = reader.get(f"/api/history/export/?{query}").getvalue().decode()
        assert content.count("at ") == 2
        out = io.StringIO()
        bounds = ("--from", "2026-03-10", "--to", "2026-03-10")
        call_command("history_export", "--as", "ann", *bounds, stdout=out, stderr=io.StringIO())
        assert [row.split(",")[2] for row in out.getvalue().splitlines()[1:]] == ["at 28", "at 5"]

    def test_moments_show_that_zone(self, reader, user):
        grant(user, "view_account_history")
        (entry,) = reader.get("/api/history/?entity=crm.specimen").json()["results"]
        one = reader.get(f"/api/history/entries/{entry['id']}/").json()
        for shown in (entry, one):
            moment = next(one for one in shown["changes"] if one["field"] == "datetime")
            assert moment["new"] == "2026-03-10T04:00:00.000000Z"
            assert moment["new_display"] == "March 9, 2026, 11 p.m."


BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}


@pytest.mark.urls("tests.reading.urls")
class TestBrowsableApi:
    """The project's browsable API shows the endpoints, if the project enables it."""

    @pytest.fixture
    def paths(self, customer, reveal_url):
        subject = f"/api/history/subjects/crm.customer/{customer.pk}/"
        entry = reveal_url.removesuffix("reveal/")
        return [
            "/api/history/",
            "/api/history/facets/",
            subject,
            f"{subject}facets/",
            entry,
            f"{entry}record/",
            f"/project/paged/{customer.pk}/history/",
        ]

    def test_shows_every_endpoint(self, paths, reader):
        for path in paths:
            answer = reader.get(path, headers=BROWSER)
            assert answer.status_code == 200, path
            assert answer["Content-Type"] == "text/html; charset=utf-8"
            assert answer["Cache-Control"] == "private, no-store"
            assert "ETag" not in answer
            text = answer.content.decode()
            assert "<html" in text
            assert "?format=" not in text

    def test_masks_hidden_values(self, paths, reader, user):
        user.user_permissions.remove(Permission.objects.get(codename=SSN_PERMISSION))
        for path in paths:
            assert "123-45-6789" not in reader.get(path, headers=BROWSER).content.decode()
        assert "***-**-6789" in reader.get(paths[2], headers=BROWSER).content.decode()

    def test_reveals_by_a_form_only(self, reveal_url, reader, log):
        log.clear()
        page = reader.get(reveal_url, headers=BROWSER)
        assert page.status_code == 405
        assert page["Content-Type"] == "text/html; charset=utf-8"
        assert 'method="POST"' in page.content.decode()
        assert "123-45-6789" not in page.content.decode()
        assert log.entries() == []
        answer = reader.post(reveal_url, headers=BROWSER)
        assert answer.status_code == 200
        assert "123-45-6789" in answer.content.decode()
        assert len(log.entries()) == 1

    def test_shows_problem_details(self, reader):
        answer = reader.get("/api/history/?kind=x", headers=BROWSER)
        assert answer.status_code == 400
        assert answer["Content-Type"] == "text/html; charset=utf-8"
        assert "about:blank" in answer.content.decode()

    def test_exports_are_files(self, reader):
        answer = reader.get("/api/history/export/", headers=BROWSER)
        assert answer["Content-Type"] == "text/csv; charset=utf-8"

    def test_is_absent_unless_enabled(self, reader, settings):
        renderers = ["rest_framework.renderers.JSONRenderer"]
        settings.REST_FRAMEWORK = {
            **settings.REST_FRAMEWORK,
            "DEFAULT_RENDERER_CLASSES": renderers,
        }
        with pytest.MonkeyPatch.context() as patch:
            # The framework reads this setting only once, when it creates the class.
            patch.setattr(HistoryViewSet, "renderer_classes", [JSONRenderer])
            answer = reader.get("/api/history/", headers=BROWSER)
        assert answer["Content-Type"] == "application/json"


class TestErrors:
    def test_one_problem_names_all_errors(self, reader, customer, log):
        log.clear()
        found = errors(reader.get("/api/history/?kind=x&acton=y&limit=0&cursor=z"))
        assert set(found) == {"kind", "acton", "limit", "cursor"}
        found = errors(reader.get("/api/history/export/?kind=x&format=pdf&from=1&from=2"))
        assert set(found) == {"kind", "format", "from"}
        assert found["format"] == "Give one of: csv, ndjson, xlsx."
        found = errors(reader.get("/api/history/facets/?kind=x&limit=1"))
        assert found["limit"].startswith("Unknown filter.")
        assert log.entries() == []

    def test_cursor_of_another_list(self, reader, customer):
        Note.objects.create(customer=customer, text="t")
        cursor = reader.get("/api/history/?limit=1").json()["next"].partition("cursor=")[2]
        cursor = cursor.partition("&")[0]
        found = errors(reader.get(f"/api/history/?kind=create&limit=0&cursor={cursor}"))
        assert set(found) == {"limit", "cursor"}
        assert set(errors(reader.get(f"/api/history/?limit=0&cursor={cursor}"))) == {"limit"}
        twice = errors(reader.get(f"/api/history/?cursor={cursor}&cursor={cursor}"))
        assert twice == {"cursor": "Given too often."}

    @pytest.mark.parametrize("query", ["kind=create", "limit=1", "x="])
    def test_one_entry_takes_no_parameters(self, query, reveal_url, reader, log):
        log.clear()
        answers = [
            reader.post(f"{reveal_url}?{query}"),
            reader.get(f"{reveal_url.removesuffix('reveal/')}?{query}"),
        ]
        for answer in answers:
            assert errors(answer) == {query.partition("=")[0]: "This endpoint takes no parameters."}
        assert log.entries() == []

    def test_permission_is_checked_first(self, stranger, customer):
        record = f"/api/history/subjects/crm.customer/{customer.pk}/"
        for url in (record, f"{record}facets/", f"{record}export/", "/api/history/"):
            assert stranger.get(f"{url}?acton=x").status_code == 403

    @pytest.mark.parametrize("query", ["", "?kind=x"])
    def test_unsupported_accept_header(self, query, reader):
        answer = reader.get(f"/api/history/{query}", headers={"Accept": "image/png"})
        assert answer.status_code == 406
        assert answer["Content-Type"] == "application/problem+json"


class TestShapes:
    """The serializers describe in OpenAPI what `entry_json` returns."""

    def test_have_the_same_keys(self, reader, customer):
        Customer.objects.filter(pk=customer.pk).update(ssn="987-65-4321")
        with history.acting(user=NamedUser(id="7", label="Ann"), impersonator=BOB):
            Customer.objects.filter(pk=customer.pk).update(ssn="111-22-3333")
        entry = reader.get("/api/history/").json()["results"][0]
        self.compare(EntrySerializer(), entry)

    def compare(self, serializer, value):
        fields = serializer.fields
        # These say that something was left out, and nothing was.
        left_out = {"truncated", "omitted_changes"}.difference(value)
        assert [name for name in fields if name not in left_out] == list(value)
        for name, field in fields.items():
            child = getattr(field, "child", field)
            if isinstance(child, Serializer):
                several = value[name] if child is not field else [value[name]]
                assert several
                for one in several:
                    self.compare(child, one)
