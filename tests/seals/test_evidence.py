"""Evidence: a zip file that proves what one reader may see, and is checked without the database."""

import base64
import hashlib
import html
import json
import re
import stat
import struct
import zipfile

import pytest
from django.core.management import CommandError
from django.utils import timezone

from django_customer_history import verify
from django_customer_history.export.evidence import writing
from django_customer_history.feed.seals import sealing
from django_customer_history.feed.seals.keys import SealKey
from django_customer_history.feed.seals.merkle import is_consistent
from django_customer_history.history import acting
from django_customer_history.models import Entry, Seal
from django_customer_history.registration.renames import KIND, renames
from django_customer_history.verify import MEMBERS, Checkpoint, opened, proven
from tests.factories import log_updates
from tests.reading.conftest import grant
from tests.seals.conftest import attack, run, seal, verify_offline

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def record(key, customer):
    """A customer with three entries in two seals; the name of a changed SSN is confidential."""
    seal()
    customer.name, customer.ssn = "Renamed <b>&", "987-65-4321"
    with acting(reason="typing error", extra={"ticket": "T-1"}):
        customer.save()
    seal()
    customer.name = "Acme Two"
    customer.save()
    seal()
    return f"crm.customer:{customer.pk}"


@pytest.fixture
def path(tmp_path):
    return tmp_path / "evidence.zip"


@pytest.fixture
def made(record, path):
    """The path of the evidence of the record, as the user of the shell sees it."""
    run("history_evidence", record, output=str(path))
    return path


@pytest.fixture
def check(key, capsys):
    """Check a file; return the exit status and what is printed."""

    def check(path, *keys):
        status = verify.main([str(path), *(f"--key={one}" for one in keys or [key.verifier])])
        printed = capsys.readouterr()
        return status, printed.out or printed.err

    return check


def lines_of(path, name="entries.ndjson"):
    with zipfile.ZipFile(path) as archive:
        return [json.loads(line) for line in archive.read(name).decode().splitlines()]


def summary_of(path):
    with zipfile.ZipFile(path) as archive:
        return archive.read("summary.html").decode()


def rewritten(path, **members):
    """Write the zip again with other members; None leaves one out."""
    with zipfile.ZipFile(path) as archive:
        contents = {name: archive.read(name) for name in archive.namelist()}
    contents |= members
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in contents.items():
            if content is not None:
                archive.writestr(name, content)


def signed_again(path, key, **members):
    """Change members as the owner of the key can do: with a new manifest."""
    rewritten(path, **members)
    with zipfile.ZipFile(path) as archive:
        manifest = json.loads(archive.read("manifest").decode().split("\n")[1])
        digests = {one: hashlib.sha256(archive.read(one)).hexdigest() for one in MEMBERS[1:]}
    manifest["sha256"] = digests
    note = key.signed(f"{verify.EVIDENCE}\n{json.dumps(manifest)}\n")
    rewritten(path, manifest=note.encode())


