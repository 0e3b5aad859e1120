"""Telling the workers that there is something to do.

A lost message is harmless: the sweeper finds every run and node that is ready and that nobody has taken.
"""

import uuid
from datetime import datetime
from typing import Protocol


class Dispatcher(Protocol):
    """What carries the messages: this process's engine, or a broker."""

    def offer(self, run_id: uuid.UUID, queue: str = "", *, count: int = 1, priority: int = 0) -> None:
        """``count`` nodes of the run are ready for workers of ``queue``; a queued run counts as one."""

    def remind(self, run_id: uuid.UUID, queue: str = "", *, place: int, count: int = 1, priority: int = 0) -> None:
        """The sweeper has found this ready, and may have done so before. ``place`` is how far the run's log has come:
        at the same place the same is ready.
        """

    def wake(self, moment: datetime) -> None:
        """Something becomes due at ``moment``: sweep then, or sooner."""

    def interrupt(self, run_id: uuid.UUID) -> None:
        """Nobody wants what is being executed for the run any more."""


_dispatcher: Dispatcher | None = None


def offer(run_id: uuid.UUID, queue: str = "", *, count: int = 1, priority: int = 0) -> None:
    if _dispatcher is not None:
        _dispatcher.offer(run_id, queue, count=count, priority=priority)


def remind(run_id: uuid.UUID, queue: str = "", *, place: int, count: int = 1, priority: int = 0) -> None:
    if _dispatcher is not None:
        _dispatcher.remind(run_id, queue, place=place, count=count, priority=priority)


def wake(moment: datetime) -> None:
    if _dispatcher is not None:
        _dispatcher.wake(moment)


def interrupt(run_id: uuid.UUID) -> None:
    if _dispatcher is not None:
        _dispatcher.interrupt(run_id)


def use(dispatcher: Dispatcher | None) -> None:
    """From now on messages go to ``dispatcher``; None takes it away."""
    global _dispatcher
    _dispatcher = dispatcher
