"""Imported entries behind the last seal: counted until somebody seals them, and nothing hides."""

from datetime import UTC, datetime

import pytest

from django_customer_history.feed.seals.completeness import Completeness
from django_customer_history.feed.seals.verification import Verification
from django_customer_history.keys import uuid_at
from django_customer_history.models import Entry
from tests.projects.past.models import Client
from tests.seals.conftest import attack, run, seal

pytestmark = pytest.mark.django_db(transaction=True)
KIND = "customer_history.import"


def found(key):
    return [(one.kind, one.text) for one in Verification(key=key, using="default").run()]


@pytest.fixture
def imported(key):
    """Two entries of an import, behind the last seal."""
    client = Client.objects.create(name="Acme")
    attack("DELETE FROM customer_history_entry")
    client.tags.create(name="vip")
    client.history.update(history_date=datetime(2024, 3, 1, tzinfo=UTC))
    seal()
    run("history_import_simple_history", "past.client")
    return Entry.objects.filter(source="import").order_by("id")


def inserted(entry, key, **values):
    """Insert an entry that looks like those of the import."""
    columns = ("kind", "action", "entity_model", "entity_id", "changes", "source", "context")
    copied = {name: getattr(entry, name) for name in columns}
    return Entry.objects.create(id=key, timestamp=entry.timestamp, **{**copied, **values})


class TestLateEntries:
    def test_announced(self, imported):
        keys = [str(one.id) for one in imported]
        announced = Entry.objects.get(entity_model=KIND)
        assert (announced.kind, announced.action) == ("event", "History Imported")
        assert announced.entity_id == "past.client"
        assert announced.changes == {
            "first": [None, keys[0]],
            "last": [None, keys[-1]],
            "entries": [None, str(len(keys))],
        }
        run("history_import_simple_history", "past.client")
        assert Entry.objects.filter(entity_model=KIND).count() == 1

    def test_late_until_sealed(self, imported, key):
        keys = [one.id for one in imported]
        announced = Entry.objects.get(entity_model=KIND)
        text = (
            f"{len(keys)} entries from {keys[0]} to {keys[-1]} are of an import of past.client, as"
            f" entry {announced.id} says, and in no seal yet. If the import is yours, run"
            " history_seal --late."
        )
        assert found(key) == [("late", text)]
        seal()
        assert found(key) == [("late", text)]
        seal(late=True)
        assert found(key) == []

    def test_nothing_unlogged(self, imported):
        """What only an import says is not compared with the rows."""
        Client.objects.update(name="Acme Two")
        found = Completeness(using="default").run()
        assert [one.text for one in found if one.kind != "missing"] == []

    def test_more_than_announced(self, imported, key):
        """An entry that somebody adds to the range makes one too many."""
        place = uuid_at(int(imported[0].timestamp.timestamp() * 1_000_000) - 1)
        inserted(imported[0], place)
        assert sorted(kind for kind, _text in found(key)) == ["inserted", "late"]

    def test_not_of_the_import(self, imported, key):
        for values in ({"source": "web"}, {"context": None}, {"entity_model": "crm.tag"}):
            place = uuid_at(int(imported[0].timestamp.timestamp() * 1_000_000))
            made = inserted(imported[0], place, **values)
            assert [kind for kind, text in found(key) if str(made.id) in text] == ["inserted"]

    def test_forged_announcement(self, imported, key):
        """An entry that announces a range, but was inserted itself, hides nothing."""
        seal(late=True)
        assert found(key) == []
        first = imported[0]
        made = inserted(first, uuid_at(int(first.timestamp.timestamp() * 1_000_000) + 5))
        forged = inserted(
            first,
            uuid_at(1_600_000_000_000_000),
            entity_model=KIND,
            kind="event",
            changes={
                "first": [None, str(made.id)],
                "last": [None, str(made.id)],
                "entries": [None, "1"],
            },
            entity_id="past.client",
        )
        assert sorted(found(key)) == [
            (
                "inserted",
                f"1 entries from {made.id} to {made.id} were inserted: the entry that announces"
                " them is wrong itself.",
            ),
            (
                "inserted",
                f"Entry {forged.id} was inserted: it is older than the last seal, and in no seal.",
            ),
        ]
