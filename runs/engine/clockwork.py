"""Sweeps every SWEEP_SECONDS, and whenever something has become due."""

import logging
import math
import threading
from datetime import datetime

from django.conf import settings
from django.db import connection

from orchestrator.core import clock, sweeps
from runs.engine import sweeper

log = logging.getLogger(__name__)


class Clockwork:
    """``run`` is for a thread of its own. Any number of them may run, in any number of processes."""

    def __init__(self, holder: str) -> None:
        self._holder = holder
        self._stop = threading.Event()
        self._due = threading.Event()
        self._next_sweep: float = 0

    def run(self) -> None:
        while not self._stop.is_set():
            self._next_sweep = math.inf  # what becomes due from here on is looked for again
            self._sweep()
            self._due.wait(max(self._next_sweep - clock.monotonic(), 0.001))
            self._due.clear()
        connection.close()

    def wake(self, moment: datetime) -> None:
        """Something becomes due at ``moment``: sweep then, or sooner."""
        if clock.monotonic() + (moment - clock.now()).total_seconds() < self._next_sweep:
            self._due.set()

    def stop(self) -> None:
        self._stop.set()
        self._due.set()

    def _sweep(self) -> None:
        wait = settings.SWEEP_SECONDS
        try:
            due = sweeper.sweep(self._holder)
            sweeps.run()  # what that makes due wakes us
            if due is not None:
                wait = min(wait, max((due - clock.now()).total_seconds(), 0))
        except Exception:
            log.warning("The database does not answer; trying again soon.", exc_info=True)
            connection.close()
        self._next_sweep = clock.monotonic() + wait
