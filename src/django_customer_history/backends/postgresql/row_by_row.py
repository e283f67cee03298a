"""PostgreSQL: entries about a table whose rows are in partitions or in inheriting tables.

Triggers of statements run for the table that the statement names, triggers of rows for the table
that has the row.
"""

from django_customer_history.backends.postgresql import host_templates
from django_customer_history.backends.postgresql.json_rows import JSONRowEntries
from django_customer_history.backends.tables import PREFIX, Event, TrackedTable
from django_customer_history.backends.templates import all_of, fill

UNTRACKED_PARTITION_MESSAGE = (
    "customer history: TRUNCATE of {} refused, because a new partition has no triggers yet. Run"
    " migrate."
)


class RowByRowEntries(JSONRowEntries):
    """The statements of triggers that run for each row, and of those of one TRUNCATE."""

    def work(self, table: TrackedTable, event: Event, *, log: str) -> str:
        """Return the statements of the trigger."""
        if table.rows_in == "partitions" and table.relation is None:
            if event == "delete":
                return self._delete_or_move(table, log=log)
            if event == "insert":
                insert = self.work_by_json(table, event, log=log)
                token = self._token(table, "NEW")
                return fill(host_templates.INSERT_UNLESS_MOVED, token=token, insert=insert)
        if table.rows_in == "partitions" and event == "truncate":
            # The rows are in the partitions, and the triggers there log them.
            name = self.table(table.name)
            return fill(
                host_templates.REFUSE_UNLESS_PARTITIONS_TRACKED,
                table=self.literal(name),
                prefix=self.literal(PREFIX),
                message=self.literal(UNTRACKED_PARTITION_MESSAGE.format(name)),
            )
        return self.work_by_json(table, event, log=log)

    def written_rows(self, table: str, event: Event) -> str:
        if event == "truncate":
            return f"ONLY {self.table(table)}"
        return f"(SELECT {'NEW' if event == 'insert' else 'OLD'}.*)"

    def _delete_or_move(self, table: TrackedTable, *, log: str) -> str:
        names = [self.quote(key.column.name) for key in table.key]
        return fill(
            host_templates.DELETE_OR_MOVE,
            moved=self.row_as_json("customer_history_moved", table.columns),
            table=self.table(table.name),
            same_key=all_of([f"customer_history_moved.{name} = OLD.{name}" for name in names]),
            token=self._token(table, "OLD"),
            update=self.work_by_json(table, "update", log=log, new_row="moved"),
            delete=self.work_by_json(table, "delete", log=log),
        )

    def _token(self, table: TrackedTable, row: str) -> str:
        """Return the SQL of a text that names a row of the table."""
        keys = ", ".join(f"{row}.{self.quote(key.column.name)}" for key in table.key)
        return f"jsonb_build_array({self.literal(table.name)}, {keys})::text"
