"""Rebuild rows from the log alone, and raise where the log contradicts itself."""

from collections import defaultdict


class ContradictionError(AssertionError):
    """An entry does not agree with the entries before it."""


class Replay:
    """The state of all rows after some entries, as text."""

    def __init__(self, keys):
        self.rows = {}
        self.links = defaultdict(set)
        self._keys = keys

    def read(self, entries):
        """Apply entries, oldest first, each change once."""
        for entry in entries:
            if entry.primary_id is None:
                getattr(self, f"_{entry.kind}")(entry)
        return self

    def _create(self, entry):
        place = self._place(entry)
        if place in self.rows:
            raise ContradictionError(f"{place} is created twice")
        self.rows[place] = {name: new for name, (_old, new) in entry.changes.items()}

    def _update(self, entry):
        place = self._place(entry)
        row = self.rows.pop(place)
        key = self._keys.get(entry.entity_model)
        for name, (old, new) in entry.changes.items():
            if name == key:
                place = (entry.entity_model, new)
                continue
            if row.get(name) != old:
                raise ContradictionError(
                    f"{place}.{name} was {row.get(name)!r}, the log says {old!r}"
                )
            row[name] = new
        self.rows[place] = row

    def _delete(self, entry):
        row = self.rows.pop(self._place(entry))
        lost = {name: old for name, (old, _new) in entry.changes.items()}
        held = {name: value for name, value in row.items() if value is not None}
        if held != lost:
            raise ContradictionError(f"{self._place(entry)} held {held}, the log says {lost}")

    def _add(self, entry):
        for name, (_old, new) in entry.changes.items():
            links = self.links[entry.entity_model, entry.entity_id, name]
            if new in links:
                raise ContradictionError(f"{new} is added twice")
            links.add(new)

    def _remove(self, entry):
        for name, (old, _new) in entry.changes.items():
            self.links[entry.entity_model, entry.entity_id, name].remove(old)

    def _place(self, entry):
        return entry.entity_model, entry.entity_id
