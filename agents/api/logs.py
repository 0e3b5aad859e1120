"""/runtime/logs and /runtime/system-logs: what agents reported, and what the platform did (CONTRACT §3, Agents)."""

import uuid
from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import PolymorphicProxySerializer, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from agents.api.base import AgentsViewSet
from agents.api.fields import DocumentField, TextField
from agents.api.filters import LogFilter, LogOfAgentFilter, SystemLogFilter
from agents.api.lines import NdjsonParser, lines_of
from agents.models import MAX_LINE, AgentLog, RuntimeAgent, SystemLog
from agents.services.logs import MAX_BATCH, append_logs
from agents.states import LEVELS, LogType
from orchestrator.api.idempotency import idempotent
from orchestrator.api.lists import Listing
from orchestrator.api.parsers import StrictJSONParser
from orchestrator.api.serializers import IdField, StrictSerializer
from orchestrator.core import clock


class LogLine(StrictSerializer):
    """One line; documents what ``lines_of`` reads."""

    runtime_agent_id = IdField()
    level = serializers.ChoiceField(LEVELS)
    log_type = serializers.ChoiceField(LogType.choices, required=False)
    message = TextField(max_length=MAX_LINE)
    details = DocumentField(required=False)


class LogBatch(StrictSerializer):
    logs = serializers.ListField(child=LogLine(), min_length=1, max_length=MAX_BATCH)


class Appended(serializers.Serializer):
    """How many lines there are more, and the ids of the first and the last of them."""

    appended = serializers.IntegerField()
    first_id = serializers.UUIDField()
    last_id = serializers.UUIDField()


class AgentLogBody(serializers.Serializer):
    """A line as it is answered; documents ``log_json``."""

    id = serializers.UUIDField()
    runtime_agent_id = serializers.UUIDField()
    level = serializers.ChoiceField(LEVELS)
    log_type = serializers.CharField()
    message = serializers.CharField()
    details = serializers.DictField()
    created_at = serializers.DateTimeField()


class SystemLogBody(serializers.Serializer):
    """A line of the platform's; documents ``system_log_json``."""

    id = serializers.UUIDField()
    component = serializers.CharField()
    level = serializers.ChoiceField(LEVELS)
    message = serializers.CharField()
    details = serializers.DictField()
    created_at = serializers.DateTimeField()


def log_json(line: AgentLog) -> dict[str, Any]:
    return {
        "id": str(line.id),
        "runtime_agent_id": str(line.runtime_agent_id),
        "level": LEVELS[line.level],
        "log_type": line.log_type,
        "message": line.message,
        "details": line.details,
        "created_at": clock.rfc3339(line.created_at),
    }


def system_log_json(line: SystemLog) -> dict[str, Any]:
    return {
        "id": str(line.id),
        "component": line.component,
        "level": LEVELS[line.level],
        "message": line.message,
        "details": line.details,
        "created_at": clock.rfc3339(line.created_at),
    }


_NEW_LOGS = PolymorphicProxySerializer("NewLogs", [LogLine, LogBatch], resource_type_field_name=None)


class LogViewSet(AgentsViewSet):
    parser_classes = (StrictJSONParser, NdjsonParser)
    listing = Listing("agent_logs", lambda rows: [log_json(row) for row in rows], LogFilter)
    for_agents = ("list", "create")

    def list_rows(self, org_id: uuid.UUID) -> QuerySet[AgentLog]:
        return AgentLog.objects.for_org(org_id)

    @extend_schema(responses=AgentLogBody(many=True))
    def list(self, request: Request) -> Response:
        """The lines of all agents, newest first."""
        self.must_know(RuntimeAgent.objects.all(), "agent")
        return self.answer_list(self.actor.org_id)

    @extend_schema(request={"application/json": _NEW_LOGS, NdjsonParser.media_type: LogLine}, responses={201: Appended})
    @idempotent
    def create(self, request: Request) -> Response:
        """Append one line, a batch under `logs`, or NDJSON: up to 1,000 lines, all of them or none."""
        ids = append_logs(actor=self.actor, lines=lines_of(request.data))
        return Response({"appended": len(ids), "first_id": str(ids[0]), "last_id": str(ids[-1])}, status=201)


class AgentLogViewSet(AgentsViewSet):
    listing = Listing("agent_logs", LogViewSet.listing.represent, LogOfAgentFilter)
    for_agents = ("list",)

    def list_rows(self, org_id: uuid.UUID) -> QuerySet[AgentLog]:
        return AgentLog.objects.for_org(org_id).filter(runtime_agent=self._agent)

    @extend_schema(responses=AgentLogBody(many=True))
    def list(self, request: Request, runtime_agent_id: str) -> Response:  # type: ignore[override]  # a list within one
        """The lines of one agent, newest first."""
        self._agent = self.runtime_agent(runtime_agent_id)
        return self.answer_list(self.actor.org_id, within=self._agent.id)


class SystemLogViewSet(AgentsViewSet):
    listing = Listing("system_logs", lambda rows: [system_log_json(row) for row in rows], SystemLogFilter)

    def list_rows(self, org_id: uuid.UUID) -> QuerySet[SystemLog]:
        return SystemLog.objects.for_org(org_id)

    @extend_schema(responses=SystemLogBody(many=True))
    def list(self, request: Request) -> Response:
        """What the platform did with the org's work that nobody had asked for, newest first."""
        return self.answer_list(self.actor.org_id)
