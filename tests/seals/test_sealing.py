"""`history_seal` seals what is settled, once, and publishes each checkpoint."""

import json
import os
import signal
import threading
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from django.core.files.storage import InMemoryStorage
from django.core.management import CommandError
from django.db import IntegrityError, connection, transaction

from django_customer_history.exceptions import AppendOnlyError
from django_customer_history.feed.locks import only_sealer
from django_customer_history.feed.seals import sealing
from django_customer_history.feed.seals.keys import SealKey
from django_customer_history.feed.seals.leaves import LeafFormat
from django_customer_history.feed.seals.ledger import RECORD_SIZE
from django_customer_history.feed.seals.merkle import root_of
from django_customer_history.keys import uuid_at
from django_customer_history.models import Entry, Seal
from django_customer_history.verify import Checkpoint, leaf_hash, opened
from tests.factories import log_updates
from tests.projects.crm.models import Customer, Tag
from tests.seals.conftest import attack, run, seal

pytestmark = pytest.mark.django_db(transaction=True)


def checkpoint_of(note, key):
    return Checkpoint.read(opened(note, key.verifiers))


def late_entry(name="Late"):
    """Write an entry with an old time, as an import does."""
    return Entry.objects.create(
        id=uuid_at(1_600_000_000_000_000),
        timestamp=datetime(2020, 9, 13, 12, 26, 40, tzinfo=UTC),
        kind="create",
        action="Create",
        entity_model="crm.tag",
        entity_id="1",
        changes={"name": [None, name]},
        source="import",
    )


class RefusingStorage(InMemoryStorage):
    """A storage whose library raises an error of its own."""

    def _save(self, name, content):
        class QuotaError(Exception):
            pass

        raise QuotaError("quota is used")


class TestSealing:
    def test_first_seal_has_all_entries(self, key):
        for name in "abc":
            Tag.objects.create(name=name)
        made, form = seal(), LeafFormat(secret=key.secret)
        entries = Entry.objects.order_by("id")
        hashes = [leaf_hash(form.leaf(entry)) for entry in entries]
        assert (made.start, made.size) == (0, len(hashes))
        assert (made.first_key, made.last_key) == (entries[0].id, entries.last().id)
        assert checkpoint_of(made.checkpoint, key) == Checkpoint(
            log_name="example.com/history", size=len(hashes), root=root_of(hashes)
        )

    def test_next_seal_continues_the_tree(self, key):
        Tag.objects.create(name="a")
        first = seal()
        Tag.objects.create(name="b")
        Tag.objects.create(name="c")
        second, form = seal(), LeafFormat(secret=key.secret)
        hashes = [leaf_hash(form.leaf(one)) for one in Entry.objects.order_by("id")]
        assert (second.start, second.size) == (first.size, first.size + 2)
        assert checkpoint_of(second.checkpoint, key).root == root_of(hashes)

    def test_nothing_new_makes_no_seal(self, key):
        Tag.objects.create(name="a")
        seal()
        assert run("history_seal") == "There is nothing new to seal.\n"
        assert Seal.objects.count() == 1

    def test_empty_log(self, key):
        attack("DELETE FROM customer_history_entry")
        assert run("history_seal") == "There is nothing new to seal.\n"
        assert not Seal.objects.exists()

    def test_backlog_is_several_seals(self, key, monkeypatch, copies):
        monkeypatch.setattr(sealing, "SEAL_SIZE", 2)
        for name in "abcde":
            Tag.objects.create(name=name)
        seal()
        count = Entry.objects.count()
        sizes = list(Seal.objects.order_by("id").values_list("size", flat=True))
        assert sizes == [*range(2, count, 2), count]
        assert len(copies()) == 1

    def test_size_of_an_index(self, key):
        """A seal takes 48 bytes for each entry, and less than 2 kB more."""
        customer = Customer.objects.create(name="Acme")
        log_updates(customer, 500)
        made = seal()
        assert RECORD_SIZE == 48
        assert len(made.index) == 48 * (made.size - made.start)
        assert len(made.edge) + len(made.manifest) + len(made.checkpoint) < 2_000

    def test_unsettled_entries_wait(self, key, monkeypatch):
        if connection.vendor == "sqlite":
            pytest.skip("SQLite has one writer at a time.")
        monkeypatch.setattr(sealing, "PATIENCE", 1.0)
        Tag.objects.create(name="before")
        first = seal()
        with transaction.atomic():
            Tag.objects.create(name="open")
            made = []
            thread = threading.Thread(target=lambda: made.append(_seal_elsewhere(key)))
            thread.start()
            thread.join()
            assert made == [[]]
        assert seal().size == first.size + 1

    def test_new_key_goes_on(self, key, settings, tmp_path):
        Tag.objects.create(name="a")
        first, path = seal(), tmp_path / "next.key"
        run("history_seal", new_key=str(path))
        settings.CUSTOMER_HISTORY = {"SEAL_KEY": str(path)}
        Tag.objects.create(name="b")
        second = seal()
        newest = SealKey.read(path.read_text())
        assert second.start == first.size
        assert opened(second.checkpoint, [newest.verifier])

    def test_every_second_until_a_signal(self, key):
        Tag.objects.create(name="a")
        timer = threading.Timer(2, os.kill, [os.getpid(), signal.SIGTERM])
        timer.start()
        lines = run("history_seal", every=0.1).splitlines()
        timer.join()
        assert lines[0].startswith("Sealed ")
        assert set(lines[1:]) == {"There is nothing new to seal."}

    def test_every_second_despite_an_error(self, key, settings):
        settings.CUSTOMER_HISTORY = {"SEAL_KEY": "env:NO_SUCH_KEY"}
        timer = threading.Timer(0.5, os.kill, [os.getpid(), signal.SIGTERM])
        timer.start()
        assert run("history_seal", every=0.1) == ""
        timer.join()

    def test_late_entries_are_later_leaves(self, key):
        Tag.objects.create(name="a")
        first = seal()
        entry = late_entry()
        assert run("history_seal") == "There is nothing new to seal.\n"
        made = seal(late=True)
        assert (made.is_late, made.start, made.size) == (True, first.size, first.size + 1)
        assert made.first_key == entry.id
        assert run("history_seal", late=True) == "There is nothing new to seal.\n"
        Tag.objects.create(name="b")
        assert seal().size == made.size + 1


