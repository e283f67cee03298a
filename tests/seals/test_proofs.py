"""A proof of an entry is checked without Django and without the database."""

import base64
import json
import os
import shutil
import subprocess
from pathlib import Path
from uuid import uuid4

import pytest
from django.core.management import CommandError
from django.db import connection
from django.test.utils import CaptureQueriesContext

from django_customer_history import verify
from django_customer_history.exceptions import SealError
from django_customer_history.feed.seals import proofs
from django_customer_history.feed.seals.keys import SealKey
from django_customer_history.feed.seals.ledger import leaf_hashes
from django_customer_history.feed.seals.merkle import is_consistent, root_of
from django_customer_history.feed.seals.proofs import SealedLog
from django_customer_history.history import acting
from django_customer_history.models import Entry, Seal
from django_customer_history.verify import Checkpoint, VerificationError, opened, proven
from tests.documents import PACKAGE
from tests.extras import skip_missing
from tests.projects.crm.models import Tag
from tests.seals.conftest import attack, run, seal, verify_offline

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def entry(key, customer):
    """An update in the middle of three seals."""
    seal()
    Tag.objects.create(name="before")
    customer.name, customer.ssn = "Renamed", "987-65-4321"
    with acting(reason="typing error"):
        customer.save()
    entry = Entry.objects.latest("id")
    Tag.objects.create(name="behind")
    seal()
    Tag.objects.create(name="later")
    seal()
    return entry


@pytest.fixture
def proof(entry, tmp_path):
    """The path of a proof that discloses the name only."""
    path = tmp_path / "entry.tlog-proof"
    path.write_text(run("history_prove", str(entry.id), field=["name"]))
    return path


def with_extra(text, change):
    lines = text.split("\n")
    extra = json.loads(base64.b64decode(lines[1].removeprefix("extra ")))
    change(extra)
    lines[1] = f"extra {base64.b64encode(json.dumps(extra).encode()).decode()}"
    return "\n".join(lines)


def changes(extra):
    return extra["values"]["changes"]


def moved(extra):
    """Move the last byte of a salt to the front of its value: both have the same hash."""
    salt, value = extra["values"]["changes"]["name"][0]
    content = base64.b64decode(salt)
    return [base64.b64encode(content[:-1]).decode(), chr(content[-1]) + value]


class TestProof:
    def test_offline_verifier(self, proof, entry, key):
        """In a process of its own, in which Django cannot be imported."""
        done = verify_offline(proof, key)
        assert (done.returncode, done.stderr) == (0, "")
        *shown, last = done.stdout.splitlines()
        size = Seal.objects.order_by("id")[1].size
        assert last == f"Valid: in the log example.com/history, {size} entries."
        found = json.loads("\n".join(shown))
        assert found["id"] == str(entry.id)
        assert found["changes"]["name"] == ["Acme", "Renamed"]
        assert "987-65-4321" not in proof.read_text() + done.stdout

    def test_proof_of_every_entry(self, entry, key):
        for one in Entry.objects.all():
            text = run("history_prove", str(one.id))
            _checkpoint, found = proven(text, [key.verifier])
            assert found["id"] == str(one.id)

    def test_other_entry_of_its_seal_removed(self, entry, key):
        """What the seal states of the others is enough."""
        other = Entry.objects.filter(id__lt=entry.id).latest("id")
        attack(
            f"DELETE FROM customer_history_entry WHERE entity_id = '{other.entity_id}'"
            " AND entity_model = 'crm.tag'"
        )
        text = run("history_prove", str(entry.id))
        assert proven(text, [key.verifier])[1]["id"] == str(entry.id)

    def test_few_queries_for_many_entries(self, entry, key):
        """The first entry of a seal reads it and the one before; the others nothing."""
        log = SealedLog(key=key, using="default")
        entries = Entry.objects.filter(id__lte=entry.id).order_by("-id")
        for one, count in zip(entries, [4, 0, 3], strict=False):
            with CaptureQueriesContext(connection) as made:
                log.proof(one)
            assert len(made) == count

    def test_bounded_number_of_seals_is_kept(self, entry, key, monkeypatch):
        monkeypatch.setattr(proofs, "_MOST", 2)
        log = SealedLog(key=key, using="default")
        for one in Entry.objects.order_by("id"):
            log.proof(one)
        assert len(log._trees) == 2

    def test_confidential_values_stay_hashes(self, proof, key):
        _checkpoint, found = proven(proof.read_text(), [key.verifier])
        assert [len(one["hash"]) for one in found["changes"]["ssn"]] == [44, 44]

    def test_labels_and_reasons_stay_hashes(self, entry, key):
        """A label may be made of a confidential value, and a reason may name one."""
        leaf = str(proven(run("history_prove", str(entry.id)), [key.verifier]))
        assert not any(text in leaf for text in ("Renamed", "Update", "typing error"))
        columns = ["action", "entity_label", "context.reason"]
        text = run("history_prove", str(entry.id), column=columns)
        _checkpoint, found = proven(text, [key.verifier])
        assert (found["action"], found["entity_label"]) == ("Update", "Renamed")
        assert found["context"] == {"reason": '"typing error"'}

    def test_late_entry(self, entry, key):
        late = Entry.objects.create(
            id="01700000-0000-7000-8000-000000000000",
            timestamp=entry.timestamp,
            kind="event",
            action="Late",
            entity_model="crm.tag",
            entity_id="1",
            source="import",
        )
        seal(late=True)
        text = run("history_prove", str(late.pk))
        assert proven(text, [key.verifier])[1]["kind"] == "event"

    def test_checkpoint_is_checked_too(self, key, entry, copies, capsys):
        assert verify.main([str(copies()[0]), "--key", str(key.verifier)]) == 0
        size = Seal.objects.earliest("id").size
        expected = f"Valid: the checkpoint of example.com/history, {size} entries.\n"
        assert capsys.readouterr().out == expected


