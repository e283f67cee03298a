"""Several questions to one database in one statement, each answered with objects of its own.

The rows of all stand under each other, with a number in front that tells whose they are, and
NULL in the columns of the others.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from django.core.exceptions import EmptyResultSet
from django.db import connections, models
from django.db.models.query import ModelIterable

MOST_COLUMNS = 1_000
"""Of one statement; PostgreSQL takes 1,664, SQLite 2,000. Beyond it there is a further one."""

_INFERS_TYPES_OF_NULL = ("sqlite", "mysql")

AnyModel = TypeVar("AnyModel", bound=models.Model)
Row = Sequence[Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A SELECT, and what is made of its rows."""

    sql: str
    parameters: tuple[Any, ...]
    types: tuple[str, ...]
    """The database's types of the columns, in their order."""
    read: Callable[[list[Row]], list[Any]]


def question_of(queryset: "models.QuerySet[AnyModel]", *, hint: str = "") -> Question | None:
    """Return the question that a queryset of model instances is, None: it can find nothing.

    `hint` is SQL of the dialect that stands behind the name of the table.
    """
    queryset = queryset.all()
    compiler: Any = queryset.query.get_compiler(using=queryset.db)
    try:
        sql, parameters = compiler.as_sql(with_col_aliases=True)
    except EmptyResultSet:
        return None
    connection = connections[queryset.db]
    table = f" FROM {connection.ops.quote_name(queryset.model._meta.db_table)}"
    sql = sql.replace(table, table + hint, 1)

    def read(rows: list[Row]) -> list[AnyModel]:
        # Django's own way from rows to instances, with rows that are here already.
        compiler.execute_sql = lambda *_, **__: [rows]
        queryset.query.get_compiler = lambda *_, **__: compiler  # type: ignore[method-assign]
        try:
            return list(ModelIterable(queryset))
        finally:
            # They hold each other, and the rows, until the garbage is collected.
            del compiler.execute_sql, queryset.query.get_compiler

    types = (column.output_field.db_type(connection) for column, _, _ in compiler.select)
    return Question(sql=sql, parameters=tuple(parameters), types=tuple(types), read=read)


def answers(questions: Sequence[Question | None], *, using: str) -> list[list[Any]]:
    """Return what each question finds, in one statement; what can find nothing finds nothing."""
    found: list[list[Any]] = [[] for _ in questions]
    asked = [(place, one) for place, one in enumerate(questions) if one is not None]
    for group in _groups(asked):
        for (place, question), rows in zip(group, _rows(group, using), strict=True):
            found[place] = question.read(rows)
    return found


_Asked = list[tuple[int, Question]]


def _groups(asked: _Asked) -> Iterator[_Asked]:
    group: _Asked = []
    for one in asked:
        if group and sum(len(question.types) for _, question in [*group, one]) > MOST_COLUMNS:
            yield group
            group = []
        group.append(one)
    if group:
        yield group


def _rows(group: _Asked, using: str) -> list[list[Row]]:
    questions = [question for _, question in group]
    rows: list[list[Row]] = [[] for _ in questions]
    with connections[using].cursor() as cursor:
        parameters = [value for question in questions for value in question.parameters]
        cursor.execute(_union(questions, connections[using].vendor), parameters)
        starts = list(_starts(questions))
        for number, *columns in cursor.fetchall():
            start = starts[number]
            rows[number].append(columns[start : start + len(questions[number].types)])
    return rows


def _starts(questions: Iterable[Question]) -> Iterator[int]:
    start = 0
    for question in questions:
        yield start
        start += len(question.types)


def _union(questions: Sequence[Question], vendor: str) -> str:
    parts = []
    for number, question in enumerate(questions):
        columns = [
            "s.*" if place == number else ", ".join(_nulls(one.types, number, vendor))
            for place, one in enumerate(questions)
        ]
        parts.append(f"SELECT {number}, {', '.join(columns)} FROM ({question.sql}) s")
    return " UNION ALL ".join(parts)


def _nulls(types: Iterable[str], number: int, vendor: str) -> Iterator[str]:
    # PostgreSQL goes by the first two: it would take their NULLs for text.
    is_inferred = number > 0 or vendor in _INFERS_TYPES_OF_NULL
    for name in types:
        yield "NULL" if is_inferred else f"CAST(NULL AS {name})"
