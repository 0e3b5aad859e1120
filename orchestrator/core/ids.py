"""UUIDv7 (RFC 9562 §5.7): ids that sort by their making, so that B-trees grow at one edge."""

import os
import threading
import uuid
from datetime import UTC, datetime, timedelta
from typing import Final

from orchestrator.core import clock

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_lock = threading.Lock()
_last_ticks = [0, 0]  # of the present, and of a past that is being told (clock.in_the_past)


def uuid7() -> uuid.UUID:
    """A new UUIDv7; ids made by one process are strictly increasing (RFC 9562 §6.2, method 3: sub-millisecond
    fraction).
    """
    nanoseconds, past = clock.now_ns()
    tick = _tick(nanoseconds)
    with _lock:
        tick = _last_ticks[past] = max(tick, _last_ticks[past] + 1)
    return _uuid(tick, int.from_bytes(os.urandom(8)))


def uuid7_at(moment: datetime, bits: int) -> uuid.UUID:
    """The UUIDv7 of what is said to have been made at ``moment``; ``bits``, 62 of them, tell it from others."""
    return _uuid(_tick((moment - _EPOCH) // _MICROSECOND * 1000), bits)


def first_id(moment: datetime) -> uuid.UUID:
    """The least id of that millisecond (RFC 9562 §5.7), and at the least zero: ids as large were made then or later."""
    return uuid.UUID(int=max(0, int(moment.timestamp() * 1000)) << 80)


def _tick(nanoseconds: int) -> int:
    # 48 bits of milliseconds and 12 bits of the fraction of one: a tick is about a quarter of a microsecond.
    return (nanoseconds // 1_000_000 << 12) | ((nanoseconds % 1_000_000 << 12) // 1_000_000)


def _uuid(tick: int, bits: int) -> uuid.UUID:
    bits &= (1 << 62) - 1
    return uuid.UUID(int=(tick >> 12 << 80) | (0x7 << 76) | ((tick & 0xFFF) << 64) | (0b10 << 62) | bits)


def parse_uuid(text: str) -> uuid.UUID | None:
    """The UUID written in ``text`` in its 36-character form, or None: a malformed id names nothing."""
    try:
        parsed = uuid.UUID(text)
    except (ValueError, AttributeError, TypeError):
        return None
    return parsed if len(text) == 36 else None