class TestContent:
    def test_values_that_are_visible(self, made):
        newest, update, creation = (one["entry"] for one in lines_of(made))
        assert newest["changes"] == {"name": ["Renamed <b>&", "Acme Two"]}
        assert update["changes"]["name"] == ["Acme", "Renamed <b>&"]
        assert (update["action"], update["entity_label"]) == ("Update", "Renamed <b>&")
        assert update["context"]["reason"] == '"typing error"'
        assert creation["changes"]["name"] == [None, "Acme"]

    def test_values_that_are_hidden(self, made):
        """Masked values, secret ones, and what no page shows of the context."""
        with zipfile.ZipFile(made) as archive:
            content = b"".join(archive.read(name) for name in archive.namelist())
        for extra in re.findall(rb"extra ([A-Za-z0-9+/=]+)", content):
            content += base64.b64decode(extra)
        for value in (b"987-65-4321", b"123-45-6789", b"T-1", b"s3cret-hash"):
            assert value not in content
        update = lines_of(made)[1]
        assert [len(one["hash"]) for one in update["entry"]["changes"]["ssn"]] == [44, 44]
        assert len(update["entry"]["context"]["ticket"]["hash"]) == 44
        assert update["labels"]["fields"]["ssn"] == {
            "label": "Ssn",
            "old": "***-**-6789",
            "new": "***-**-4321",
            "masked": True,
        }

    def test_unmasked(self, record, path, check):
        run("history_evidence", record, output=str(path), unmasked=True)
        assert lines_of(path)[1]["entry"]["changes"]["ssn"] == ["123-45-6789", "987-65-4321"]
        assert check(path)[0] == 0

    def test_as_a_user(self, record, path, check, user):
        grant(user, "view_customer_history", "export_customer_history")
        seal()
        run("history_evidence", record, output=str(path), reader="ann")
        assert "hash" in lines_of(path)[1]["entry"]["changes"]["ssn"][0]
        assert "<dd>ann</dd>" in summary_of(path)
        assert check(path)[0] == 0

    def test_user_without_permission(self, record, path, user):
        count = Entry.objects.count()
        with pytest.raises(CommandError, match="may not"):
            run("history_evidence", record, output=str(path), reader=user.username)
        assert (path.exists(), Entry.objects.count()) == (False, count)

    def test_filters(self, record, path):
        run("history_evidence", record, output=str(path), **{"filter kind": ["create"]})
        assert [one["entry"]["kind"] for one in lines_of(path)] == ["create"]
        assert "kind=create" in summary_of(path)

    def test_all_records(self, record, path, check):
        run("history_evidence", output=str(path))
        assert len(lines_of(path)) == Entry.objects.exclude(action="History Exported").count()
        assert check(path)[0] == 0

    def test_checkpoints_prove_the_growth(self, made, key):
        lines = lines_of(made, "checkpoints.ndjson")
        trees = [Checkpoint.read(opened(one["checkpoint"], [key.verifier])) for one in lines]
        assert [tree.size for tree in trees] == [made.size for made in Seal.objects.order_by("id")]
        assert lines[0]["growth"] == []
        for old, new, line in zip(trees, trees[1:], lines[1:], strict=False):
            assert is_consistent(
                old.root,
                new.root,
                old_size=old.size,
                new_size=new.size,
                proof=[base64.b64decode(one) for one in line["growth"]],
            )

    def test_field_that_was_renamed(self, record, path, check, customer):
        """The name in the log is proven; the label is that of today."""
        common = {"entity_model": "crm.customer", "entity_id": str(customer.pk), "source": "web"}
        Entry.objects.create(
            **common,
            timestamp=timezone.now(),
            kind="update",
            action="Update",
            subject_model="crm.customer",
            subject_id=str(customer.pk),
            changes={"company": ["Acme", "Acme Three"], "rate": ["1", "2"]},
        )
        renamed = {"entity_model": KIND, "entity_id": "crm.customer", "source": "migration"}
        Entry.objects.create(
            **renamed,
            timestamp=timezone.now(),
            kind="event",
            action="Field Renamed",
            changes={"field": ["company", "name"]},
        )
        both = Entry.objects.create(
            **common,
            timestamp=timezone.now(),
            kind="update",
            action="Update",
            subject_model="crm.customer",
            subject_id=str(customer.pk),
            changes={"name": ["Acme Three", "Acme Four"]},
        )
        renames.forget()
        seal()
        run("history_evidence", record, output=str(path))
        renames.forget()
        after, newest, *_ = lines_of(path)
        assert after["entry"]["id"] == str(both.pk)
        assert newest["entry"]["changes"] == {
            "company": ["Acme", "Acme Three"],
            "rate": ["1", "2"],
        }
        assert newest["labels"]["fields"]["company"]["label"] == "Name"
        assert check(path)[0] == 0

    def test_it_is_logged_as_an_export(self, made, customer):
        entry = Entry.objects.latest("id")
        assert (entry.action, entry.subject_id) == ("History Exported", str(customer.pk))
        assert entry.changes["format"] == [None, "evidence"]

    def test_same_bytes_for_the_same_entries(self, record, tmp_path, time_machine):
        contents = []
        for name in ("one.zip", "other.zip"):
            time_machine.move_to("2026-11-30T12:00:00Z", tick=False)
            filters = {"filter action": ["Create", "Update"]}
            run("history_evidence", record, output=str(tmp_path / name), **filters)
            contents.append((tmp_path / name).read_bytes())
        assert contents[0] == contents[1]
        with zipfile.ZipFile(tmp_path / name) as archive:
            assert archive.namelist() == [
                "entries.ndjson", "checkpoints.ndjson", "summary.html", "manifest",
            ]  # fmt: skip


