"""The OpenAPI document: valid as 3.1, and the endpoints conform to it for any request."""

from urllib.parse import parse_qs, urlsplit

import pytest
import schemathesis
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.settings import patched_settings
from drf_spectacular.validation import validate_schema
from hypothesis import HealthCheck, Phase, given, settings
from rest_framework.authtoken.models import Token

from django_customer_history.models import Entry
from django_customer_history.reading.filters import NAMES
from tests.projects.crm.models import Note
from tests.reading.conftest import grant
from tests.reading.openapi import know_values
from tests.reading.urls import api, project

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.urls("tests.reading.urls"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]


@pytest.fixture
def document(settings):
    # The host in schemathesis' requests and in links to pages.
    settings.ALLOWED_HOSTS = ["localhost"]
    settings.REST_FRAMEWORK = {
        **settings.REST_FRAMEWORK,
        "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    }
    with patched_settings({"OAS_VERSION": "3.1.0"}):
        yield SchemaGenerator(patterns=[*api, *project]).get_schema(request=None, public=True)


class TestDocument:
    def test_has_all_endpoints_and_filters(self, document, capsys):
        assert document["openapi"] == "3.1.0"
        validate_schema(document)
        paths = document["paths"]
        assert set(paths) == {
            "/api/history/",
            "/api/history/facets/",
            "/api/history/export/",
            "/api/history/subjects/{model}/{key}/",
            "/api/history/subjects/{model}/{key}/facets/",
            "/api/history/subjects/{model}/{key}/fields/{field}/",
            "/api/history/subjects/{model}/{key}/export/",
            "/api/history/feed/",
            "/api/history/entries/{key}/",
            "/api/history/entries/{key}/proof/",
            "/api/history/entries/{key}/record/",
            "/api/history/entries/{key}/reveal/",
            "/api/history/entries/{key}/undo/",
            "/api/history/requests/{key}/undo/",
            "/api/history/subjects/{model}/{key}/restore/",
            "/project/customers/",
            "/project/customers/{id}/",
            "/project/customers/{id}/history/",
        }
        named = {one["name"] for one in paths["/api/history/"]["get"]["parameters"]}
        assert named == {*NAMES, "limit", "cursor", "If-None-Match"}
        ours = [path for name, path in paths.items() if "history" in name]
        assert len(ours) == 16
        reveal = paths["/api/history/entries/{key}/reveal/"]
        assert set(reveal) == {"post"}
        assert "requestBody" not in reveal["post"]
        reads = [path["get"] for path in ours if "get" in path]
        assert len(reads) == 12
        conditional = [operation for operation in reads if "304" in operation["responses"]]
        assert len(conditional) == 8  # All but the two exports, the feed and the proof.
        export = paths["/api/history/export/"]["get"]
        (parameter,) = (one for one in export["parameters"] if one["name"] == "format")
        assert parameter["schema"]["enum"] == ["csv", "ndjson", "xlsx"]
        assert {*NAMES, "format"} == {one["name"] for one in export["parameters"]}
        assert capsys.readouterr().err == ""

    def test_describes_a_project_viewset(self, document):
        paths = document["paths"]
        ours = paths["/project/customers/{id}/history/"]["get"]
        subjects = paths["/api/history/subjects/{model}/{key}/"]["get"]
        assert ours["responses"] == subjects["responses"]
        named = {one["name"]: one for one in ours["parameters"]}
        assert set(named) == {*NAMES, "limit", "cursor", "If-None-Match", "id"}
        of_subject = {one["name"]: one for one in subjects["parameters"]}
        assert all(named[name] == of_subject[name] for name in (*NAMES, "limit", "cursor"))
        theirs = paths["/project/customers/{id}/"]
        assert set(theirs) == {"get", "put", "patch", "delete"}
        (content,) = theirs["get"]["responses"]["200"]["content"].values()
        assert content["schema"] == {"$ref": "#/components/schemas/Customer"}

    @pytest.mark.parametrize("version", ["3.0.3", "3.1.0"])
    def test_has_the_projects_sources(self, version, settings):
        settings.CUSTOMER_HISTORY = {"SOURCES": {"kiosk": "Kiosk in the hall"}}
        settings.REST_FRAMEWORK = {
            **settings.REST_FRAMEWORK,
            "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
        }
        with patched_settings({"OAS_VERSION": version}):
            document = SchemaGenerator(patterns=api).get_schema(request=None, public=True)
        validate_schema(document)
        (source,) = (
            one
            for one in document["paths"]["/api/history/"]["get"]["parameters"]
            if one["name"] == "source"
        )
        assert source["schema"]["items"]["enum"][-1] == "kiosk"
        assert "`kiosk` (Kiosk in the hall)" in source["description"]


@pytest.fixture
def one_connection():
    """Keep the connection between requests, as Django's own test client does."""
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    yield
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


def use_a_valid_cursor(case, headers):
    """Replace a generated cursor, which is never valid, with the cursor of a next page.

    Few generated filters match two entries: only those with a leading `-` stay.
    """
    if "cursor" not in (case.query or {}):
        return False
    del case.query["cursor"]
    unlike = {name: case.query[name] for name in case.query if name.startswith("-")}
    for query in (case.query, {"limit": 1, **unlike}, {"limit": 1}):
        case.query = query
        answer = case.call(headers=headers)
        following = answer.json().get("next") if answer.status_code == 200 else None
        if following is not None:
            case.query["cursor"] = parse_qs(urlsplit(following).query)["cursor"][0]
            return True
    return False


class TestConformance:
    @pytest.mark.slow
    def test_endpoints_match_the_document(self, one_connection, document, customer, user):
        Note.objects.create(customer=customer, text="t")
        grant(user, "view_entry", "export_entry", "view_confidential_customer_ssn")
        token = Token.objects.create(user=user)
        # The test authenticates by token; it does not try cookies.
        del document["components"]["securitySchemes"]["cookieAuth"]
        for path in document["paths"].values():
            for operation in path.values():
                operation["security"] = [{"tokenAuth": []}]
        know_values(document)
        schema = schemathesis.openapi.from_dict(document).include(path_regex="history")
        schema.app = get_wsgi_application()
        headers = {"Authorization": f"Token {token.key}"}
        entry = Entry.objects.get(entity_model="crm.customer").id
        tried = followed = 0

        def existing(path):
            names = {
                "model": "crm.customer",
                "key": str(entry if "entries" in path else customer.pk),
                "id": customer.pk,
            }
            return {name: names[name] for name in names if f"{{{name}}}" in path}

        for operation in (found.ok() for found in schema.get_all_operations()):

            @given(case=operation.as_strategy())
            @settings(
                max_examples=25,
                deadline=None,
                database=None,
                derandomize=True,
                phases=[Phase.generate],
                suppress_health_check=list(HealthCheck),
            )
            def call(case):
                nonlocal tried, followed
                tried += 1
                if tried % 2:  # Generated keys match no record.
                    case.path_parameters = {**case.path_parameters, **existing(case.path)}
                followed += use_a_valid_cursor(case, headers)
                if case.path.endswith(("/undo/", "/restore/")):
                    # The names in `values` are those of fields, which no schema knows.
                    case.body = {"reason": "a test"}
                case.call_and_validate(headers=headers)

            call()
        assert tried >= 100
        assert followed >= 3, followed
