"""The rows of tracked tables: read in batches, in the order of their keys."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper

from django_customer_history.backends import backend_of
from django_customer_history.backends.base import Backend
from django_customer_history.backends.tables import TrackedTable
from django_customer_history.capture.existing_rows import VALUE
from django_customer_history.capture.plan import tracked_tables
from django_customer_history.registration.registry import Registration, registry


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackedRows:
    """The rows of one tracked table; a many-to-many table has links as its rows."""

    table: TrackedTable
    model: type[models.Model]
    """The model of the rows: a registered model, or the `through` of a many-to-many field."""
    connection: BaseDatabaseWrapper

    @property
    def name(self) -> str:
        """The name for people: `crm.customer`, or `crm.customer.tags` for links."""
        relation = self.table.relation
        label = self.table.entity_model
        return label if relation is None else f"{label}.{relation.field}"

    @property
    def backend(self) -> Backend:
        """The SQL of the database."""
        return backend_of(self.connection)

    def total(self) -> int:
        """Return the number of rows."""
        return self.rows().count()

    def rows(self) -> "models.QuerySet[models.Model]":
        """Return all rows."""
        # Not through the model's manager, which may hide some rows.
        return models.QuerySet(self.model, using=self.connection.alias)

    def batches(self, size: int) -> Iterator[list[Any]]:
        """Yield the primary keys of all rows, `size` at a time."""
        rows = self.rows().order_by("pk").values_list("pk", flat=True)
        keys = list(rows[:size])
        while keys:
            yield keys
            keys = list(rows.filter(pk__gt=keys[-1])[:size])

    def between(self, keys: Sequence[Any]) -> tuple[str, list[Any]]:
        """Return the condition for the rows of a batch, which are all from its first to its last.

        A row that was inserted there since the batch was read meets it too.
        """
        if len(self.model._meta.pk_fields) > 1:
            return self.among(keys)
        field = self.model._meta.pk
        ends = [field.get_db_prep_value(one, self.connection) for one in (keys[0], keys[-1])]
        return f"{self.backend.quote(str(field.column))} BETWEEN {VALUE} AND {VALUE}", ends

    def among(self, keys: Sequence[Any]) -> tuple[str, list[Any]]:
        """Return the condition for the rows with certain primary keys, and its values."""
        fields = self.model._meta.pk_fields
        columns = [self.backend.quote(str(field.column)) for field in fields]
        rows = [key if len(fields) > 1 else (key,) for key in keys]
        values = [
            field.get_db_prep_value(value, self.connection)
            for row in rows
            for field, value in zip(fields, row, strict=True)
        ]
        if len(columns) == 1:
            return self.backend.among(columns[0], values, placeholder=VALUE)
        one = " AND ".join(f"{column} = {VALUE}" for column in columns)
        return " OR ".join(f"({one})" for _ in rows), values

    def is_hidden(self) -> bool:
        """Return whether row-level security hides rows from the current role."""
        return self.backend.hides_rows(self.connection, self.table.name)


def tracked_rows(
    connection: BaseDatabaseWrapper,
    *,
    models_wanted: Collection[type[models.Model]] | None = None,
) -> Iterator[TrackedRows]:
    """Yield the rows of each registered model, or of some, and their links."""
    for table in tracked_tables(registry, connection):
        registration = registry.find(table.entity_model)
        relation = table.relation
        is_part = table.part_of if relation is None else relation.whole
        if is_part or registration is None:
            continue  # The entry of the child row has the fields of the parent's table too.
        if models_wanted is None or registration.model in models_wanted:
            yield TrackedRows(
                table=table, model=_model_of(table, registration), connection=connection
            )


def _model_of(table: TrackedTable, registration: Registration) -> type[models.Model]:
    if table.relation is None:
        return registration.model
    field: Any = registration.model._meta.get_field(table.relation.field)
    through: type[models.Model] = field.remote_field.through
    return through
