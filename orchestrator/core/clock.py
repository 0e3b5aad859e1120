"""The one source of time.

Everything asks here, so that a test can set the clock (time-machine patches what lies below).
"""

import time
from datetime import UTC, datetime

from orchestrator.core.errors import ValidationFailed


def now() -> datetime:
    """The current time, aware, in UTC."""
    return datetime.now(UTC)


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
