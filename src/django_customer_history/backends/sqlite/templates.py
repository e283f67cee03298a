"""SQLite: the SQL of the triggers.

SQLite allows no schema name inside a trigger: a trigger of the schema `main` always means the
tables of `main`, so that a temporary table cannot take their place.
"""

CAPTURE = """
CREATE TRIGGER {name}
AFTER {event} ON {table}
FOR EACH ROW
WHEN {condition}
BEGIN
  {header}
  {statements}
END
"""

APPEND_ONLY = """
CREATE TRIGGER {name}
BEFORE {event} ON {log}
BEGIN
  {header}
  SELECT RAISE(ABORT, {message});
END
"""

# A fixture that is loaded again writes what is there already.
APPEND_ONLY_UPDATE = """
CREATE TRIGGER {name}
BEFORE {event} ON {log}
WHEN (
  {change}
)
BEGIN
  {header}
  SELECT RAISE(ABORT, {message});
END
"""

# Without recursive_triggers, REPLACE removes the old row without running its DELETE trigger.
APPEND_ONLY_REPLACE = """
CREATE TRIGGER {name}
BEFORE INSERT ON {log}
WHEN EXISTS (SELECT 1 FROM {log} WHERE id = NEW.id)
BEGIN
  {header}
  SELECT RAISE(ABORT, {message});
END
"""

ENTRY = """
INSERT INTO {log} (
  {columns}
)
VALUES (
  {values}
)
"""

# Rows of a SELECT go through a temporary table first, as the log has a trigger. So this is only
# for entries with a condition.
ENTRY_IF = """
INSERT INTO {log} (
  {columns}
)
SELECT
  {values}
WHERE {condition}
"""

REQUIRE_REASON = """
SELECT RAISE(ABORT, {message})
WHERE {condition}
"""

# A program may have switched off the check that the column has JSON. JSON may have an escaped
# half of a character, which is not text outside of JSON.
CHANGED_NAMES = r"""
CASE
  WHEN NOT json_valid({changes}) OR json_type({changes}) <> 'object' THEN 'null'
  WHEN instr({changes}, '\u') > 0 THEN {changes}
  ELSE (SELECT json_group_array(key) FROM json_each({changes}))
END
"""
