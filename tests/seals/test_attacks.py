"""Each way to change the log is found and named, and nothing else is reported."""

import json
from datetime import UTC, datetime, timedelta
from io import StringIO
from uuid import UUID

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from django_customer_history.backends import features_of
from django_customer_history.capture.partitions import create_partitions
from django_customer_history.capture.triggers import compare_triggers
from django_customer_history.feed.seals import findings, sealing
from django_customer_history.feed.seals.keys import SealKey
from django_customer_history.feed.seals.ledger import leaf_hashes, manifest_of
from django_customer_history.feed.seals.verification import Verification
from django_customer_history.history import acting
from django_customer_history.keys import uuid_at
from django_customer_history.models import Entry, Seal
from django_customer_history.verify import leaf_hash
from tests.projects.crm.models import Customer, Tag
from tests.seals.conftest import attack, change, found, key_in_sql, run, seal

pytestmark = pytest.mark.django_db(transaction=True)

LOG = "customer_history_entry"
SEALS = "customer_history_seal"


def texts(key):
    return [one.text for one in Verification(key=key, using="default").run()]


@pytest.fixture
def entries(key, customer):
    """Five sealed entries in two seals."""
    with acting(reason="typing error", ip_address="192.0.2.7", extra={"b": 1, "a": [1.5, None]}):
        for name in ("Acme One", "Acme Two"):
            customer.name = name
            customer.save()
    seal()
    for name in "ab":
        Tag.objects.create(name=name)
    seal()
    made = list(Entry.objects.order_by("id"))
    assert found(key) == []
    return made[-4:]


ALTERED = [
    ("kind", "create"),
    ("action", "update"),
    ("subject_model", "crm.note"),
    ("subject_id", "77"),
    ("subject_id", None),
    ("entity_model", "crm.note"),
    ("entity_id", "77"),
    ("entity_label", "Acme Two "),
    ("changes", '{"name": ["Acme", "Acme One "]}'),
    ("changes", "{}"),
    ("user_id", "1"),
    ("user_label", "Ann"),
    ("source", "web"),
    ("ip_address", "192.0.2.8"),
    ("ip_address", None),
    ("request_id", uuid_at(1)),
    ("context", '{"reason": "other", "b": 1, "a": [1.5, null]}'),
    ("context", None),
    ("primary_id", uuid_at(1)),
    ("timestamp", datetime(2026, 1, 1, tzinfo=UTC)),
]


def _in_sql(column, value):
    """Return a value of a column as SQL takes it."""
    if isinstance(value, UUID | datetime):
        return Entry._meta.get_field(column).get_db_prep_value(value, connection)
    return json.dumps(value) if isinstance(value, dict) else value