class TestSummary:
    def test_needs_nothing_else(self, made):
        text = summary_of(made)
        assert not re.search(r"<script|<img|<link|src=|href=|@import|url\(", text)
        assert "default-src 'none'" in text

    def test_has_the_changes(self, made, key, customer):
        text = summary_of(made)
        assert "Renamed &lt;b&gt;&amp;" in text
        assert "<b>" not in text
        assert "Reason: typing error" in text
        assert f"<code>crm.customer:{customer.pk}</code>" in text
        assert f"--key {key.verifier}" in html.unescape(text)
        assert text.count("<tbody>") == 3
        assert "<td>Portal password</td>" in text
        assert text.count("never stored") == 1
        assert text.count("hidden: only a hash is in the file") == 2


class TestVerifier:
    def test_without_django(self, made, key):
        done = verify_offline(made, key)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.endswith("\nValid: 3 entries\n")

    def test_each_proof_alone(self, made, key, tmp_path, check):
        for line in lines_of(made):
            (tmp_path / "entry").write_text(line["proof"])
            assert check(tmp_path / "entry")[0] == 0
            assert proven(line["proof"], [key.verifier])[1] == line["entry"]

    def test_other_key(self, made, check):
        status, printed = check(made, SealKey.new("example.com/history").verifier)
        assert (status, printed) == (1, "Not valid: It is not signed with a known key.\n")

    @pytest.mark.parametrize("name", ["entries.ndjson", "checkpoints.ndjson", "summary.html"])
    def test_file_that_was_altered(self, made, check, name):
        with zipfile.ZipFile(made) as archive:
            content = archive.read(name)
        rewritten(made, **{name: content + b"\n" if name == "summary.html" else content[:0]})
        assert check(made) == (1, f"Not valid: {name} was altered.\n")

    def test_value_shown_that_is_not_proven(self, made, key, check):
        """Not even the owner of the key can show another value than the sealed one."""
        lines = lines_of(made)
        lines[1]["entry"]["changes"]["name"][1] = "Evil"
        content = "".join(f"{json.dumps(one)}\n" for one in lines).encode()
        signed_again(made, key, **{"entries.ndjson": content})
        assert check(made) == (1, "Not valid: Entry 2 is not shown as it is proven.\n")

    def test_change_left_out(self, made, key, check):
        lines = lines_of(made)
        del lines[1]["entry"]["changes"]["ssn"]
        content = "".join(f"{json.dumps(one)}\n" for one in lines).encode()
        signed_again(made, key, **{"entries.ndjson": content})
        assert check(made) == (1, "Not valid: Entry 2 is not shown as it is proven.\n")

    def test_entry_left_out(self, made, key, check):
        content = "".join(f"{json.dumps(one)}\n" for one in lines_of(made)[:2]).encode()
        rewritten(made, **{"entries.ndjson": content})
        assert check(made) == (1, "Not valid: entries.ndjson was altered.\n")


