"""Shipping into real targets: each entry once, in the order of the log, with its reader's masks."""

import json
import sys
from io import StringIO
from pathlib import Path

import pytest
from django.core.files.storage import storages
from django.core.management import CommandError, call_command
from django.db import connection

from django_customer_history.exceptions import TargetError
from django_customer_history.feed.locks import only_shipper
from django_customer_history.models import Entry
from tests.contrib import shipped
from tests.extras import needs
from tests.projects.crm.models import Customer
from tests.reading.conftest import grant
from tests.servers.ports import free_port

SSN = "123-45-6789"
"""A confidential value of the fixture `customer`."""

pytestmark = pytest.mark.django_db(transaction=True)


def ship(url, *arguments):
    out = StringIO()
    options = ("--until-settled", "--interval=2")
    call_command("history_ship", url, *options, *arguments, stdout=out, stderr=StringIO())
    return out.getvalue()


def rename(customer, *names):
    for name in names:
        Customer.objects.filter(pk=customer.pk).update(name=name)


def ids(entries):
    return [entry["id"] for entry in entries]


def ids_of_log():
    return list(map(str, Entry.objects.order_by("id").values_list("id", flat=True)))


class TestEachTarget:
    def test_each_entry_once(self, target, customer):
        url, read = target
        rename(customer, "a", "b")
        ship(url, "--batch-size=2")
        rename(customer, "c")
        ship(url)
        ship(url)
        assert ids(read()) == ids_of_log()

    def test_says_how_many(self, target, customer):
        rename(customer, "a", "b", "c")
        url, _read = target
        assert ship(url, "--kind=update").startswith(
            f"Shipped 3 entries to {url.partition(':')[0]}"
        )

    def test_masks_of_the_reader(self, target, user):
        grant(user, "view_customer_history")
        url, read = target
        ship(url, "--as=ann")
        assert read()
        assert SSN not in str(read())

    def test_unmasked_on_demand(self, target, customer):
        url, read = target
        ship(url, "--unmasked")
        assert SSN in str(read())

    def test_other_filters(self, target, customer):
        url, _read = target
        ship(url)
        with pytest.raises(CommandError, match="to another reader, database"):
            ship(url, "--kind=create")

    def test_second_shipper(self, target, customer):
        url, read = target
        ship(url)
        rename(customer, "a")
        name = url.partition("?")[0]
        with (
            only_shipper("default", name),
            pytest.raises(CommandError, match="Another process ships to"),
        ):
            ship(url)
        assert len(read()) == Entry.objects.count() - 1

    def test_after_an_entry(self, target, customer):
        url, read = target
        rename(customer, "a", "b", "c")
        *_, before, _last = Entry.objects.order_by("id")
        ship(url, f"--after={before.id}")
        assert ids(read()) == ids_of_log()[-1:]
        with pytest.raises(CommandError, match="has a position already"):
            ship(url, f"--after={before.id}")


class TestFile:
    @pytest.fixture
    def path(self, tmp_path, customer):
        path = tmp_path / "log.ndjson"
        ship(f"file:{path}")
        return path

    def test_cuts_what_a_crash_left(self, path, customer):
        with path.open("ab") as file:
            file.write(b'{"id": "half')
        rename(customer, "a")
        ship(f"file:{path}")
        assert ids(shipped.of_file(f"file:{path}")) == ids_of_log()

    @pytest.mark.parametrize(
        "state",
        ['{"version": 1, "posi', '{"version": 1, "question": "x"}', "[]", "\udcff"],
        ids=["cut", "no position", "a list", "no text"],
    )
    def test_damaged_state(self, path, state):
        before = path.read_bytes()
        Path(f"{path}.state").write_bytes(state.encode(errors="surrogateescape"))
        with pytest.raises(CommandError, match=r"\.state (is not a state|cannot be read)"):
            ship(f"file:{path}")
        assert path.read_bytes() == before

    def test_state_without_length(self, path):
        state = Path(f"{path}.state")
        values = json.loads(state.read_text())
        state.write_text(json.dumps({**values, "details": {"length": "7"}}))
        with pytest.raises(CommandError, match="has no length of the file"):
            ship(f"file:{path}")

    def test_file_that_was_cut(self, path):
        path.write_bytes(path.read_bytes()[:-1])
        with pytest.raises(CommandError, match="it was cut or replaced"):
            ship(f"file:{path}")

    def test_file_without_state(self, path):
        Path(f"{path}.state").unlink()
        with pytest.raises(CommandError, match="has content, but there is no"):
            ship(f"file:{path}")

    def test_folder_that_is_missing(self, tmp_path, customer):
        with pytest.raises(CommandError, match="cannot be written"):
            ship(f"file:{tmp_path / 'no' / 'log.ndjson'}")


