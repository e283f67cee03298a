"""PostgreSQL: the SQL of the triggers that protect the log."""

from collections.abc import Mapping

APPEND_ONLY_HEADS: Mapping[str, str] = {
    "update": """
BEFORE UPDATE ON {table}
FOR EACH ROW
""",
    "delete": """
BEFORE DELETE ON {table}
FOR EACH ROW
""",
    "truncate": """
BEFORE TRUNCATE ON {table}
FOR EACH STATEMENT
""",
}

APPEND_ONLY = """
{header}
BEGIN
  {unchanged}
  RAISE EXCEPTION {message} USING ERRCODE = '23000';
END
"""

# A fixture that is loaded again writes what is there already. As jsonb, because the text of JSON
# may have other blanks.
ALLOW_UNCHANGED = """
IF to_jsonb(OLD) = to_jsonb(NEW) THEN
  RETURN OLD;
END IF;
"""

# ALWAYS: also under session_replication_role = replica.
ENABLE_ALWAYS = "ALTER TABLE {table} ENABLE ALWAYS TRIGGER {name}"
