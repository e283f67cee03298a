"""Values that JSON or UTF-8 cannot represent do not break any output."""

import io
import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from django.core.management import call_command
from django.db import connection
from django.test import override_settings
from django.utils import timezone, translation
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openpyxl import load_workbook

from django_customer_history.models import (
    ConfidentialField,
    Entry,
)
from tests.extras import needs
from tests.factories import log_raw, raw
from tests.projects.crm.models import Account, Customer, Specimen, Ticket
from tests.reading.conftest import grant

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.reading.urls")]

DEEP = "[" * 1_900 + "]" * 1_900
RATHER_DEEP = "[" * 300 + "]" * 300
ODD = {
    "float": ["-inf", "inf"],
    "json": ["NaN", '{"half \\ud800": ["\\udc00 of it", 1e999]}'],
    "json.deep": [RATHER_DEEP, DEEP],
    "json.half": [None, '"\\ud83d alone"'],
    "char": [None, "plain text"],
}
SHOWN = {
    "float": ["-Infinity", "Infinity"],
    "json": ["NaN", {"half \ufffd": ["\ufffd of it", "Infinity"]}],
    "json.deep": [RATHER_DEEP, DEEP],
    "json.half": [None, "\ufffd alone"],
    "char": [None, "plain text"],
}


@pytest.fixture
def account(reader, user):
    grant(user, "view_account_history", "export_account_history")
    account = Account.objects.create(label="a")
    specimen = Specimen.objects.create(account=account)
    Entry.objects.create(
        timestamp=Entry.objects.first().timestamp,
        kind="update",
        action="Update",
        subject_model="crm.account",
        subject_id=str(account.pk),
        entity_model="crm.specimen",
        entity_id=str(specimen.pk),
        changes=ODD,
        source="web",
    )
    return account


def strict_json(text):
    """Read JSON strictly, as other languages do: NaN is an error."""

    def refuse(name):
        raise AssertionError(f"{name} is not JSON")

    return json.loads(text, parse_constant=refuse)


def shown(entry):
    return {change["field"]: [change["old"], change["new"]] for change in entry["changes"]}


def odd_entry(entries):
    (entry,) = (one for one in entries if any(two["field"] == "float" for two in one["changes"])
                and one["kind"] == "update")  # fmt: skip
    return entry


class TestFiles:
    def test_ndjson_of_odd_values(self, reader, account):
        content = reader.get("/api/history/export/?format=ndjson").getvalue().decode()
        assert shown(odd_entry([strict_json(line) for line in content.splitlines()])) == SHOWN

    def test_csv_of_odd_values(self, reader, account):
        content = reader.get("/api/history/export/?format=csv").getvalue().decode()
        assert ",Float,'-Infinity,Infinity," in content
        assert ",Json: half,,\ufffd alone," in content

    @needs("xlsxwriter")
    def test_xlsx_of_odd_values(self, reader, account):
        content = reader.get("/api/history/export/?format=xlsx").getvalue()
        cells = {cell for row in load_workbook(io.BytesIO(content)).active.values for cell in row}
        assert {"-Infinity", "Infinity", "\ufffd alone"} <= cells

    def test_ndjson_of_the_command(self, account):
        out = io.StringIO()
        call_command("history_export", "--format", "ndjson", stdout=out, stderr=io.StringIO())
        assert (
            shown(odd_entry([strict_json(line) for line in out.getvalue().splitlines()])) == SHOWN
        )


class TestPages:
    @pytest.mark.parametrize(
        "url",
        [
            "/records/crm.account/{account}/",
            "/records/crm.account/{account}/?print=yes",
            "/records/record/{entry}/",
            "/admin/customer_history/entry/",
            "/admin/customer_history/entry/{entry}/change/",
        ],
    )
    def test_pages_show_odd_values(self, url, reader, user, account):
        user.is_staff = True
        user.save()
        entry = Entry.objects.get(kind="update", entity_model="crm.specimen").id
        answer = reader.get(url.format(account=account.pk, entry=entry))
        assert answer.status_code == 200
        assert "\ufffd alone" in answer.content.decode()


