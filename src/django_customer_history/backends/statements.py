"""What a text of SQL is, by the grammar of SQL alone.

Nothing here decides who changed a row. It finds the statements that cannot run a trigger, so that
they need no context. A text that is not understood counts as one that may write.
"""

import re

_FIRST_WORD = re.compile(
    # Blanks, brackets and comments. A comment with another one in it, which PostgreSQL allows,
    # and a comment that MySQL or MariaDB executes are left alone: then there is no first word.
    r"(?:[\s(]+|--[^\n]*(?:\n|\Z)|/\*(?!M?!)(?:(?!/\*|\*/).)*+\*/)*+([A-Za-z]+)",
    re.DOTALL,
)
_CHANGING = re.compile(r"\b(?:INSERT|UPDATE|DELETE|MERGE|REPLACE)\b", re.IGNORECASE)
_OF_DJANGO = ("INSERT ", "UPDATE ", "DELETE ", "SELECT ")
"""How most statements of Django begin: their first word is found without an expression."""

CONTROL = frozenset(
    ["ABORT", "BEGIN", "COMMIT", "END", "RELEASE", "ROLLBACK", "SAVEPOINT", "START"],
)
"""The first words of statements that begin or end a transaction, or a part of one."""
WITHOUT_SCHEMA = CONTROL | {
    "COPY",
    "DELETE",
    "EXPLAIN",
    "FETCH",
    "INSERT",
    "LOAD",
    "LOCK",
    "MERGE",
    "REPLACE",
    "SELECT",
    "SET",
    "SHOW",
    "TABLE",
    "TRUNCATE",
    "UPDATE",
    "VALUES",
    "WITH",
}
"""The first words of statements that cannot make a function."""


def first_word(sql: object) -> str:
    """Return the first word of a text of SQL in upper case; "" if there is none."""
    if not isinstance(sql, str):
        return ""
    if sql.startswith(_OF_DJANGO):
        return sql[:6]
    found = _FIRST_WORD.match(sql)
    return "" if found is None else found[1].upper()


def is_single(sql: object) -> bool:
    """Return whether a text is certainly one statement."""
    return isinstance(sql, str) and ";" not in sql.rstrip("; \n\t\r")


def is_select(sql: object) -> bool:
    """Return whether a text is one query that changes rows only by a function that it calls.

    A WITH that changes rows contains the word that says so.
    """
    if not isinstance(sql, str):
        return False
    # This runs before each query, and a combined query of Django begins with a bracket.
    word = "SELECT" if sql.startswith("(SELECT ") else first_word(sql)
    if word == "WITH":
        return is_single(sql) and _CHANGING.search(sql) is None
    return word == "SELECT" and (";" not in sql or is_single(sql))
