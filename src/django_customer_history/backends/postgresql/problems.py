"""PostgreSQL: what can change, hide or swallow entries beside the triggers of this package."""

from collections.abc import Iterator, Sequence
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper

from django_customer_history.backends.postgresql.introspection import TABLES
from django_customer_history.backends.problems import DatabaseProblem
from django_customer_history.backends.tables import PREFIX, TrackedTable

_LOG = f"""
WITH log AS (
  SELECT t.oid, t.relowner, t.relacl, t.relrowsecurity, t.relforcerowsecurity
  {TABLES}
),
parts AS (
  SELECT oid FROM log
  UNION ALL
  SELECT i.inhrelid FROM log JOIN pg_catalog.pg_inherits i ON i.inhparent = log.oid
)
"""

_FOREIGN = f"""
{_LOG}
SELECT 'the trigger ' || quote_ident(t.tgname) || ' on ' || t.tgrelid::regclass::text
FROM pg_catalog.pg_trigger t
JOIN pg_catalog.pg_proc p ON p.oid = t.tgfoid
WHERE t.tgrelid IN (SELECT oid FROM parts)
  AND NOT t.tgisinternal
  AND t.tgparentid = 0
  AND NOT (starts_with(p.proname, %s) AND t.tgname = p.proname)
UNION ALL
SELECT 'the rule ' || quote_ident(r.rulename) || ' on ' || r.ev_class::regclass::text
FROM pg_catalog.pg_rewrite r
WHERE r.ev_class IN (SELECT oid FROM parts)
UNION ALL
SELECT 'the table ' || c.oid::regclass::text || ', which inherits from ' || %s || ','
FROM parts
JOIN pg_catalog.pg_class c ON c.oid = parts.oid AND NOT c.relispartition
WHERE c.oid NOT IN (SELECT oid FROM log)
ORDER BY 1
"""

# A rule of a view is the view.
_RULES = f"""
SELECT r.rulename, named.name
{TABLES}
JOIN pg_catalog.pg_rewrite r ON r.ev_class = t.oid
WHERE t.relkind IN ('r', 'p')
ORDER BY 2, 1
"""

_TEMPORARY = """
SELECT quote_ident(s.nspname) || '.' || quote_ident(c.relname)
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace s ON s.oid = c.relnamespace
WHERE c.relname = %s AND c.relpersistence = 't' AND c.relkind IN ('r', 'p', 'v', 'f')
ORDER BY 1
"""

# Row-level security of the log does not hold for a statement that names a partition.
_WIDER = f"""
{_LOG}
SELECT c.oid::regclass::text, coalesce(r.rolname, 'PUBLIC'), string_agg(a.privilege_type, ', ')
FROM log
JOIN parts ON parts.oid <> log.oid
JOIN pg_catalog.pg_class c ON c.oid = parts.oid
CROSS JOIN aclexplode(c.relacl) a
LEFT JOIN pg_catalog.pg_roles r ON r.oid = a.grantee
WHERE a.grantee NOT IN (c.relowner, log.relowner)
  AND (log.relrowsecurity OR NOT EXISTS (
    SELECT 1 FROM aclexplode(log.relacl) b
    WHERE b.grantee IN (a.grantee, 0) AND b.privilege_type = a.privilege_type
  ))
GROUP BY 1, 2
ORDER BY 1, 2
"""

_UNSAFE_FUNCTIONS = """
SELECT p.oid::regprocedure::text
FROM pg_catalog.pg_proc p
WHERE p.pronamespace = to_regnamespace(current_schema())
  AND starts_with(p.proname, %s)
  AND p.prosecdef
  AND NOT EXISTS (
    SELECT 1 FROM unnest(p.proconfig) AS setting WHERE starts_with(setting, 'search_path=')
  )
ORDER BY 1
"""

# A policy without a condition shows all rows.
_HIDDEN_LOG = f"""
{_LOG}
SELECT row_security_active(log.oid) AND NOT EXISTS (
  SELECT 1 FROM pg_catalog.pg_policy p
  WHERE p.polrelid = log.oid
    AND p.polpermissive
    AND p.polcmd IN ('r', '*')
    AND coalesce(pg_get_expr(p.polqual, p.polrelid), 'true') = 'true'
    AND (
      0 = ANY (p.polroles)
      OR EXISTS (
        SELECT 1 FROM unnest(p.polroles) AS role(oid) WHERE pg_has_role(role.oid, 'USAGE')
      )
    )
)
FROM log
"""

