"""The rows of one model side by side with what the log says about them.

Pages of entries and of rows are read one after the other, while others write. So a row that
differs is looked at again, with its entries, in one state of the database: only then it counts.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from uuid import UUID

from django.db import DatabaseError, models, transaction
from django.db.models import Q

from django_customer_history.backends.existing_rows import row_keys_query
from django_customer_history.capture.batches import BATCH
from django_customer_history.capture.events import IMPORTED_FROM
from django_customer_history.capture.existing_rows import fetch_rows, logged_values
from django_customer_history.capture.replay import (
    Difference,
    FieldRules,
    LoggedChange,
    ReplayedRow,
)
from django_customer_history.capture.tracked_rows import TrackedRows
from django_customer_history.capture.tracking_history import TrackingHistory, tracking_history
from django_customer_history.models import Entry
from django_customer_history.registration.registry import Registration, registry
from django_customer_history.registration.renames import renames
from django_customer_history.values.python_values import python_key

_KEYS = 200
"""How many rows of the log are compared at once."""
_PAGE = 1_000
"""How many entries are read at once."""
Row = Mapping[str, str | None]
Links = Mapping[str, Counter[str]]
"""The keys of linked records by many-to-many field."""


@dataclass(frozen=True, kw_only=True)
class ModelReplay:
    """The rows of one registered model, compared with the log."""

    own: TrackedRows
    links: Sequence[TrackedRows] = ()
    """The many-to-many tables of the model."""

    @property
    def label(self) -> str:
        """The label of the model."""
        return self.own.table.entity_model

    @cached_property
    def history(self) -> TrackingHistory:
        """What the log says about the registration."""
        return tracking_history(self.label, using=self._using)

    def unlogged_keys(self) -> Iterator[tuple[int, list[str]]]:
        """Yield the keys of rows without any entry, with the number of rows that were read."""
        for keys in self.own.batches(BATCH):
            condition, values = self.own.among(keys)
            query = row_keys_query(self.own.backend, self.own.table, rows=condition)
            found = {key for (key,) in fetch_rows(self.own.connection, query, values)}
            known = self._entries().filter(entity_id__in=found)
            logged = set(known.values_list("entity_id", flat=True).distinct())
            yield len(keys), sorted(found - logged - self._moves.keys())

    def differing_keys(self) -> Iterator[tuple[int, list[str]]]:
        """Yield the keys of rows that seem to differ, with the number of entries that were read."""
        for keys in self._logged_keys():
            read, suspects = 0, []
            states = dict[str, ReplayedRow]()
            for key, change in self._changes(keys):
                read += 1
                state = states.setdefault(key, ReplayedRow(rules=self._rules))
                if any(True for _ in self._take(state, change)) or key in self._moves:
                    suspects.append(key)
            found = self._rows(list(states))
            links = self._links(list(found))
            suspects += [
                key
                for key, state in states.items()
                if any(True for _ in self._against(state, found.get(key), links[key]))
            ]
            yield read, list(dict.fromkeys(suspects))
        yield 0, list(self._moves)

    def differences(self, key: str) -> list[Difference]:
        """Return how a row differs from the log, in one state of the database."""
        with self._snapshot():
            found: list[Difference] = []
            state = self._replayed(key, found)
            row = self._rows([key]).get(key)
            links = self._links([key])[key] if row is not None else {}
            return [*found, *self._against(state, row, links)]

    def _replayed(
        self, key: str, found: list[Difference], until: UUID | None = None
    ) -> ReplayedRow:
        """Return the row after its entries, or those before `until`; add what contradicts them."""
        moves = [one for one in self._moves.get(key, ()) if until is None or one[0] < until]
        state = ReplayedRow(rules=self._rules)
        for _key, change in self._changes([key]):
            if until is not None and change.id >= until:
                break
            while moves and moves[0][0] < change.id:
                state = self._moved(*moves.pop(0))
            found += self._take(state, change)
        for move in moves:
            state = self._moved(*move)
        return state

    def _moved(self, entry: UUID, former: str) -> ReplayedRow:
        """Return the row that an entry gave another key."""
        state = self._replayed(former, [], entry)
        for _key, change in self._changes([former]):
            if change.id == entry:
                list(state.take(change))
        return state

    def _take(self, state: ReplayedRow, change: LoggedChange) -> Iterator[Difference]:
        if change.is_baseline and self._rules.is_of_links(change.changes):
            if not change.is_imported:
                state.take_linked(change)
            return
        yield from state.take(change)
        if change.kind == "update" and not self._rules.keys.isdisjoint(change.changes):
            state.leave(change.id)

    def _against(self, state: ReplayedRow, row: Row | None, links: Links) -> Iterator[Difference]:
        """Yield how a row of the table differs from what the log says."""
        if row is None:
            if state.exists:
                yield Difference(text="was removed without an entry", since=state.last)
            return
        if state.exists is False:
            yield Difference(text="was added without an entry", since=state.last)
            return
        for name in self._compared_names(state, row):
            known = state.known(name)
            if known is not None and not self._rules.is_same(name, known[1], row.get(name)):
                yield Difference(text=f"{name} differs from the log", since=known[0])
        for rows in self.links:
            if (relation := rows.table.relation) is not None:
                name = relation.field
                yield from self._against_links(state, name, links.get(name, Counter()))

    def _compared_names(self, state: ReplayedRow, row: Row) -> list[str]:
        names = [*self._rules.types, *row, *state.names()]
        return [
            name
            for name in dict.fromkeys(names)
            if name.partition(".")[0] in self._rules.types and name not in self._rules.keys
        ]

    def _against_links(
        self, state: ReplayedRow, name: str, found: Counter[str]
    ) -> Iterator[Difference]:
        expected = state.links.get(name, Counter())
        knows_all = state.knows_all_links(name)
        for key in sorted({*expected, *found}):
            if expected[key] > found[key]:
                text = f"the link to {key} in {name} was removed without an entry"
                yield Difference(text=text, since=state.last)
            elif expected[key] < found[key] and knows_all:
                text = f"the link to {key} in {name} was added without an entry"
                yield Difference(text=text, since=state.last)

    # -- the log --------------------------------------------------------------------------

    def _entries(self) -> "models.QuerySet[Entry]":
        matching = renames.matching("entity_model", self.label, using=self._using)
        return Entry.objects.using(self._using).filter(matching, id__gt=self.history.since)

    def total(self) -> int:
        """Return the number of entries and of rows to read."""
        return self._entries().filter(primary_id=None).count() + self.own.total()

    def _logged_keys(self) -> Iterator[list[str]]:
        """Yield the keys of the rows that the log knows, some at a time."""
        log = Entry.objects.using(self._using)
        for label in renames.labels(self.label, using=self._using):
            named = log.filter(entity_model=label).order_by("entity_id")
            of_label = named.values_list("entity_id", flat=True).distinct()
            keys = list(of_label[:_KEYS])
            while keys:
                yield keys
                keys = list(of_label.filter(entity_id__gt=keys[-1])[:_KEYS])

    def _changes(self, keys: Sequence[str]) -> Iterator[tuple[str, LoggedChange]]:
        """Yield the changes of some rows, each row's in the order of time."""
        entries = (
            self._entries()
            .filter(entity_id__in=keys, primary_id=None)
            .only("id", "kind", "entity_model", "entity_id", "changes", "context")
            .order_by("entity_id", "id")
        )
        page = list(entries[:_PAGE])
        while page:
            for entry in page:
                key = entry.entity_id
                yield key, _change_of(renames.translate(entry, using=self._using))
            after = Q(entity_id=key, id__gt=page[-1].id) | Q(entity_id__gt=key)
            page = list(entries.filter(after)[:_PAGE]) if len(page) == _PAGE else []

    @cached_property
    def _moves(self) -> Mapping[str, Sequence[tuple[UUID, str]]]:
        """The entries that gave a row another key, with the former key, by the new one."""
        fields = self._registration.model._meta.pk_fields
        found: dict[str, list[tuple[UUID, str]]] = defaultdict(list)
        named = Q()
        for one in fields:
            named |= Q(changes__has_key=one.name)
        updates = self._entries().filter(named, kind="update", primary_id=None).order_by("id")
        for entry in updates.iterator(chunk_size=_PAGE):
            new = _new_key(entry, [one.name for one in fields])
            if new != entry.entity_id:
                found[new].append((entry.id, entry.entity_id))
        return found

    @cached_property
    def _rules(self) -> FieldRules:
        model = self._registration.model
        generated = {one.name for one in model._meta.fields if getattr(one, "generated", False)}
        parts = (model, *model._meta.get_parent_list())
        keys = {one.name for part in parts for one in part._meta.pk_fields}
        types = {
            one.field: one.value_type
            for one in self.own.table.columns
            if not one.secret and one.field not in generated
        }
        return FieldRules(
            types=types,
            known_since=self.history.known_since,
            keys=frozenset(keys),
            links=frozenset(one.name for one in model._meta.many_to_many),
        )

    # -- the tables -----------------------------------------------------------------------

    def _rows(self, keys: Sequence[str]) -> dict[str, Row]:
        """Return the rows with some keys. A text that cannot be a key has no row."""
        if not keys:
            return {}
        try:
            with transaction.atomic(using=self._using):
                condition, values = self.own.among([self._key(key) for key in keys])
                rows = logged_values(
                    self.own.connection, self.own.table, rows=condition, values=values
                )
                return {key: row for key, row in rows if key in keys}
        except (DatabaseError, OverflowError, TypeError, ValueError, ArithmeticError):
            halves = (keys[: len(keys) // 2], keys[len(keys) // 2 :]) if len(keys) > 1 else ()
            return {key: row for some in halves for key, row in self._rows(some).items()}

    def _links(self, keys: Sequence[str]) -> Mapping[str, Links]:
        """Return the links of some rows that are there."""
        found: dict[str, dict[str, Counter[str]]] = defaultdict(lambda: defaultdict(Counter))
        for rows in self.links:
            if (relation := rows.table.relation) is None or not keys:
                continue
            of_rows = self._rows_of_links(rows, relation.field, [self._key(key) for key in keys])
            for some in of_rows:
                condition, values = rows.among(some)
                for key, link in logged_values(
                    rows.connection, rows.table, rows=condition, values=values
                ):
                    found[key][relation.field][link.get(relation.field) or ""] += 1
        return found

    def _rows_of_links(
        self, rows: TrackedRows, name: str, owners: Sequence[Any]
    ) -> Iterator[list[Any]]:
        """Yield the primary keys of the links of some rows, a batch at a time."""
        relation: Any = self._registration.model._meta.get_field(name)
        source: Any = rows.model._meta.get_field(relation.m2m_field_name())
        owner = source.related_model._meta.concrete_model
        if owner is not self.own.model:  # The links of a parent, which may have another key.
            of_child = self.own.rows().filter(pk__in=owners)
            owners = list(of_child.values_list(owner._meta.pk.name, flat=True))
        links = rows.rows().filter(**{f"{source.name}__pk__in": owners})
        keys = list(links.values_list("pk", flat=True))
        for start in range(0, len(keys), BATCH):
            yield keys[start : start + BATCH]

    def _key(self, text: str) -> Any:
        return python_key(self._registration.model, text)

    @contextmanager
    def _snapshot(self) -> Iterator[None]:
        """Read one state of the database in the block."""
        connection = self.own.connection
        is_nested = connection.in_atomic_block
        with transaction.atomic(using=connection.alias):
            with connection.cursor() as cursor:
                for sql in () if is_nested else self.own.backend.snapshot:
                    cursor.execute(sql)
            yield

    @cached_property
    def _registration(self) -> Registration:
        return registry.of(self.own.model)

    @property
    def _using(self) -> str:
        return self.own.connection.alias


def model_replays(rows: Iterable[TrackedRows]) -> list[ModelReplay]:
    """Return the comparisons of the models of some tables."""
    by_model: dict[str, list[TrackedRows]] = defaultdict(list)
    for one in rows:
        by_model[one.table.entity_model].append(one)
    return [
        ModelReplay(own=own, links=[one for one in several if one is not own])
        for several in by_model.values()
        for own in several
        if own.table.relation is None
    ]


def _change_of(entry: Any) -> LoggedChange:
    return LoggedChange(
        id=entry.id,
        kind=entry.kind,
        changes={name: (old, new) for name, (old, new) in entry.changes.items()},
        is_baseline=entry.is_baseline,
        is_imported=IMPORTED_FROM in (entry.context or {}),
    )


def _new_key(entry: Any, names: Sequence[str]) -> str:
    """Return the key of a row after an entry that changed it."""
    if len(names) == 1:
        return str(entry.changes[names[0]][1])
    try:
        former = list(zip(names, json.loads(entry.entity_id), strict=True))
    except (ValueError, TypeError):
        return str(entry.entity_id)  # An entry that is not of a trigger.
    parts = [entry.changes[name][1] if name in entry.changes else part for name, part in former]
    return json.dumps(parts, separators=(",", ":"), ensure_ascii=False)
