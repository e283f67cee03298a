"""PostgreSQL: columns, schemas and installed triggers."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from django.db.backends.base.base import BaseDatabaseWrapper

from django_customer_history.backends.postgresql.templates import REQUIRED, TYPE
from django_customer_history.backends.tables import (
    PREFIX,
    Column,
    HostParts,
    InstalledTrigger,
)

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
SELECT
  named.name,
  a.attname,
  {TYPE},
  {REQUIRED},
  coalesce(a.attnum = ANY (i.indkey), false)
{TABLES}
JOIN pg_catalog.pg_attribute a ON a.attrelid = t.oid
LEFT JOIN pg_catalog.pg_index i ON i.indrelid = t.oid AND i.indisprimary
WHERE a.attnum > 0 AND NOT a.attisdropped
ORDER BY named.name, a.attnum
"""

_SCHEMAS = f"""
SELECT named.name, s.nspname
{TABLES}
JOIN pg_catalog.pg_namespace s ON s.oid = t.relnamespace
"""

_KINDS = f"""
SELECT named.name, t.relkind::text
{TABLES}
WHERE t.relkind NOT IN ('r', 'p')
"""
_NAMES_OF_KINDS: Mapping[str, str] = {
    "v": "a view",
    "m": "a materialized view",
    "f": "a foreign table",
}

# Of a partitioned table only the leaves: it passes its row triggers on to all partitions.
_HOST_PARTS = f"""
WITH RECURSIVE part(name, root, oid) AS (
  SELECT named.name, t.relkind, t.oid
  {TABLES}
  UNION
  SELECT part.name, part.root, i.inhrelid
  FROM part
  JOIN pg_catalog.pg_inherits i ON i.inhparent = part.oid
)
SELECT
  part.name,
  part.root = 'p',
  CASE WHEN s.oid = to_regnamespace(current_schema()) THEN c.relname
    ELSE format('"%%s"."%%s"', s.nspname, c.relname)
  END
FROM part
JOIN pg_catalog.pg_class c ON c.oid = part.oid
JOIN pg_catalog.pg_namespace s ON s.oid = c.relnamespace
WHERE part.root = 'p' OR EXISTS (
  SELECT 1 FROM pg_catalog.pg_inherits i WHERE part.oid IN (i.inhparent, i.inhrelid)
)
ORDER BY 1, 3
"""

_FUNCTIONS = """
SELECT p.oid, p.pronamespace, p.proname, p.prosrc
FROM pg_catalog.pg_proc p
WHERE p.pronamespace = to_regnamespace(current_schema()) AND starts_with(p.proname, %s)
"""
# tgparentid: PostgreSQL copies the triggers of rows to the partitions.
# The head is the trigger's definition without its names, which may be quoted.
_TRIGGERS = """
SELECT
  t.tgfoid,
  t.tgname,
  c.relnamespace,
  c.relname,
  format('"%%s"."%%s"', s.nspname, c.relname),
  replace(
    replace(
      split_part(pg_get_triggerdef(t.oid), ' EXECUTE ', 1),
      ' ON ' || quote_ident(s.nspname) || '.' || quote_ident(c.relname) || ' ',
      ' '
    ),
    'CREATE TRIGGER ' || quote_ident(t.tgname) || ' ',
    ''
  ),
  t.tgenabled::text
FROM pg_catalog.pg_trigger t
JOIN pg_catalog.pg_class c ON c.oid = t.tgrelid
JOIN pg_catalog.pg_namespace s ON s.oid = c.relnamespace
WHERE t.tgparentid = 0 AND starts_with(t.tgname, %s)
"""
# With tables: their triggers, and the functions of these and of no trigger at all.
_ON_TABLES = """
AND %s::text[] && ARRAY[c.relname::text, format('"%%s"."%%s"', s.nspname, c.relname)]
"""
_WITHOUT_OTHERS = """
AND (p.oid = ANY (%s::oid[]) OR p.oid NOT IN (SELECT t.tgfoid FROM pg_catalog.pg_trigger t))
"""
_NO_TRIGGER = (None, "", "", "", "")
_MODES: Mapping[str, str] = {"O": "default", "A": "always", "R": "replica", "D": "disabled"}


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
        for table, name, type_, required, is_key in cursor.fetchall():
            found[table].append(Column(name=name, type=type_, required=required, is_key=is_key))
    return {table: tuple(columns) for table, columns in found.items()}


def schemas(connection: BaseDatabaseWrapper, tables: Collection[str]) -> Schemas:
    """Return the schemas of tables, and the one in which new functions are created."""
    with connection.cursor() as cursor:
        cursor.execute(_SCHEMAS, [list(tables)])
        found = dict(cursor.fetchall())
        cursor.execute("SELECT current_schema()")
        return Schemas(functions=cursor.fetchone()[0], tables=found)


def unsupported_tables(connection: BaseDatabaseWrapper, tables: Iterable[str]) -> Mapping[str, str]:
    """Return what each of the tables is that is not a table of rows."""
    with connection.cursor() as cursor:
        cursor.execute(_KINDS, [list(tables)])
        return {name: _NAMES_OF_KINDS.get(kind, "not a table") for name, kind in cursor.fetchall()}


def host_parts(connection: BaseDatabaseWrapper, tables: Iterable[str]) -> Mapping[str, HostParts]:
    """Return the partitions and the inheriting tables of those tables that have some."""
    names, partitioned = defaultdict(list), {}
    with connection.cursor() as cursor:
        cursor.execute(_HOST_PARTS, [list(tables)])
        for table, is_partitioned, part in cursor.fetchall():
            partitioned[table] = is_partitioned
            if part != table:
                names[table].append(part)
    return {
        table: HostParts(is_partitioned=is_partitioned, names=tuple(names[table]))
        for table, is_partitioned in partitioned.items()
    }


def head_of(definition: str) -> str:
    """Return the head of a trigger in one spelling: PostgreSQL adds parentheses."""
    return " ".join(definition.replace("(", "").replace(")", "").lower().split())


def installed(
    connection: BaseDatabaseWrapper, tables: Collection[str] | None
) -> Sequence[InstalledTrigger]:
    """Return the triggers of this package; with `tables`, those on them, and shared functions."""
    # No index leads from a function to its trigger: PostgreSQL would compare each with each.
    triggers = defaultdict(list)
    with connection.cursor() as cursor:
        if tables is None:
            cursor.execute(_TRIGGERS, [PREFIX])
        else:
            cursor.execute(_TRIGGERS + _ON_TABLES, [PREFIX, [*tables]])
        for function, name, *about in cursor.fetchall():
            triggers[function, name].append(about)
        if tables is None:
            cursor.execute(_FUNCTIONS, [PREFIX])
        else:
            own = [function for function, _name in triggers]
            cursor.execute(_FUNCTIONS + _WITHOUT_OTHERS, [PREFIX, own])
        functions = cursor.fetchall()
    found = []
    for function, schema, name, body in functions:
        # A function without a trigger is left from a table that was dropped: its table is ''.
        for namespace, table, full_name, head, mode in triggers[function, name] or [_NO_TRIGGER]:
            found.append(
                InstalledTrigger(
                    table=table if namespace in (schema, None) else full_name,
                    name=name,
                    body=body,
                    head=head_of(head),
                    mode=_MODES.get(mode, mode),
                )
            )
    return found