_SECURED = f"""
SELECT named.name, t.relforcerowsecurity
{TABLES}
WHERE t.relrowsecurity
ORDER BY 1
"""

# The owner of a table is not subject to its policies, unless they are forced.
_DEFINED = """
SELECT p.proname
FROM pg_catalog.pg_proc p
WHERE p.pronamespace = to_regnamespace(current_schema())
  AND starts_with(p.proname, %s)
  AND p.prosecdef
"""

_ROLES_BLOCK = "Run the block of SQL that the page on PostgreSQL roles has for after each migrate."


def problems_of_log(connection: BaseDatabaseWrapper, log: str) -> Iterator[DatabaseProblem]:
    """Yield what else is at the table of the log."""
    for (what,) in _rows(connection, _FOREIGN, [log], PREFIX, log):
        yield DatabaseProblem(
            code="W030",
            text=f"{what} is not of this package and can change or drop entries",
            hint="Drop it. To react to entries, read the log.",
        )
    for (name,) in _rows(connection, _TEMPORARY, log):
        yield DatabaseProblem(
            code="W031",
            text=f"{name} is a temporary table with the name of the log, and takes its place",
            hint="Drop it, and REVOKE TEMPORARY ON DATABASE from the application's role.",
        )
    for part, role, privileges in _rows(connection, _WIDER, [log]):
        yield DatabaseProblem(
            code="W032",
            text=f"{role} has {privileges} on the partition {part}, but not on the log",
            hint=f"REVOKE ALL ON {part} FROM {role}. The log is read and written as a whole.",
        )
    for (function,) in _rows(connection, _UNSAFE_FUNCTIONS, PREFIX):
        yield DatabaseProblem(
            code="W033",
            text=f"{function} is SECURITY DEFINER and uses the search_path of its caller",
            hint=_ROLES_BLOCK,
        )
    for (is_hidden,) in _rows(connection, _HIDDEN_LOG, [log]):
        if is_hidden:
            yield DatabaseProblem(
                code="W034",
                text="row-level security hides entries of the log from the current role",
                hint=f"CREATE POLICY read_all ON {log} FOR SELECT USING (true).",
            )


def problems_of_tables(
    connection: BaseDatabaseWrapper, tables: Sequence[TrackedTable], names: dict[str, str]
) -> Iterator[DatabaseProblem]:
    """Yield the rules of tables, and the tables whose policies hide rows from triggers.

    `names` has a trigger of each table.
    """
    tracked = sorted({table.name for table in tables})
    for rule, name in _rows(connection, _RULES, tracked):
        yield DatabaseProblem(
            code="W037",
            text=f"the rule {rule} on {name} changes or drops writes to a tracked table",
            hint="Drop it, or make sure that it does what you want.",
        )
    read = {name for table in tables for name in (table.name, *table.read_tables())}
    secured = dict(_rows(connection, _SECURED, [sorted(read)]))
    if not secured:
        return
    defined = {name for (name,) in _rows(connection, _DEFINED, PREFIX)}
    exposed = {
        name
        for table in tables
        if names[table.name] not in defined
        for name in (table.name, *table.read_tables())
    }
    for name in sorted(secured.keys()):
        if name in exposed or secured[name]:
            yield DatabaseProblem(
                code="W035",
                text=f"policies of {name} can hide rows from the triggers that record changes",
                hint=(
                    f"ALTER TABLE {name} NO FORCE ROW LEVEL SECURITY, and let triggers run with"
                    f" the rights of the owner. {_ROLES_BLOCK}"
                ),
            )


def hides_rows(connection: BaseDatabaseWrapper, table: str) -> bool:
    """Return whether the current role is subject to policies of a table."""
    sql = f"SELECT row_security_active(t.oid) {TABLES}"
    return any(is_active for (is_active,) in _rows(connection, sql, [table]))


def _rows(connection: BaseDatabaseWrapper, sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return list(cursor.fetchall())
