"""A witness of others cosigns a log that grew, and refuses one that was cut or changed.

The witness is the package `aics-witness`, in a process of its own. It needs Python 3.12.
"""

import os
import socket
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path

import pytest
from django.core.management import CommandError
from django.db import connection

from django_customer_history import verify
from django_customer_history.exceptions import SealError
from django_customer_history.feed.seals.attestations import missing_attestations
from django_customer_history.feed.seals.keys import SealKey
from django_customer_history.feed.seals.verification import Verification
from django_customer_history.feed.seals.witnesses import witnesses
from django_customer_history.models import Seal
from django_customer_history.verify import Verifier, opened
from tests.extras import skip_missing
from tests.projects.crm.models import Tag
from tests.seals.conftest import attack, run, seal

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

PACKAGE = "aics-witness==0.1.0"


def newer_python():
    """Return a Python that the witness runs on: from the PATH, or of pyenv; None: there is none."""
    folders = [Path(one) for one in os.environ["PATH"].split(os.pathsep)]
    folders += sorted(Path.home().glob(".pyenv/versions/*/bin"))
    for name in ("python3.12", "python3.13", "python3.14"):
        for path in (folder / name for folder in folders):
            # What pyenv has on the PATH for other versions does not run.
            if path.exists() and not subprocess.run([path, "-c", ""], check=False).returncode:
                return path
    return None


# The test run turns warnings into errors. The programs of others, such as an old pip, may warn.
LENIENT = {**os.environ, "PYTHONWARNINGS": "", "PYTHONDEVMODE": ""}


@pytest.fixture(scope="session")
def program(tmp_path_factory):
    """The program of the witness, in a virtual environment with a newer Python."""
    newer = newer_python()
    if newer is None:
        skip_missing("Python 3.12")
    folder = tmp_path_factory.mktemp("witness")
    subprocess.run([newer, "-m", "venv", folder], check=True, env=LENIENT)
    python = folder / "bin" / "python"
    command = [python, "-m", "pip", "install", "--quiet", PACKAGE]
    subprocess.run(command, check=True, env=LENIENT)
    return folder / "bin" / "aics-witness"


class Witness:
    """A witness that knows one log."""

    def __init__(self, program, folder, verifier):
        folder.mkdir()
        self.config = ("--config", folder / "witness.json")
        self.program = program
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            address = f"127.0.0.1:{free.getsockname()[1]}"
        self.url = f"http://{address}"
        self.key = self.run("init", "--name", "witness.example.org/w1", "--listen", address).strip()
        if verifier is not None:
            self.run("add-log", "--origin", verifier.name, "--vkey", str(verifier))

    def run(self, command, *arguments):
        done = subprocess.run(
            [self.program, command, *self.config, *arguments],
            capture_output=True,
            text=True,
            check=True,
            env=LENIENT,
        )
        return done.stdout

    @contextmanager
    def served(self):
        host, port = self.url.removeprefix("http://").split(":")
        process = subprocess.Popen(
            [self.program, "serve", *self.config],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=LENIENT,
        )
        try:
            for _ in range(200):
                try:
                    socket.create_connection((host, int(port)), timeout=1).close()
                    break
                except OSError:
                    time.sleep(0.05)
            yield
        finally:
            process.terminate()
            process.wait(10)


@pytest.fixture
def witness(program, key, tmp_path, settings):
    """A witness that the settings name. It does not run yet."""
    made = Witness(program, tmp_path / "witness", key.verifier)
    settings.CUSTOMER_HISTORY["SEAL_WITNESSES"] = {made.url: made.key}
    return made


def sealed(*names):
    for name in names:
        Tag.objects.create(name=name)
    return seal()


def refused(problem, **options):
    """Seal the log; the seal is made, and the command names the witness that refuses."""
    with pytest.raises(CommandError, match=problem):
        run("history_seal", **options)
    (found,) = missing_attestations(Seal.objects.latest("id"))
    assert "has no signature of the witness http://127.0.0.1:" in found
    return Seal.objects.latest("id")


