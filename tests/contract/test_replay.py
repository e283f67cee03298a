"""Random writes of every kind: a replay of the log gives exactly the rows of the tables."""

import json
import uuid
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from django.db import connection, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from django_customer_history.models import Entry
from tests.contract.random_writes import PICK, pick, raw, upsert_stock
from tests.projects.crm.models import Code, Customer, Specimen, Stock, Tag
from tests.replay import Replay

TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=20)
FIELDS = {
    "char": TEXTS,
    "text": TEXTS,
    "big": st.integers(-(2**63), 2**63 - 1),
    "boolean": st.booleans(),
    "decimal": st.decimals("-9999999999.99", "9999999999.99", places=2),
    "datetime": st.datetimes(datetime(1970, 1, 2), datetime(2100, 1, 1), timezones=st.just(UTC)),
    "uuid": st.uuids(version=4),  # MariaDB refuses others
    "json": st.recursive(
        st.one_of(st.booleans(), st.integers(-1000, 1000), TEXTS),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
        max_leaves=5,
    ),
}
VALUES = st.fixed_dictionaries(
    {}, optional={name: st.none() | values for name, values in FIELDS.items()}
)


def create(number, values):
    Specimen.objects.create(**values)


def bulk_create(number, values):
    Specimen.objects.bulk_create([Specimen(**values), Specimen(char=f"n{number}")])


def save(number, values):
    if specimen := pick(Specimen.objects, number):
        for name, value in values.items():
            setattr(specimen, name, value)
        specimen.save()


def save_some(number, values):
    if (specimen := pick(Specimen.objects, number)) and values:
        for name, value in values.items():
            setattr(specimen, name, value)
        specimen.save(update_fields=list(values)[:1])


def update(number, values):
    if values:
        Specimen.objects.filter(small=None).update(**values)


def bulk_update(number, values):
    specimens = list(Specimen.objects.all()[:3])
    for specimen in specimens:
        specimen.char = f"bulk {number}"
    Specimen.objects.bulk_update(specimens, ["char"])


def raw_update(number, values):
    raw("UPDATE crm_specimen SET big = %s WHERE big IS NULL OR big > %s", number, number)


def execute_many(number, values):
    with connection.cursor() as cursor:
        cursor.executemany("UPDATE crm_specimen SET text = %s", [(f"a{number}",), ("b",)])


def delete(number, values):
    if specimen := pick(Specimen.objects, number):
        specimen.delete()


def raw_delete(number, values):
    raw("DELETE FROM crm_specimen WHERE big = %s", number)


def write_code(number, values):
    Code.objects.update_or_create(code=f"k{number}", defaults={"text": values.get("char") or ""})


def rename_code(number, values):
    free = f"k{number + 10}"
    if not Code.objects.filter(code=free).exists():
        Code.objects.filter(code=f"k{number}").update(code=free)


def link(number, values):
    tag, _ = Tag.objects.get_or_create(name=f"t{number % 3}")
    pick(Customer.objects, number).tags.add(tag)


def set_links(number, values):
    pick(Customer.objects, number).tags.set(Tag.objects.all()[: number % 3])


def unlink(number, values):
    if tag := pick(Tag.objects, number):
        tag.delete()


WRITES = (
    create, bulk_create, save, save_some, update, bulk_update, raw_update, execute_many,
    delete, raw_delete, write_code, rename_code, upsert_stock, link, set_links, unlink,
)  # fmt: skip
WRITE = st.tuples(st.sampled_from(WRITES), PICK, VALUES)
TRANSACTION = st.recursive(
    st.lists(WRITE, max_size=4),
    lambda inner: st.tuples(st.booleans(), st.lists(inner, max_size=3)),
    max_leaves=6,
)


def run(block):
    if isinstance(block, tuple):
        is_kept, blocks = block
        with transaction.atomic():
            for inner in blocks:
                run(inner)
            transaction.set_rollback(not is_kept)
    else:
        for write, number, values in block:
            write(number, values)


READERS = {
    "big": int,
    "boolean": {"true": True, "false": False}.__getitem__,
    "decimal": Decimal,
    "datetime": datetime.fromisoformat,
    "uuid": uuid.UUID,
    "json": json.loads,
    "quantity": int,
}


def replayed(replay, model):
    label = model._meta.label_lower
    return {
        key: {name: READERS.get(name, str)(text) for name, text in row.items() if text is not None}
        for (entity_model, key), row in replay.rows.items()
        if entity_model == label
    }


def stored(model, names, key=lambda row: str(row.pk)):
    return {
        key(row): {name: getattr(row, name) for name in names if getattr(row, name) is not None}
        for row in model.objects.all()
    }


class TestReplay:
    @pytest.mark.slow
    @pytest.mark.django_db(transaction=True)
    @settings(
        max_examples=60,
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )
    @given(blocks=st.lists(TRANSACTION, max_size=5))
    def test_replay_equals_the_rows(self, db, blocks):
        for model in (Specimen, Code, Stock, Tag, Customer):
            model.objects.all().delete()
        last = Entry.objects.order_by("id").last()
        Customer.objects.bulk_create([Customer(name="A"), Customer(name="B")])
        for block in blocks:
            run(block)

        entries = Entry.objects.order_by("id")
        if last is not None:
            entries = entries.filter(id__gt=last.id)
        replay = Replay({"crm.code": "code"}).read(entries)
        assert replayed(replay, Specimen) == stored(Specimen, FIELDS)
        assert replayed(replay, Code) == stored(Code, ["text"])
        assert replayed(replay, Tag) == stored(Tag, ["name"])
        assert replayed(replay, Stock) == stored(
            Stock, ["quantity"], key=lambda row: f'["{row.warehouse}","{row.product}"]'
        )
        for customer in Customer.objects.all():
            tags = {str(key) for key in customer.tags.values_list("pk", flat=True)}
            assert replay.links["crm.customer", str(customer.pk), "tags"] == tags
