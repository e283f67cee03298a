"""A verification of a part of the log, its result, and its memory."""

from datetime import timedelta

import pytest
from django.core.management import CommandError

from django_customer_history.feed.seals import comparison, sealing
from django_customer_history.feed.seals.results import VerificationResult
from django_customer_history.keys import uuid_at
from django_customer_history.models import Entry, Seal
from tests.projects.crm.models import Customer, Tag
from tests.seals.conftest import attack, change, found, key_in_sql, run, seal

pytestmark = pytest.mark.django_db(transaction=True)

NAME = "example.com/history"


def late_entry(number):
    moment = 1_600_000_000_000_000 + number
    return Entry.objects.create(
        id=uuid_at(moment),
        timestamp=Entry.objects.earliest("id").timestamp,
        kind="event",
        action="Late",
        entity_model="crm.tag",
        entity_id=str(number),
        source="import",
    )


@pytest.fixture
def seals(key, customer):
    """Three seals: of the beginning, of two tags, and of one late entry and one tag."""
    seal()
    for name in "ab":
        Tag.objects.create(name=name)
    seal()
    late_entry(1)
    seal(late=True)
    Tag.objects.create(name="c")
    seal()
    return list(Seal.objects.order_by("id"))


def entry_of(seal):
    return Entry.objects.get(id=seal.first_key)


class TestSince:
    def test_newer_seals_only(self, seals, key):
        first, second, late, last = seals
        assert found(key, since=second.size) == []
        for one in (first, second, late, last):
            change(entry_of(one), "user_label", "Ann")
        altered = {one: ("altered", entry_of(one).id) for one in seals}
        assert found(key, since=last.size) == []
        assert found(key, since=late.size) == [altered[last]]
        assert found(key, since=second.size) == [altered[late], altered[last]]
        assert found(key, since=first.size) == [altered[late], altered[second], altered[last]]
        assert found(key, since=0) == found(key)

    def test_since_a_moment(self, seals, key):
        change(entry_of(seals[0]), "user_label", "Ann")
        moment = seals[-1].timestamp
        assert found(key, since=moment) == []
        assert len(found(key, since=seals[0].timestamp)) == 1
        assert found(key, since=moment + timedelta(days=1)) == []

    def test_late_entry_removed(self, seals, key):
        gone = seals[2].first_key
        attack("DELETE FROM customer_history_entry WHERE id = %s", parameters=[key_in_sql(gone)])
        assert found(key, since=seals[1].size) == [("removed", gone)]
        assert found(key, since=seals[2].size) == []

    def test_seal_before_it_forged(self, seals, key):
        attack(f"UPDATE customer_history_seal SET manifest = 'x' WHERE id = {seals[1].pk}")
        assert found(key, since=seals[1].size) == [("forged", None)]

    def test_older_copies_are_not_read(self, seals, key, copies):
        copies()[0].write_text("damaged")
        assert found(key, since=seals[0].size) == []
        assert found(key) == [("forged", None)]

    def test_command_says_what_it_left_out(self, seals, key):
        text = run("history_verify", since=str(seals[1].size))
        assert text == (
            "Verified 2 entries in 2 seals; 0 entries are not sealed yet.\n"
            f"Only what was sealed since {seals[1].size} is verified. Older entries are not.\n"
        )
        assert run("history_verify", since="2100-01-01").startswith("Verified 0 entries in 0 seals")
        with pytest.raises(CommandError, match="Give a day or a moment"):
            run("history_verify", since="yesterday")


