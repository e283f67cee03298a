"""Exports: CSV, NDJSON and XLSX, over HTTP and by command, streamed and recorded."""

import csv
import hashlib
import io
import json
import re
import tracemalloc

import pytest
from asgiref.sync import async_to_sync, sync_to_async
from django.core.management import CommandError, call_command
from django.db import connection
from django.http import StreamingHttpResponse
from django.test import AsyncClient
from openpyxl import load_workbook

from django_customer_history import history
from django_customer_history.context.resolved import NamedUser
from django_customer_history.export.streaming import start_export
from django_customer_history.models import Entry
from django_customer_history.reading import record_labels
from django_customer_history.reading.record_labels import KnownRecords
from django_customer_history.reading.timeline import Timeline
from tests.extras import needs
from tests.factories import log_updates
from tests.projects.crm.models import Account, Customer, Note
from tests.reading.conftest import grant

pytestmark = pytest.mark.django_db

HEAD = (
    "timestamp,user,action,entity,entity_id,field,old_value,new_value,source,ip_address,"
    "customer,reason,entry_id,kind,primary_id"
)


def download(client, customer, query="format=csv"):
    return client.get(f"/api/history/subjects/crm.customer/{customer.pk}/export/?{query}")


def rows(content):
    return list(csv.reader(io.StringIO(content.decode(), newline=""), strict=True))


REQUEST = "0190f6a8-0000-7000-8000-000000000001"
STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")


class TestCsv:
    def test_impersonator_is_named(self, reader, user, customer):
        ann, bob = NamedUser(id="7", label="Ann"), NamedUser(id="8", label="Bob")
        with history.acting(user=bob, impersonator=ann):
            Customer.objects.filter(pk=customer.pk).update(rate="44.99")
        assert rows(download(reader, customer).getvalue())[1][1] == "Ann (as Bob)"

    def test_users_without_a_record(self, reader, customer):
        with history.acting(user=NamedUser(id=None, label="deploy"), source="command"):
            Customer.objects.filter(pk=customer.pk).update(rate="44.99")
        with history.acting(source="command"):
            Customer.objects.filter(pk=customer.pk).update(rate="45.99")
        lines = rows(download(reader, customer).getvalue())
        assert [row[1] for row in lines[1:3]] == ["System", "deploy"]
        address = f"/api/history/subjects/crm.customer/{customer.pk}/?user=system&user=name:deploy"
        found = reader.get(address).json()["results"]
        assert [one["user"] for one in found[:2]] == [None, {"id": "", "name": "deploy"}]

    def test_has_a_row_for_each_change(self, reader, user, customer):
        with history.acting(
            user=user, source="import", ip_address="203.0.113.9", reason="requested by phone"
        ):
            Customer.objects.filter(pk=customer.pk).update(rate="44.99", status="canceled")
        entry = Entry.objects.order_by("-id").first()
        answer = download(reader, customer)
        assert isinstance(answer, StreamingHttpResponse)
        assert answer["Content-Type"] == "text/csv; charset=utf-8"
        assert answer["Cache-Control"] == "private, no-store"
        assert answer["Content-Disposition"] == (
            f'attachment; filename="history-crm.customer-{customer.pk}.csv"'
        )
        content = answer.getvalue()
        assert content.startswith(f"{HEAD}\r\n".encode())
        lines = rows(content)
        moment = entry.timestamp.isoformat(timespec="microseconds")
        assert moment.endswith("+00:00")
        tail = ["Import", "203.0.113.9", "Acme", "requested by phone", str(entry.id), "update", ""]
        head = [moment, "ann", entry.action, "Customer Acme", str(customer.pk)]
        assert lines[1:3] == [
            [*head, "Status", "Active customer", "Canceled", *tail],
            [*head, "Rate", "39.99", "44.99", *tail],
        ]
        masked = next(row for row in lines if row[5] == "Ssn")
        assert masked[6:8] == ["", "***-**-6789"]
        secret = next(row for row in lines if row[5] == "Portal password")
        assert secret[6:8] == ["(not stored)", "(not stored)"]

    @pytest.mark.parametrize("start", STARTS)
    def test_escapes_formulas(self, reader, customer, start):
        text = f'{start}HYPERLINK("http://example.com","x")\r\n, "quoted"'
        with history.acting(reason=text):
            Note.objects.create(customer=customer, text=text)
            history.record(f"{start}cmd", subject=customer)
        lines = rows(download(reader, customer).getvalue())
        for row in lines:
            assert len(row) == 15
            assert not any(cell.startswith(STARTS) for cell in row)
        note = next(row for row in lines if row[5] == "Text")
        assert note[7] == f"'{text}"

    def test_entry_without_changes(self, reader, customer):
        history.record("Envelope Signed", subject=customer)
        lines = rows(download(reader, customer).getvalue())
        assert lines[1][2] == "Envelope Signed"
        assert lines[1][5:8] == ["", "", ""]

    def test_event_that_reads_like_a_change(self, reader, customer):
        history.record("Update", subject=customer, changes={"rate": ("39.99", "1.00")})
        Customer.objects.update(rate="44.99")
        lines = rows(download(reader, customer).getvalue())
        assert [(row[2], row[13]) for row in lines[1:3]] == [
            ("Update", "update"),
            ("Update", "event"),
        ]
        page = reader.get(f"/customers/{customer.pk}/history/").content.decode()
        assert page.count('class="ch-kind"') == 1


