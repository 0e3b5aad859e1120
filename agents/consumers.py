"""/ws/agent-status: who is doing what this second (CONTRACT §3, WebSocket; seed 002)."""

import re
from typing import Final

from agents.streams import AgentSource, snapshot
from orchestrator.api.renderers import to_json
from orchestrator.core import clock
from orchestrator.core.errors import ValidationFailed
from orchestrator.core.ids import parse_uuid
from orchestrator.events.services import head
from orchestrator.identity.actors import Actor
from orchestrator.streams.sockets import Opening, StreamConsumer

_SEQ: Final = re.compile(r"[0-9]{1,18}")
_FILTERS: Final = ("session_id", "agent_id")


class AgentStatusConsumer(StreamConsumer):
    """First ``connection_established``, then the snapshot or, with ``since``, all that came after it; then changes."""

    def open(self, actor: Actor, query: dict[str, str]) -> Opening:
        if unknown := [name for name in query if name not in (*_FILTERS, "since")]:
            raise ValidationFailed(details={name: ["There is no such parameter."] for name in unknown})
        since = query.get("since")
        filters: dict[str, str] = {name: query[name] for name in _FILTERS if name in query}
        if since is not None and not _SEQ.fullmatch(since):
            raise ValidationFailed(details={"since": ["Must be the seq of a frame of this socket."]})
        if "agent_id" in filters and parse_uuid(filters["agent_id"]) is None:
            raise ValidationFailed(details={"agent_id": ["Must be a valid UUID."]})
        if any("\x00" in value for value in filters.values()):
            raise ValidationFailed(details={"session_id": ["Contains a NUL character."]})
        now = head(actor.org_id)
        after = now if since is None else min(int(since), now)
        frames = [to_json({"type": "connection_established", "timestamp": clock.rfc3339(clock.now()), "seq": after})]
        if since is None:
            frames.append(snapshot(actor.org_id, filters, now))
        return Opening(
            frames, AgentSource(actor.org_id, filters), after, lambda current: current.org_id == actor.org_id
        )
