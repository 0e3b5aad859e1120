"""Plain SQL for the few statements that every request or every step of a run executes.

Building a query through the ORM costs ten times what SQLite needs to answer it (docs/performance.md); on these paths,
and only there, the statement is written out once, in SQL that SQLite and PostgreSQL read alike, with ``%s`` for values.
"""

import functools
import operator
import uuid
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, Final, TypeVar

import orjson
from django.conf import settings
from django.db import connection
from django.db.models import Model

M = TypeVar("M", bound=Model)


def run(statement: str, values: Sequence[Any]) -> int:
    """Execute, and say how many rows it touched."""
    with connection.cursor() as cursor:
        cursor.execute(statement, _adapted(values))
        return int(cursor.rowcount)


def row(statement: str, values: Sequence[Any]) -> tuple[Any, ...] | None:
    """The first row of the answer, or None."""
    with connection.cursor() as cursor:
        cursor.execute(statement, _adapted(values))
        found: tuple[Any, ...] | None = cursor.fetchone()
        return found


def instance(model: type[M], statement: str, values: Sequence[Any]) -> M | None:
    """The first row of the answer, which has all columns of ``model``, as an instance of it; or None."""
    with connection.cursor() as cursor:
        cursor.execute(statement, _adapted(values))
        found = cursor.fetchone()
        if found is None:
            return None
        readers = _readers(model, _columns(model), tuple(column[0] for column in cursor.description or ()))
    return model.from_db(connection.alias, (), _read(readers, found))


def rows(model: type[Model], columns: tuple[str, ...], statement: str, values: Sequence[Any]) -> list[list[Any]]:
    """All rows of the answer, whose columns are these of ``model``, with the values that its fields would have."""
    with connection.cursor() as cursor:
        cursor.execute(statement, _adapted(values))
        readers = _readers(model, columns, columns)
        return [_read(readers, found) for found in cursor.fetchall()]


def insert(statement: str, rows: Sequence[Sequence[Any]]) -> None:
    """Execute an INSERT whose text has ``{rows}`` in the place of the row values; nothing for no rows."""
    if rows:
        run(_for_rows(statement, len(rows), len(rows[0])), [value for values in rows for value in values])


def uuid_of(value: Any) -> uuid.UUID:
    """An id of a row as this module gives it: SQLite's are text."""
    return value if isinstance(value, uuid.UUID) else uuid.UUID(value)


def adapt(value: Any) -> Any:
    """A value in the form in which Django's fields store it on the database at hand."""
    kind: Any = type(value)  # mypy takes a class for unhashable
    return _conversion(kind)(value)


@functools.cache
def _columns(model: type[Model]) -> tuple[str, ...]:
    """In the order in which from_db takes their values."""
    return tuple(str(field.column) for field in model._meta.concrete_fields)


@functools.cache
def _readers(model: type[Model], wanted: tuple[str, ...], columns: tuple[str, ...]) -> list[tuple[int, Any, list[Any]]]:
    """For each column that is wanted: its place in the answer, and what makes that the field's value.

    Model.objects.raw works this out anew for each row, which costs ten times the query.
    """
    fields, found = {field.column: field for field in model._meta.concrete_fields}, []
    for name in wanted:
        column = fields[name].get_col(model._meta.db_table)
        converters = connection.ops.get_db_converters(column) + column.get_db_converters(connection)
        found.append((columns.index(name), column, converters))
    return found


def _read(readers: list[tuple[int, Any, list[Any]]], row: Sequence[Any]) -> list[Any]:
    found = []
    for place, column, converters in readers:
        value = row[place]
        for convert in converters:
            value = convert(value, column, connection)
        found.append(value)
    return found


@functools.lru_cache(maxsize=256)
def _for_rows(statement: str, rows: int, columns: int) -> str:
    """The very same text each time, so that drivers know it again."""
    places = ", ".join(["(" + ", ".join(["%s"] * columns) + ")"] * rows)
    return statement.format(rows=places)


def _adapted(values: Sequence[Any]) -> list[Any]:
    # Most values need nothing: asking so here spares a call for each.
    return [value if type(value) in _PLAIN else adapt(value) for value in values]


@functools.cache
def _conversion(kind: Any) -> Callable[[Any], Any]:
    if kind is uuid.UUID:
        return operator.attrgetter("hex")
    if kind is datetime and settings.ON_SQLITE:
        return _time
    if kind in (dict, list):
        return _json
    # A TextChoices member is a str that drivers do not know.
    return str if issubclass(kind, str) else _as_it_is


def _as_it_is(value: Any) -> Any:
    return value


def _time(moment: datetime) -> str:
    # As the backend does it, without the way to it, which goes through two proxies.
    return str(moment if moment.tzinfo is UTC else moment.astimezone(UTC))[: -len("+00:00")]


def _json(document: Any) -> str:
    return orjson.dumps(document).decode()


_PLAIN: Final = frozenset({str, int, float, bool, type(None)})
