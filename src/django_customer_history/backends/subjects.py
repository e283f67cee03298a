"""The SQL of a row's key and of its subjects: what is the same on all databases."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from django_customer_history.backends.expressions import Expressions
from django_customer_history.backends.tables import (
    Column,
    ContentTypeTest,
    Join,
    SubjectPath,
    TrackedColumn,
    TrackedTable,
)
from django_customer_history.backends.templates import all_of, call, case, fill, one_of

_BY_CONTENT_TYPE = """
(
  SELECT {value}
  FROM {content_types}
  WHERE id = {key}
)
"""
_OR_FROM_LOG = """
CASE WHEN {parent} IS NOT NULL THEN {value}
ELSE (
  SELECT {column} FROM {log}
  WHERE entity_model = {entity_model} AND entity_id = {entity_id}
    AND {is_model}
  ORDER BY id DESC LIMIT 1
) END
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A subject that an entry may belong to."""

    models: tuple[str, ...]
    """Labels of the models that the subject may be of."""
    model: str
    """SQL of the label of the subject's model, where the subject's key is not NULL."""
    id: str
    """SQL of the subject's key as text, or of NULL."""
    condition: str | None = None
    """SQL that is false if this candidate certainly equals one before it; None: not known."""
    is_never_null: bool = False


class Subjects(Expressions):
    """The key of a row, and the subjects that its entries belong to."""

    def is_required(self, table: TrackedTable, column: str) -> bool:
        """Return whether no row can have NULL in a column when the trigger runs."""
        return False

    def key(self, table: TrackedTable, row: str) -> str:
        """Return the SQL of the key of the row `NEW` or `OLD`, as entries have it."""
        return self._key(table.key, row) if table.key else self.literal("")

    def linked_key(self, table: TrackedTable, row: str) -> str:
        """Return the SQL of the key of the record that a many-to-many row links to."""
        if (relation := table.relation) is None:
            raise ValueError(f"{table.name!r} is not a many-to-many table")
        return self._key([relation.target], row)

    def _key(self, columns: Sequence[TrackedColumn], row: str) -> str:
        parts = [self._key_part(column, row) for column in columns]
        if len(parts) == 1:
            return parts[0]
        quoted = [self.json_string(part) for part in parts]
        separated = [piece for part in quoted for piece in (self.literal(","), part)][1:]
        key = self.concatenate([self.literal("["), *separated, self.literal("]")])
        # A part may be missing if it is in another row, and JSON has a text for that.
        tests = [f"{part} IS NOT NULL" for part in parts]
        return case([(all_of(tests), key)]) if any(one.via for one in columns) else key

    def _key_part(self, column: TrackedColumn, row: str) -> str:
        text = self.text(self.value(row, column), column)
        if (link := column.or_else) is None:
            return text
        return call("COALESCE", [text, self.text(self.value(row, link), link)])

    def _candidates(self, table: TrackedTable, rows: Sequence[str], *, log: str) -> list[Candidate]:
        logged = log if tuple(rows) == ("OLD",) else None
        return [
            candidate
            for paths in _by_place(table.subjects)
            for candidate in self._of_paths(table, paths, rows, log=logged)
        ]

    def _of_paths(
        self,
        table: TrackedTable,
        paths: Sequence[SubjectPath],
        rows: Sequence[str],
        *,
        log: str | None,
    ) -> list[Candidate]:
        """Return the candidates at one place, one for each row."""
        moved = None
        if len(rows) > 1:
            starts = dict.fromkeys(start for path in paths for start in path.starts)
            moves = [self.differs(*(self.cell(row, one) for row in rows)) for one in starts]
            moved = moves[0] if len(moves) == 1 else f"({' OR '.join(moves)})"
        return [
            Candidate(
                models=tuple(path.model for path in paths),
                model=self._value("subject_model", paths, row, log=log),
                id=self._value("subject_id", paths, row, log=log),
                condition=moved if number else None,
                is_never_null=paths[0].only_for is None
                and all(
                    not one.via and self.is_required(table, one.column.name) for one in paths[0].key
                ),
            )
            for number, row in enumerate(rows)
        ]

    def _value(
        self, column: str, paths: Sequence[SubjectPath], row: str, *, log: str | None
    ) -> str:
        """Return the SQL of a column of the subject at the end of one of some paths.

        With `log`, the subject comes from the log if the row's parent is deleted already.
        """
        values = [
            self.literal(path.model) if column == "subject_model" else self._key(path.key, row)
            for path in paths
        ]
        test = paths[0].only_for
        if test is None and column == "subject_model":
            return values[0]
        value = values[0] if test is None else self._by_content_type(test, paths, values, row)
        via = (paths[0].key[0] if test is None else test.column).via
        if log is not None and via and via[0].entity_model:
            value = self._or_from_log(column, value, paths, row, parent=via[0], log=log)
        return value

    def _by_content_type(
        self, first: ContentTypeTest, paths: Sequence[SubjectPath], values: Sequence[str], row: str
    ) -> str:
        tests: dict[str, dict[str, list[str]]] = {}
        for path, value in zip(paths, values, strict=True):
            if (test := path.only_for) is not None:
                tests.setdefault(value, {}).setdefault(test.app_label, []).extend(test.models)
        whens = [(self._is_one_of(models), value) for value, models in tests.items()]
        return fill(
            _BY_CONTENT_TYPE,
            value=case(whens),
            content_types=self.table(first.table),
            key=self.number(self.value(row, first.column)),
        )

    def _is_one_of(self, models: Mapping[str, Sequence[str]]) -> str:
        """Return the SQL of whether a content type is that of some models, by app label."""
        return "\n  OR ".join(
            f"app_label = {self.literal(app_label)} AND {self._equals_one('model', names)}"
            for app_label, names in models.items()
        )

    def _equals_one(self, column: str, texts: Sequence[str]) -> str:
        literals = [self.literal(text) for text in texts]
        return f"{column} = {literals[0]}" if len(texts) == 1 else one_of(column, literals)

    def _or_from_log(
        self,
        column: str,
        value: str,
        paths: Sequence[SubjectPath],
        row: str,
        *,
        parent: Join,
        log: str,
    ) -> str:
        """Return the SQL of a subject; the last logged one if the row's parent is deleted.

        `ON DELETE CASCADE` in the database deletes a parent before its children.
        """
        key = self.text(
            self.cell(row, parent.link),
            TrackedColumn(
                column=Column(name=parent.link, type=""),
                field="",
                value_type=parent.key_value_type,
            ),
        )
        return fill(
            _OR_FROM_LOG,
            parent=self.along(row, [parent], parent.key),
            value=value,
            column=column,
            log=self.table(log),
            entity_model=self.literal(parent.entity_model),
            entity_id=self.in_log(key),
            is_model=self._equals_one("subject_model", [path.model for path in paths]),
        )

    def _subjects(self, candidates: Sequence[Candidate]) -> list[tuple[dict[str, str], str | None]]:
        """Return subject columns and condition for each statement, so that no subject comes twice.

        The first statement takes the first subject that exists, or none. Each further statement
        writes only if its candidate exists and is not the subject of an earlier statement.
        """
        if not candidates:
            return [({"subject_model": "NULL", "subject_id": "NULL"}, None)]
        whens = [(f"{one.id} IS NOT NULL", one.model) for one in candidates]
        is_certain = candidates[0].is_never_null
        first = {
            "subject_model": candidates[0].model if is_certain else case(whens),
            "subject_id": _coalesce([one.id for one in candidates[: 1 if is_certain else None]]),
        }
        statements: list[tuple[dict[str, str], str | None]] = [(first, None)]
        for number, one in enumerate(candidates[1:], start=1):
            before = candidates[:number]
            tests = [one.condition] if one.condition else []
            if not one.is_never_null:
                tests.append(f"{one.id} IS NOT NULL")
            if not any(other.is_never_null for other in before):
                tests.append(f"{_coalesce([other.id for other in before])} IS NOT NULL")
            tests += [self._differ(one, other) for other in before if _may_be_equal(one, other)]
            subject = {"subject_model": one.model, "subject_id": one.id}
            statements.append((subject, all_of(tests) or None))
        return statements

    def _differ(self, one: Candidate, other: Candidate) -> str:
        keys = self.differs(one.id, other.id)
        if len(one.models) == len(other.models) == 1:
            return keys
        return f"({keys} OR {self.differs(one.model, other.model)})"


def _by_place(paths: Iterable[SubjectPath]) -> list[list[SubjectPath]]:
    """Return the paths in groups: those of one generic foreign key are one group.

    A key of a row leads to one subject at most, whatever its model.
    """
    groups: dict[object, list[SubjectPath]] = {}
    for number, path in enumerate(paths):
        held = path.key[0].or_else or path.key[0]
        place = number if path.only_for is None else (path.only_for.column, held)
        groups.setdefault(place, []).append(path)
    # Triggers must not depend on the order of registrations.
    return [sorted(group, key=lambda path: path.model) for group in groups.values()]


def _may_be_equal(one: Candidate, other: Candidate) -> bool:
    return not set(one.models).isdisjoint(other.models)


def _coalesce(expressions: Sequence[str]) -> str:
    return expressions[0] if len(expressions) == 1 else call("COALESCE", expressions)
