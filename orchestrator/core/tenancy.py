"""A reference never leaves its org: the database itself says so.

Django knows no foreign key over two columns. PostgreSQL does; SQLite cannot add one to a table that is there, so there
a trigger stands for it. SQLite drops triggers when a later migration rebuilds the table: end such a migration with the
same operation again (a test holds every reference to its promise).
"""

from typing import Any

from django.db.migrations.operations.base import Operation


class SameOrg(Operation):
    """In a migration: rows of ``table`` may name by ``column`` only rows of ``target`` with the same ``org_id``.

    ``target`` needs a unique constraint on (org_id, id).
    """

    reversible = True

    def __init__(self, table: str, column: str, target: str) -> None:
        self.table, self.column, self.target = table, column, target
        self.rule = f"{table}_{column}_same_org"

    def state_forwards(self, app_label: str, state: Any) -> None:
        """Constraints are the database's alone."""

    def database_forwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        self.database_backwards(app_label, schema_editor, from_state, to_state)
        if schema_editor.connection.vendor == "postgresql":
            schema_editor.execute(
                f"ALTER TABLE {self.table} ADD CONSTRAINT {self.rule} FOREIGN KEY (org_id, {self.column}) "
                f"REFERENCES {self.target} (org_id, id) DEFERRABLE INITIALLY DEFERRED"
            )
            return
        for moment in ("INSERT", f"UPDATE OF org_id, {self.column}"):
            there = f"SELECT 1 FROM {self.target} WHERE id = NEW.{self.column} AND org_id = NEW.org_id"  # noqa: S608
            schema_editor.execute(
                f"CREATE TRIGGER {self._trigger(moment)} BEFORE {moment} ON {self.table} "
                f"WHEN NEW.{self.column} IS NOT NULL AND NOT EXISTS ({there}) "
                f"BEGIN SELECT RAISE(ABORT, 'FOREIGN KEY constraint failed: {self.rule}'); END"
            )

    def database_backwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        if schema_editor.connection.vendor == "postgresql":
            schema_editor.execute(f"ALTER TABLE {self.table} DROP CONSTRAINT IF EXISTS {self.rule}")
            return
        for moment in ("INSERT", "UPDATE"):
            schema_editor.execute(f"DROP TRIGGER IF EXISTS {self._trigger(moment)}")

    def _trigger(self, moment: str) -> str:
        return f"{self.rule}_{moment.split()[0].lower()}"

    def describe(self) -> str:
        return f"Keep {self.table}.{self.column} inside its org"
