"""Random histories by every path of writing: undoing all of them gives the tables back."""

import json
import subprocess
import threading
import uuid
from datetime import UTC, datetime
from decimal import Decimal
from shutil import which

import pytest
from django.db import connection, connections, transaction
from django.db.models import F
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from django_customer_history import history
from django_customer_history.models import Entry
from django_customer_history.point_in_time.stored_rows import StoredTable
from tests.contract.random_writes import PICK, pick, raw, upsert_stock
from tests.extras import skip_missing
from tests.projects.crm.models import (
    Attachment,
    Code,
    Contract,
    Customer,
    Dealer,
    Employee,
    Invoice,
    InvoiceLine,
    Note,
    Oddity,
    Person,
    Referral,
    Site,
    Specimen,
    Stock,
    Tag,
    Ticket,
)

MODELS = (
    Attachment, InvoiceLine, Invoice, Note, Referral, Ticket, Site, Employee, Person, Specimen,
    Code, Stock, Oddity, Contract, Dealer, Customer, Tag,
)  # fmt: skip
LINKS = (Customer.tags.through, Site.neighbours.through, Site.guards.through)

NOT_IN_THE_LOG = {"crm_customer": {"updated_at"}, **{one._meta.db_table: {"id"} for one in LINKS}}
"""Columns that an undo cannot bring back: the time of the last save, and the keys of links."""

TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=12)
JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-1000, 1000), TEXTS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=4,
)
VALUES = st.fixed_dictionaries(
    {
        "text": TEXTS,
        "number": st.integers(-1000, 1000),
        "big": st.integers(-(2**63), 2**63 - 1),
        "decimal": st.decimals("-9999999.99", "9999999.99", places=2),
        "moment": st.datetimes(datetime(1970, 1, 2), datetime(2100, 1, 1), timezones=st.just(UTC)),
        "json": JSON,
        "keys": st.dictionaries(st.sampled_from("abc"), JSON, min_size=1, max_size=3),
        "bytes": st.binary(max_size=4),
        "is_true": st.booleans(),
    }
)


def add_customer(number, values):
    Customer.objects.create(name=values["text"] or "x", rate=Decimal(number))


def add_many(number, values):
    Note.objects.bulk_create(
        Note(customer=one, text=f"{values['text']} {n}")
        for n, one in enumerate(Customer.objects.all()[:2])
    )


def add_invoice(number, values):
    invoice = Invoice.objects.create(customer=pick(Customer.objects, number), number=f"I{number}")
    invoice.lines.create(product="p", quantity=number)


def add_referral(number, values):
    if seller := pick(Customer.objects, number):
        Referral.objects.create(seller=seller, buyer=pick(Customer.objects, number + 1))


def add_file(number, values):
    if customer := pick(Customer.objects, number):
        Attachment.objects.create(content_object=customer, name=values["text"])


def add_ticket(number, values):
    if customer := pick(Customer.objects, number):
        Ticket.objects.create(customer=customer, udf=values["keys"], urgent=values["is_true"])


def save_ticket(number, values):
    if ticket := pick(Ticket.objects, number):
        ticket.udf = values["keys"]
        ticket.note = values["text"]
        ticket.save()


def add_specimen(number, values):
    Specimen.objects.create(
        big=values["big"], binary=values["bytes"], boolean=values["is_true"],
        char=values["text"], datetime=values["moment"], date=values["moment"].date(),
        time=values["moment"].time(), decimal=values["decimal"], json=values["json"],
        duration=values["moment"] - datetime(2000, 1, 1, tzinfo=UTC),
        float=number / 7, uuid=uuid.uuid4() if values["is_true"] else None,
    )  # fmt: skip


def update_specimens(number, values):
    Specimen.objects.update(
        text=values["text"], big=None, json=values["json"], datetime=values["moment"], float=None
    )


def save_customer(number, values):
    if customer := pick(Customer.objects, number):
        customer.name = values["text"] or "y"
        customer.status = "canceled" if values["is_true"] else "active"
        customer.save()


def update_customers(number, values):
    Customer.objects.filter(rate__lt=50).update(rate=F("rate") + 1)


