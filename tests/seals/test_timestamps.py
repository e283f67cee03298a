"""An authority stamps each checkpoint with the time, as RFC 3161 says: here it is `openssl ts`."""

import base64
import json
import shutil
import socket
import subprocess
import zipfile
from datetime import UTC, datetime, timedelta

import pytest
from django.core.management import CommandError

from django_customer_history import conf
from django_customer_history.exceptions import SealError
from django_customer_history.feed.seals import timestamps
from django_customer_history.feed.seals.attestations import missing_attestations
from django_customer_history.feed.seals.timestamps import check_timestamp, roots_of_settings
from django_customer_history.feed.seals.verification import Verification
from django_customer_history.models import Seal
from django_customer_history.verify import VerificationError
from tests.extras import needs, skip_missing
from tests.projects.crm.models import Tag
from tests.seals.authority import Authority
from tests.seals.conftest import run, seal

pytestmark = [pytest.mark.django_db(transaction=True), needs("rfc3161_client")]


@pytest.fixture
def authority(tmp_path):
    if shutil.which("openssl") is None:
        skip_missing("openssl")
    return Authority(tmp_path / "authority")


@pytest.fixture
def url(authority, key, settings):
    """The URL of the running authority; the settings name it and its CA."""
    with authority.served() as url:
        settings.CUSTOMER_HISTORY = {
            **settings.CUSTOMER_HISTORY,
            "SEAL_TIMESTAMP_URL": url,
            "SEAL_TIMESTAMP_ROOTS": str(authority.roots),
        }
        yield url


@pytest.fixture
def stamped(url):
    Tag.objects.create(name="a")
    return seal()


def fails(made, token, **options):
    with pytest.raises(VerificationError, match="The timestamp is not right"):
        check_timestamp(token, made.checkpoint, roots=options.get("roots", roots_of_settings()))


def query_of(content):
    client = timestamps.imported("rfc3161_client")
    builder = client.TimestampRequestBuilder().data(content)
    return builder.hash_algorithm(client.HashAlgorithm.SHA256).build().as_bytes()


