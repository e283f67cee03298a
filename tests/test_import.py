"""The import of the package before Django is set up, and from the wheel."""

import os
import subprocess
import sys
from importlib.metadata import distribution
from pathlib import Path

import pytest

import django_customer_history

LOADED = """
import sys
from django_customer_history import history, masks
heavy = ("django_customer_history.models", "rest_framework", "celery", "simple_history")
print([name for name in heavy if name in sys.modules])
"""


class TestImport:
    def test_import_before_django_setup(self):
        result = subprocess.run(
            [sys.executable, "-W", "error", "-c", LOADED],
            capture_output=True,
            text=True,
            check=True,
        )
        assert result.stdout.strip() == "[]"


class TestPackaging:
    @pytest.mark.skipif("TOX_ENV_NAME" not in os.environ, reason="a checkout is tested as it is")
    def test_tox_tests_the_wheel(self):
        package = Path(django_customer_history.__file__)
        assert package.parent.parent.name == "site-packages"
        installed = distribution("django-customer-history")
        assert package == Path(installed.locate_file("django_customer_history/__init__.py"))
        assert ".whl" in installed.read_text("direct_url.json")
