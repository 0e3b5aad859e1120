"""A worker of Celery: what it does with a message, and how it ends. Loaded by ``celery -A orchestrator worker``."""

import logging
import mmap
import os
import threading
import time
import uuid
from typing import Any, Final

from celery import signals
from celery.exceptions import Reject
from django.conf import settings
from django.db import InterfaceError, OperationalError, connection
from django.db.models import Exists, OuterRef, Q

from orchestrator.celery import app
from orchestrator.core import clock
from runs.engine import attempts, worker
from runs.engine.brokered import TASK, Brokered
from runs.engine.keeper import Keeper, new_holder
from runs.models import Run, RunNode
from runs.states import NodeStatus, RunStatus

log = logging.getLogger(__name__)

_PAUSE_SECONDS: Final = 1.0  # while the database is away, so that the messages that wait are not spent on it
_STUCK: Final = 70  # the exit code of a process whose node does not stop

# The process that SIGTERM reaches tells the ones that it has forked: one byte that they share, and no lock that a
# kill -9 could leave behind.
_shared = mmap.mmap(-1, 1)
_main = os.getpid()


class Draining:
    """Set when the worker is to stop: the node in hand is finished, and no other one started."""

    def is_set(self) -> bool:
        return _shared[0] == 1

    def set(self) -> None:
        _shared[0] = 1


draining = Draining()


class Member:
    """What each process that executes nodes has for itself. Made at its first message: after the fork."""

    def __init__(self) -> None:
        self.pid = os.getpid()
        self.holder = new_holder()
        self.keeper = Keeper(self.holder, self._end_if_stuck)
        self.dispatcher = Brokered()
        self.dispatcher.start()
        threading.Thread(target=self.keeper.run, name="engine-keeper", daemon=True).start()

    def stop(self) -> None:
        self.keeper.stop()
        self.dispatcher.stop(settings.SHUTDOWN_SECONDS)

    def _end_if_stuck(self) -> None:
        """A node that does not stop when it is told to takes its process with it; Celery starts another one. A process
        that is shared (-P threads, solo) stays.
        """
        if self.pid != _main and attempts.stuck():
            log.error("A node does not stop: its process ends.")
            os._exit(_STUCK)


_member: Member | None = None
_lock = threading.Lock()


def member() -> Member:
    """This process's own."""
    global _member
    with _lock:
        if _member is None or _member.pid != os.getpid():
            _member = Member()
        return _member


@app.task(name=TASK)
def advance(run_id: str, queue: str = "") -> None:
    """Execute what is ready of the run for ``queue``, node after node."""
    if draining.is_set():
        raise Reject("The worker stops.", requeue=True)
    run = uuid.UUID(run_id)
    try:
        if is_worth_it(run, queue):
            worker.execute(run, member().holder, queue=queue, stop=draining)
    except (OperationalError, InterfaceError) as error:
        log.warning("The database does not answer; the message goes back.", extra={"run_id": run_id})
        connection.close()
        time.sleep(_PAUSE_SECONDS)
        raise Reject(type(error).__name__, requeue=True) from error
    except Exception:
        log.exception("A worker could not go on with a run.", extra={"run_id": run_id})
        connection.close()


def is_worth_it(run_id: uuid.UUID, queue: str) -> bool:
    """Whether something of the run may be had, by one query and no lock: most doubled messages end here."""
    ready = RunNode.objects.filter(
        run=OuterRef("pk"), queue=queue, status__in=(NodeStatus.PENDING, NodeStatus.WAITING), due_at__lte=clock.now()
    )
    return Run.objects.filter(Q(status=RunStatus.QUEUED) | Q(Exists(ready)), pk=run_id).exists()


@signals.worker_shutting_down.connect
def drain(**_: Any) -> None:
    draining.set()


@signals.worker_process_shutdown.connect
def stop(**_: Any) -> None:
    if _member is not None and _member.pid == os.getpid():
        _member.stop()
