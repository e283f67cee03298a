"""The endpoints in the example project conform to their OpenAPI document."""

import json
import subprocess
import sys

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings

from tests.example.conftest import MANAGE
from tests.reading.openapi import know_values

DESCRIBE = """
import json
from django.conf import settings
settings.REST_FRAMEWORK["DEFAULT_SCHEMA_CLASS"] = "drf_spectacular.openapi.AutoSchema"
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.settings import patched_settings
from drf_spectacular.validation import validate_schema
from rest_framework.authtoken.models import Token
from django.contrib.auth.models import User
with patched_settings({"OAS_VERSION": "3.1.0"}):
    document = SchemaGenerator().get_schema(request=None, public=True)
validate_schema(document)
key = Token.objects.get_or_create(user=User.objects.get(username="admin"))[0].key
print("DOCUMENT", json.dumps([key, document], default=str))
"""

OURS = {
    "/api/history/",
    "/api/history/facets/",
    "/api/history/export/",
    "/api/history/subjects/{model}/{key}/",
    "/api/history/subjects/{model}/{key}/facets/",
    "/api/history/subjects/{model}/{key}/export/",
    "/api/history/feed/",
    "/api/history/entries/{key}/",
    "/api/history/entries/{key}/proof/",
    "/api/history/entries/{key}/record/",
    "/api/history/entries/{key}/reveal/",
    "/api/history/entries/{key}/undo/",
    "/api/history/requests/{key}/undo/",
    "/api/history/subjects/{model}/{key}/fields/{field}/",
    "/api/history/subjects/{model}/{key}/restore/",
    "/api/customers/{id}/history/",
}


@pytest.fixture(scope="module")
def described(environment, second_run):
    """A token of the administrator's, and the document of the whole site."""
    command = [sys.executable, MANAGE, "shell", "-c", DESCRIBE]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.partition("DOCUMENT ")[2])


class TestConformance:
    def test_endpoints_match_the_document(self, described, second_run):
        key, document = described
        # The test authenticates by token; it does not try cookies.
        del document["components"]["securitySchemes"]["cookieAuth"]
        for path in document["paths"].values():
            for operation in path.values():
                operation["security"] = [{"tokenAuth": []}]
        know_values(document)
        schema = schemathesis.openapi.from_dict(document).include(path_regex="history")
        tried = dict.fromkeys(OURS, 0)
        for operation in (found.ok() for found in schema.get_all_operations()):

            @given(
                case=operation.as_strategy().filter(lambda one: "cursor" not in (one.query or {}))
            )
            @settings(
                max_examples=15,
                deadline=None,
                database=None,
                derandomize=True,
                phases=[Phase.generate],
                suppress_health_check=list(HealthCheck),
            )
            def call(case):
                tried[case.operation.path] += 1
                headers = {"Authorization": f"Token {key}"}
                case.call_and_validate(base_url=second_run.site, headers=headers)

            call()
        assert set(tried) == OURS
        assert min(tried.values()) > 0
        assert sum(tried.values()) >= 60
