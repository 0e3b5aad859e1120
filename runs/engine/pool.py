"""The in-process engine: worker threads behind a queue, a keeper that renews leases, a clockwork that finds what nobody
does and what has become due.
"""

import itertools
import logging
import queue
import threading
import uuid
from collections import Counter
from collections.abc import Callable
from datetime import datetime
from typing import Final

from django.conf import settings
from django.db import connection

from orchestrator.core import clock
from runs.engine import attempts, dispatch, worker
from runs.engine.clockwork import Clockwork
from runs.engine.keeper import Keeper, new_holder

log = logging.getLogger(__name__)

_MOST_THREADS: Final = 4  # for each worker, those that are stuck counted
_NOBODY: Final = uuid.UUID(int=0)
Offer = tuple[uuid.UUID, str]  # a run and the queue that its nodes wait in


class Engine:
    """``start`` it once a process; ``stop`` lets every worker finish and commit the node in its hands.

    It executes nodes of the given ``queues``; the one without a name is every node's that names none.
    """

    def __init__(self, workers: int | None = None, queues: tuple[str, ...] | None = None) -> None:
        self.holder = new_holder()
        self._keeper = Keeper(self.holder, self._replace_the_stuck)
        self._clockwork = Clockwork(self.holder)
        self._workers = workers or settings.ENGINE_WORKERS
        self._queues = queues
        self._queue: queue.PriorityQueue[tuple[int, int, Offer]] = queue.PriorityQueue()
        self._counter = itertools.count()
        self._offered: Counter[Offer] = Counter()  # waiting here; no more of one than there are workers
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []
        self._at_work = 0  # threads that take work

    def start(self) -> None:
        dispatch.use(self)
        for _ in range(self._workers):
            self._start("engine-worker", self._work)
        self._start("engine-keeper", self._keeper.run)
        self._start("engine-sweeper", self._clockwork.run)

    def stop(self, timeout: float) -> None:
        """Drain for up to ``timeout`` seconds in all. A node that takes longer is left to its lease."""
        dispatch.use(None)
        self._stop.set()
        self._clockwork.stop()
        for _ in self._threads:
            self._put(_NOBODY, "", priority=1000)
        deadline = clock.monotonic() + timeout
        # The keeper ends last: what is being finished must not lose its lease.
        for thread in sorted(self._threads, key=lambda thread: thread.name == "engine-keeper"):
            if thread.name == "engine-keeper":
                self._keeper.stop()
            thread.join(max(0, deadline - clock.monotonic()))

    def alive(self) -> bool:
        """Whether every thread lives that should."""
        names = [thread.name for thread in self._threads if thread.is_alive()]
        return len(names) >= self._workers + 2 and {"engine-keeper", "engine-sweeper"} <= set(names)

    # --- the dispatcher -----------------------------------------------------------------------------------------------

    def offer(self, run_id: uuid.UUID, queue: str = "", *, count: int = 1, priority: int = 0) -> None:
        """Queue as many offers as could be of use: one for each worker at most."""
        if self._queues is not None and queue not in self._queues:
            return
        with self._lock:
            missing = min(count, self._workers - self._offered[run_id, queue])
            self._offered[run_id, queue] += max(missing, 0)
        for _ in range(missing):
            self._put(run_id, queue, priority)

    def remind(self, run_id: uuid.UUID, queue: str = "", *, place: int, count: int = 1, priority: int = 0) -> None:
        """What is queued here is known exactly: nothing is queued twice."""
        self.offer(run_id, queue, count=count, priority=priority)

    def wake(self, moment: datetime) -> None:
        self._clockwork.wake(moment)

    def interrupt(self, run_id: uuid.UUID) -> None:
        attempts.stop_run(run_id)

    # --- the threads --------------------------------------------------------------------------------------------------

    def _start(self, name: str, target: Callable[[], None]) -> None:
        thread = threading.Thread(target=target, name=name, daemon=True)
        self._threads.append(thread)
        self._at_work += target == self._work
        thread.start()

    def _put(self, run_id: uuid.UUID, queue: str, priority: int) -> None:
        self._queue.put((-priority, next(self._counter), (run_id, queue)))

    def _work(self) -> None:
        while not self._stop.is_set() and not self._is_superfluous():
            _, _, (run_id, queue) = self._queue.get()
            if self._stop.is_set():
                break
            with self._lock:
                self._offered[run_id, queue] -= 1
                if not self._offered[run_id, queue]:
                    del self._offered[run_id, queue]
            try:
                worker.execute(run_id, self.holder, queue=queue, stop=self._stop)
            except Exception:
                # The database went away, most likely. The run keeps its state; the sweeper offers it again.
                log.exception("A worker could not go on with a run.", extra={"run_id": str(run_id)})
                connection.close()
        connection.close()

    def _is_superfluous(self) -> bool:
        """Whether this thread was stuck, has got loose, and another one has taken its place."""
        with self._lock:
            superfluous = self._at_work - attempts.stuck() > self._workers
            self._at_work -= superfluous
            return superfluous

    def _replace_the_stuck(self) -> None:
        """A node that does not stop when it is told to keeps its thread. It must not keep the engine from its work."""
        with self._lock:
            missing = min(self._workers + attempts.stuck(), self._workers * _MOST_THREADS) - self._at_work
        for _ in range(missing):
            log.warning("A node does not stop: another thread takes its place.")
            self._start("engine-worker", self._work)