class TestEntries:
    def test_each_column_altered(self, entries, key):
        entry = entries[0]
        columns = {field.name for field in Entry._meta.fields}
        assert columns == {"id", *(column for column, _value in ALTERED)}
        for column, value in ALTERED:
            change(entry, column, _in_sql(column, value))
            assert (column, found(key)) == (column, [("altered", entry.id)])
            change(entry, column, _in_sql(column, getattr(entry, column)))
            assert (column, found(key)) == (column, [])

    def test_time_altered_by_a_microsecond(self, entries, key):
        value = entries[1].timestamp + timedelta(microseconds=1)
        field = Entry._meta.get_field("timestamp")
        change(entries[1], "timestamp", field.get_db_prep_value(value, connection))
        assert found(key) == [("altered", entries[1].id)]

    def test_entry_removed(self, entries, key):
        attack(f"DELETE FROM {LOG} WHERE id = %s", parameters=[key_in_sql(entries[1].id)])
        assert found(key) == [("removed", entries[1].id)]

    def test_entry_inserted_with_an_old_time(self, entries, key):
        place = uuid_at(int(entries[0].timestamp.timestamp() - 1) * 1_000_000)
        made = _inserted(entries[0], place)
        assert found(key) == [("inserted", made.id)]

    def test_entry_got_another_key(self, entries, key):
        place = uuid_at(1_700_000_000_000_000)
        change(entries[1], "id", key_in_sql(place))
        assert found(key) == [("moved", place)]

    def test_two_entries_exchanged(self, entries, key):
        one, other = (key_in_sql(entry.id) for entry in entries[:2])
        between = key_in_sql(uuid_at(1))
        for former, new in ((one, between), (other, one), (between, other)):
            attack(f"UPDATE {LOG} SET id = %s WHERE id = %s", parameters=[new, former])
        assert found(key) == [("moved", entries[0].id), ("moved", entries[1].id)]
        assert texts(key)[0] == (
            f"Entry {entries[0].id} has what entry {entries[1].id} had when it was sealed."
        )

    def test_tail_cut(self, entries, key):
        for entry in entries[-2:]:
            attack(f"DELETE FROM {LOG} WHERE id = %s", parameters=[key_in_sql(entry.id)])
        assert found(key) == [("removed", entry.id) for entry in entries[-2:]]

    def test_log_emptied_and_refilled(self, entries, key):
        sealed = list(Entry.objects.order_by("id").values_list("id", flat=True))
        attack(f"DELETE FROM {LOG}")
        Tag.objects.create(name="after")
        assert found(key) == [("removed", one) for one in sealed]

    def test_many_are_named(self, entries, key, monkeypatch):
        """Only the first ones are compared with each other; all are named."""
        monkeypatch.setattr(findings, "_MOST", 1)
        attack(f"UPDATE {LOG} SET user_label = 'x'")
        assert len(found(key)) == Entry.objects.count()

    def test_command_names_and_fails(self, entries, key):
        change(entries[0], "user_label", "Ann")
        out = StringIO()
        with pytest.raises(CommandError, match=r"not what was sealed: 1 finding\."):
            call_command("history_verify", stdout=out, stderr=StringIO())
        assert out.getvalue().startswith(f"altered   Entry {entries[0].id}, leaf ")


def _inserted(entry, key):
    return Entry.objects.create(
        id=key,
        timestamp=entry.timestamp,
        kind="update",
        action="Update",
        entity_model="crm.customer",
        entity_id=entry.entity_id,
        changes={"name": ["Acme", "Evil"]},
        source="web",
    )


ALTERED_SEAL = [
    ("timestamp", datetime(2026, 1, 1, tzinfo=UTC)),
    ("size", 3),
    ("start", 1),
    ("is_late", True),
    ("first_key", uuid_at(1)),
    ("last_key", uuid_at(1)),
    ("index", b"\x00" * 48),
    ("edge", b"\x00" * 32),
    ("manifest", "x"),
    ("timestamp_token", b"\x30\x00"),
    ("cosignatures", "— witness.example.org/w1 AAAA\n"),
    ("checkpoint", "example.com/history\n2\nAAAA\n\n— example.com/history AAAA\n"),
]


