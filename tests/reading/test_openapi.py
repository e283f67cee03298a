"""The OpenAPI document: valid as 3.1, and kept by the endpoints whatever they are asked."""

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

from django_customer_history.filters import NAMES
from tests.crm.models import Note
from tests.reading.conftest import grant
from tests.reading.urls import api

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.urls("tests.reading.urls"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]


@pytest.fixture
def document(settings):
    settings.REST_FRAMEWORK = {
        **settings.REST_FRAMEWORK,
        "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    }
    with patched_settings({"OAS_VERSION": "3.1.0"}):
        yield SchemaGenerator(patterns=api).get_schema(request=None, public=True)


def test_the_document_is_valid_and_names_every_endpoint_and_filter(document, capsys):
    assert document["openapi"] == "3.1.0"
    validate_schema(document)
    paths = document["paths"]
    assert set(paths) == {
        "/api/history/",
        "/api/history/facets/",
        "/api/history/export/",
        "/api/history/subjects/{model}/{key}/",
        "/api/history/subjects/{model}/{key}/facets/",
        "/api/history/subjects/{model}/{key}/export/",
        "/api/history/entries/{key}/",
        "/api/history/entries/{key}/reveal/",
    }
    named = {one["name"] for one in paths["/api/history/"]["get"]["parameters"]}
    assert named == {*NAMES, "limit", "cursor"}
    assert all(set(path) == {"get"} for path in paths.values())
    assert "rror" not in capsys.readouterr().err


@pytest.fixture
def one_connection():
    """Keep the connection between requests, as Django's own test client does."""
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    yield
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


def without_cursor(case):
    """Leave out the one thing that cannot be made up."""
    return "cursor" not in (case.query or {})


def test_the_endpoints_keep_to_the_document(one_connection, document, customer, user):
    Note.objects.create(customer=customer, text="t")
    grant(user, "view_entry", "export_entry", "view_confidential_customer_ssn")
    token = Token.objects.create(user=user)
    # The test logs in by token; that a cookie would do as well is not for it to try.
    del document["components"]["securitySchemes"]["cookieAuth"]
    for path in document["paths"].values():
        path["get"]["security"] = [{"tokenAuth": []}]
    schema = schemathesis.openapi.from_dict(document)
    schema.app = get_wsgi_application()
    tried = 0
    for operation in (found.ok() for found in schema.get_all_operations()):

        @given(case=operation.as_strategy().filter(without_cursor))
        @settings(
            max_examples=25,
            deadline=None,
            database=None,
            derandomize=True,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        def ask(case):
            nonlocal tried
            tried += 1
            case.call_and_validate(headers={"Authorization": f"Token {token.key}"})

        ask()
    assert tried >= 100