class TestConsistency:
    @pytest.fixture
    def sizes(self, key):
        """The sizes of many small seals, each with 1 to 3 entries."""
        for count in (1, 3, 2, 1, 1, 3, 3, 2, 1):
            for _ in range(count):
                Tag.objects.create(name="tag")
            seal()
        return [0, *Seal.objects.order_by("id").values_list("size", flat=True)]

    def test_growth_from_every_size(self, sizes, key):
        """Also from a size that no seal has."""
        log, hashes = SealedLog(key=key, using="default"), []
        for one in Seal.objects.order_by("id"):
            hashes += leaf_hashes(one)
            root = Checkpoint.read(opened(one.checkpoint, [key.verifier])).root
            assert log.consistency_proof(key.name, old_size=0, new_size=one.size) == []
            for old in range(1, one.size + 1):
                proof = log.consistency_proof(key.name, old_size=old, new_size=one.size)
                pair = {"old_size": old, "new_size": one.size}
                assert is_consistent(root_of(hashes[:old]), root, **pair, proof=proof)
                if old < one.size:
                    assert not is_consistent(root, root, **pair, proof=proof)

    def test_sizes_without_a_seal(self, sizes, key):
        log = SealedLog(key=key, using="default")
        for old, new, problem in (
            (sizes[2], sizes[-1] + 1, r"has no seal with \d+ entries\."),
            (sizes[3], sizes[2], "cannot begin with"),
        ):
            with pytest.raises(SealError, match=problem):
                log.consistency_proof(key.name, old_size=old, new_size=new)

    def test_older_size_without_a_seal(self, sizes, key):
        """A witness can have seen a seal that was not saved."""
        log = SealedLog(key=key, using="default")
        hashes = [one for made in Seal.objects.order_by("id") for one in leaf_hashes(made)]
        for old in range(1, sizes[-1] + 1):
            proof = log.consistency_proof(key.name, old_size=old, new_size=sizes[-1])
            pair = {"old_size": old, "new_size": sizes[-1], "proof": proof}
            assert is_consistent(root_of(hashes[:old]), root_of(hashes), **pair)

    def test_command_writes_a_request_to_a_witness(self, sizes, key):
        text = run("history_prove", consistency=[sizes[2], sizes[-1]])
        proof = SealedLog(key=key, using="default").consistency_proof(
            key.name, old_size=sizes[2], new_size=sizes[-1]
        )
        lines = "".join(f"{base64.b64encode(one).decode()}\n" for one in proof)
        newest = Seal.objects.latest("id").checkpoint
        assert text == f"old {sizes[2]}\n{lines}\n{newest}"

    @pytest.mark.parametrize("options", [{}, {"consistency": [1, 2], "entry": str(uuid4())}])
    def test_command_needs_one_of_both(self, key, options):
        entry = [options.pop("entry")] if "entry" in options else []
        with pytest.raises(CommandError, match="Give the ID of an entry, or --consistency"):
            run("history_prove", *entry, **options)

    def test_seal_between_them_removed(self, sizes, key):
        middle = Seal.objects.get(size=sizes[5])
        attack(f"DELETE FROM customer_history_seal WHERE id = {middle.pk}")
        log = SealedLog(key=key, using="default")
        with pytest.raises(SealError, match="has no seal of leaf 7: run"):
            log.consistency_proof(key.name, old_size=sizes[4], new_size=sizes[-1])


GO_PACKAGES = Path("/usr/share/gocode/src/golang.org/x/mod/sumdb/note")
"""Where the Debian package golang-golang-x-mod-dev has the code of others."""


