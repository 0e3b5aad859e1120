"""The dates of large tables, read from their ids.

A UUIDv7 begins with the millisecond of its making, so the primary key is an index on time that costs no writer
anything. Django's own date hierarchy asks for MIN, MAX and the distinct months of a column: with a million rows that
is a second on each page. This one shows every year, month or day between the first row and the last, and finds them by
two looks at the ends of the key.
"""

import calendar
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from django.db.models import QuerySet

from orchestrator.core.ids import first_id

_EARLIEST: Final = datetime(2020, 1, 1, tzinfo=UTC)  # ids that a seed fixes are smaller than any that was made


@dataclass(frozen=True, slots=True)
class Period:
    """A year, a month or a day; all of time when even the year is missing."""

    year: int | None = None
    month: int | None = None
    day: int | None = None

    @property
    def start(self) -> datetime:
        return datetime(self.year or 1970, self.month or 1, self.day or 1, tzinfo=UTC)

    @property
    def end(self) -> datetime:
        if self.day:
            return self.start + timedelta(days=1)
        if self.month:
            return (self.start + timedelta(days=32)).replace(day=1)
        return self.start.replace(year=self.start.year + 1)

    @property
    def title(self) -> str:
        return f"{self.start:{'%-d %B %Y' if self.day else '%B %Y' if self.month else '%Y'}}" if self.year else "All"

    def params(self, field: str) -> dict[str, int | None]:
        return {f"{field}__{name}": getattr(self, name) for name in ("year", "month", "day")}

    def above(self) -> "Period":
        return Period(self.year if self.month else None, self.month if self.day else None)

    def parts(self) -> Iterator["Period"]:
        """What it divides into."""
        if self.year and self.month:
            days = calendar.monthrange(self.year, self.month)[1]
            return (Period(self.year, self.month, day) for day in range(1, days + 1))
        return (Period(self.year, month) for month in range(1, 13))

    def of(self, rows: QuerySet[Any]) -> QuerySet[Any]:
        """Those of ``rows`` that were made in it."""
        return rows.filter(pk__gte=first_id(self.start), pk__lt=first_id(self.end)) if self.year else rows


def period_in(params: Mapping[str, Any], field: str) -> Period:
    """What a query string asks for. Raises ValueError for a date that is none."""
    given = [int(params[name]) if params.get(name) else None for name in Period().params(field)]
    found = Period(*given)
    if found.year is not None and not 1970 <= found.year <= 9998:
        raise ValueError("a year without rows")
    _ = found.start  # a thirteenth month is a ValueError, too
    return found


def moment_of(made: uuid.UUID) -> datetime:
    """When a UUIDv7 was made."""
    return datetime.fromtimestamp((made.int >> 80) / 1000, tz=UTC)


def choices(period: Period, rows: QuerySet[Any]) -> list[Period]:
    """The parts of ``period`` between the first and the last of ``rows``, which must be a whole table: two looks."""
    made = rows.filter(pk__gte=first_id(_EARLIEST)).order_by().values_list("pk", flat=True)
    first, last = made.order_by("pk").first(), made.order_by("-pk").first()
    if period.day or first is None or last is None:
        return []
    low, high = moment_of(first), moment_of(last)
    if period.year is None:
        return [Period(year) for year in range(low.year, high.year + 1)]
    return [part for part in period.parts() if part.end > low and part.start <= high]