class TestLogThatGrew:
    def test_each_seal_is_cosigned(self, witness, key, copies, capsys):
        with witness.served():
            for names in ("a", "bcd", "e", "fghij"):
                made = sealed(*names)
                assert made.cosignatures.startswith("— witness.example.org/w1 ")
        assert missing_attestations(Seal.objects.latest("id")) == []
        assert list(Verification(key=key, using="default").run()) == []
        cosigned = copies()[-1].with_suffix(".cosigned")
        keys = [f"--key={key.verifier}", f"--key={witness.key}"]
        assert verify.main([str(cosigned), *keys]) == 0
        assert f"{made.size} entries" in capsys.readouterr().out

    def test_proof_has_the_cosignature(self, witness, key):
        with witness.served():
            made = sealed("a")
        text = run("history_prove", str(made.last_key))
        assert text.endswith(f"{made.checkpoint}{made.cosignatures}")
        both = [key.verifier, Verifier.read(witness.key)]
        assert verify.proven(text, both)[0].size == made.size

    def test_seals_that_it_did_not_see(self, witness):
        with witness.served():
            sealed("a", "b", "c")
        for names in ("d", "efg"):
            for name in names:
                Tag.objects.create(name=name)
            refused("is made, but http://127.* there is no cosignature: .*refused")
        with witness.served():
            assert sealed("h").cosignatures is not None

    def test_seal_that_was_not_saved(self, witness, monkeypatch):
        """The witness has cosigned it, and the next seal has other entries."""
        with witness.served():
            sealed("a", "b", "c")
            for name in "de":
                Tag.objects.create(name=name)
            with monkeypatch.context() as patch:
                patch.setattr(Seal, "save", lambda *_args, **_options: 1 / 0)
                with pytest.raises(ZeroDivisionError):
                    run("history_seal")
            assert sealed("f").cosignatures is not None


class TestLogThatWasChanged:
    def test_entry_altered_and_sealed_anew(self, witness, copies):
        with witness.served():
            sealed("a", "b", "c")
            attack(
                "DELETE FROM customer_history_seal",
                "UPDATE customer_history_entry SET user_label = 'Eve'",
            )
            for path in copies():
                path.unlink()
            Tag.objects.create(name="d")
            made = refused("there is no cosignature: the answer was 422")
        assert (made.start, made.cosignatures) == (0, None)

    def test_log_cut_back(self, witness, copies):
        with witness.served():
            sealed("a")
            last = sealed("b", "c", "d")
            attack(f"DELETE FROM customer_history_seal WHERE id = {last.pk}")
            first = Seal.objects.get()
            field = Seal._meta.get_field("last_key")
            position = field.get_db_prep_value(first.last_key, connection)
            attack("DELETE FROM customer_history_entry WHERE id > %s", parameters=[position])
            copies()[-1].unlink()
            Tag.objects.create(name="e")
            refused(f"it has seen {last.size} entries, and the log has {first.size + 1}")

    def test_log_that_it_does_not_know(self, program, key, tmp_path, settings):
        other = Witness(program, tmp_path / "other", SealKey.new("example.com/other").verifier)
        settings.CUSTOMER_HISTORY["SEAL_WITNESSES"] = {other.url: other.key}
        Tag.objects.create(name="a")
        with other.served():
            refused("there is no cosignature: the answer was 404")


class TestForgedCosignatures:
    def test_key_of_another_witness(self, witness, program, tmp_path, settings):
        other = Witness(program, tmp_path / "other", None)
        settings.CUSTOMER_HISTORY["SEAL_WITNESSES"] = {witness.url: other.key}
        Tag.objects.create(name="a")
        with witness.served():
            refused("The signature of witness.example.org/w1 is of another key")

    def test_signature_of_another_checkpoint(self, witness, key):
        with witness.served():
            first, second = sealed("a"), sealed("b")
        note = f"{second.checkpoint}{first.cosignatures}"
        with pytest.raises(ValueError, match=r"signature of witness\.example\.org/w1 is wrong"):
            opened(note, [key.verifier, Verifier.read(witness.key)])

    def test_witness_alone_is_not_enough(self, witness):
        """It confirms that a log grew, not what is in it."""
        with witness.served():
            made = sealed("a")
        with pytest.raises(ValueError, match="not signed with a known key"):
            opened(f"{made.checkpoint}{made.cosignatures}", [Verifier.read(witness.key)])

    def test_text_that_is_no_key(self, settings):
        settings.CUSTOMER_HISTORY = {"SEAL_WITNESSES": {"https://witness.example.org": "a+b+c"}}
        with pytest.raises(SealError, match="SEAL_WITNESSES: "):
            witnesses()