class TestOtherFormats:
    def test_ndjson_lines_are_rest_entries(self, reader, customer):
        Customer.objects.filter(pk=customer.pk).update(name="Zoë\u2028", rate="1.10")
        listed = reader.get(f"/api/history/subjects/crm.customer/{customer.pk}/").json()["results"]
        answer = download(reader, customer, "format=ndjson")
        assert answer["Content-Type"] == "application/x-ndjson"
        lines = answer.getvalue().decode().split("\n")
        assert lines.pop() == ""
        assert [json.loads(line) for line in lines] == listed

    @needs("xlsxwriter")
    def test_xlsx_has_the_rows_of_the_csv(self, reader, customer):
        Note.objects.create(customer=customer, text="=1+1")
        Note.objects.create(customer=customer, text="https://example.com/ & <b>")
        expected = rows(download(reader, customer).getvalue())
        content = download(reader, customer, "format=xlsx&-action=History Exported").getvalue()
        sheet = load_workbook(io.BytesIO(content)).active
        lines = [[cell or "" for cell in row] for row in sheet.iter_rows(values_only=True)]
        assert lines == [[cell.removeprefix("'") for cell in row] for row in expected]
        cells = [cell for row in sheet.iter_rows() for cell in row if cell.value == "=1+1"]
        assert [cell.data_type for cell in cells] == ["s"]

    @needs("xlsxwriter")
    def test_xlsx_truncates_long_values(self, reader, customer):
        Note.objects.create(customer=customer, text="x" * 40_000)
        content = download(reader, customer, "format=xlsx&entity=crm.note&field=text").getvalue()
        cells = [cell for row in load_workbook(io.BytesIO(content)).active.values for cell in row]
        assert "x" * 32_766 + "…" in cells

    @needs("xlsxwriter")
    def test_xlsx_continues_in_a_new_sheet(self, reader, customer, monkeypatch):
        monkeypatch.setattr("django_customer_history.export.formats._ROWS_PER_SHEET", 4)
        for number in range(7):
            Note.objects.create(customer=customer, text=f"note {number}")
        content = download(reader, customer, "format=xlsx&field=text").getvalue()
        sheets = [list(sheet.values) for sheet in load_workbook(io.BytesIO(content)).worksheets]
        texts = [row[7] for rows in sheets for row in rows if row[5] == "Text"]
        assert [len(rows) for rows in sheets] == [4, 4, 4, 4, 3]
        assert all(",".join(rows[0]) == HEAD for rows in sheets)
        assert texts == [f"note {number}" for number in reversed(range(7))]

    def test_unknown_format_is_named(self, reader, customer, log):
        for query in ("format=pdf", "format=csv&format=xlsx", "format="):
            answer = download(reader, customer, query)
            assert answer.status_code == 400
            assert answer.json()["errors"][0]["parameter"] == "format"
        assert log.entries() == []

    def test_xlsx_needs_its_extra(self, reader, customer, monkeypatch):
        monkeypatch.setattr("django_customer_history.export.formats.find_spec", lambda name: None)
        answer = download(reader, customer, "format=xlsx")
        assert answer.status_code == 400
        assert "django-customer-history[xlsx]" in answer.json()["errors"][0]["detail"]


@async_to_sync
async def over_asgi(user):
    await sync_to_async(grant)(user, "view_customer_history", "export_customer_history")
    client = AsyncClient()
    await client.aforce_login(user)
    answer = await client.get("/api/history/export/?format=ndjson&entity=crm.customer")
    assert answer.is_async
    return b"".join([piece async for piece in answer.streaming_content])