def _seal_elsewhere(key):
    try:
        return list(sealing.seal_log(key, using="default"))
    finally:
        connection.close()


class TestRefusals:
    def test_without_a_key(self, settings):
        settings.CUSTOMER_HISTORY = {}
        with pytest.raises(CommandError, match="There is no key for the seals"):
            run("history_seal")
        assert not Seal.objects.exists()

    def test_second_sealer(self, key):
        Tag.objects.create(name="a")
        with (
            only_sealer("default"),
            pytest.raises(CommandError, match="Another process seals this log already"),
        ):
            run("history_seal")
        assert not Seal.objects.exists()

    def test_log_without_its_tail(self, key):
        Tag.objects.create(name="a")
        last = seal()
        attack("DELETE FROM customer_history_entry")
        Tag.objects.create(name="b")
        with pytest.raises(CommandError, match=f"has shrunk: entry {last.last_key}, the last"):
            run("history_seal")
        assert Seal.objects.count() == 1

    def test_restored_backup(self, key, copies):
        """An old backup has old seals; the copy outside of the database has the new size."""
        Tag.objects.create(name="a")
        first = seal()
        Tag.objects.create(name="b")
        second = seal()
        last = Entry.objects.latest("id")
        attack(
            f"DELETE FROM customer_history_seal WHERE id = {second.pk}",
            f"DELETE FROM customer_history_entry WHERE entity_id = '{last.entity_id}'"
            " AND entity_model = 'crm.tag'",
        )
        problem = rf"says {second.size} entries, and the last seal {first.size}"
        with pytest.raises(CommandError, match=problem):
            run("history_seal")

    def test_last_seal_altered(self, key):
        Tag.objects.create(name="a")
        made = seal()
        attack(f"UPDATE customer_history_seal SET start = 1 WHERE id = {made.pk}")
        with pytest.raises(CommandError, match="A column of the seal was altered"):
            run("history_seal")

    def test_key_of_another_name(self, key, settings, tmp_path):
        Tag.objects.create(name="a")
        seal()
        SealKey.new("example.com/other").write(tmp_path / "other.key")
        settings.CUSTOMER_HISTORY = {"SEAL_KEY": str(tmp_path / "other.key")}
        with pytest.raises(CommandError, match="add --new-tree"):
            run("history_seal")
        made = seal(new_tree=True)
        assert (made.log_name, made.start) == ("example.com/other", 0)
        event = Entry.objects.get(action="Seals Restarted")
        assert event.changes == {"log_name": ["example.com/history", "example.com/other"]}

    def test_exchanged_key(self, key, settings, tmp_path):
        Tag.objects.create(name="a")
        seal()
        SealKey.new("example.com/history").write(tmp_path / "other.key")
        settings.CUSTOMER_HISTORY = {"SEAL_KEY": str(tmp_path / "other.key")}
        with pytest.raises(CommandError, match="not signed with a known key"):
            run("history_seal")


