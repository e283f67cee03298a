"""Writes that the tests of random histories have in common."""

from django.db import connection
from hypothesis import strategies as st

from tests.projects.crm.models import Stock

PICK = st.integers(0, 5)


def pick(queryset, number):
    rows = list(queryset.order_by("pk"))
    return rows[number % len(rows)] if rows else None


def raw(sql, *parameters):
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)


def upsert_stock(number, values):
    Stock.objects.bulk_create(
        [Stock(warehouse=number % 2, product="p", quantity=number)],
        update_conflicts=True,
        update_fields=["quantity"],
        unique_fields=["warehouse", "product"]
        if connection.features.supports_update_conflicts_with_target
        else None,
    )
