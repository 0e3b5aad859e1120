"""Plain SQL for the few statements that every request or every step of a run executes.

Building a query through the ORM costs ten times what SQLite needs to answer it (docs/performance.md); on these paths,
and only there, the statement is written out once, in SQL that SQLite and PostgreSQL read alike, with ``%s`` for values.
"""

import operator
import uuid
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Final, TypeVar

import orjson
from django.db import connection
from django.db.models import Model

M = TypeVar("M", bound=Model)


def run(statement: str, values: Sequence[Any]) -> int:
    """Execute, and say how many rows it touched."""
    with connection.cursor() as cursor:
        cursor.execute(statement, [adapt(value) for value in values])
        return int(cursor.rowcount)


def row(statement: str, values: Sequence[Any]) -> tuple[Any, ...] | None:
    """The first row of the answer, or None."""
    with connection.cursor() as cursor:
        cursor.execute(statement, [adapt(value) for value in values])
        found: tuple[Any, ...] | None = cursor.fetchone()
        return found


def instance(model: type[M], statement: str, values: Sequence[Any]) -> M | None:
    """The first row of the answer, which has all columns of ``model``, as an instance of it; or None."""
    return next(iter(model._default_manager.raw(statement, [adapt(value) for value in values])), None)


def insert(statement: str, rows: Sequence[Sequence[Any]]) -> None:
    """Execute an INSERT whose text has ``{rows}`` in the place of the row values; nothing for no rows."""
    if rows:
        places = ", ".join(["(" + ", ".join(["%s"] * len(rows[0])) + ")"] * len(rows))
        run(statement.format(rows=places), [value for values in rows for value in values])


def uuid_of(value: Any) -> uuid.UUID:
    """An id of a row as this module gives it: SQLite's are text."""
    return value if isinstance(value, uuid.UUID) else uuid.UUID(value)


def adapt(value: Any) -> Any:
    """A value in the form in which Django's fields store it on the database at hand."""
    convert = _CONVERSIONS.get(type(value))
    if convert is not None:
        return convert(value)
    # A TextChoices member is a str that drivers do not know.
    return str(value) if isinstance(value, str) and type(value) is not str else value


def _time(moment: datetime) -> Any:
    return connection.ops.adapt_datetimefield_value(moment)


def _json(document: Any) -> str:
    return orjson.dumps(document).decode()


_CONVERSIONS: Final[dict[type, Callable[[Any], Any]]] = {
    uuid.UUID: operator.attrgetter("hex"),
    datetime: _time,
    dict: _json,
    list: _json,
}
