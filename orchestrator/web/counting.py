"""Counts that cost the same however much is stored: they stop at a number that says "many" well enough."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from django.db import connection
from django.db.models import QuerySet

MOST: Final = 1_000


@dataclass(frozen=True, slots=True)
class Count:
    """``number`` are there, and perhaps ``more``. In a template it reads "17" or "1,000+"."""

    number: int
    more: bool = False

    def __str__(self) -> str:
        return f"{self.number:,}{'+' if self.more else ''}"

    def __bool__(self) -> bool:
        return self.number > 0


def capped(rows: QuerySet[Any], most: int = MOST) -> Count:
    """How many there are, up to ``most``. As quick as an index finds so many of them: filter by what has one."""
    return _count(_first(rows, most).count(), most)


def capped_by(rows: QuerySet[Any], field: str, values: Iterable[str], most: int = MOST) -> dict[str, Count]:
    """The same for each of the values of ``field``, in their order and in one query."""
    asked = list(values)
    compiled = [_first(rows.filter(**{field: value}), most).query.sql_with_params() for value in asked]
    # What is put together here is what Django has written; values stay parameters.
    counts = ", ".join(f"(SELECT COUNT(*) FROM ({statement}) counted)" for statement, _ in compiled)  # noqa: S608
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {counts}", [each for _, parameters in compiled for each in parameters])
        found = cursor.fetchone()
    return {value: _count(number, most) for value, number in zip(asked, found, strict=True)}


def _first(rows: QuerySet[Any], most: int) -> QuerySet[Any]:
    return rows.order_by().values_list("pk")[: most + 1]


def _count(found: int, most: int) -> Count:
    return Count(min(found, most), found > most)
