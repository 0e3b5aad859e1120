"""How the runs of the last 24 hours went, hour by hour.

One statement over one day of the index by id, whose first bits are the time. In SQL and by hand: fetching the rows, or
Django's functions, which SQLite calls in Python for each row, cost ten times as much. 20,000 runs take 45 ms.
"""

import threading
import uuid
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import cachetools
from django.conf import settings
from django.db import connection

from orchestrator.core import clock, sql
from orchestrator.core.ids import first_id
from runs.states import RunStatus

HOURS: Final = 24
# Runs are made on machines whose clocks differ a little; created_at decides, the id only finds them.
_SLACK: Final = timedelta(minutes=5)
_FORMAT: Final = "%Y-%m-%d %H"
_MANY: Final = 1000
_KNOWN_SECONDS: Final = 5.0

_HOUR, _SECONDS = (
    ("substr(created_at, 1, 13)", "(julianday(finished_at) - julianday(started_at)) * 86400.0")
    if settings.ON_SQLITE
    else (
        "to_char(created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24')",
        "EXTRACT(EPOCH FROM finished_at - started_at)::float",
    )
)
# Rounded to two digits, so that a day has some thousand groups, however many runs. Materialised: SQLite would work out
# each duration anew wherever it is named. Every text in here is ours; values are passed beside it.
_GROUPS: Final = f"""
    WITH day AS MATERIALIZED (
        SELECT {_HOUR} AS hour, status, {_SECONDS} AS seconds FROM runs_run
        WHERE org_id = %s AND id >= %s AND created_at >= %s
    )
    SELECT hour, status, CASE
        WHEN seconds < 1 THEN ROUND(seconds * 100) / 100 WHEN seconds < 10 THEN ROUND(seconds * 10) / 10
        WHEN seconds < 100 THEN ROUND(seconds) WHEN seconds < 1000 THEN ROUND(seconds / 10) * 10
        ELSE ROUND(seconds / 100) * 100 END AS took, COUNT(*)
    FROM day GROUP BY 1, 2, 3
"""  # noqa: S608


@dataclass(slots=True)
class Hour:
    """The runs that were created in one hour, or in all of them. Durations in seconds, of those that have ended."""

    at: datetime
    counts: dict[str, int] = field(default_factory=dict)
    median: float | None = None
    p95: float | None = None

    @property
    def total(self) -> int:
        return sum(self.counts.values())

    @property
    def succeeded(self) -> int:
        return self.counts.get(RunStatus.SUCCEEDED, 0)

    @property
    def failed(self) -> int:
        return self.counts.get(RunStatus.FAILED, 0)

    @property
    def cancelled(self) -> int:
        return self.counts.get(RunStatus.CANCELLED, 0)

    @property
    def active(self) -> int:
        return self.total - self.succeeded - self.failed - self.cancelled

    @property
    def success(self) -> int | None:
        """Percent of those that came to an end by themselves; cancelled ones say nothing."""
        judged = self.succeeded + self.failed
        return 100 * self.succeeded // judged if judged else None


_known: cachetools.TTLCache[uuid.UUID, tuple[Hour, list[Hour]]] = cachetools.TTLCache(
    1024, _KNOWN_SECONDS, timer=clock.monotonic
)
_lock = threading.Lock()


def last_day(org_id: uuid.UUID) -> tuple[Hour, list[Hour]]:
    """All of the day, and its hours, the oldest first; the last one is not over yet. One query; of a day with very many
    runs what it answered some seconds ago, because a page that is open asks at every event.
    """
    with _lock:
        if (known := _known.get(org_id)) is not None:
            return known
    found = _read(org_id)
    if found[0].total > _MANY:
        with _lock:
            _known[org_id] = found
    return found


def _read(org_id: uuid.UUID) -> tuple[Hour, list[Hour]]:
    this_hour = clock.now().astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    since = this_hour - timedelta(hours=HOURS - 1)
    hours = {f"{at:{_FORMAT}}": Hour(at) for at in (since + timedelta(hours=number) for number in range(HOURS))}
    whole = Hour(since)
    durations: dict[str, Counter[float]] = {hour: Counter() for hour in hours}
    for hour, status, took, count in _rows(_GROUPS, [org_id, first_id(since - _SLACK), since]):
        if hour in hours:  # a machine whose clock goes ahead may make the next
            counts = hours[hour].counts
            counts[status] = counts.get(status, 0) + count
            if took is not None:
                durations[hour][max(took, 0.0)] += count
    for name, each in hours.items():
        each.median, each.p95 = _at_share(durations[name], 0.5), _at_share(durations[name], 0.95)
    whole.counts = dict(sum((Counter(each.counts) for each in hours.values()), Counter()))
    took_all = sum(durations.values(), Counter[float]())
    whole.median, whole.p95 = _at_share(took_all, 0.5), _at_share(took_all, 0.95)
    return whole, list(hours.values())


def _at_share(durations: Mapping[float, int], share: float) -> float | None:
    """The least duration that at least this share does not exceed (nearest rank); None of none."""
    wanted, passed = share * sum(durations.values()), 0
    for took in sorted(durations):
        passed += durations[took]
        if passed >= wanted:
            return took
    return None


def _rows(statement: str, values: list[Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, [sql.adapt(value) for value in values])
        return list(cursor.fetchall())


def forget() -> None:
    """For tests, whose days are short."""
    with _lock:
        _known.clear()