def bulk_update(number, values):
    notes = list(Note.objects.all()[:3])
    for note in notes:
        note.text = values["text"]
    Note.objects.bulk_update(notes, ["text"])


def raw_update(number, values):
    raw("UPDATE crm_invoiceline SET quantity = quantity + %s", number)


def raw_insert(number, values):
    if invoice := pick(Invoice.objects, number):
        raw(
            "INSERT INTO crm_invoiceline (invoice_id, product, quantity) VALUES (%s, %s, %s)",
            invoice.pk, values["text"], number,
        )  # fmt: skip


def raw_delete(number, values):
    raw("DELETE FROM crm_note WHERE text = %s", values["text"])


def delete_customer(number, values):
    """Cascades, clears invoices, removes links and files."""
    if customer := pick(Customer.objects, number):
        customer.delete()


def delete_invoices(number, values):
    Invoice.objects.filter(number=f"I{number}").delete()


def delete_tag(number, values):
    if tag := pick(Tag.objects, number):
        tag.delete()


def link(number, values):
    if customer := pick(Customer.objects, number):
        customer.tags.add(Tag.objects.create(name=values["text"]))


def set_links(number, values):
    if customer := pick(Customer.objects, number):
        customer.tags.set(Tag.objects.all()[: number % 3])


def add_site(number, values):
    site = Site.objects.create(name=values["text"], parent=pick(Site.objects, number))
    site.neighbours.set(Site.objects.all()[:2])
    site.guards.set(Customer.objects.all()[:1])


def delete_site(number, values):
    if site := pick(Site.objects, number):
        site.delete()


def add_employee(number, values):
    Employee.objects.create(
        name=values["text"], customer=pick(Customer.objects, number), badge=str(number)
    )


def save_employee(number, values):
    if employee := pick(Employee.objects, number):
        employee.name, employee.badge = values["text"], "b"
        employee.save()


def update_persons(number, values):
    Person.objects.update(name=values["text"])


def delete_employee(number, values):
    if employee := pick(Employee.objects, number):
        employee.delete()


def write_code(number, values):
    Code.objects.update_or_create(code=f"k{number}", defaults={"text": values["text"]})


def rename_code(number, values):
    free = f"k{number + 10}"
    if not Code.objects.filter(code=free).exists():
        Code.objects.filter(code=f"k{number}").update(code=free, text=values["text"])


def delete_code(number, values):
    Code.objects.filter(code__in=[f"k{number}", f"k{number + 10}"]).delete()


def delete_stock(number, values):
    Stock.objects.filter(warehouse=number % 2).delete()


def write_oddity(number, values):
    if odd := pick(Oddity.objects, number):
        odd.backwards, odd.number = values["text"], number
        odd.save()
    else:
        Oddity.objects.create(name="100%", backwards=values["text"], number=number)


def add_contract(number, values):
    Contract.objects.create(dealer=Dealer.objects.create(name=values["text"]))


def delete_dealer(number, values):
    """Contracts get another dealer."""
    if dealer := pick(Dealer.objects.exclude(name="nobody"), number):
        dealer.delete()


WRITES = (
    add_customer, add_many, add_invoice, add_referral, add_file, add_ticket, save_ticket,
    add_specimen, update_specimens, save_customer, update_customers, bulk_update, raw_update,
    raw_insert, raw_delete, delete_customer, delete_invoices, delete_tag, link, set_links, add_site,
    delete_site, add_employee, save_employee, update_persons, delete_employee, write_code,
    rename_code, delete_code, upsert_stock, delete_stock, write_oddity, add_contract, delete_dealer,
)  # fmt: skip
WRITE = st.tuples(st.sampled_from(WRITES), PICK, VALUES)
START = tuple(
    write for write in WRITES if write.__name__.startswith(("add", "write", "link", "upsert"))
)


def run(writes):
    for write, number, values in writes:
        with transaction.atomic():
            write(number, values)


def delete_everything():
    Site.objects.update(parent=None)
    for model in (*LINKS, *MODELS):
        model._base_manager.all()._raw_delete("default")