class TestSeals:
    def test_each_column_altered(self, entries, key):
        last = Seal.objects.latest("id")
        for column, value in ALTERED_SEAL:
            name, field = connection.ops.quote_name(column), Seal._meta.get_field(column)
            for one in (value, getattr(last, column)):
                attack(
                    f"UPDATE {SEALS} SET {name} = %s WHERE id = %s",
                    parameters=[field.get_db_prep_value(one, connection), last.pk],
                )
                kinds = [kind for kind, _entry in found(key)]
                assert (column, kinds[:1]) == (column, ["forged"] if one is value else [])
                assert not {"altered", "removed", "inserted", "moved"} & set(kinds)

    def test_seal_got_another_name(self, entries, key):
        last = Seal.objects.latest("id")
        attack(f"UPDATE {SEALS} SET log_name = 'other' WHERE id = {last.pk}")
        assert [kind for kind, _entry in found(key)] == ["missing", "forged"]

    def test_first_seal_removed(self, entries, key):
        first = Seal.objects.earliest("id")
        attack(f"DELETE FROM {SEALS} WHERE id = {first.pk}")
        start, copy = texts(key)
        assert start.endswith(
            f"begins at {first.size}, and the seal before it ends at 0: a seal between them is"
            " missing."
        )
        assert copy.endswith(f"states {first.size} entries, and the seal of it is missing.")

    def test_last_seal_removed(self, entries, key):
        """The copy outside of the database shows it."""
        last = Seal.objects.latest("id")
        attack(f"DELETE FROM {SEALS} WHERE id = {last.pk}")
        assert found(key) == [("missing", None)]

    def test_all_seals_removed(self, entries, key, copies):
        attack(f"DELETE FROM {SEALS}")
        assert texts(key)[0] == "The log has no seals."
        for path in copies():
            path.unlink()
        assert found(key) == [("missing", None)]

    def test_tail_cut_with_its_seal(self, entries, key):
        last = Seal.objects.latest("id")
        attack(f"DELETE FROM {SEALS} WHERE id = {last.pk}")
        for entry in entries[-2:]:
            attack(f"DELETE FROM {LOG} WHERE id = %s", parameters=[key_in_sql(entry.id)])
        assert found(key) == [("missing", None)]

    def test_log_sealed_anew_with_the_key(self, entries, key, tmp_path):
        """Who has the key can make seals, but not the copies that were published before."""
        attack(f"DELETE FROM {SEALS}")
        change(entries[0], "user_label", "Ann")
        for path in list((tmp_path / "copies").rglob("*.checkpoint")):
            path.rename(tmp_path / path.name)
        seal()
        for path in sorted(tmp_path.glob("*.checkpoint")):
            path.rename(next((tmp_path / "copies").rglob("*.checkpoint")).parent / path.name)
        assert {kind for kind, _entry in found(key)} == {"missing", "forged"}

    def test_log_sealed_anew_with_another_key(self, entries, key, settings, tmp_path):
        attack(f"DELETE FROM {SEALS}")
        other = SealKey.new("example.com/history")
        other.write(tmp_path / "other.key")
        published = settings.CUSTOMER_HISTORY
        settings.CUSTOMER_HISTORY = {"SEAL_KEY": str(tmp_path / "other.key")}
        seal()
        assert found(other) == []
        settings.CUSTOMER_HISTORY = published
        assert {kind for kind, _entry in found(key)} == {"missing", "forged"}
        assert {kind for kind, _entry in found(other)} == {"forged"}

    def test_root_of_other_entries(self, entries, key):
        """A seal that was signed with the key, but whose root is not that of its entries."""
        last = Seal.objects.latest("id")
        before = Seal.objects.get(size=last.start)
        hashes = [leaf_hash(b"other"), *leaf_hashes(last)[1:]]
        forged = sealing.new_seal(
            key,
            log_name=last.log_name,
            before=sealing.RightEdge.read(bytes(before.edge), size=before.size),
            leaves=zip([entry.id for entry in entries[-len(hashes) :]], hashes, strict=True),
            timestamp=last.timestamp,
        )
        forged.index = bytes(last.index)
        forged.manifest = key.signed(manifest_of(forged))
        attack(f"DELETE FROM {SEALS} WHERE id = {last.pk}")
        forged.save()
        text = f"Seal {forged.pk} of {last.size} entries: the root of the tree is not that of its"
        assert texts(key)[0] == f"{text} entries."
        assert [kind for kind, _entry in found(key)] == [
            "forged",
            "forged",
        ]  # The copy has its root.


