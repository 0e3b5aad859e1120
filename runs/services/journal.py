"""A run's own log: dense sequences, strictly increasing times."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import orjson
from django.db import transaction

from orchestrator.core import clock, nudges
from orchestrator.core.ids import uuid7
from orchestrator.events.services import record
from orchestrator.identity.actors import Actor
from orchestrator.streams.sse import frame
from runs.models import Run
from runs.services import statements
from runs.services.statements import EventRow

_TICK = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Entry:
    """One event to write; its place and time are given when it is written."""

    node: str
    phase: str
    summary: str
    payload: dict[str, Any] = field(default_factory=dict)


def prepare(run: Run, entries: Iterable[Entry]) -> list[EventRow]:
    """Give each entry its place and time, and move ``run``'s cursor, in memory, past them.

    The caller holds the run's row lock or its lease, saves ``next_sequence`` and ``last_event_at``, then calls
    ``write``: in this order, because an event that is written first would meet another writer's at the same place
    before the lease is checked.
    """
    return [_row(run, entry) for entry in entries]


def write(run: Run, events: list[EventRow]) -> None:
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


def show(run: Run, node: str, text: str) -> None:
    """Let those who watch the run now read a piece of text that a node is making. Nothing keeps it."""
    nudges.say(topic(run.id), frame("run_text", orjson.dumps({"run_id": str(run.id), "node": node, "text": text})))


def topic(run_id: Any) -> str:
    """The name under which readers of the run are woken."""
    return f"run.{run_id}"


def _row(run: Run, entry: Entry) -> EventRow:
    moment, sequence = next_moment(run), run.next_sequence
    run.last_event_at, run.next_sequence = moment, sequence + 1
    summary = entry.summary[:500]
    return EventRow(uuid7(), run.id, run.org_id, moment, sequence, entry.node, entry.phase, summary, entry.payload)
