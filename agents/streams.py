"""What watchers of agents are told: frames made from the org's log, each once for all of them."""

import heapq
import uuid
from collections.abc import Mapping
from typing import Any, Final

from django.db.models import Q

from agents.models import AgentLog, RuntimeAgent
from agents.states import FINAL, LEVELS
from orchestrator.api.renderers import to_json
from orchestrator.core import clock
from orchestrator.events.models import Event
from orchestrator.events.streams import OrgSource
from orchestrator.streams.hub import Batch, Frame

SHOWN: Final = 1000
_KINDS: Final = ("agents", "runtime_agents", "agent_logs")
# The frame's type for each event of ours; what is not here is of no interest to a watcher.
_TYPES: Final = {
    "agent_created": "agent_created",
    "agent_status_changed": "agent_status_changed",
    "agent_updated": "agent_updated",
    "agent_redefined": "agent_updated",
    "agent_archived": "agent_deleted",
    "agent_logged": "agent_log",
}


class AgentSource(OrgSource):
    """Changes of the org's agents as JSON lines with the log's ``seq``; ``session_id`` and ``agent_id`` narrow it.

    ``agent_id`` is a runtime agent or a definition.
    """

    def __init__(self, org_id: uuid.UUID, filters: Mapping[str, str]) -> None:
        super().__init__(org_id, filters)
        self._org_id, self._filters = org_id, dict(filters)

    def read(self, after: int, limit: int) -> Batch:
        rows = Event.objects.for_org(self._org_id).filter(event__in=_TYPES, seq__gt=after).order_by("seq")
        # One range of the index for each kind: whatever else the org logs, a look costs the same.
        found = list(heapq.merge(*(rows.filter(kind=kind)[:limit] for kind in _KINDS), key=lambda row: row.seq))[:limit]
        wanted = [row for row in found if self._is_wanted(row.details)]
        # The last row is told of even when it is not wanted: else it would be read again with every look.
        frames = [Frame(row.seq, _line(row) if row in wanted else b"") for row in found]
        return Batch(frames)

    def _is_wanted(self, details: Mapping[str, Any]) -> bool:
        session, agent = self._filters.get("session_id"), self._filters.get("agent_id")
        return (session is None or details.get("session_id") == session) and (
            agent is None or agent in (details.get("agent_id"), details.get("definition_id"))
        )

    def heartbeat(self) -> bytes:
        return to_json({"type": "heartbeat", "timestamp": clock.rfc3339(clock.now())}) + b"\n"


def snapshot(org_id: uuid.UUID, filters: Mapping[str, str], seq: int) -> bytes:
    """The agents that have not ended, newest first, as the frame ``agent_update``; sent also when there are none.

    ``seq`` was read before the rows: what was committed in between is in both, and told twice rather than never.
    """
    rows = RuntimeAgent.objects.for_org(org_id).exclude(status__in=FINAL).order_by("-id")
    if "session_id" in filters:
        rows = rows.filter(session_id=filters["session_id"])
    if "agent_id" in filters:
        rows = rows.filter(Q(pk=filters["agent_id"]) | Q(agent_id=filters["agent_id"]))
    agents = [_agent(row) for row in rows[:SHOWN]]
    data = {"agents": agents, "timestamp": clock.rfc3339(clock.now())}
    return to_json({"type": "agent_update", "data": data, "seq": seq})


def _agent(row: RuntimeAgent) -> dict[str, Any]:
    return {
        "agent_id": str(row.id),
        "definition_id": str(row.agent_id),
        "parent_id": str(row.parent_id) if row.parent_id else None,
        "session_id": row.session_id,
        "name": row.name,
        "status": row.status,
        "input_tokens": row.input_tokens,
        "output_tokens": row.output_tokens,
        "cost_usd": float(row.cost_usd),
        "started_at": clock.rfc3339(row.started_at) if row.started_at else None,
    }


def _line(row: Event) -> bytes:
    kind = _TYPES[row.event]
    body = {"type": kind, "timestamp": clock.rfc3339(row.created_at), "seq": row.seq, **row.details}
    if kind == "agent_log":
        body["logs"] = _logs(row.details)
    return to_json(body) + b"\n"


def _logs(details: Mapping[str, Any]) -> list[dict[str, Any]]:
    rows = AgentLog.objects.filter(
        runtime_agent=details["agent_id"], id__gte=details["first"], id__lte=details["last"]
    ).order_by("id")
    return [
        {"id": str(row.id), "level": LEVELS[row.level], "log_type": row.log_type, "message": row.message,
         "details": row.details}
        for row in rows
    ]  # fmt: skip
