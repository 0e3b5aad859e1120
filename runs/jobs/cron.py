"""Cron schedules: from five fields and a time zone to moments in UTC. No rows, no clock.

The fields are those of Debian's cron, with ``L``, ``LW`` and ``#``. What happens when the clocks change is decided
here, and not by the library, whose rule leaves out some skipped times:

- A schedule that has every hour in it goes by real time: every 15 minutes stay 15 minutes.
- Any other goes by the clock on the wall. Times that the clock skips happen once, together, at the first moment after
  the gap; a time that it shows twice happens the first time only.
"""

import functools
import zoneinfo
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import takewhile
from typing import Final

from cronsim import CronSim, CronSimError

from orchestrator.core.errors import ValidationFailed

MAX_EXPRESSION: Final = 100
_TICK: Final = timedelta(microseconds=1)
_MINUTE: Final = timedelta(minutes=1)
_ANY_TIME: Final = datetime(2000, 1, 1)  # the fields are looked at, and nothing else
_NICKNAMES: Final = {
    "@yearly": "0 0 1 1 *", "@annually": "0 0 1 1 *", "@monthly": "0 0 1 * *", "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *", "@midnight": "0 0 * * *", "@hourly": "0 * * * *",
}  # fmt: skip
# What these two mean is up to the machine.
_NO_ZONES: Final = frozenset({"localtime", "Factory"})


@dataclass(frozen=True, slots=True)
class Schedule:
    """``fields`` are five; ``parse`` has looked at them."""

    fields: str
    zone: zoneinfo.ZoneInfo

    def after(self, moment: datetime) -> Iterator[datetime]:
        """The times after ``moment``, in order, without end unless the next one is more than 50 years away."""
        last = moment
        for found in self._simulated(moment.astimezone(self.zone)):
            fire = self._instant(found)
            if fire > last:
                yield fire
                last = fire

    def next(self, moment: datetime) -> datetime | None:
        """The first time after ``moment``; None when there is none in 50 years."""
        return next(self.after(moment), None)

    def latest(self, since: datetime, until: datetime, count: int) -> list[datetime]:
        """The last times from ``since`` to ``until``, both included, ``count`` at most, the oldest first."""
        span = _MINUTE * count
        while True:
            # From the end: after a year of silence nobody wants to walk through half a million minutes.
            start = max(since - _TICK, until - span)
            found = deque(takewhile(lambda moment: moment <= until, self.after(start)), maxlen=count)
            if len(found) == count or start < since:
                return list(found)
            span *= 4

    def _simulated(self, local: datetime) -> CronSim:
        fields = self.fields.split()
        if CronSim(self.fields, _ANY_TIME).hours == set(range(24)):
            fields[1] = "*"  # a star for the hour, however it was spelt, is what makes cronsim go by real time
            return CronSim(" ".join(fields), local)
        return CronSim(self.fields, local.replace(tzinfo=None))

    def _instant(self, found: datetime) -> datetime:
        if found.tzinfo is None:
            while self._is_skipped(found):
                found += _MINUTE
            found = found.replace(tzinfo=self.zone)  # of two such moments the first
        return found.astimezone(UTC)

    def _is_skipped(self, wall: datetime) -> bool:
        return wall.replace(tzinfo=self.zone).astimezone(UTC).astimezone(self.zone).replace(tzinfo=None) != wall


def parse(expression: str, timezone: str) -> Schedule:
    """Raises ValidationFailed for ``cron`` or ``timezone``."""
    zone = zone_named(timezone)
    fields = _NICKNAMES.get(expression.strip().lower(), expression)
    if len(expression) > MAX_EXPRESSION or len(fields.split()) != 5:
        nicknames = ", ".join(_NICKNAMES)
        raise _fault(f"Write five fields (minute, hour, day, month, weekday) or one of {nicknames}.")
    try:
        CronSim(fields, _ANY_TIME)
    except CronSimError as error:
        raise _fault(f"{error}.") from error
    return Schedule(fields, zone)


def zone_named(name: str) -> zoneinfo.ZoneInfo:
    """The IANA time zone. Raises ValidationFailed for ``timezone``."""
    if name not in _zones():
        raise ValidationFailed(details={"timezone": ["There is no such time zone; name one as Europe/Berlin."]})
    return zoneinfo.ZoneInfo(name)


@functools.cache
def _zones() -> frozenset[str]:
    return frozenset(zoneinfo.available_timezones() - _NO_ZONES)


def _fault(sentence: str) -> ValidationFailed:
    return ValidationFailed(details={"cron": [sentence]})