class TestDownload:
    def test_uses_the_filters_of_the_list(self, reader, customer):
        Note.objects.create(customer=customer, text="t")
        lines = rows(download(reader, customer, "entity=crm.note").getvalue())
        assert {row[3] for row in lines[1:]} == {"Note"}

    def test_export_needs_permission(self, stranger, reader, user, customer, django_user_model):
        grant(django_user_model.objects.get(username="eve"), "view_customer_history")
        assert download(stranger, customer).status_code == 403
        assert stranger.get("/api/history/export/").status_code == 403
        Account.objects.create(label="may be read, not exported")
        grant(user, "view_account_history")
        lines = rows(reader.get("/api/history/export/").getvalue())
        assert {row[3].split()[0] for row in lines[1:]} == {"Customer"}

    def test_logged_without_search_text(self, reader, customer, log):
        download(reader, customer, "format=ndjson&kind=update&q=123-45-6789&-user=system")
        entry = log.only()
        assert entry.action == "History Exported"
        assert (entry.kind, entry.source, entry.user_label) == ("event", "api", "ann")
        assert (entry.subject_model, entry.subject_id) == ("crm.customer", str(customer.pk))
        assert entry.changes == {
            "format": [None, "ndjson"],
            "filters": [None, "-user=system; kind=update; q=*****"],
        }
        log.clear()
        reader.get("/api/history/export/")
        assert log.only().subject_model is None
        shown = reader.get(f"/api/history/subjects/crm.customer/{customer.pk}/").json()["results"][
            0
        ]
        assert shown["entity"]["name"] == "history entry"
        assert [change["masked"] for change in shown["changes"]] == [False, False]

    def test_has_only_older_entries(self, reader, customer):
        answer = download(reader, customer, "format=ndjson")
        Note.objects.create(customer=customer, text="after")
        content = answer.getvalue().decode()
        assert "after" not in content
        assert "History Exported" not in content
        assert "Acme" in content

    def test_export_streams_under_asgi(self, user):
        assert json.loads(over_asgi(user))["entity"]["label"] == "Acme"

    def test_language_and_zone_of_request(self, reader, customer, settings):
        settings.TIME_ZONE = "America/New_York"
        answer = download(reader, customer, "format=ndjson")
        listed = reader.get(f"/api/history/subjects/crm.customer/{customer.pk}/?kind=create").json()
        assert json.loads(answer.getvalue()) == listed["results"][0]

    @pytest.mark.slow
    @pytest.mark.parametrize(
        ("name", "least"),
        [
            ("csv", 1_000_000),
            ("ndjson", 5_000_000),
            pytest.param("xlsx", 300_000, marks=needs("xlsxwriter")),
        ],
    )
    def test_memory_use_stays_constant(self, name, least, reader, user, customer):
        timeline = Timeline.of_subject(user, Customer, customer.pk)
        assert list(start_export(timeline, format_name=name))  # Loads what is needed only once.
        peaks = []
        for more in (4_499, 5_499):  # More than two chunks each time.
            log_updates(customer, more)
            export = start_export(timeline, format_name=name)
            tracemalloc.start()
            try:
                size = sum(len(piece) for piece in export)
                peaks.append(tracemalloc.get_traced_memory()[1])
            finally:
                tracemalloc.stop()
        # The updates, the creation, and the first two exports.
        assert export.count == 10_001
        assert size > least
        assert peaks[1] < peaks[0] * 1.2


class TestDisplays:
    def test_only_where_values_say_little(self, reader, user, customer):
        Customer.objects.filter(pk=customer.pk).update(rate="1044.99", status="canceled")
        timeline = Timeline.of_subject(user, Customer, customer.pk)
        found = {}
        for has_all in (True, False):
            ((newest, *others),) = timeline.chunks(has_all_displays=has_all)
            changes = [*newest.changes, *others[-1].changes]
            found[has_all] = {one.field: (one.new, one.new_display) for one in changes}
        assert found[True]["rate"] == ("39.99", "39.99")
        assert found[False]["rate"] == ("39.99", None)
        for known in found.values():
            assert known["ssn"] == (None, "***-**-6789")
            assert known["status"] == ("active", "Active customer")

    def test_yields_few_entries_at_a_time(self, reader, user, customer):
        log_updates(customer, 250)
        timeline = Timeline.of_subject(user, Customer, customer.pk)
        assert [len(part) for part in timeline.chunks(200)] == [100, 100, 51]