class TestRest:
    @pytest.mark.parametrize(
        "url",
        ["/api/history/", "/api/history/subjects/crm.account/{}/", "/api/history/?q=plain"],
    )
    def test_lists_of_entries(self, url, reader, account):
        answer = reader.get(url.format(account.pk))
        assert answer.status_code == 200
        assert shown(odd_entry(strict_json(answer.content)["results"])) == SHOWN

    def test_an_entry_and_its_record(self, reader, account):
        key = Entry.objects.get(kind="update", entity_model="crm.specimen").id
        answer = reader.get(f"/api/history/entries/{key}/")
        assert shown(strict_json(answer.content)) == SHOWN
        record = strict_json(reader.get(f"/api/history/entries/{key}/record/").content)
        after = {field["field"]: field["after"]["value"] for field in record["fields"]}
        assert (after["float"], after["json.half"]) == ("Infinity", "\ufffd alone")

    def test_masks_of_odd_values(self, reader, account):
        ConfidentialField.objects.create(model="crm.specimen", field="json.deep.key")
        ConfidentialField.objects.create(model="crm.specimen", field="json.half")
        content = reader.get("/api/history/").content
        deep = next(
            one
            for one in odd_entry(strict_json(content)["results"])["changes"]
            if one["field"] == "json.deep"
        )
        assert (deep["new"], deep["new_display"]) == (None, "*****")
        assert "alone" not in content.decode()


TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)  # fmt: skip
EXTREME = st.sampled_from([
    datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC),
    datetime(1900, 1, 1, tzinfo=UTC), datetime(2026, 10, 25, 0, 30, tzinfo=UTC),
])  # fmt: skip
YEARS = EXTREME
if connection.vendor == "mysql":  # The year 1 of Django is out of its range in some zones.
    YEARS = st.sampled_from([datetime(1000, 1, 1, tzinfo=UTC), datetime.max.replace(tzinfo=UTC)])
ROWS = st.fixed_dictionaries({}, optional={
    "big": st.integers(-(2**63), 2**63 - 1),
    "binary": st.binary(max_size=20),
    "boolean": st.booleans(),
    "char": TEXTS,
    "date": st.sampled_from([date(1000, 1, 1), date.max]),
    "datetime": YEARS,
    "decimal": st.decimals(Decimal("-9999999999.99"), Decimal("9999999999.99"), places=2),
    "duration": st.timedeltas(timedelta(days=-10_000_000), timedelta(days=10_000_000)),
    "float": st.floats(allow_nan=False, allow_infinity=connection.vendor != "mysql"),
    "json": JSON,
    "text": TEXTS,
    "time": st.times(),
    "uuid": st.uuids(version=4),  # MariaDB refuses some others.
})  # fmt: skip
RAW = {
    "sqlite": st.fixed_dictionaries({}, optional={
        name: st.binary(max_size=20) | TEXTS | st.integers(-(2**63), 2**63 - 1) | st.floats()
        for name in ("big", "boolean", "char", "date", "datetime", "decimal", "duration", "float",
                     "ip", "small", "time", "uuid")
    }),
    "postgresql": st.fixed_dictionaries({}, optional={
        "date": st.sampled_from(["infinity", "-infinity", "0044-03-15 BC", "20000-01-01"]),
        "datetime": st.sampled_from(["infinity", "-infinity", "0044-03-15 BC", "20000-01-01"]),
        "time": st.sampled_from(["24:00"]),
        "duration": st.sampled_from(["170000000 years", "-1 month"]),
        "float": st.sampled_from(["NaN", "Infinity", "-0", "5e-324"]),
        "decimal": st.sampled_from(["NaN"]),
    }),
    "mysql": st.fixed_dictionaries({}, optional={
        "date": st.sampled_from(["0000-00-00", "2026-02-00"]),
        "datetime": st.sampled_from(["0000-00-00 00:00:00"]),
        "time": st.sampled_from(["838:59:59", "-12:00:00"]),
        "boolean": st.sampled_from([2, -1]),
    }),
}[connection.vendor]  # fmt: skip
CHANGES = {
    "sqlite": st.sampled_from(["{", "[]", "null", "7", '{"char": 7}', '{"char": [1, {}]}']),
    "postgresql": st.sampled_from(["[]", "null", "7", '{"char": 7}', '{"char": [1, {}]}']),
    "mysql": st.sampled_from(["[]", "null", "7", '{"char": 7}', '{"char": [1, {}]}']),
}[connection.vendor]
LOGGED = st.dictionaries(
    st.sampled_from(["big", "char", "datetime", "decimal", "duration", "float", "json", "gone"]),
    st.lists(
        TEXTS | st.sampled_from(["9" * 5_000, "1e400", "sNaN", "1E+99999999", DEEP]) | st.none(),
        min_size=2, max_size=2,
    ),
)  # fmt: skip
ZONES = st.sampled_from(["Pacific/Kiritimati", "America/New_York", "Pacific/Pago_Pago", "UTC"])
OUTPUTS = (
    "/records/crm.account/{account}/",
    "/records/crm.account/{account}/?print=yes",
    "/records/record/{entry}/",
    "/admin/customer_history/entry/",
    "/admin/customer_history/entry/{entry}/change/",
    "/api/history/",
    "/api/history/subjects/crm.account/{account}/",
    "/api/history/entries/{entry}/",
    "/api/history/entries/{entry}/record/",
    "/api/history/export/?format=csv",
    "/api/history/export/?format=ndjson",
    *(["/api/history/export/?format=xlsx"] if needs("xlsxwriter").args[0] is False else []),
)