class TestStamps:
    def test_openssl_agrees(self, stamped, authority, tmp_path):
        (tmp_path / "checkpoint").write_text(stamped.checkpoint)
        (tmp_path / "token").write_bytes(stamped.timestamp_token)
        command = ["openssl", "ts", "-verify", "-in", "token", "-CAfile", str(authority.roots)]
        done = subprocess.run(
            [*command, "-data", "checkpoint"],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert "Verification: OK" in done.stdout + done.stderr
        (tmp_path / "checkpoint").write_text(f"{stamped.checkpoint}x")
        done = subprocess.run([*command, "-data", "checkpoint"], cwd=tmp_path, check=False)
        assert done.returncode != 0

    def test_time_of_the_authority(self, stamped):
        moment = check_timestamp(
            bytes(stamped.timestamp_token), stamped.checkpoint, roots=roots_of_settings()
        )
        assert timedelta(0) <= datetime.now(UTC) - moment < timedelta(minutes=1)

    def test_verified_with_the_log(self, stamped, key):
        assert "1 seals" in run("history_verify")
        assert missing_attestations(Seal.objects.latest("id")) == []

    def test_copy_has_it(self, stamped, copies):
        assert copies()[0].with_suffix(".tsr").read_bytes() == bytes(stamped.timestamp_token)

    def test_evidence_has_it(self, url, customer, key, tmp_path):
        made, path = seal(), tmp_path / "evidence.zip"
        run("history_evidence", f"crm.customer:{customer.pk}", output=str(path))
        with zipfile.ZipFile(path) as archive:
            (line,) = archive.read("checkpoints.ndjson").splitlines()
        token = base64.b64decode(json.loads(line)["timestamp"])
        assert token == bytes(made.timestamp_token)


class TestForgedStamps:
    def test_of_another_checkpoint(self, stamped):
        Tag.objects.create(name="b")
        fails(stamped, bytes(seal().timestamp_token))

    def test_of_another_authority(self, stamped, tmp_path):
        other = Authority(tmp_path / "other")
        roots = timestamps.imported("cryptography.x509").load_pem_x509_certificates(
            other.roots.read_bytes()
        )
        fails(stamped, bytes(stamped.timestamp_token), roots=roots)

    @pytest.mark.parametrize("token", [b"", b"x", b"\x30\x80", b"\x30\x03\x02\x01\x00"])
    def test_that_is_none(self, stamped, token):
        fails(stamped, token)

    def test_each_byte_matters(self, stamped):
        token = bytearray(stamped.timestamp_token)
        token[-1] ^= 1
        fails(stamped, bytes(token))

    def test_verification_names_it(self, stamped, authority, key, tmp_path, settings):
        other = Authority(tmp_path / "other")
        settings.CUSTOMER_HISTORY["SEAL_TIMESTAMP_ROOTS"] = str(other.roots)
        verification = Verification(key=key, using="default", roots=roots_of_settings())
        (finding,) = verification.run()
        assert finding.kind == "forged"
        assert finding.text.startswith(
            f"Seal {stamped.pk} of {stamped.size} entries: The timestamp"
        )


class TestWithoutAnAnswer:
    def check(self, problem):
        """The seal is made and published, and the command fails."""
        Tag.objects.create(name="a")
        with pytest.raises(CommandError, match=problem):
            run("history_seal")
        made = Seal.objects.get()
        assert made.timestamp_token is None
        assert missing_attestations(Seal.objects.latest("id")) == [
            f"The last seal, of {made.size} entries, has no timestamp of"
            f" {conf.seal_timestamp_url()}."
        ]

    def test_nobody_there(self, key, settings, copies):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
            settings.CUSTOMER_HISTORY["SEAL_TIMESTAMP_URL"] = f"http://127.0.0.1:{port}/"
            self.check("is made, but http://127.* there is no timestamp: .*refused")
        assert len(copies()) == 1

    def test_too_slow(self, url, authority, monkeypatch):
        monkeypatch.setattr(timestamps, "TIME_LIMIT", 0.3)
        authority.is_slow.set()
        self.check("no answer within 0.3 seconds|timed out")

    @pytest.mark.parametrize("answer", [b"", b"no", b"\x30\x05\x30\x03\x02\x01\x02"])
    def test_another_answer(self, url, authority, answer):
        authority.answer = answer
        self.check("there is no timestamp")

    def test_answer_to_another_request(self, url, authority):
        authority.answer = authority.reply(query_of(b"x"))
        self.check("the answer is to another request")

    def test_next_seal_has_one_again(self, url, authority):
        authority.answer = b"no"
        self.check("there is no timestamp")
        authority.answer = None
        Tag.objects.create(name="b")
        assert seal().timestamp_token is not None
        assert missing_attestations(Seal.objects.latest("id")) == []


class TestSettings:
    def test_certificates_that_cannot_be_read(self, key, settings, tmp_path):
        for content in (None, b"x"):
            path = tmp_path / "roots.pem"
            if content is not None:
                path.write_bytes(content)
            settings.CUSTOMER_HISTORY = {"SEAL_TIMESTAMP_ROOTS": str(path)}
            with pytest.raises(SealError, match="cannot be read"):
                roots_of_settings()

    @pytest.mark.parametrize(
        ("setting", "value"),
        [
            ("SEAL_TIMESTAMP_URL", "tsa.example.com"),
            ("SEAL_TIMESTAMP_ROOTS", ""),
            ("SEAL_WITNESSES", ["https://witness.example.com"]),
            ("SEAL_WITNESSES", {"witness.example.com": "a+b+c"}),
            ("SEAL_WITNESSES", {"https://witness.example.com": "key"}),
        ],
    )
    def test_wrong_values(self, settings, setting, value):
        settings.CUSTOMER_HISTORY = {setting: value}
        (problem,) = conf.problems()
        assert problem.message.endswith("which is not valid.")
