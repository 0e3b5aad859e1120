"""The statements of every run's steps (orchestrator/core/sql.py says why they are written out).

A run of eight nodes writes nine times. The columns are those of runs/models.py; a test holds the two together.
"""

import uuid
from datetime import datetime
from typing import Any, Final, NamedTuple

from orchestrator.core import sql
from runs.models import Run

# The predicate of the index run_active, letter by letter: SQLite uses a partial index for literals only, and scans all
# runs otherwise.
ACTIVE: Final = "runs_run.status IN ('queued', 'running')"
_MOVE_RUN: Final = """
    UPDATE runs_run SET next_sequence = %s, last_event_at = %s, lease_expires_at = %s
    WHERE id = %s AND lease_token = %s AND status = 'running'
"""
_CLAIM: Final = """
    UPDATE runs_run SET status = 'running', version = version + 1, lease_holder = %s, lease_token = lease_token + 1,
    lease_expires_at = %s
"""
_CLAIM_QUEUED: Final = _CLAIM + ", started_at = %s WHERE id = %s AND status = 'queued'"
_CLAIM_OWNERLESS: Final = (
    _CLAIM
    + """, recoveries = recoveries + 1
    WHERE id = %s AND status = 'running' AND (lease_expires_at < %s OR (lease_holder = %s AND lease_holder <> ''))
"""
)
_UPSERT_NODES: Final = """
    INSERT INTO runs_runnode (id, run_id, org_id, node, status, attempts, output, error, started_at, finished_at)
    VALUES {rows} ON CONFLICT (run_id, node) DO UPDATE
    SET status = excluded.status, attempts = excluded.attempts, output = excluded.output, error = excluded.error,
    started_at = excluded.started_at, finished_at = excluded.finished_at
"""
_INSERT_EVENTS: Final = """
    INSERT INTO runs_runevent (id, run_id, org_id, timestamp, sequence, node, phase, summary, payload) VALUES {rows}
"""


class NodeRow(NamedTuple):
    """A row of RunNode, in the order of the statement."""

    id: uuid.UUID
    run_id: uuid.UUID
    org_id: uuid.UUID
    node: str
    status: str
    attempts: int
    output: dict[str, Any] | None
    error: dict[str, Any] | None
    started_at: datetime | None
    finished_at: datetime | None


class EventRow(NamedTuple):
    """A row of RunEvent, in the order of the statement."""

    id: uuid.UUID
    run_id: uuid.UUID
    org_id: uuid.UUID
    timestamp: datetime
    sequence: int
    node: str
    phase: str
    summary: str
    payload: dict[str, Any]


def claim_queued(run_id: uuid.UUID, holder: str, lease_expires_at: datetime, now: datetime) -> bool:
    """Take a run that nobody has begun."""
    return bool(sql.run(_CLAIM_QUEUED, [holder, lease_expires_at, now, run_id]))


def claim_ownerless(
    run_id: uuid.UUID, holder: str, lease_expires_at: datetime, now: datetime, dead_holder: str
) -> bool:
    """Take a running run whose lease has run out, or belongs to ``dead_holder``."""
    return bool(sql.run(_CLAIM_OWNERLESS, [holder, lease_expires_at, run_id, now, dead_holder]))


def move_run(run: Run, lease_expires_at: datetime) -> bool:
    """Save the run's place in its log and its lease; False when the lease is not ours any more."""
    place = (run.next_sequence, run.last_event_at, lease_expires_at)
    return bool(sql.run(_MOVE_RUN, [*place, run.id, run.lease_token]))


def upsert_nodes(nodes: list[NodeRow]) -> None:
    """Insert the nodes' rows, or bring the ones that are there to the same values."""
    sql.insert(_UPSERT_NODES, nodes)


def insert_events(events: list[EventRow]) -> None:
    sql.insert(_INSERT_EVENTS, events)
