"""The command that follows the log, in a process of its own."""

import json
import signal

from tests.commands import start
from tests.projects.crm.models import Customer


class TestSignals:
    def test_sigterm_ends_it_cleanly(self, shared_database, customer, tmp_path):
        Customer.objects.filter(pk=customer.pk).update(name="changed")
        state = tmp_path / "state.json"
        process = start(shared_database, "django", "history_follow", f"--state={state}", text=True)
        first = process.stdout.readline()
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=30)
        assert process.returncode == 0, errors
        assert json.loads(first)["kind"]
        assert json.loads(state.read_text())["version"] == 1
