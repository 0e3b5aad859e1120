"""A run's own log: dense sequences, strictly increasing times."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from orchestrator.core import clock, nudges
from orchestrator.events.services import record
from orchestrator.identity.actors import Actor
from runs.models import Run, RunEvent
from runs.services import statements

_TICK = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Entry:
    """One event to write; its place and time are given when it is written."""

    node: str
    phase: str
    summary: str
    payload: dict[str, Any] = field(default_factory=dict)


def prepare(run: Run, entries: Iterable[Entry]) -> list[RunEvent]:
    """Give each entry its place and time, and move ``run``'s cursor, in memory, past them.

    The caller holds the run's row lock or its lease, saves ``next_sequence`` and ``last_event_at``, then calls
    ``write``: in this order, because an event that is written first would meet another writer's at the same place
    before the lease is checked.
    """
    return [_row(run, entry) for entry in entries]


def write(run: Run, events: list[RunEvent]) -> None:
    """Insert prepared events, in the transaction that saved the cursor, and wake the run's readers when it commits."""
    statements.insert_events(events)
    transaction.on_commit(lambda: nudges.send(topic(run.id)))


def record_run(actor: Actor, event: str, run: Run, **details: Any) -> None:
    """The run's state change in the org's log. Call it last: it takes the lock of the org's head."""
    details = {"workflow": run.workflow, "status": run.status, **details}
    record(actor=actor, event=event, kind="runs", target=f"run:{run.id}", details=details)


def next_moment(run: Run) -> datetime:
    """Now, or just after the run's last event where clocks disagree: ``last_ts`` can then name exactly one place in the
    log.
    """
    now = clock.now()
    return now if run.last_event_at is None else max(now, run.last_event_at + _TICK)


def topic(run_id: Any) -> str:
    """The name under which readers of the run are woken."""
    return f"run.{run_id}"


def _row(run: Run, entry: Entry) -> RunEvent:
    run.last_event_at = next_moment(run)
    row = RunEvent(
        run_id=run.id, org_id=run.org_id, timestamp=run.last_event_at, sequence=run.next_sequence,
        node=entry.node, phase=entry.phase, summary=entry.summary[:500], payload=entry.payload,
    )  # fmt: skip
    run.next_sequence += 1
    return row
