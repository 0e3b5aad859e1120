"""Telling the workers that a run is ready.

A lost message is harmless: the sweeper finds every run that nobody holds.
"""

import uuid
from collections.abc import Callable

_dispatcher: Callable[[uuid.UUID], None] | None = None


def dispatch(run_id: uuid.UUID) -> None:
    """Offer a run to this process's engine, if it has one."""
    if _dispatcher is not None:
        _dispatcher(run_id)


def use(dispatcher: Callable[[uuid.UUID], None] | None) -> None:
    """From now on ``dispatch`` calls ``dispatcher``; None takes it away."""
    global _dispatcher
    _dispatcher = dispatcher
