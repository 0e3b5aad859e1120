"""The in-process engine: worker threads behind a queue, a keeper that renews leases, a sweeper that finds what nobody
holds.
"""

import logging
import os
import queue
import socket
import threading
import uuid
from collections.abc import Callable

from django.conf import settings
from django.db import connection

from orchestrator.core import clock, sweeps
from runs.engine import dispatch, sweeper, worker
from runs.services.progress import renew_leases

log = logging.getLogger(__name__)


class Engine:
    """``start`` it once a process; ``stop`` lets every worker finish and commit the node in its hands."""

    def __init__(self, workers: int | None = None) -> None:
        # Host and process id let a sweeper on the same host see that a holder is dead before its lease runs out.
        self.holder = f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:8]}"
        self._queue: queue.SimpleQueue[tuple[uuid.UUID, str | None] | None] = queue.SimpleQueue()
        self._in_hand: set[uuid.UUID] = set()  # queued here or being worked on
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._work, name=f"engine-worker-{number}", daemon=True)
            for number in range(workers or settings.ENGINE_WORKERS)
        ]
        self._threads.append(threading.Thread(target=self._keep, name="engine-keeper", daemon=True))
        self._threads.append(threading.Thread(target=self._sweep, name="engine-sweeper", daemon=True))

    def start(self) -> None:
        dispatch.use(self.offer)
        for thread in self._threads:
            thread.start()

    def stop(self, timeout: float) -> None:
        """Drain for up to ``timeout`` seconds in all. A node that takes longer is left to its lease."""
        dispatch.use(None)
        self._stop.set()
        for _ in self._threads:
            self._queue.put(None)
        deadline = clock.monotonic() + timeout
        for thread in self._threads:
            thread.join(max(0, deadline - clock.monotonic()))

    def alive(self) -> bool:
        return all(thread.is_alive() for thread in self._threads)

    def offer(self, run_id: uuid.UUID, dead_holder: str | None = None) -> None:
        """Queue a run, unless it is in hand already."""
        with self._lock:
            if run_id in self._in_hand:
                return
            self._in_hand.add(run_id)
        self._queue.put((run_id, dead_holder))

    def _work(self) -> None:
        while (offered := self._queue.get()) is not None and not self._stop.is_set():
            run_id, dead_holder = offered
            try:
                worker.execute(run_id, self.holder, stop=self._stop, dead_holder=dead_holder)
            except Exception:
                # The database went away, most likely. The run keeps its state; the sweeper offers it again.
                log.exception("A worker could not go on with a run.", extra={"run_id": str(run_id)})
                connection.close()
            finally:
                with self._lock:
                    self._in_hand.discard(run_id)
        connection.close()

    def _keep(self) -> None:
        while not self._stop.wait(settings.LEASE_SECONDS / 3):
            with self._lock:
                busy = bool(self._in_hand)
            if busy:
                self._safely(lambda: renew_leases(self.holder))
        connection.close()

    def _sweep(self) -> None:
        self._safely(self._offer_ownerless)
        while not self._stop.wait(settings.SWEEP_SECONDS):
            self._safely(self._offer_ownerless)
            sweeps.run()
        connection.close()

    def _offer_ownerless(self) -> None:
        for found in sweeper.ownerless(self.holder):
            self.offer(found.run_id, found.dead_holder)

    def _safely(self, step: Callable[[], None]) -> None:
        try:
            step()
        except Exception:
            log.warning("The database does not answer; trying again soon.", exc_info=True)
            connection.close()
