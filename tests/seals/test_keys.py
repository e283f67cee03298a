"""Keys of seals, and the signed notes they make."""

import json
import stat

import pytest
from django.core.management import CommandError

from django_customer_history import conf
from django_customer_history.exceptions import SealError
from django_customer_history.feed.seals.keys import SealKey, key_of_settings
from django_customer_history.feed.seals.ledger import text_of
from django_customer_history.verify import Checkpoint, VerificationError, Verifier, opened
from tests.seals.conftest import run

# The example of the specification of signed notes, which Go's sumdb/note tests with.
PETER = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
NOTE = (
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n"
    "\n"
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZ"
    "b6KE6RyyBwJnAM=\n"
)


class TestNotes:
    def test_note_of_another_implementation(self):
        text = opened(NOTE, [Verifier.read(PETER)])
        assert text == "".join(NOTE.splitlines(keepends=True)[:2])

    def test_note_that_was_altered(self):
        with pytest.raises(VerificationError, match="The signature of PeterNeumann is wrong"):
            opened(NOTE.replace("answer", "reason"), [Verifier.read(PETER)])

    def test_note_of_an_unknown_key(self):
        with pytest.raises(VerificationError, match="not signed with a known key"):
            opened(NOTE, SealKey.new("a").verifiers)

    @pytest.mark.parametrize("text", ["", "text\n", NOTE.rstrip("\n"), NOTE + "x\n", NOTE + "\n"])
    def test_text_that_is_no_note(self, text):
        with pytest.raises(VerificationError, match=r"not a signed note|not Base64"):
            opened(text, [Verifier.read(PETER)])

    @pytest.mark.parametrize(
        "text", ["", "a+b", "a+00000000+AQ==", PETER.replace("c74f", "c74e"), f"{PETER}!"]
    )
    def test_text_that_is_no_public_key(self, text):
        with pytest.raises(VerificationError):
            Verifier.read(text)

    def test_checkpoint_as_text(self):
        checkpoint = Checkpoint(log_name="example.com/history", size=20, root=bytes(32))
        text = text_of(checkpoint)
        assert text == ("example.com/history\n20\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n")
        assert Checkpoint.read(f"{text}an extension\n") == checkpoint

    @pytest.mark.parametrize(
        "text", ["", "a\n1\n", "a\n01\nAA==\n", "a\n-1\nAA==\n", "a\n1\nAA==\n"]
    )
    def test_text_that_is_no_checkpoint(self, text):
        with pytest.raises(VerificationError, match="not a checkpoint"):
            Checkpoint.read(text)


class TestKeys:
    def test_new_key_is_read_again(self, tmp_path):
        key, path = SealKey.new("example.com/history"), tmp_path / "seal.key"
        key.write(path)
        assert SealKey.read(path.read_text()) == key
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert opened(key.signed("text\n"), [key.verifier]) == "text\n"

    def test_next_key_knows_the_former(self):
        first = SealKey.new("example.com/history")
        second = first.renewed()
        assert (second.name, second.secret) == (first.name, first.secret)
        assert second.verifiers == (second.verifier, first.verifier)
        assert second.private_key != first.private_key
        assert opened(first.signed("text\n"), second.verifiers) == "text\n"

    def test_command_makes_keys(self, settings, tmp_path):
        settings.CUSTOMER_HISTORY = {}
        first, second = tmp_path / "first.key", tmp_path / "second.key"
        printed = run("history_seal", new_key=str(first), log_name="example.com/history")
        assert printed.splitlines()[-1].startswith("example.com/history+")
        settings.CUSTOMER_HISTORY = {"SEAL_KEY": str(first)}
        run("history_seal", new_key=str(second))
        assert len(SealKey.read(second.read_text()).verifiers) == 2

    @pytest.mark.parametrize(
        ("options", "problem"),
        [
            ({"new_key": "new"}, "Add --log-name"),
            ({"new_key": "new", "log_name": "with blank"}, "is not a name"),
            ({"new_key": "old", "log_name": "a"}, "exists already"),
            ({"new_key": "no/folder", "log_name": "a"}, "cannot be written"),
            ({}, "There is no key for the seals"),
            ({"every": 0.0}, "must be greater than 0"),
            ({"every": 1.0, "late": True}, "are for one run"),
        ],
    )
    def test_command_refuses(self, settings, tmp_path, monkeypatch, options, problem):
        settings.CUSTOMER_HISTORY = {}
        monkeypatch.chdir(tmp_path)
        (tmp_path / "old").touch()
        with pytest.raises(CommandError, match=problem):
            run("history_seal", **options)

    def test_key_in_the_environment(self, settings, monkeypatch):
        key = SealKey.new("example.com/history")
        settings.CUSTOMER_HISTORY = {"SEAL_KEY": "env:HISTORY_KEY"}
        with pytest.raises(SealError, match="'HISTORY_KEY', which SEAL_KEY names, is not set"):
            key_of_settings()
        monkeypatch.setenv("HISTORY_KEY", key.text())
        assert key_of_settings() == key

    @pytest.mark.parametrize("part", ["signer", "secret", "verifiers"])
    def test_damaged_key(self, part):
        content = json.loads(SealKey.new("example.com/history").text())
        other = json.loads(SealKey.new("example.com/other").text())
        for value in (other[part] if part != "secret" else "AA==", None):
            with pytest.raises(SealError, match="is damaged"):
                SealKey.read(json.dumps({**content, part: value}))

    def test_file_that_is_missing(self, settings):
        settings.CUSTOMER_HISTORY = {"SEAL_KEY": "/nowhere/seal.key"}
        message = "run history_seal --new-key /nowhere/seal.key --log-name NAME"
        with pytest.raises(SealError, match=message):
            key_of_settings()

    def test_file_that_is_no_text(self, settings, tmp_path):
        (tmp_path / "seal.key").write_bytes(b"\xff")
        settings.CUSTOMER_HISTORY = {"SEAL_KEY": str(tmp_path / "seal.key")}
        with pytest.raises(SealError, match="cannot be read"):
            key_of_settings()

    def test_first_key_of_the_setting(self, settings, tmp_path):
        path = tmp_path / "seal.key"
        settings.CUSTOMER_HISTORY = {"SEAL_KEY": str(path)}
        with pytest.raises(CommandError, match="Add --log-name"):
            run("history_seal", new_key=str(path))
        run("history_seal", new_key=str(path), log_name="example.com/history")
        assert key_of_settings().name == "example.com/history"
        with pytest.raises(CommandError, match="exists already"):
            run("history_seal", new_key=str(path))

    @pytest.mark.parametrize(
        ("setting", "value"),
        [("SEAL_KEY", '{"signer": ""}'), ("SEAL_KEY", ""), ("SEAL_TARGETS", ["ftp://a"])],
    )
    def test_settings_are_checked(self, settings, setting, value):
        settings.CUSTOMER_HISTORY = {setting: value}
        (problem,) = conf.problems()
        assert setting in problem.message