def tables():
    """Return all rows of all tables, as the database has them, in an order of their own."""
    found = {}
    for model in (*MODELS, *LINKS):
        name = model._meta.db_table
        left_out = NOT_IN_THE_LOG.get(name, ())
        columns = [one.column for one in model._meta.local_fields if one.column not in left_out]
        quoted = ", ".join(connection.ops.quote_name(one) for one in columns if one)
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT {quoted} FROM {connection.ops.quote_name(name)}")
            rows = cursor.fetchall()
        if "udf" in columns:
            rows = [in_order_of_keys(row, columns.index("udf")) for row in rows]
        found[name] = sorted(map(repr, rows))
    return found


def in_order_of_keys(row, place):
    """The log has the keys of a JSON field that is logged key by key, but not their order."""
    value = row[place]
    text = json.dumps(json.loads(value) if isinstance(value, str) else value, sort_keys=True)
    return (*row[:place], text, *row[place + 1 :])


def entries_since(last):
    return Entry.objects.filter(id__gt=last.id) if last else Entry.objects.all()


SLOW_EXAMPLES = settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
class TestRandomHistories:
    @SLOW_EXAMPLES
    @given(
        start=st.lists(st.tuples(st.sampled_from(START), PICK, VALUES), min_size=4, max_size=10),
        writes=st.lists(WRITE, min_size=1, max_size=12),
    )
    def test_undo_of_all_gives_all_back(self, db, start, writes):
        delete_everything()
        run(start)
        before, last = tables(), Entry.objects.order_by("id").last()
        run(writes)
        after = tables()
        undone = history.undo(entries_since(last), reason="test") if before != after else None

        assert tables() == before
        if undone is not None:
            assert undone.conflicts == ()
            history.undo(undone.written, reason="not so")
            assert tables() == after

    @SLOW_EXAMPLES
    @given(
        start=st.lists(st.tuples(st.sampled_from(START), PICK, VALUES), min_size=4, max_size=10),
        writes=st.lists(WRITE, min_size=1, max_size=6),
        later=st.lists(WRITE, min_size=1, max_size=6),
    )
    def test_later_changes_are_kept(self, db, start, writes, later):
        """Whatever was written later is a conflict or does not touch what is undone."""
        delete_everything()
        run(start)
        last = Entry.objects.order_by("id").last()
        run(writes)
        mine = list(entries_since(last))
        last = Entry.objects.order_by("id").last()
        run(later)
        kept = list(entries_since(last))
        before = tables()
        undone = history.undo(mine, reason="test") if mine else None

        if undone is not None:
            overwritten = {
                (entry.entity_model, entry.entity_id, name)
                for entry in undone.written
                for name in entry.changes
                if entry.kind == "update"
            }
            newest = {}
            for entry in kept:
                for name, (_old, new) in entry.changes.items():
                    if entry.kind == "update":
                        newest[entry.entity_model, entry.entity_id, name] = new
            for place in overwritten & newest.keys():
                # Only if the later change wrote what was undone, nobody can tell them apart.
                assert newest[place] in {
                    new
                    for entry in mine
                    for name, (_old, new) in entry.changes.items()
                    if (entry.entity_model, entry.entity_id, name) == place
                }
            history.undo(undone.written, reason="not so") if undone.written else None
            assert tables() == before


def dump():
    """Return the rows of the tables as the tool of the database dumps them, sorted."""
    names = [model._meta.db_table for model in (*MODELS, *LINKS)]
    if connection.vendor == "sqlite":
        return sorted(line for name in names for line in _dumped_rows(name))
    made = subprocess.run(
        _command(names), capture_output=True, check=True, env=None, text=True, errors="replace"
    )
    return sorted(one for one in made.stdout.splitlines() if one.startswith("INSERT INTO"))


def _dumped_rows(name):
    """Return the rows of a table as `.dump` writes them: the dump of Python fails for odd names."""
    quote = connection.ops.quote_name
    with connection.cursor() as cursor:
        columns = connection.introspection.get_table_description(cursor, name)
        values = " || ',' || ".join(f"quote({quote(column.name)})" for column in columns)
        cursor.execute(f"SELECT {values} FROM {quote(name)}")
        return [f"INSERT INTO {name} VALUES({row})" for (row,) in cursor.fetchall()]


