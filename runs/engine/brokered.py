"""ENGINE=celery: carries the messages to workers on other machines, through the broker of BROKER_URL.

A message says "look at this run"; who finds nothing to do there has lost a query. Messages may be lost, doubled and
come in any order: the scheduler (``manage.py scheduler``) reminds of whatever is ready and has not been taken.
"""

import logging
import queue
import threading
import uuid
from collections import OrderedDict
from collections.abc import Callable
from datetime import datetime
from typing import Any, Final, NamedTuple

from django.conf import settings

from orchestrator.celery import DEFAULT_QUEUE, LEVELS, app
from orchestrator.core import clock
from runs.engine import attempts, dispatch

log = logging.getLogger(__name__)

TASK: Final = "runs.advance"
_MOST_AT_ONCE: Final = 64  # messages for one offer: more workers than that come by and by, when they are reminded
_MOST_WAITING: Final = 10_000  # messages, while the broker is away; the scheduler reminds of the rest
_MOST_REMEMBERED: Final = 10_000
_PAUSE_SECONDS: Final = 1.0  # before the broker is tried again


class Message(NamedTuple):
    """``priority`` is the run's; the broker knows LEVELS of it."""

    run_id: uuid.UUID
    queue: str
    priority: int


class Reminder(NamedTuple):
    """What was ready when the sweeper last offered it, and when that was, by the monotonic clock."""

    place: int
    nodes: int
    at: float


def queue_name(queue: str) -> str:
    """The broker's name for the queue that a node names; ``runs`` for those that name none."""
    return f"{DEFAULT_QUEUE}.{queue}" if queue else DEFAULT_QUEUE


class Brokered:
    """A dispatcher whose offers a thread of its own publishes: nobody waits for the broker, or fails with it."""

    def __init__(self, wake: Callable[[datetime], None] | None = None) -> None:
        self._wake = wake
        self._messages: queue.Queue[Message | None] = queue.Queue(_MOST_WAITING)
        self._reminders: OrderedDict[tuple[uuid.UUID, str], Reminder] = OrderedDict()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._publish, name="engine-publisher", daemon=True)
        self._connection: Any = None
        self._producer: Any = None

    def start(self) -> None:
        dispatch.use(self)
        self._thread.start()

    def stop(self, timeout: float) -> None:
        """Publish what waits, for up to ``timeout`` seconds."""
        dispatch.use(None)
        self._put(None)
        self._thread.join(timeout)
        self._stop.set()

    # --- the dispatcher -----------------------------------------------------------------------------------------------

    def offer(self, run_id: uuid.UUID, queue: str = "", *, count: int = 1, priority: int = 0) -> None:
        for _ in range(min(count, _MOST_AT_ONCE)):
            self._put(Message(run_id, queue, priority))

    def remind(self, run_id: uuid.UUID, queue: str = "", *, place: int, count: int = 1, priority: int = 0) -> None:
        """Offer it unless the same was ready at the last sweep: then again every LEASE_SECONDS. A queue that nobody
        serves does not grow with each sweep.
        """
        known, now = self._reminders.get((run_id, queue)), clock.monotonic()
        if known is None or known[:2] != (place, count) or now - known.at >= settings.LEASE_SECONDS:
            self._reminders[run_id, queue] = Reminder(place, count, now)
            self._reminders.move_to_end((run_id, queue))
            while len(self._reminders) > _MOST_REMEMBERED:
                self._reminders.popitem(last=False)
            self.offer(run_id, queue, count=count, priority=priority)

    def wake(self, moment: datetime) -> None:
        """Only the scheduler has a clockwork to wake; from elsewhere its next sweep comes soon enough."""
        if self._wake is not None:
            self._wake(moment)

    def interrupt(self, run_id: uuid.UUID) -> None:
        attempts.stop_run(run_id)

    # --- the thread ---------------------------------------------------------------------------------------------------

    def _put(self, message: Message | None) -> None:
        try:
            self._messages.put_nowait(message)
        except queue.Full:
            log.debug("Too many messages wait for the broker; the scheduler reminds of this one.")

    def _publish(self) -> None:
        while (message := self._messages.get()) is not None and not self._stop.is_set():
            if not self._send(message):
                self._send(message)  # the connection was an old one; this one is fresh
        self._disconnect()

    def _send(self, message: Message) -> bool:
        if not self._connect():
            return True  # we are to stop: there is no other try
        try:
            app.send_task(
                TASK, args=(str(message.run_id), message.queue), queue=queue_name(message.queue),
                priority=level(message.priority, of_redis=_of_redis()), producer=self._producer, retry=False,
                ignore_result=True,
            )  # fmt: skip
        except Exception:  # each transport has its own
            log.warning("A message could not be published.", exc_info=True)
            self._disconnect()
            return False
        return True

    def _connect(self) -> bool:
        """Try until it succeeds; False when we are to stop."""
        told = False
        while self._connection is None and not self._stop.is_set():
            try:
                self._connection = app.connection_for_write()
                self._connection.connect()
                self._producer = app.amqp.Producer(self._connection, auto_declare=False)
            except Exception as error:
                self._disconnect()
                if not told:
                    log.warning("The broker does not answer (%s); trying again.", type(error).__name__)
                told = True
                self._stop.wait(_PAUSE_SECONDS)
        return self._connection is not None

    def _disconnect(self) -> None:
        broken, self._connection, self._producer = self._connection, None, None
        if broken is not None:
            try:
                broken.release()
            except Exception:
                log.debug("The connection to the broker could not be closed.", exc_info=True)


def level(priority: int, *, of_redis: bool) -> int:
    """The broker's priority for a run's: from 9 on they are one. Redis counts the other way round."""
    found = min(priority, LEVELS - 1)
    return LEVELS - 1 - found if of_redis else found


def _of_redis() -> bool:
    return "priority_steps" in app.conf.broker_transport_options


_dispatcher: Brokered | None = None


def start() -> None:
    """For a server process: it offers, and others carry out."""
    global _dispatcher
    _dispatcher = Brokered()
    _dispatcher.start()


def stop() -> None:
    global _dispatcher
    if _dispatcher is not None:
        stopping, _dispatcher = _dispatcher, None
        stopping.stop(settings.SHUTDOWN_SECONDS)