@needs("pyarrow")
class TestParquet:
    def test_one_file_for_a_batch(self, tmp_path, customer):
        rename(customer, "a", "b", "c")
        ship(f"parquet:{tmp_path}", "--batch-size=2")
        names = sorted(path.name for path in tmp_path.glob("*.parquet"))
        assert len(names) == -(-Entry.objects.count() // 2)
        ends = [name.removesuffix(".parquet").split("-")[1:] for name in names]
        assert [end for _start, end in ends[:-1]] == [start for start, _end in ends[1:]]

    def test_storage_of_django(self, settings, customer):
        settings.STORAGES = {
            **settings.STORAGES,
            "lake": {"BACKEND": "django.core.files.storage.InMemoryStorage"},
        }
        for name in "ab":
            rename(customer, name)
            ship("parquet+storage://lake/history")
        assert len(storages["lake"].listdir("history")[1]) == 2

    def test_storage_on_the_disk(self, settings, tmp_path, customer):
        backend = "django.core.files.storage.FileSystemStorage"
        options = {"location": str(tmp_path)}
        settings.STORAGES = {**settings.STORAGES, "lake": {"BACKEND": backend, "OPTIONS": options}}
        ship("parquet+storage://lake/history")
        assert ids(shipped.of_parquet(f"parquet:{tmp_path / 'history'}")) == ids_of_log()

    def test_unknown_storage(self, customer):
        with pytest.raises(CommandError, match="There is no storage 'lake'"):
            ship("parquet+storage://lake/history")

    def test_damaged_file(self, tmp_path, customer):
        ship(f"parquet:{tmp_path}")
        (path,) = tmp_path.glob("*.parquet")
        path.write_bytes(path.read_bytes()[:50])
        with pytest.raises(CommandError, match="is damaged"):
            ship(f"parquet:{tmp_path}")

    def test_has_no_state_file(self, tmp_path, customer):
        with pytest.raises(CommandError, match="keeps its position itself"):
            ship(f"parquet:{tmp_path}", f"--state={tmp_path / 'state'}")

    def test_has_no_messages(self, tmp_path, customer):
        with pytest.raises(CommandError, match="'ocsf' does not apply"):
            ship(f"parquet:{tmp_path}", "--format=ocsf")


@needs("deltalake")
class TestDelta:
    def test_goes_on_after_compaction(self, tmp_path, customer):
        import deltalake  # noqa: PLC0415 - an optional package

        url = f"delta:{tmp_path / 'table'}"
        rename(customer, "a", "b")
        ship(url, "--batch-size=1")
        deltalake.DeltaTable(tmp_path / "table").optimize.compact()
        rename(customer, "c")
        ship(url)
        assert ids(shipped.of_delta(url)) == ids_of_log()

    def test_table_of_others(self, tmp_path, customer):
        import deltalake  # noqa: PLC0415 - an optional package
        import pyarrow  # noqa: PLC0415

        deltalake.write_deltalake(tmp_path / "table", pyarrow.table({"a": [1]}))
        with pytest.raises(CommandError, match="has no commit of this command"):
            ship(f"delta:{tmp_path / 'table'}")


class TestUnreachable:
    @pytest.mark.parametrize("scheme", ["redis", "nats"])
    def test_server_is_down(self, scheme, customer):
        pytest.importorskip(scheme)
        with pytest.raises(CommandError, match=r"did not take the entries: .*Nothing is lost"):
            ship(f"{scheme}://127.0.0.1:{free_port()}/0")

    @needs("redis")
    def test_redis_that_was_emptied(self, redis_url, customer):
        import redis  # noqa: PLC0415 - an optional package

        ship(redis_url)
        last = Entry.objects.latest("id").id
        with redis.Redis.from_url(redis_url.partition("?")[0]) as client:
            client.xtrim("history", maxlen=0, approximate=False)
        rename(customer, "a")
        with pytest.raises(CommandError, match="so its position is lost"):
            ship(redis_url)
        ship(redis_url, f"--after={last}")
        assert ids(shipped.of_redis(redis_url)) == ids_of_log()[-1:]

    @needs("redis")
    def test_stream_of_others(self, redis_url, customer):
        import redis  # noqa: PLC0415 - an optional package

        with redis.Redis.from_url(redis_url.partition("?")[0]) as client:
            client.xadd("history", {"a": "b"})
        with pytest.raises(CommandError, match="is not an entry of the history"):
            ship(redis_url)

    @pytest.mark.parametrize(
        ("module", "url", "extra"),
        [
            ("pyarrow.parquet", "parquet:/tmp/x", "parquet"),
            ("deltalake", "delta:/tmp/x", "delta"),
            ("redis", "redis://127.0.0.1/0", "redis"),
            ("nats", "nats://127.0.0.1", "nats"),
            ("standardwebhooks", "https://example.com", "webhook"),
        ],
    )
    def test_package_is_missing(self, monkeypatch, customer, module, url, extra):
        monkeypatch.setitem(sys.modules, module, None)
        with pytest.raises(CommandError, match=rf'"django-customer-history\[{extra}\]"'):
            ship(url)

    @pytest.mark.parametrize(
        ("url", "message"),
        [
            ("filee:/tmp/x", "'?filee'? is not a kind of target. Did you mean 'file'"),
            ("/tmp/x", "is not a kind of target"),
            ("file:", "Give a path after file:"),
        ],
    )
    def test_wrong_target(self, customer, url, message):
        with pytest.raises(CommandError, match=message):
            ship(url)


class TestLock:
    def test_ends_with_its_block(self):
        with only_shipper("default", "file:/x"):
            pass
        with only_shipper("default", "file:/x"), only_shipper("default", "file:/y") as check:
            check()

    def test_lost_session(self):
        if connection.vendor != "postgresql":
            pytest.skip("about PostgreSQL")
        with only_shipper("default", "file:/x") as check:
            with connection.cursor() as cursor:
                cursor.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'"
                    " AND database = (SELECT oid FROM pg_database"
                    " WHERE datname = current_database())"
                )
            with pytest.raises(TargetError, match="with the lock of the target is lost"):
                check()