def _command(names):
    values = connection.settings_dict
    if connection.vendor == "postgresql":
        tool = which("pg_dump")
        options = ["--data-only", "--inserts", "--disable-triggers", values["NAME"]]
        options += ["-h", values["HOST"], "-p", str(values["PORT"]), "-U", values["USER"]]
        options += [part for name in names for part in ("-t", f'"{name}"')]
    else:
        tool = which("mariadb-dump") or which("mysqldump")
        options = ["--skip-ssl", "--no-create-info", "--skip-extended-insert", "--hex-blob"]
        options += ["--skip-triggers", "-h", values["HOST"], "-P", str(values["PORT"])]
        options += ["-u", values["USER"], values["NAME"], *names]
    if tool is None:
        skip_missing("no dump tool of the database")
    return [tool, *options]


def fill_tables():
    customer = Customer.objects.create(name="Ann's 100%")
    customer.tags.add(Tag.objects.create(name="t"))
    invoice = Invoice.objects.create(customer=customer, number="1")
    invoice.lines.create(product="p")
    # The log has a value for each key, and MariaDB keeps the order of keys in the column.
    Ticket.objects.create(customer=customer, udf={"a": [1.5, "\u00e9", {"c": 1, "b": None}]})
    Attachment.objects.create(content_object=customer, name="file")
    Employee.objects.create(name="Bea", badge="1", customer=customer)
    Referral.objects.create(seller=customer, buyer=customer)
    Specimen.objects.create(
        binary=b"\x00\xff", datetime=datetime(2024, 2, 29, 1, 2, 3, 4, tzinfo=UTC), float=0.1,
        decimal="-0.10", json={"z": 1, "a": ["\u00e9", None]}, uuid=uuid.uuid4(), boolean=False,
    )  # fmt: skip
    Stock.objects.create(warehouse=1, product="p", quantity=3)
    Oddity.objects.create(name="odd", backwards="abc", number=2)
    return customer


@pytest.mark.django_db(transaction=True)
class TestDump:
    def test_restored_tables_have_the_same_dump(self, monkeypatch):
        moment = datetime(2026, 1, 1, tzinfo=UTC)
        customer = fill_tables()
        customer.tags.clear()  # The key of a link is not in the log.
        Customer.objects.update(updated_at=moment)
        before = dump()
        with history.acting(source="web") as context:
            Specimen.objects.all().delete()
            Stock.objects.update(warehouse=2)
            Oddity.objects.all().delete()
            customer.delete()
        assert dump() != before
        assert history.undo(context.request_id, reason="test").is_complete
        Customer.objects.update(updated_at=moment)
        assert len(before) == 12
        assert dump() == before


@pytest.mark.django_db(transaction=True)
class TestRaces:
    def test_row_is_locked_until_the_end(self, monkeypatch):
        """A write that comes between the comparison and the write waits, or is seen."""
        if not connection.features.has_select_for_update:
            pytest.skip("SQLite has one writer at a time")
        customer = Customer.objects.create(name="A")
        Customer.objects.update(name="B")
        (update,) = Entry.objects.order_by("-id")[:1]
        started, done = threading.Event(), threading.Event()

        def write():
            try:
                started.wait(10)
                Customer.objects.filter(pk=customer.pk).update(name="C")
                done.set()
            finally:
                connections.close_all()

        thread = threading.Thread(target=write)
        thread.start()
        with transaction.atomic():
            history.undo(update, reason="test")
            started.set()
            assert not done.wait(0.5)
        thread.join()
        assert Customer.objects.get().name == "C"
        names = [one.changes["name"] for one in Entry.objects.filter(kind="update").order_by("id")]
        assert names == [["A", "B"], ["B", "A"], ["A", "C"]]

    def test_nothing_is_half_done(self, monkeypatch):
        customer = fill_tables()
        with history.acting(source="web") as context:
            customer.delete()
        before, count = tables(), Entry.objects.count()
        insert, written = StoredTable.insert, []

        def fail_later(table, cells):
            written.append(table.model)
            if len(written) == 4:
                raise ConnectionError
            insert(table, cells)

        monkeypatch.setattr(StoredTable, "insert", fail_later)
        with pytest.raises(ConnectionError):
            history.undo(context.request_id, reason="test")
        assert len(written) == 4
        assert tables() == before
        assert Entry.objects.count() == count