class TestEveryOutput:
    @pytest.mark.slow
    @settings(
        max_examples=10, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True
    )
    @given(
        row=ROWS, raw_row=RAW, changes=CHANGES, logged=LOGGED, zone=ZONES,
        language=st.sampled_from(["de", "es", "ar", "fa"]), number=st.sampled_from([1, 2, 0]),
    )  # fmt: skip
    def test_is_there_for_every_reader(  # noqa: PLR0917 - fixtures and examples
        self, reader, client, admin_client, user, customer, row, raw_row, changes, logged, zone,
        language, number,
    ):  # fmt: skip
        grant(user, "view_account_history", "export_account_history", "export_entry")
        user.is_staff = True
        user.save()
        ConfidentialField.objects.get_or_create(model="crm.specimen", field="char")
        account = Account.objects.create(label="a")
        specimen = Specimen.objects.create(account=account, **row)
        if raw_row:
            assigned = ", ".join(f"{connection.ops.quote_name(name)} = %s" for name in raw_row)
            raw(
                f"UPDATE crm_specimen SET {assigned} WHERE id = %s",
                [*raw_row.values(), specimen.pk],
            )
        Specimen.objects.filter(pk=specimen.pk).update(account=None)
        Specimen.objects.filter(pk=specimen.pk).update(account=account)
        newest = Entry.objects.of_entity(Specimen, specimen.pk).order_by("-id").first()
        log_raw(newest, changes)
        Entry.objects.create(
            timestamp=newest.timestamp, kind="update", action="Update",
            subject_model="crm.account", subject_id=str(account.pk), source="web",
            entity_model="crm.specimen", entity_id=str(specimen.pk), changes=logged,
        )  # fmt: skip
        keys = (
            Entry.objects.of_entity(Specimen, specimen.pk)
            .order_by("-id")
            .values_list("id", flat=True)
        )
        who = (client, reader, admin_client)[number]
        with (
            override_settings(USE_THOUSAND_SEPARATOR=True),
            timezone.override(zone),
            translation.override(language),
        ):
            for url in OUTPUTS:
                for key in keys[:3] if "{entry}" in url else [None]:
                    answer = who.get(url.format(account=account.pk, entry=key))
                    allowed = (200,) if number else (200, 302, 401, 403, 404)
                    assert answer.status_code in allowed, (url, answer.status_code)
                    content = answer.getvalue() if answer.streaming else answer.content
                    assert content or answer.status_code != 200


class TestStored:
    @pytest.mark.skipif(connection.vendor != "sqlite", reason="others check the type of a value")
    def test_bytes_in_other_columns(self, log):
        specimen = Specimen.objects.create()
        raw(
            "UPDATE crm_specimen"
            " SET char = %s, datetime = %s, boolean = %s, decimal = %s, time = %s",
            [b"\xff\x00", b"\xfe", "maybe", "much", "noon"],
        )
        raw(
            "UPDATE crm_specimen SET text = CAST(%s AS TEXT) WHERE id = %s",
            [b"a\xffb", specimen.pk],
        )
        assert log.changes()[1:] == [
            {
                "char": [None, "ff00"],
                "datetime": [None, "fe"],
                "boolean": [None, "maybe"],
                "decimal": [None, "much"],
                "time": [None, "noon"],
            },
            {"text": [None, "a\ufffdb"]},
        ]

    @pytest.mark.parametrize("text", ["7", "[]", "null", "{"])
    def test_unreadable_changes(self, customer, log, text):
        if text == "{" and connection.vendor != "sqlite":
            pytest.skip("the database checks the JSON")
        newest = Entry.objects.order_by("-id").first()
        log_raw(newest, text)
        assert log.only().changes == {"(unreadable)": [None, None]}