class TestCopies:
    def test_copy_altered(self, entries, key, copies):
        path = copies()[0]
        path.write_text(path.read_text().replace("history\n", "history\n1", 1))
        assert found(key) == [("forged", None)]

    def test_copy_of_another_log(self, entries, key, copies):
        name = "example.com/other"
        copies()[0].write_text(SealKey.new(name).signed(f"{name}\n1\n{'A' * 43}=\n"))
        assert found(key) == [("forged", None)]

    def test_copies_removed(self, entries, key, copies):
        for path in copies():
            path.unlink()
        assert found(key) == [("missing", None)]

    def test_checkpoint_of_an_email(self, entries, key, copies, tmp_path):
        path = tmp_path / "mail.txt"
        path.write_text(copies()[0].read_text())
        assert "Verified" in run("history_verify", checkpoint=[str(path)])
        path.write_text("x")
        with pytest.raises(CommandError, match=r"1 finding\."):
            run("history_verify", checkpoint=[str(path)])
        with pytest.raises(CommandError, match="cannot be read"):
            run("history_verify", checkpoint=[str(tmp_path / "none")])


class TestNoFalseAlarm:
    def test_order_of_keys_of_json(self, entries, key):
        for entry in Entry.objects.all():
            if entry.kind == "update" and entry.context:
                context = json.dumps(dict(reversed(entry.context.items())), indent=2)
                change(entry, "context", context)
            changes = json.dumps(dict(reversed(entry.changes.items())), indent=2)
            change(entry, "changes", changes)
        assert found(key) == []

    def test_dump_and_restore(self, entries, key, tmp_path):
        path = tmp_path / "dump.json"
        run("dumpdata", "customer_history", output=str(path))
        count = Entry.objects.count()
        run("flush", interactive=False, verbosity=0)
        assert not Seal.objects.exists()
        attack(f"DELETE FROM {LOG}")
        run("loaddata", str(path), verbosity=0)
        assert Entry.objects.count() >= count
        assert found(key) == []
        Tag.objects.create(name="after")
        assert seal().start == count

    def test_new_key(self, entries, key, settings, tmp_path):
        run("history_seal", new_key=str(tmp_path / "next.key"))
        settings.CUSTOMER_HISTORY = {
            **settings.CUSTOMER_HISTORY,
            "SEAL_KEY": str(tmp_path / "next.key"),
        }
        Tag.objects.create(name="after")
        seal()
        assert "; 0 entries are not sealed yet" in run("history_verify")

    def test_late_import(self, entries, key):
        """It is reported until somebody seals it as theirs."""
        made = _inserted(entries[0], uuid_at(1_600_000_000_000_000))
        assert found(key) == [("inserted", made.id)]
        seal(late=True)
        assert found(key) == []
        Tag.objects.create(name="after")
        seal()
        assert found(key) == []
        change(made, "user_label", "Ann")
        assert found(key) == [("altered", made.id)]

    def test_unsealed_entries(self, entries, key):
        Tag.objects.create(name="after")
        assert "; 1 entries are not sealed yet" in run("history_verify")

    def test_several_seals_at_once(self, entries, key, monkeypatch):
        monkeypatch.setattr(sealing, "SEAL_SIZE", 2)
        Customer.objects.bulk_create(Customer(name=str(number)) for number in range(7))
        seal()
        assert found(key) == []

    def test_new_tree_after_a_restore(self, entries, key, settings, tmp_path):
        run("history_seal", new_key=str(tmp_path / "next.key"), log_name="example.com/second")
        settings.CUSTOMER_HISTORY = {
            **settings.CUSTOMER_HISTORY,
            "SEAL_KEY": str(tmp_path / "next.key"),
        }
        made = seal(new_tree=True)
        assert (made.log_name, made.start) == ("example.com/second", 0)
        run("history_verify")

    def test_partitioned_log(self, entries, key):
        if not features_of(connection).supports_partitions:
            pytest.skip("the database has no partitions")
        try:
            create_partitions(connection)
            assert found(key) == []
        finally:
            with connection.cursor() as cursor:
                cursor.execute(f"DROP TABLE {LOG} CASCADE")
            with connection.schema_editor() as editor:
                editor.create_model(Entry)
            call_command("history_triggers", fix=True, stdout=StringIO())
        assert not compare_triggers(connection)