class TestSubject:
    def test_only_its_entries(self, seals, key, customer):
        other = Customer.objects.create(name="Other")
        seal()
        count = Entry.objects.filter(subject_id=str(customer.pk)).count()
        text = run("history_verify", subject=f"crm.customer:{customer.pk}")
        assert text.startswith(f"Verified {count} entries of crm.customer:{customer.pk}; 0 of them")
        altered = Entry.objects.filter(subject_id=str(other.pk)).latest("id")
        change(altered, "user_label", "Ann")
        run("history_verify", subject=f"crm.customer:{customer.pk}")
        with pytest.raises(CommandError, match=r"not what was sealed: 1 finding\."):
            run("history_verify", subject=f"crm.customer:{other.pk}")

    def test_unsealed_and_inserted(self, seals, key, customer):
        customer.name = "New"
        customer.save()
        unsealed = Entry.objects.latest("id")
        subject = f"crm.customer:{customer.pk}"
        assert "; 1 of them are not sealed yet" in run("history_verify", subject=subject)
        change(unsealed, "id", key_in_sql(uuid_at(1_650_000_000_000_000)))
        with pytest.raises(CommandError, match=r"1 finding\."):
            run("history_verify", subject=subject)

    def test_forged_seal_is_named_once(self, seals, key, customer):
        for name in "xyz":
            customer.name = name
            customer.save()
        last = seal()
        attack(f"UPDATE customer_history_seal SET manifest = 'x' WHERE id = {last.pk}")
        with pytest.raises(CommandError, match=r"1 finding\."):
            run("history_verify", subject=f"crm.customer:{customer.pk}")

    def test_impossible_options(self, seals, key):
        with pytest.raises(CommandError, match="has no History tab"):
            run("history_verify", subject="crm.tag:1")
        with pytest.raises(CommandError, match="there never was"):
            run("history_verify", subject="crm.customer:987654")
        with pytest.raises(CommandError, match="--checkpoint is for the whole log"):
            run("history_verify", subject="crm.customer:1", checkpoint=["x"])


class TestResult:
    def test_entry_of_a_full_run(self, seals, key):
        assert VerificationResult.last(NAME, using="default") is None
        count = Entry.objects.count()
        run("history_verify")
        entry = Entry.objects.latest("id")
        assert (entry.kind, entry.action) == ("event", "Log Verified")
        assert (entry.entity_model, entry.entity_id) == ("customer_history.seal", NAME)
        assert entry.changes == {
            "entries": [None, str(count)],
            "seals": [None, "4"],
            "unsealed": [None, "0"],
            "findings": [None, "0"],
        }
        assert VerificationResult.last(NAME, using="default").findings == 0

    def test_findings_are_counted(self, seals, key):
        change(entry_of(seals[0]), "user_label", "Ann")
        with pytest.raises(CommandError, match=r"1 finding\."):
            run("history_verify")
        assert VerificationResult.last(NAME, using="default").findings == 1

    def test_no_entry_of_a_part(self, seals, key, customer):
        count = Entry.objects.count()
        run("history_verify", no_entry=True)
        run("history_verify", since="0")
        run("history_verify", subject=f"crm.customer:{customer.pk}")
        assert Entry.objects.count() == count

    def test_damaged_entry(self, seals, key):
        run("history_verify")
        change(Entry.objects.latest("id"), "changes", "{}")
        assert VerificationResult.last(NAME, using="default").findings is None


class TestMemory:
    def test_late_seals_in_few_rows(self):
        """One seal of each row is in memory. Seals of one import follow each other."""
        keys = [uuid_at(number * 1_000_000) for number in range(1, 9)]
        ranges = [
            (1, keys[0], keys[1]),
            (2, keys[2], keys[3]),
            (3, keys[4], keys[5]),
            (4, keys[1], keys[2]),
            (5, keys[6], keys[7]),
            (6, keys[5], keys[6]),
        ]
        assert comparison._rows(ranges) == [[1, 2, 3, 5], [4, 6]]

    def test_late_seals_of_two_imports(self, key, monkeypatch):
        monkeypatch.setattr(sealing, "SEAL_SIZE", 2)
        Tag.objects.create(name="a")
        seal()
        for start in (0, 1):
            for number in range(start, 12, 2):
                late_entry(number)
            seal(late=True)
        assert Seal.objects.filter(is_late=True).count() == 6
        assert found(key) == []
        gone = Entry.objects.get(entity_id="7", action="Late")
        change(gone, "user_label", "Ann")
        assert found(key) == [("altered", gone.id)]