class TestKnownRecords:
    def test_keeps_the_newest(self, monkeypatch):
        monkeypatch.setattr(record_labels, "MOST_KNOWN", 2)
        known = KnownRecords()
        customers = [Customer(pk=number, name=f"c{number}") for number in range(3)]
        for one in customers:
            known.keep({("crm.customer", "pk", str(one.pk)): one})
            key = ("crm.customer", "pk", str(one.pk))
            assert known.labels(key, one) == (f"c{one.pk}", f"c{one.pk}")
        assert list(known.records.values()) == customers[1:]

    def test_labels_of_another_instance(self):
        known, key = KnownRecords(), ("crm.customer", "pk", "1")
        known.keep({key: Customer(pk=1, name="old")})
        assert known.labels(key, Customer(pk=1, name="new")) == ("new", "new")


class TestCommand:
    def test_writes_a_file_and_its_digest(self, customer, user, tmp_path, log):
        log_updates(customer, 600)
        log.clear()
        path, out, err = tmp_path / "history.csv", io.StringIO(), io.StringIO()
        record = f"crm.customer:{customer.pk}"
        call_command("history_export", record, "--output", str(path), stdout=out, stderr=err)
        content = path.read_bytes()
        assert len(rows(content)) > 601
        digest = hashlib.sha256(content).hexdigest()
        assert out.getvalue().splitlines()[-1] == f"601 entries, SHA-256 {digest}"
        assert err.getvalue() == ""  # Without a terminal, progress is written every ten seconds.
        entry = log.only()
        assert (entry.action, entry.source) == ("History Exported", "command")

    @pytest.mark.parametrize(
        ("arguments", "shown"),
        [
            (["--kind", "create"], [f"[{'#' * 30}] 1/1"]),
            (["--q", "59"], ["23"]),
            (
                [],
                [
                    f"[{'#' * 4}{'.' * 26}] 100/601",
                    f"[{'#' * 9}{'.' * 21}] 200/601",
                    f"[{'#' * 14}{'.' * 16}] 300/601",
                    f"[{'#' * 19}{'.' * 11}] 400/601",
                    f"[{'#' * 24}{'.' * 6}] 500/601",
                    f"[{'#' * 29}.] 600/601",
                    f"[{'#' * 30}] 601/601",
                ],
            ),
        ],
    )
    def test_terminal_shows_progress(self, customer, arguments, shown):
        class Terminal(io.StringIO):
            def isatty(self):
                return True

        log_updates(customer, 600)
        out, err = io.StringIO(), Terminal()
        record = f"crm.customer:{customer.pk}"
        call_command("history_export", record, *arguments, stdout=out, stderr=err)
        name = f"history-crm.customer-{customer.pk}.csv"
        bars = "".join(f"\r{name} {bar} " for bar in shown)
        count = shown[-1].rpartition("/")[2]
        digest = hashlib.sha256(out.getvalue().encode()).hexdigest()
        assert err.getvalue() == f"{bars}\n{count} entries, SHA-256 {digest}\n"

    def test_masks_values_by_default(self, customer):
        output = self.exported(f"crm.customer:{customer.pk}")
        assert "***-**-6789" in output
        assert "123-45" not in output
        assert "123-45-6789" in self.exported(f"crm.customer:{customer.pk}", "--unmasked")

    def test_exports_what_a_user_may_read(self, reader, customer):
        Account.objects.create(label="account")
        output = self.exported("--as", "ann", "--format", "ndjson")
        assert {json.loads(line)["subject"]["model"] for line in output.splitlines()} == {
            "crm.customer"
        }
        assert "account" in self.exported("--format", "ndjson")

    def test_its_options_have_hyphens(self, customer):
        with history.acting(ip_address="203.0.113.9"):
            Note.objects.create(customer=customer, text="a note")
        shown = self.exported("--ip-address", "203.0.113.9")
        assert {row[3] for row in rows(shown.encode())[1:]} == {"Note"}
        request = str(Entry.objects.get(entity_model="crm.note").request_id or REQUEST)
        shown = self.exported("--not-ip-address", "203.0.113.9", "--not-request-id", request)
        assert {row[3] for row in rows(shown.encode())[1:]} >= {"Customer Acme"}

    def test_has_the_filters_of_rest(self, customer):
        Note.objects.create(customer=customer, text="a note")
        output = self.exported(
            "--entity", "crm.note", "--from", "2020-01-01", "--not-kind", "delete"
        )
        assert {row[3] for row in rows(output.encode())[1:]} == {"Note"}

    @pytest.mark.parametrize(
        ("arguments", "complaint"),
        [
            (["nothing"], "'nothing' has no History tab. Models that have one: crm.account, "),
            (["crm.nothing:1"], "'crm.nothing' has no History tab"),
            (["crm.note:1"], "'crm.note' has no History tab"),
            (["crm.customer"], 'Give the key of the record too, like "crm.customer:42".'),
            (["crm.customer:x"], "There is no such record"),
            (["crm.customer:987654"], "There is no record crm.customer:987654"),
            (["--as", "nobody"], "There is no user 'nobody'"),
            (["--database", "elsewhere"], "There is no database 'elsewhere'. Give one of: default"),
            (["--as", "ann"], "may not export"),
            (["--kind", "updte"], "Did you mean 'update'?"),
        ],
    )
    def test_messages_of_errors(self, user, arguments, complaint, tmp_path, log):
        log.clear()
        path = tmp_path / "history.csv"
        with pytest.raises(CommandError, match=re.escape(complaint)):
            self.exported(*arguments, "--output", str(path))
        assert not path.exists()
        assert log.entries() == []

    def test_logs_user_and_system_user(self, reader, user, customer, log, monkeypatch):
        monkeypatch.setattr("getpass.getuser", lambda: "deploy")
        log.clear()
        self.exported("--as", "ann")
        entry = log.only()
        assert (entry.user_id, entry.user_label) == (str(user.pk), "ann")
        assert entry.source == "command"
        assert entry.context["impersonator"] == {"id": None, "label": "deploy"}
        assert entry.context["command"] == "history_export"
        log.clear()
        self.exported()
        entry = log.only()
        assert (entry.user_id, entry.user_label, entry.source) == (None, "deploy", "command")

    def test_exports_a_deleted_record(self, customer):
        key = customer.pk
        customer.delete()
        assert "Delete" in self.exported(f"crm.customer:{key}")

    @pytest.mark.django_db(databases=["default", "other"])
    def test_exports_another_database(self, customer, log):
        other = Customer.objects.using("other").create(pk=customer.pk, name="Elsewhere Ltd")
        Note.objects.using("other").create(customer=other, text="of the other")
        log.clear()
        for arguments in ([], [f"crm.customer:{customer.pk}"]):
            output = self.exported(*arguments, "--database", "other")
            assert "of the other" in output
            assert "Acme" not in output
            assert {row[10] for row in rows(output.encode()) if row[3].startswith("Note")} == {
                "Elsewhere Ltd"
            }
        assert log.entries() == []
        exports = Entry.objects.using("other").filter(action="History Exported")
        assert exports.count() == 2

    def test_help_lists_the_options(self, capsys):
        with pytest.raises(SystemExit):
            call_command("history_export", "--help")
        output = " ".join(capsys.readouterr().out.split())
        for usage in (
            "--from DATE", "--not-user USER", "--entity RECORD", "--q TEXT", "--database ALIAS",
            "--output PATH", "--as USERNAME", "--not-source SOURCE", "--request-id UUID",
        ):  # fmt: skip
            assert usage in output
        assert "FILTER" not in output

    def exported(self, *arguments):
        out = io.StringIO()
        call_command("history_export", *arguments, stdout=out, stderr=io.StringIO())
        return out.getvalue()


