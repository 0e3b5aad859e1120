"""UUIDv7 (RFC 9562 §5.7): ids that sort by their making, so that B-trees grow at one edge."""

import os
import threading
import time
import uuid

_lock = threading.Lock()
_last_tick = 0


def uuid7() -> uuid.UUID:
    """A new UUIDv7; ids made by one process are strictly increasing (RFC 9562 §6.2, method 3: sub-millisecond
    fraction).
    """
    global _last_tick
    nanoseconds = time.time_ns()
    # 48 bits of milliseconds and 12 bits of the fraction of one: a tick is about a quarter of a microsecond.
    tick = (nanoseconds // 1_000_000 << 12) | ((nanoseconds % 1_000_000 << 12) // 1_000_000)
    with _lock:
        tick = _last_tick = max(tick, _last_tick + 1)
    random_bits = int.from_bytes(os.urandom(8)) & ((1 << 62) - 1)
    return uuid.UUID(int=(tick >> 12 << 80) | (0x7 << 76) | ((tick & 0xFFF) << 64) | (0b10 << 62) | random_bits)


def parse_uuid(text: str) -> uuid.UUID | None:
    """The UUID written in ``text`` in its 36-character form, or None: a malformed id names nothing."""
    try:
        parsed = uuid.UUID(text)
    except (ValueError, AttributeError, TypeError):
        return None
    return parsed if len(text) == 36 else None
