"""The attempts that this process is executing, so that each can be told to stop."""

import threading
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from django.conf import settings

from orchestrator.core import clock
from runs.models import Run, RunNode
from runs.states import ACTIVE_RUN, NodeStatus

Key = tuple[uuid.UUID, str, int]  # run, node, token


class Stop(threading.Event):
    """Remembers when it was set."""

    since: float | None = None

    def set(self) -> None:
        self.since = self.since or clock.monotonic()
        super().set()


_in_hand: dict[Key, Stop] = {}
_lock = threading.Lock()


@contextmanager
def hold(key: Key) -> Iterator[Stop]:
    """For the time of an attempt; the event is set when nobody wants its result any more."""
    stop = Stop()
    with _lock:
        _in_hand[key] = stop
    try:
        yield stop
    finally:
        with _lock:
            _in_hand.pop(key, None)


def in_hand() -> tuple[Key, ...]:
    with _lock:
        return tuple(_in_hand)


def stuck() -> int:
    """How many attempts have been told to stop and have not done so in CANCEL_GRACE_SECONDS."""
    long_ago = clock.monotonic() - settings.CANCEL_GRACE_SECONDS
    with _lock:
        return sum(stop.since is not None and stop.since < long_ago for stop in _in_hand.values())


def stop_run(run_id: uuid.UUID) -> None:
    """Stop all that is being executed for the run."""
    with _lock:
        for (of_run, _, _), stop in _in_hand.items():
            if of_run == run_id:
                stop.set()


def stop_unwanted() -> None:
    """Stop what another process has cancelled, timed out or taken over. One query, however many attempts there are."""
    keys = in_hand()
    wanted = _wanted(keys)
    with _lock:
        for key in keys:
            if key not in wanted and key in _in_hand:
                _in_hand[key].set()


def _wanted(keys: Iterable[Key]) -> set[Key]:
    runs = {run_id for run_id, _, _ in keys}
    active = Run.objects.filter(pk__in=runs, status__in=ACTIVE_RUN, cancel_requested_at=None)
    rows = RunNode.objects.filter(run__in=active, status=NodeStatus.RUNNING)
    return set(rows.values_list("run_id", "node", "token"))
