"""The statements of every run's steps (orchestrator/core/sql.py says why they are written out).

A run of eight nodes writes nine times. The columns are those of runs/models.py; a test holds the two together.
"""

import uuid
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, Final, NamedTuple

import orjson
from django.db import connection

from orchestrator.core import clock, sql
from orchestrator.core.ids import uuid7
from runs.engine.plan import NodeState
from runs.models import Run, RunNode
from runs.states import NodeStatus

# The predicates of the partial indexes, letter by letter: SQLite uses such an index for literals only, and scans all
# rows otherwise.
ACTIVE: Final = "runs_run.status IN ('queued', 'running', 'waiting')"
MOVING: Final = "runs_runnode.status IN ('pending', 'running', 'waiting')"
RUNNING: Final = "runs_runnode.status = 'running'"
OFFERED: Final = "runs_run.status = 'queued' AND runs_run.waiting_on IS NULL"

_STATE: Final = (
    "node", "status", "attempts", "output", "error", "recoveries", "token", "queue", "waiting_on", "due_at",
    "lease_holder", "lease_expires_at", "started_at", "finished_at", "asks",
)  # fmt: skip
_RUN: Final = "SELECT * FROM runs_run WHERE id = %s"
_QUEUED_RUN: Final = "SELECT * FROM runs_run WHERE id = %s AND status = 'queued'"
_PARENT_NODE: Final = "SELECT 1 FROM runs_runnode WHERE run_id = %s AND node = %s"
_PLACE: Final = "SELECT next_sequence FROM runs_run WHERE id = %s"
_NODES: Final = f"""
    SELECT {", ".join(_STATE)} FROM runs_runnode WHERE run_id = %s AND sequence >= %s ORDER BY sequence, id
"""  # noqa: S608 - constants
_SAVE_RUN: Final = """
    UPDATE runs_run SET status = %s, version = %s, waiting_on = %s, started_at = %s, recoveries = %s,
    cancel_requested_at = %s, cancelled_by = %s, due_at = %s, next_sequence = %s, last_event_at = %s WHERE id = %s
"""
_MOVE_RUN: Final = "UPDATE runs_run SET next_sequence = %s, last_event_at = %s WHERE id = %s"
_END_RUN: Final = _SAVE_RUN.replace("WHERE", ", output = %s, error = %s, finished_at = %s WHERE")
_UPSERT_NODES: Final = f"""
    INSERT INTO runs_runnode (id, run_id, org_id, sequence, {", ".join(_STATE)}) VALUES {{rows}}
    ON CONFLICT (run_id, node) DO UPDATE SET sequence = excluded.sequence,
    {", ".join(f"{name} = excluded.{name}" for name in _STATE[1:])}
"""  # noqa: S608 - constants
_INSERT_EVENTS: Final = """
    INSERT INTO runs_runevent (id, run_id, org_id, timestamp, sequence, node, phase, summary, payload) VALUES {rows}
"""
_MOST_ROWS: Final = 400  # of one statement: SQLite takes 32,766 values


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


def lock_run(run_id: uuid.UUID) -> Run | None:
    """The run's row, ours until the transaction ends."""
    return sql.instance(Run, _RUN + _lock(), [run_id])


def lock_place(run_id: uuid.UUID) -> int | None:
    """The same for a caller who knows the run: how far its log has come says whether the rest is still so."""
    found = sql.row(_PLACE + _lock(), [run_id])
    return int(found[0]) if found else None


def move_run(run: Run) -> None:
    """What every step changes. The caller holds the row. SQLite writes an index anew for each column that a statement
    names, whether its value is another one or not.
    """
    sql.run(_MOVE_RUN, [*_place(run), run.id])


def lock_queued(run_id: uuid.UUID) -> Run | None:
    """The row of a run that has not begun; None when it has, and when somebody else is just at it: nobody waits here,
    so that whoever holds something that they wait for may ask.
    """
    skip = " SKIP LOCKED" if connection.features.has_select_for_update_skip_locked else ""
    return sql.instance(Run, _QUEUED_RUN + _lock() + skip, [run_id])