class TestMoments:
    @pytest.mark.parametrize(
        ("old", "new", "texts"),
        [
            (
                datetime(2026, 1, 2, 14, 33, tzinfo=UTC),
                datetime(2026, 1, 2, 14, 33, 1, tzinfo=UTC),
                ("Jan. 2, 2026, 2:33 p.m.", "Jan. 2, 2026, 2:33:01 p.m."),
            ),
            (
                datetime(2026, 1, 2, 14, 33, 1, tzinfo=UTC),
                datetime(2026, 1, 2, 14, 33, 1, 5, tzinfo=UTC),
                ("Jan. 2, 2026, 2:33:01 p.m.", "Jan. 2, 2026, 2:33:01.000005 p.m."),
            ),
        ],
    )
    def test_seconds_are_shown(self, reader, user, old, new, texts):
        grant(user, "view_account_history")
        account = Account.objects.create(label="a")
        Specimen.objects.create(account=account, datetime=old, time=old.time())
        Specimen.objects.update(datetime=new, time=new.time())
        (change, clock) = reader.get("/api/history/").json()["results"][0]["changes"]
        assert (change["old_display"], change["new_display"]) == texts
        assert clock["old_display"] != clock["new_display"]

    @pytest.mark.parametrize("zone", ["America/New_York", "Pacific/Kiritimati"])
    @pytest.mark.parametrize(
        "query",
        [
            "from=0001-01-01T00:00:00Z",
            "to=9999-12-31T23:59:59-12:00",
            "-from=0001-01-01T00:00:00%2B14:00",
            "-to=9999-12-31T23:59:59Z",
            "from=0001-01-01&to=9999-12-31",
        ],
    )
    def test_filters_at_the_limits(self, reader, customer, zone, query):
        with timezone.override(zone):
            assert reader.get(f"/records/crm.customer/{customer.pk}/?{query}").status_code == 200
            assert reader.get(f"/api/history/?{query}").status_code == 200


class TestLength:
    """Lists and pages have a bounded size, whatever one entry holds."""

    URLS = (
        "/records/crm.customer/{key}/",
        "/records/record/{entry}/",
        "/admin/customer_history/entry/",
        "/api/history/",
    )

    @pytest.fixture
    def staff(self, reader, user):
        user.is_staff = True
        user.save()
        grant(user, "view_customer_history", "export_customer_history")
        return reader

    def sizes(self, client, entry, customer):
        urls = [url.format(key=customer.pk, entry=entry.id) for url in self.URLS]
        return [len(client.get(url).content) for url in urls]

    def test_long_texts(self, staff, customer):
        note = customer.notes.create(text="a" * 1_000_000 + "b" + "c" * 1_000_000)
        customer.notes.update(text="a" * 1_000_000 + "d" + "c" * 1_000_000)
        entry = Entry.objects.of_entity(type(note), note.pk).order_by("-id").first()
        assert max(self.sizes(staff, entry, customer)) < 100_000
        (listed,) = staff.get("/api/history/").json()["results"][0]["changes"]
        assert listed["truncated"] is True
        assert listed["old"] == f"…{'a' * 1_000}b{'c' * 2_999}…"
        assert listed["new"] == listed["new_display"] == f"…{'a' * 1_000}d{'c' * 2_999}…"
        whole = staff.get(f"/api/history/entries/{entry.id}/").json()["changes"][0]
        assert len(whole["old"]) == len(whole["new"]) == 2_000_001
        assert "truncated" not in whole
        page = staff.get(f"/records/crm.customer/{customer.pk}/").content.decode()
        assert "shortened</em>" in page
        exported = staff.get("/api/history/export/?format=csv").getvalue()
        assert len(exported) > 6_000_000

    def test_many_keys(self, staff, customer):
        ticket = Ticket.objects.create(customer=customer, udf={})
        Ticket.objects.update(udf={f"key{n}": n for n in range(5_000)})
        entry = Entry.objects.of_entity(Ticket, ticket.pk).order_by("-id").first()
        assert max(self.sizes(staff, entry, customer)) < 1_000_000
        listed = staff.get("/api/history/").json()["results"][0]
        assert (len(listed["changes"]), listed["omitted_changes"]) == (100, 4_900)
        whole = staff.get(f"/api/history/entries/{entry.id}/").json()
        assert len(whole["changes"]) == 5_000
        assert "omitted_changes" not in whole
        page = staff.get(f"/records/crm.customer/{customer.pk}/").content.decode()
        assert "4900 more changes are not shown here." in page
        record = staff.get(f"/api/history/entries/{entry.id}/record/").json()
        assert (len(record["fields"]), record["omitted_fields"] > 3_000) == (1_000, True)

    def test_many_entries_with_many_keys(self, staff, customer):
        Ticket.objects.create(customer=customer, udf={})
        for turn in range(20):
            Ticket.objects.update(udf={f"key{n}": turn for n in range(200)})
        counts = [
            len(entry["changes"])
            for entry in staff.get("/api/history/?field=udf.key1").json()["results"]
        ]
        assert counts == [100] * 10 + [5] * 10

    def test_masks_of_long_values(self, staff, customer):
        ConfidentialField.objects.create(model="crm.note", field="text")
        customer.notes.create(text="x" * 100_000)
        content = staff.get("/api/history/").content.decode()
        assert "xxx" not in content
        assert Customer.objects.filter(pk=customer.pk).exists()
