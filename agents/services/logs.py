"""What runtime agents report, and what the platform reports. Lines are many: a batch is one statement and one event."""

import uuid
from collections.abc import Sequence
from typing import Any, Final, TypedDict

from django.db import transaction

from agents.models import RuntimeAgent, SystemLog
from agents.states import LEVELS
from orchestrator.core import clock, sql
from orchestrator.core.errors import NotFound, ValidationFailed
from orchestrator.core.ids import uuid7
from orchestrator.events import services as events
from orchestrator.identity.actors import Actor

MAX_BATCH: Final = 1000
_INSERT: Final = """
    INSERT INTO agents_agentlog (id, org_id, runtime_agent_id, level, log_type, message, details, created_at)
    VALUES {rows}
"""
_ROWS_A_STATEMENT: Final = 100  # SQLite takes a bounded number of values


class Line(TypedDict, total=False):
    """One line as a caller sends it: ``runtime_agent_id``, ``level`` and ``message`` always."""

    runtime_agent_id: uuid.UUID
    level: str
    log_type: str
    message: str
    details: dict[str, Any]


def level_of(name: str) -> int:
    """The weight of a level. Raises ValidationFailed for one that there is not."""
    try:
        return LEVELS.index(name.upper())
    except ValueError as error:
        raise ValidationFailed(details={"level": [f"There are {', '.join(LEVELS)}."]}) from error


@transaction.atomic
def append_logs(*, actor: Actor, lines: Sequence[Line]) -> list[uuid.UUID]:
    """Append the lines in their order, all or none; their ids. One event for each agent among them.

    Raises PermissionDenied, NotFound for an agent that is not there, ValidationFailed for more than MAX_BATCH lines or
    an unknown level.
    """
    actor.require("write")
    if len(lines) > MAX_BATCH:
        raise ValidationFailed(details={"logs": [f"At most {MAX_BATCH} lines at once."]})
    sessions = _sessions(actor, {line["runtime_agent_id"] for line in lines})
    # In the database's form at once: the same in every row.
    org_id, now = sql.adapt(actor.org_id), sql.adapt(clock.now())
    rows = [_row(org_id, line, now) for line in lines]
    for start in range(0, len(rows), _ROWS_A_STATEMENT):
        sql.insert(_INSERT, rows[start : start + _ROWS_A_STATEMENT])
    _record(actor, rows, sessions)
    return [row[0] for row in rows]


@transaction.atomic
def report(*, org_id: uuid.UUID, component: str, level: str, message: str, **details: Any) -> None:
    """A line of the platform's own: what happened to the org's work that nobody did. In the caller's transaction, if
    there is one: call it last, as events.record.
    """
    line = SystemLog.objects.create(
        org_id=org_id, component=component, level=level_of(level), message=message, details=details,
        created_at=clock.now(),
    )  # fmt: skip
    events.record(
        actor=Actor.system(org_id), event="system_logged", kind="system_logs", target=f"system_log:{line.id}",
        details={"component": component, "level": LEVELS[line.level], "message": message},
    )  # fmt: skip


def _row(org_id: Any, line: Line, now: Any) -> tuple[Any, ...]:
    return (
        uuid7(), org_id, line["runtime_agent_id"], level_of(line["level"]), line.get("log_type", ""),
        line["message"], line.get("details", {}), now,
    )  # fmt: skip


def _sessions(actor: Actor, wanted: set[uuid.UUID]) -> dict[uuid.UUID, str]:
    """The session of each agent. Their rows are locked, so that the ids of one agent's lines grow in the order of the
    commits: a reader who goes on after a line misses none.
    """
    rows = RuntimeAgent.objects.seen_by(actor).filter(pk__in=wanted).select_for_update(no_key=True)
    known = dict(rows.order_by("id").values_list("id", "session_id"))
    if unknown := wanted.difference(known):
        raise NotFound(f"There is no runtime agent {str(min(unknown))!r}.")
    return known


def _record(actor: Actor, rows: list[tuple[Any, ...]], sessions: dict[uuid.UUID, str]) -> None:
    """Watchers read the lines from ``first`` to ``last``, which are ids, when they hear of them."""
    by_agent: dict[uuid.UUID, list[uuid.UUID]] = {}
    for row in rows:
        by_agent.setdefault(row[2], []).append(row[0])
    for agent_id, ids in by_agent.items():
        details = {
            "agent_id": str(agent_id), "session_id": sessions[agent_id], "first": str(ids[0]), "last": str(ids[-1]),
            "lines": len(ids),
        }  # fmt: skip
        events.record(
            actor=actor, event="agent_logged", kind="agent_logs", target=f"runtime_agent:{agent_id}", details=details
        )