class TestOutsideVerifier:
    @pytest.fixture
    def program(self, tmp_path):
        """Return a program that is made of the packages of the Go project."""
        if shutil.which("go") is None or not GO_PACKAGES.exists():
            skip_missing("Go with golang.org/x/mod")
        environment = {**os.environ, "GO111MODULE": "off", "GOPATH": "/usr/share/gocode"}
        environment |= {"GOCACHE": str(tmp_path / "cache"), "CGO_ENABLED": "0"}

        def program(name, *arguments):
            source, built = Path(__file__).parent / "outside" / f"{name}.go", tmp_path / name
            if not built.exists():
                command = ["go", "build", "-o", str(built), str(source)]
                subprocess.run(command, env=environment, check=True)
            return subprocess.run([built, *arguments], capture_output=True, text=True, check=False)

        return program

    @pytest.mark.slow
    def test_go_agrees(self, program, key, proof, tmp_path):
        def check(path):
            return program("verify", path, str(key.verifier))

        size = Seal.objects.order_by("id")[1].size
        done = check(proof)
        assert (done.stdout, done.stderr) == (f"example.com/history {size} {size - 2}\n", "")
        text = with_extra(proof.read_text(), lambda extra: extra.update(leaf=f"{extra['leaf']} "))
        forged = tmp_path / "forged"
        forged.write_text(text)
        assert check(forged).stderr == "invalid transparency proof\n"
        forged.write_text(proof.read_text().replace("history\n", "history\n1", 1))
        assert check(forged).stderr.startswith("invalid signature for key example.com")

    @pytest.mark.slow
    def test_go_agrees_that_the_log_grew(self, program, key, entry, tmp_path, copies):
        first, *_, last = Seal.objects.order_by("id")
        path = tmp_path / "proof"
        path.write_text(run("history_prove", consistency=[first.size, last.size]))
        done = program("growth", path, copies()[0], str(key.verifier))
        assert (done.stdout, done.stderr) == (f"{last.size} begins with {first.size}\n", "")
        done = program("growth", path, copies()[1], str(key.verifier))
        assert done.stderr == "invalid transparency proof\n"


class TestForgedProofs:
    @pytest.mark.parametrize(
        ("change", "problem"),
        [
            (lambda extra: extra.update(leaf=extra["leaf"].replace("update", "create")), "not in"),
            (lambda extra: changes(extra)["name"][1].__setitem__(1, "Evil"), "value of name"),
            (lambda extra: changes(extra).update(vat=[[f"{'A' * 22}==", ""], None]), "of vat"),
            (lambda extra: extra["values"].update(kind=[f"{'A' * 22}==", "update"]), "of kind"),
            (lambda extra: changes(extra)["name"].__setitem__(0, moved(extra)), "has 16 bytes"),
            (lambda extra: extra.pop("leaf"), "leaf"),
        ],
    )
    def test_other_content(self, proof, key, change, problem):
        text = with_extra(proof.read_text(), change)
        with pytest.raises((VerificationError, KeyError), match=problem):
            proven(text, [key.verifier])

    @pytest.mark.parametrize(
        ("old", "new", "problem"),
        [
            ("index ", "index 1", "not in|too"),
            ("index ", "index x", "invalid literal"),
            ("example.com/history\n", "example.com/history\n1", "was altered"),
            ("c2sp.org", "c3sp.org", "not a proof"),
            ("extra ", "extra !", "not Base64"),
            ("\nindex", "\nindex" * 70, "not a proof"),
        ],
    )
    def test_other_lines(self, proof, key, old, new, problem):
        with pytest.raises(ValueError, match=problem):
            proven(proof.read_text().replace(old, new, 1), [key.verifier])

    @pytest.mark.parametrize(
        "content", [b"", b"\xff", b"x" * (16 * 1024 * 1024 + 1), b"c2sp.org/tlog-proof@v1\n"]
    )
    def test_hostile_files(self, key, tmp_path, capsys, content):
        path = tmp_path / "file"
        path.write_bytes(content)
        assert verify.main([str(path), "--key", str(key.verifier)]) == 1
        assert capsys.readouterr().err.startswith("Not valid: ")

    def test_unknown_key(self, proof, capsys):
        other = SealKey.new("example.com/history")
        assert verify.main([str(proof), "--key", str(other.verifier)]) == 1
        assert "not signed with a known key" in capsys.readouterr().err


class TestRefusals:
    def test_entry_without_a_seal(self, entry):
        Tag.objects.create(name="new")
        newest = Entry.objects.latest("id")
        for key, problem in ((newest.id, "is not sealed yet"), (uuid4(), "is not in the log")):
            with pytest.raises(CommandError, match=problem):
                run("history_prove", str(key))

    def test_field_without_a_value(self, entry):
        with pytest.raises(CommandError, match="has no field 'vat'"):
            run("history_prove", str(entry.id), field=["vat"])

    @pytest.mark.parametrize(
        ("statement", "problem"),
        [
            ("UPDATE customer_history_entry SET user_label = 'x'", "is not what was sealed"),
            ("UPDATE customer_history_seal SET manifest = 'x'", "is not right"),
        ],
    )
    def test_log_that_was_altered(self, entry, statement, problem):
        attack(statement)
        with pytest.raises(CommandError, match=problem):
            run("history_prove", str(entry.id))

    def test_seal_before_it_removed(self, entry):
        first = Seal.objects.earliest("id")
        attack(f"DELETE FROM customer_history_seal WHERE id = {first.pk}")
        with pytest.raises(CommandError, match="The seal before seal"):
            run("history_prove", str(entry.id))


class TestModule:
    def test_can_be_read_in_one_go(self):
        lines = (PACKAGE / "verify.py").read_text(encoding="utf-8").splitlines()
        assert len(lines) <= 250
