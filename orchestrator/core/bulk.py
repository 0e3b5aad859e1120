"""Rows by the hundred thousand, for trials: executemany on SQLite, COPY on PostgreSQL."""

from collections.abc import Sequence
from typing import Any, Final

from django.db import connection

_AT_ONCE: Final = 5_000


def write(table: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Insert ``rows``, whose values have the form in which the database keeps them (sql.adapt), in the caller's
    transaction. It asks no model and no service: what is written must be as those would have written it.
    """
    names = ", ".join(columns)
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            with cursor.copy(f"COPY {table} ({names}) FROM STDIN") as copy:
                for row in rows:
                    copy.write_row(row)
            return
        places = ", ".join(["%s"] * len(columns))
        for begin in range(0, len(rows), _AT_ONCE):
            cursor.executemany(
                f"INSERT INTO {table} ({names}) VALUES ({places})",  # noqa: S608 - our own tables and columns
                rows[begin : begin + _AT_ONCE],
            )
