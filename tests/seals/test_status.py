"""Health says whether the log is sealed, published and verified in time."""

from datetime import timedelta

import pytest
from django.core.management import CommandError
from django.utils import timezone

from django_customer_history import health
from django_customer_history.exceptions import SealError
from django_customer_history.feed.seals import status as status_module
from django_customer_history.models import Entry, Seal
from tests.projects.crm.models import Tag
from tests.seals.conftest import change, run, seal

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def later(monkeypatch):
    """Let the clock of health run ahead."""

    def by(**duration):
        ahead = timezone.now() + timedelta(**duration)
        monkeypatch.setattr(status_module.timezone, "now", lambda: ahead)

    return by


@pytest.fixture
def last(key):
    Tag.objects.create(name="a")
    return seal()


def problems():
    """Return the problems of the seals, which are among all problems."""
    found = status_module.seal_problems(using="default")
    assert [one for one in health.problems() if one in found] == found
    return found


class TestStatus:
    def test_without_a_key(self, settings):
        settings.CUSTOMER_HISTORY = {}
        assert health.seals() is None

    def test_log_without_a_seal(self, key):
        Tag.objects.create(name="a")
        found = health.seals()
        assert (found.log_name, found.size, found.sealed) == ("example.com/history", 0, None)
        assert found.unsealed == Entry.objects.count()
        assert found.unsealed_since == Entry.objects.earliest("id").timestamp

    def test_numbers(self, last):
        assert (health.seals().unsealed, health.seals().unsealed_since) == (0, None)
        Tag.objects.create(name="b")
        run("history_verify")
        found = health.seals()
        assert (found.size, found.sealed, found.unsealed) == (last.size, last.timestamp, 2)
        assert (found.findings, found.verified) == (0, Entry.objects.latest("id").timestamp)

    def test_count_is_bounded(self, last, monkeypatch):
        monkeypatch.setattr(status_module, "MOST_COUNTED", 3)
        for name in "abcde":
            Tag.objects.create(name=name)
        assert health.seals().unsealed == 3

    def test_key_that_cannot_be_read(self, settings):
        settings.CUSTOMER_HISTORY = {"SEAL_KEY": "env:NO_SUCH_KEY"}
        with pytest.raises(SealError, match="is not set"):
            health.seals()
        assert problems() == ["The variable 'NO_SUCH_KEY', which SEAL_KEY names, is not set."]


class TestProblems:
    def test_nothing_is_wrong(self, last, later):
        run("history_verify")
        seal()
        later(days=2)
        assert problems() == []

    def test_entries_that_are_not_sealed(self, last, later):
        Tag.objects.create(name="b")
        assert problems() == []
        later(hours=25)
        assert problems() == [
            "1 entries are not sealed, the oldest of them since 25.0 hours: run history_seal"
        ]
        seal()
        assert problems() == []

    def test_limits(self, last, later, settings):
        Tag.objects.create(name="b")
        later(days=40)
        assert problems() == [
            "1 entries are not sealed, the oldest of them since 40 days: run history_seal",
            "the log was sealed for the first time, and never verified, 40 days ago: run"
            " history_verify",
        ]
        limits = {"SEAL_LAG_LIMIT": 10**9, "VERIFICATION_AGE_LIMIT": 0}
        settings.CUSTOMER_HISTORY = {**settings.CUSTOMER_HISTORY, **limits}
        assert problems() == []

    def test_findings(self, last, later):
        change(Entry.objects.latest("id"), "user_label", "Ann")
        with pytest.raises(CommandError, match=r"1 finding\."):
            run("history_verify")
        today = Entry.objects.latest("id").timestamp
        assert problems() == [
            f"the log is not what was sealed: history_verify had 1 finding on {today:%Y-%m-%d}"
        ]
        later(days=31)
        assert "the log was verified 31 days ago: run history_verify" in problems()

    def test_copy_that_is_missing(self, last, later, copies, tmp_path):
        copies()[0].unlink()
        assert problems() == []
        later(minutes=2)
        assert problems() == [
            f"file://{tmp_path}/copies has no copy of the last checkpoint, of {last.size} entries"
        ]

    def test_storage_that_fails(self, last, later, monkeypatch, tmp_path):
        def fail(*_args):
            raise RuntimeError("no answer")

        monkeypatch.setattr("django.core.files.storage.FileSystemStorage.exists", fail)
        later(minutes=2)
        assert problems() == [f"file://{tmp_path}/copies cannot be read: no answer"]

    def test_missing_timestamp(self, last, later, settings):
        url = {"SEAL_TIMESTAMP_URL": "https://tsa.example.com/"}
        settings.CUSTOMER_HISTORY = {**settings.CUSTOMER_HISTORY, **url}
        later(minutes=2)
        assert problems() == [
            f"The last seal, of {last.size} entries, has no timestamp of https://tsa.example.com/."
        ]

    def test_bounded_queries(self, last, django_assert_max_num_queries):
        for name in "bcdef":
            Tag.objects.create(name=name)
            seal()
        with django_assert_max_num_queries(6):
            health.seals()
        assert Seal.objects.count() == 6
