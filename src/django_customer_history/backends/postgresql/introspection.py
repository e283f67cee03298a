"""PostgreSQL: columns, schemas and installed triggers."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from django.db.backends.base.base import BaseDatabaseWrapper

from django_customer_history.backends.postgresql.templates import REQUIRED
from django_customer_history.backends.tables import PREFIX, Column, InstalledTrigger

# Tables by name, in the search path without the schema of temporary tables, which comes first
# otherwise. A name with quotes has its schema.
TABLES = """
FROM unnest(%s::text[]) AS named(name)
JOIN pg_catalog.pg_class t ON t.oid = CASE
  WHEN starts_with(named.name, '"') THEN to_regclass(named.name)
  ELSE (
    SELECT c.oid
    FROM unnest(current_schemas(false)) WITH ORDINALITY AS path(schema, position)
    JOIN pg_catalog.pg_namespace s ON s.nspname = path.schema
    JOIN pg_catalog.pg_class c ON c.relnamespace = s.oid AND c.relname = named.name
    WHERE c.relpersistence <> 't'
    ORDER BY path.position
    LIMIT 1
  )
END
"""

_COLUMNS = f"""
SELECT named.name, a.attname, format_type(a.atttypid, NULL), {REQUIRED}
{TABLES}
JOIN pg_catalog.pg_attribute a ON a.attrelid = t.oid
WHERE a.attnum > 0 AND NOT a.attisdropped
ORDER BY named.name, a.attnum
"""

_SCHEMAS = f"""
SELECT named.name, s.nspname
{TABLES}
JOIN pg_catalog.pg_namespace s ON s.oid = t.relnamespace
"""

# A function without a trigger is left from a table that was dropped: its table is ''.
# tgparentid: PostgreSQL copies the append-only triggers of rows to the partitions.
_INSTALLED = """
SELECT
  CASE
    WHEN c.oid IS NULL THEN ''
    WHEN c.relnamespace = p.pronamespace THEN c.relname
    ELSE format('"%%s"."%%s"', s.nspname, c.relname)
  END,
  p.proname,
  p.prosrc
FROM pg_catalog.pg_proc p
LEFT JOIN pg_catalog.pg_trigger t
  ON t.tgfoid = p.oid AND t.tgname = p.proname AND t.tgenabled <> 'D' AND t.tgparentid = 0
LEFT JOIN pg_catalog.pg_class c ON c.oid = t.tgrelid
LEFT JOIN pg_catalog.pg_namespace s ON s.oid = c.relnamespace
WHERE p.pronamespace = to_regnamespace(current_schema()) AND starts_with(p.proname, %s)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Schemas:
    """The schemas that triggers name."""

    functions: str | None = None
    """The schema of the functions; None: not known, so that names have no schema."""
    tables: Mapping[str, str] = field(default_factory=dict)
    """The schema of each table."""


def columns(
    connection: BaseDatabaseWrapper, tables: Iterable[str]
) -> Mapping[str, tuple[Column, ...]]:
    """Return the columns of each of the tables that exists."""
    found = defaultdict(list)
    with connection.cursor() as cursor:
        cursor.execute(_COLUMNS, [list(tables)])
        for table, name, type_, required in cursor.fetchall():
            found[table].append(Column(name=name, type=type_, required=required))
    return {table: tuple(columns) for table, columns in found.items()}


def schemas(connection: BaseDatabaseWrapper, tables: Collection[str]) -> Schemas:
    """Return the schemas of tables, and the one in which new functions are created."""
    with connection.cursor() as cursor:
        cursor.execute(_SCHEMAS, [list(tables)])
        found = dict(cursor.fetchall())
        cursor.execute("SELECT current_schema()")
        return Schemas(functions=cursor.fetchone()[0], tables=found)


def installed(connection: BaseDatabaseWrapper) -> Sequence[InstalledTrigger]:
    """Return the triggers of this package."""
    with connection.cursor() as cursor:
        cursor.execute(_INSTALLED, [PREFIX])
        return [
            InstalledTrigger(table=table, name=name, body=body)
            for table, name, body in cursor.fetchall()
        ]