class TestAppendOnly:
    def test_seals_cannot_be_changed(self, key):
        Tag.objects.create(name="a")
        made = seal()
        with pytest.raises(AppendOnlyError):
            made.save()
        with pytest.raises(AppendOnlyError):
            made.delete()
        with pytest.raises(AppendOnlyError):
            Seal.objects.update(size=0)

    @pytest.mark.parametrize(
        "statement",
        ["UPDATE customer_history_seal SET size = 0", "DELETE FROM customer_history_seal"],
    )
    def test_database_refuses_changes(self, key, statement):
        Tag.objects.create(name="a")
        seal()
        with (
            pytest.raises(IntegrityError, match="append-only"),
            transaction.atomic(),
            connection.cursor() as cursor,
        ):
            cursor.execute(statement)
        with connection.cursor() as cursor:
            # What changes nothing is allowed, as for a fixture that is loaded again.
            cursor.execute("UPDATE customer_history_seal SET size = size, log_name = log_name")


class Receiver(BaseHTTPRequestHandler):
    def do_POST(self):
        length = int(self.headers["Content-Length"])
        self.server.received.append(json.loads(self.rfile.read(length)))
        self.send_response(self.server.status)
        self.end_headers()

    def log_message(self, *args):
        pass


@pytest.fixture
def server():
    server = HTTPServer(("127.0.0.1", 0), Receiver)
    server.received, server.status = [], 204
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


class TestPublishing:
    def test_copy_is_a_file_of_its_month(self, key, copies):
        Tag.objects.create(name="a")
        made = seal()
        (path,) = copies()
        assert path.read_text() == made.checkpoint
        month = f"{made.timestamp:%Y-%m}"
        assert path.parts[-3:-1] == ("example.com=2Fhistory", month)
        assert path.name == f"{made.size:020d}.checkpoint"

    def test_missing_copy_is_published_again(self, key, copies):
        Tag.objects.create(name="a")
        seal()
        copies()[0].unlink()
        run("history_seal")
        assert len(copies()) == 1

    def test_storage_alias(self, key, settings, tmp_path):
        backend = "django.core.files.storage.FileSystemStorage"
        settings.STORAGES = {
            **settings.STORAGES,
            "locked": {"BACKEND": backend, "OPTIONS": {"location": str(tmp_path / "locked")}},
        }
        settings.CUSTOMER_HISTORY = {
            **settings.CUSTOMER_HISTORY,
            "SEAL_TARGETS": ["storage:locked/seals"],
        }
        Tag.objects.create(name="a")
        made = seal()
        (path,) = (tmp_path / "locked" / "seals").rglob("*.checkpoint")
        assert path.read_text() == made.checkpoint

    def test_error_of_a_storage(self, key, settings, copies):
        settings.STORAGES = {
            **settings.STORAGES,
            "locked": {"BACKEND": f"{__name__}.RefusingStorage"},
        }
        settings.CUSTOMER_HISTORY = {
            **settings.CUSTOMER_HISTORY,
            "SEAL_TARGETS": ["storage:locked/seals", *settings.CUSTOMER_HISTORY["SEAL_TARGETS"]],
        }
        Tag.objects.create(name="a")
        with pytest.raises(CommandError, match="published to storage:locked/seals: quota is used"):
            run("history_seal")
        assert (Seal.objects.count(), len(copies())) == (1, 1)

    def test_url_and_mail_get_new_ones(self, key, settings, server, mailoutbox):
        settings.CUSTOMER_HISTORY = {
            **settings.CUSTOMER_HISTORY,
            "SEAL_TARGETS": [
                f"http://127.0.0.1:{server.server_port}/seals",
                "mailto:auditor@example.com",
            ],
        }
        Tag.objects.create(name="a")
        made = seal()
        run("history_seal")
        assert server.received == [{"checkpoint": made.checkpoint}]
        (mail,) = mailoutbox
        assert (mail.to, mail.body) == (["auditor@example.com"], made.checkpoint)
        assert mail.subject == f"Checkpoint of example.com/history: {made.size} entries"

    def test_place_that_refuses(self, key, settings, server, copies):
        server.status = 500
        settings.CUSTOMER_HISTORY = {
            **settings.CUSTOMER_HISTORY,
            "SEAL_TARGETS": [
                f"http://u:secret@127.0.0.1:{server.server_port}/seals?token=1",
                *settings.CUSTOMER_HISTORY["SEAL_TARGETS"],
            ],
        }
        Tag.objects.create(name="a")
        with pytest.raises(
            CommandError, match=r"not published to http://127.*: the answer"
        ) as raised:
            run("history_seal")
        assert "secret" not in str(raised.value)
        assert (Seal.objects.count(), len(copies())) == (1, 1)
