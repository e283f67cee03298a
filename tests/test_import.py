"""What a project's own start-up may rely on."""

import subprocess
import sys

LOADED = """
import sys
from django_customer_history import history, masks
heavy = ("django_customer_history.models", "rest_framework", "celery", "simple_history")
print([name for name in heavy if name in sys.modules])
"""


def test_the_face_can_be_imported_before_django_is_set_up_and_loads_no_models():
    result = subprocess.run(
        [sys.executable, "-W", "error", "-c", LOADED], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "[]"
