"""Webhooks: signed, repeated, disabled, and only to addresses that are allowed."""

import json
import shutil
import subprocess
from io import StringIO
from urllib.parse import urlsplit

import pytest
import standardwebhooks
from django.core.management import CommandError, call_command

from django_customer_history.exceptions import TargetError
from django_customer_history.feed.targets import requests
from django_customer_history.feed.targets.webhook import Webhook
from django_customer_history.models import Entry
from tests.contrib.servers import receiver
from tests.extras import skip_missing
from tests.projects.crm.models import Customer, Note

pytestmark = pytest.mark.django_db(transaction=True)

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


@pytest.fixture
def hook(tmp_path, monkeypatch):
    """Yield a receiver, and give it a function that ships to it."""
    monkeypatch.setattr(Webhook, "first_wait", 0.001)
    (tmp_path / "secret").write_text(f"{SECRET}\n")
    with receiver() as (kept, url):

        def ship(*arguments, url=url, private=("--allow-private",)):
            call_command(
                "history_ship",
                url,
                "--until-settled",
                "--interval=2",
                f"--state={tmp_path / 'state.json'}",
                f"--secret-file={tmp_path / 'secret'}",
                *private,
                *arguments,
                stdout=StringIO(),
                stderr=StringIO(),
            )

        kept.ship = ship
        yield kept


def ids_of_log():
    return list(map(str, Entry.objects.order_by("id").values_list("id", flat=True)))


class TestDelivery:
    def test_each_entry_is_signed(self, hook, customer):
        hook.ship()
        assert hook.ids == ids_of_log()
        for headers, body in hook.requests:
            message = standardwebhooks.Webhook(SECRET).verify(body, headers)
            assert message["id"] == headers["webhook-id"]

    def test_other_secret_is_refused(self, hook, customer):
        hook.ship()
        headers, body = hook.requests[0]
        with pytest.raises(standardwebhooks.WebhookVerificationError):
            standardwebhooks.Webhook("whsec_b3RoZXIgc2VjcmV0IG9mIG90aGVycw==").verify(body, headers)

    def test_goes_on_where_it_stopped(self, hook, customer):
        hook.ship()
        Customer.objects.update(name="a")
        hook.ship()
        assert hook.ids == ids_of_log()

    def test_repeats_after_an_error(self, hook, customer):
        hook.statuses = [500, 429]
        hook.ship()
        first = ids_of_log()[0]
        assert hook.ids == [first, first, *ids_of_log()]

    def test_large_entry_has_no_changes(self, hook, customer):
        Note.objects.create(customer=customer, text="x" * 300_000)
        hook.ship()
        _headers, body = hook.requests[-1]
        message = json.loads(body)
        assert (message["changes"], message["entity"]["model"]) == ([], "crm.note")
        assert message["omitted_changes"] >= 2


JAVASCRIPT = """
const { Webhook } = require("standardwebhooks");
const hook = new Webhook(process.argv[2]);
const requests = JSON.parse(require("fs").readFileSync(0, "utf8"));
console.log(requests.map(([headers, body]) => hook.verify(body, headers).id).join());
"""


@pytest.mark.slow
class TestOtherLanguage:
    @pytest.fixture
    def folder(self, tmp_path):
        if shutil.which("npm") is None:
            skip_missing("npm")
        folder = tmp_path / "javascript"
        folder.mkdir()
        (folder / "verify.js").write_text(JAVASCRIPT)
        install = ["npm", "install", "--no-audit", "--no-fund", "standardwebhooks@1"]
        if subprocess.run(install, cwd=folder, capture_output=True, check=False).returncode:
            skip_missing("the package standardwebhooks of npm")
        return folder

    def test_javascript_verifies_it(self, hook, customer, folder):
        Customer.objects.update(name="Ünïcode 漢字 🎉")
        hook.ship()
        requests = json.dumps([(headers, body.decode()) for headers, body in hook.requests])
        done = subprocess.run(
            ["node", "verify.js", SECRET],
            cwd=folder,
            input=requests,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.stdout.strip() == ",".join(ids_of_log()), done.stderr


class TestFailure:
    def fail(self, hook, count, status=500):
        hook.statuses = [status] * 1000
        for _ in range(count):
            with pytest.raises(CommandError) as raised:
                hook.ship()
        hook.statuses = []
        return str(raised.value)

    def test_position_stays(self, hook, customer):
        assert "status 500. Nothing is lost" in self.fail(hook, 1)
        hook.requests.clear()
        hook.ship()
        assert hook.ids == ids_of_log()

    def test_disabled_after_five_runs(self, hook, customer):
        assert "and is disabled" in self.fail(hook, 5)
        event = Entry.objects.get(action="Webhook Disabled")
        assert event.entity_id.startswith("http://127.0.0.1:")
        assert event.changes == {"problem": [None, "status 500"]}
        hook.requests.clear()
        with pytest.raises(CommandError, match="is disabled since"):
            hook.ship()
        assert hook.requests == []
        hook.ship("--enable")
        assert hook.ids == ids_of_log()
        hook.ship()

    def test_gone_disables_at_once(self, hook, customer):
        assert "(status 410) and is disabled" in self.fail(hook, 1, status=410)
        assert len(hook.requests) == 1

    def test_success_forgets_failures(self, hook, customer):
        self.fail(hook, 4)
        hook.ship()
        Customer.objects.update(name="a")
        assert "Nothing is lost" in self.fail(hook, 4)

    def test_redirect_is_not_followed(self, hook, customer):
        with receiver() as (other, url):
            hook.headers = {"Location": url}
            assert "status 307" in self.fail(hook, 1, status=307)
        assert other.requests == []

    def test_time_limit(self, hook):
        with receiver() as (slow, url):
            slow.delay = 1.0
            with pytest.raises(TimeoutError, match=r"no answer within 0\.2 seconds"):
                requests.post(urlsplit(url), b"", {}, allows_private=True, time_limit=0.2)

    def test_without_a_state_file(self, customer):
        with pytest.raises(CommandError, match="Give --state FILE"):
            call_command("history_ship", "https://example.com", "--until-settled")

    def test_without_a_secret(self, customer, tmp_path):
        state = f"--state={tmp_path / 'state'}"
        with pytest.raises(CommandError, match="needs a secret"):
            call_command("history_ship", "https://example.com", state)
        with pytest.raises(CommandError, match="The secret cannot be read"):
            call_command("history_ship", "https://example.com", "--secret-file=/no/file")


class TestAddresses:
    def test_private_is_refused(self, hook, customer):
        with pytest.raises(CommandError, match="A webhook needs https:"):
            hook.ship(private=())
        with pytest.raises(CommandError, match=r"127\.0\.0\.1, which is not a public address"):
            hook.ship(url="https://127.0.0.1/hook", private=())
        assert hook.requests == []

    @pytest.mark.parametrize(
        "address",
        [
            "10.0.0.1",
            "127.0.0.1",
            "169.254.169.254",
            "192.168.1.1",
            "100.64.0.1",
            "0.0.0.0",
            "224.0.0.1",
            "::1",
            "fe80::1",
            "fd00::1",
            "::ffff:10.0.0.1",
        ],
    )
    def test_not_public(self, address):
        host = f"[{address}]" if ":" in address else address
        with pytest.raises(TargetError, match="which is not a public address"):
            requests.checked_address(urlsplit(f"https://{host}/"), allows_private=False)

    def test_public(self):
        url = urlsplit("https://93.184.215.14/")
        assert requests.checked_address(url, allows_private=False) == ("93.184.215.14", 443)