class TestFacets:
    def test_list_the_values_in_the_log(self, reader, user, customer):
        with history.acting(user=user, source="import"):
            Note.objects.create(customer=customer, text="t")
        found = reader.get(f"/api/history/subjects/crm.customer/{customer.pk}/facets/").json()
        assert found.pop("fields")[-1]
        assert found == {
            "users": [
                {"value": "system", "label": "System"},
                {"value": str(user.pk), "label": "ann"},
            ],
            "actions": [{"value": "Create", "label": "Create"}],
            "kinds": [{"value": "create", "label": "Create"}],
            "entities": [
                {"value": "crm.customer", "label": "Customer"},
                {"value": "crm.note", "label": "Note"},
            ],
            "sources": [
                {"value": "import", "label": "Import"},
                {"value": "system", "label": "System"},
            ],
            "complete": True,
        }

    def test_queries_do_not_grow(self, reader, user, customer, django_assert_num_queries):
        log_updates(customer, 2_001)
        # Session, user, subject, permissions (2), the oldest entry, values, marks, registrations.
        # PostgreSQL has its settings and a savepoint around the search for the values.
        with django_assert_num_queries(14 if connection.vendor == "postgresql" else 9):
            found = reader.get(f"/api/history/subjects/crm.customer/{customer.pk}/facets/").json()
        assert found["complete"] is False
        assert [one["value"] for one in found["kinds"]] == ["update"]
