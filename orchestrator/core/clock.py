"""The one source of time.

Everything asks here, so that a test can set the clock (time-machine patches what lies below).
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from orchestrator.core.errors import ValidationFailed

_behind = timedelta()


def now() -> datetime:
    """The current time, aware, in UTC."""
    return datetime.now(UTC) - _behind


def now_ns() -> tuple[int, bool]:
    """The same in nanoseconds since 1970, and whether it is a past that is being told."""
    return time.time_ns() - int(_behind.total_seconds() * 1e9), bool(_behind)


class Past:
    """The moment that ``now`` tells meanwhile. It goes on by itself, and never beyond the present."""

    def go_to(self, moment: datetime) -> None:
        global _behind
        _behind = max(datetime.now(UTC) - moment, timedelta())

    def present(self) -> datetime:
        """What a clock on the wall tells."""
        return datetime.now(UTC)

    def pass_seconds(self, seconds: float) -> None:
        self.go_to(now() + timedelta(seconds=seconds))


@contextmanager
def in_the_past(moment: datetime) -> Iterator[Past]:
    """For a command that tells a history by way of the services: ``now`` is ``moment`` in all of the process."""
    global _behind
    before, past = _behind, Past()
    past.go_to(moment)
    try:
        yield past
    finally:
        _behind = before


def monotonic() -> float:
    """Seconds on a clock that never goes back; for durations only."""
    return time.monotonic()


def rfc3339(moment: datetime) -> str:
    """``2026-01-02T03:04:05.000006Z``: RFC 3339, UTC, always six digits of microseconds (CONTRACT §2)."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds")[:-6] + "Z"


def parse_rfc3339(text: str, field: str) -> datetime:
    """The moment written in ``text`` (ISO 8601; UTC when it names no zone).

    Raises ValidationFailed naming ``field``.
    """
    try:
        # A "+" that the caller did not escape reaches us as a space.
        moment = datetime.fromisoformat(text.replace(" ", "+") if "T" in text else text)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise ValidationFailed(details={field: ["Write a time as 2026-01-31T12:00:00Z (ISO 8601)."]}) from error