class TestHostileFiles:
    def fails(self, check, path, problem=""):
        status, printed = check(path)
        assert status == 1
        assert printed.startswith("Not valid: ")
        assert re.search(problem, printed), printed
        assert len(printed) < 500

    @pytest.mark.parametrize("name", ["../evil", "/etc/passwd", "C:\\evil", "summary.html/x"])
    def test_other_names(self, made, check, name):
        rewritten(made, **{name: b"x\n"})
        self.fails(check, made, "does not have just manifest")

    def test_missing_file(self, made, check):
        rewritten(made, **{"summary.html": None})
        self.fails(check, made, "does not have just manifest")

    @pytest.mark.filterwarnings("ignore:Duplicate name")
    def test_same_name_twice(self, made, check):
        with zipfile.ZipFile(made, "a") as archive:
            archive.writestr("summary.html", b"other\n")
        self.fails(check, made, "does not have just manifest")

    @pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
    def test_other_compression(self, made, check, method):
        with zipfile.ZipFile(made) as archive:
            contents = {name: archive.read(name) for name in archive.namelist()}
        with zipfile.ZipFile(made, "w", method) as archive:
            for name, content in contents.items():
                archive.writestr(name, content)
        self.fails(check, made, "deflated")

    def test_encrypted(self, made, check):
        content = bytearray(made.read_bytes())
        for mark, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
            start = content.find(mark)
            while start >= 0:
                content[start + place] |= 1
                start = content.find(mark, start + 4)
        made.write_bytes(content)
        self.fails(check, made, "encrypted|password")

    @pytest.mark.parametrize("part", [0.1, 0.5, 0.9, 0.99])
    def test_truncated(self, made, check, part):
        content = made.read_bytes()
        made.write_bytes(content[: int(len(content) * part)])
        self.fails(check, made)

    def test_large_line(self, made, check):
        """100 MB of one line in 100 kB: it is read as far as a line may be long."""
        rewritten(made, **{"entries.ndjson": b"[" * 100_000_000})
        self.fails(check, made, "entries.ndjson is too large")

    def test_many_lines(self, made, check, monkeypatch):
        monkeypatch.setattr(verify, "LARGEST_MEMBER", 1_000_000)
        rewritten(made, **{"summary.html": b"x\n" * 1_000_000})
        self.fails(check, made, "summary.html is too large")

    def test_other_size_in_the_header(self, made, check):
        """A file that is larger than its header says is not read further, and its sum differs."""
        content = bytearray(made.read_bytes())
        start = content.find(b"PK\x01\x02")
        (size,) = struct.unpack_from("<L", content, start + 24)
        struct.pack_into("<L", content, start + 24, size // 2)
        made.write_bytes(content)
        self.fails(check, made)

    def test_large_directory(self, made, check):
        with zipfile.ZipFile(made, "a") as archive:
            for number in range(2_000):
                archive.writestr(f"{number:020d}", b"")
        self.fails(check, made, "end of the zip file")

    @pytest.mark.parametrize(
        "content",
        [
            "[" * 100_000 + "\n",
            '{"proof": ' + "1" * 5_000 + "}\n",
            '{"proof": 1}\n',
            '{"proof": "c2sp.org/tlog-proof@v1\\nextra e30=\\nindex 0\\n\\n"}\n',
            "{}\n",
            "null\n",
            "x\n",
            "\n",
        ],
    )
    def test_odd_lines(self, made, key, check, content):
        signed_again(made, key, **{"entries.ndjson": content.encode()})
        self.fails(check, made)

    def test_manifest_of_something_else(self, made, check):
        """A checkpoint has the same signature, and is not a manifest."""
        rewritten(made, manifest=Seal.objects.latest("id").checkpoint.encode())
        self.fails(check, made)

    def test_empty_zip(self, path, check):
        with zipfile.ZipFile(path, "w"):
            pass
        self.fails(check, path)


class TestRefusals:
    def test_entries_without_a_seal(self, record, customer, path):
        for name in "ab":
            customer.name = name
            customer.save()
        with pytest.raises(CommandError, match=r"^2 of the entries are not sealed yet\."):
            run("history_evidence", record, output=str(path))
        assert not path.exists()
        assert not Entry.objects.filter(action="History Exported").exists()

    def test_nothing_is_left_after_an_error(self, record, path, monkeypatch):
        monkeypatch.setattr(writing, "LONGEST_LINE", 10)
        path.write_bytes(b"before")
        with pytest.raises(CommandError, match="is too large for evidence"):
            run("history_evidence", record, output=str(path))
        assert path.read_bytes() == b"before"
        assert [one for one in path.parent.iterdir() if one.name.startswith(".")] == []

    def test_too_large(self, record, path, monkeypatch):
        monkeypatch.setattr(writing, "LARGEST_MEMBER", 2_000)
        with pytest.raises(CommandError, match="would have more than 2000 bytes"):
            run("history_evidence", record, output=str(path))
        assert not path.exists()

    def test_folder_that_does_not_exist(self, record, tmp_path):
        with pytest.raises(CommandError, match="cannot be written"):
            run("history_evidence", record, output=str(tmp_path / "none" / "a.zip"))
        assert not Entry.objects.filter(action="History Exported").exists()

    def test_without_a_key(self, record, path, settings):
        settings.CUSTOMER_HISTORY = {}
        with pytest.raises(CommandError, match="There is no key for the seals"):
            run("history_evidence", record, output=str(path))

    def test_entry_that_was_altered(self, record, path):
        attack("UPDATE customer_history_entry SET user_label = 'x'")
        with pytest.raises(CommandError, match="is not what was sealed"):
            run("history_evidence", record, output=str(path))
        assert not path.exists()

    def test_only_its_owner_may_read_it(self, made):
        assert stat.S_IMODE(made.stat().st_mode) == 0o600


class TestManyEntries:
    def test_few_queries(self, key, customer, path, monkeypatch, django_assert_max_num_queries):
        """Each seal is read once in each pass, whatever the number of its entries is."""
        log_updates(customer, 300)
        monkeypatch.setattr(sealing, "SEAL_SIZE", 100)
        seal()
        with django_assert_max_num_queries(90):
            run("history_evidence", f"crm.customer:{customer.pk}", output=str(path))
        assert len(lines_of(path)) == 301
