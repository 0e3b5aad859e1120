"""The three statements of every step, written out.

A run of eight nodes writes nine times; building these through the ORM took more than half of a run's time (docs/performance.md). They
are plain SQL that SQLite and PostgreSQL read alike. The columns are those of runs/models.py; a test holds the two together.
"""

from datetime import datetime
from typing import Any, Final

import orjson
from django.db import connection

from runs.models import Run, RunEvent, RunNode
from runs.states import RunStatus

_EVENT_COLUMNS: Final = "id, run_id, org_id, timestamp, sequence, node, phase, summary, payload"
_NODE_COLUMNS: Final = "id, run_id, org_id, node, status, attempts, output, error, started_at, finished_at"
_MOVE_RUN: Final = """
    UPDATE runs_run SET next_sequence = %s, last_event_at = %s, lease_expires_at = %s
    WHERE id = %s AND lease_token = %s AND status = %s
"""
_UPSERT_NODES: Final = f"""
    INSERT INTO runs_runnode ({_NODE_COLUMNS}) VALUES {{rows}}
    ON CONFLICT (run_id, node) DO UPDATE SET status = excluded.status, attempts = excluded.attempts, output = excluded.output,
    error = excluded.error, started_at = excluded.started_at, finished_at = excluded.finished_at
"""  # noqa: S608 - column names of our own
_INSERT_EVENTS: Final = f"INSERT INTO runs_runevent ({_EVENT_COLUMNS}) VALUES {{rows}}"  # noqa: S608


def move_run(run: Run, lease_expires_at: datetime) -> bool:
    """Save the run's place in its log and its lease; False when the lease is not ours any more."""
    times = (_time(run.last_event_at), _time(lease_expires_at))
    with connection.cursor() as cursor:
        cursor.execute(_MOVE_RUN, [run.next_sequence, *times, run.id.hex, run.lease_token, RunStatus.RUNNING.value])
        return bool(cursor.rowcount)


def upsert_nodes(nodes: list[RunNode]) -> None:
    """Insert the nodes' rows, or bring the ones that are there to the same values."""
    _insert(_UPSERT_NODES, [
        (
            node.id.hex, node.run_id.hex, node.org_id.hex, node.node, str(node.status), node.attempts, _json(node.output),
            _json(node.error), _time(node.started_at), _time(node.finished_at),
        )
        for node in nodes
    ])  # fmt: skip


def insert_events(events: list[RunEvent]) -> None:
    _insert(_INSERT_EVENTS, [
        (
            event.id.hex, event.run_id.hex, event.org_id.hex, _time(event.timestamp), event.sequence, event.node,
            str(event.phase), event.summary, _json(event.payload),
        )
        for event in events
    ])  # fmt: skip


def _insert(statement: str, rows: list[tuple[Any, ...]]) -> None:
    if not rows:
        return
    places = ", ".join(["(" + ", ".join(["%s"] * len(rows[0])) + ")"] * len(rows))
    with connection.cursor() as cursor:
        cursor.execute(statement.format(rows=places), [value for row in rows for value in row])


def _json(value: Any) -> str | None:
    return None if value is None else orjson.dumps(value).decode()


def _time(moment: datetime | None) -> Any:
    return None if moment is None else connection.ops.adapt_datetimefield_value(moment)