def lock_parent_node(run: Run) -> None:
    """The row that ``wake_parent`` writes, for a step that takes the head of the org's log before it may end the run:
    the parent's steps take these two in this order.
    """
    if lock := _lock():
        sql.row(_PARENT_NODE + lock, [run.parent_id, run.parent_node])


def about(run: Run) -> tuple[Any, ...]:
    """What a step changes only now and then."""
    asked = (run.cancel_requested_at, run.cancelled_by, run.due_at)
    return run.status, run.version, run.waiting_on, run.started_at, run.recoveries, *asked


def save_run(run: Run) -> None:
    """What every step changes, and what ``about`` says."""
    sql.run(_SAVE_RUN, [*about(run), *_place(run), run.id])


def end_run(run: Run) -> None:
    """The same, and what came of it."""
    sql.run(_END_RUN, [*about(run), *_place(run), _json(run.output), run.error, run.finished_at, run.id])


def read_nodes(run_id: uuid.UUID, since: int = 0) -> Iterator[tuple[str, NodeState]]:
    """The nodes that have changed at ``since`` in the run's log or later."""
    for node, *rest in sql.rows(RunNode, _STATE, _NODES, [run_id, since]):
        yield node, NodeState(*rest)


def read_due(run_id: uuid.UUID) -> Iterator[tuple[str, datetime | None]]:
    """The nodes whose waits are over, and since when."""
    rows = RunNode.objects.filter(run_id=run_id, status=NodeStatus.WAITING, due_at__lte=clock.now())
    yield from rows.values_list("node", "due_at")


def upsert_nodes(run: Run, sequence: int, states: Mapping[str, NodeState]) -> None:
    """Insert the nodes' rows, or bring the ones that are there to the same values."""
    rows = [
        (
            uuid7(), run.id, run.org_id, sequence, name, state.status, state.attempts, state.output, state.error,
            state.recoveries, state.token, state.queue, state.waiting_on, state.due_at, state.lease_holder,
            state.lease_expires_at, state.started_at, state.finished_at, state.asks,
        )
        for name, state in states.items()
    ]  # fmt: skip
    for begin in range(0, len(rows), _MOST_ROWS):
        sql.insert(_UPSERT_NODES, rows[begin : begin + _MOST_ROWS])


def insert_events(events: list[EventRow]) -> None:
    for begin in range(0, len(events), _MOST_ROWS):
        sql.insert(_INSERT_EVENTS, events[begin : begin + _MOST_ROWS])


def wake_parent(run: Run, now: datetime) -> None:
    """Have the node looked at if this is the run that it waits for, and not that of an attempt before. It takes the
    node's row alone, never the parent's: a cancel of the parent takes the two the other way round.
    """
    assert run.parent_id is not None
    rows = RunNode.objects.filter(run_id=run.parent_id, node=run.parent_node, status=NodeStatus.WAITING)
    rows.filter(waiting_on__run_id=str(run.id)).update(due_at=now)


def lock_waits(run_ids: Iterable[uuid.UUID]) -> None:
    """The rows that ``wake_parent`` may write, of runs whose rows the caller holds: for who takes the head of the org's
    log and writes them after that, while the runs that end take these two in this order.
    """
    if _lock():
        rows = RunNode.objects.filter(run__in=run_ids, status=NodeStatus.WAITING).order_by("id")
        list(rows.select_for_update(of=("self",), no_key=True).values_list("pk"))


def _place(run: Run) -> tuple[Any, ...]:
    return run.next_sequence, run.last_event_at


def _lock() -> str:
    # Who only refers to the row, as a fork does when it commits, with the head of the org's log in hand, need not wait.
    return " FOR NO KEY UPDATE" if connection.features.has_select_for_update else ""


def _json(document: Any) -> str | None:
    """A run's output may be any JSON, also a text or a number, which the adapter would take for itself."""
    return None if document is None else orjson.dumps(document).decode()
