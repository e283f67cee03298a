"""The releases of django-allauth and django-axes, through real requests."""

import json
import subprocess
import sys

import pytest

from tests.extras import needs

pytestmark = [needs("allauth"), needs("axes")]


@pytest.fixture(scope="module")
def seen():
    command = [sys.executable, "-W", "ignore", "-m", "tests.projects.logins.scenario"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


class TestAllauth:
    def test_log_in_and_log_out(self, seen):
        assert seen["session"] == [["Logged In", "ann", "ann"], ["Logged Out", "ann", "ann"]]

    def test_password_reset(self, seen):
        assert seen["reset"] == [["Password Reset", "ann", "ann"]]


class TestAxes:
    def test_failures_and_lock(self, seen):
        assert seen["failures"] == [
            ["Log-in Failed", "ann", None],
            # The receiver of django-axes, which locks the user, runs before ours.
            ["Log-in Locked", "ann", None],
            ["Log-in Failed", "ann", None],
            ["Log-in Locked", "ann", None],
            ["Log-in Failed", "ann", None],
        ]
