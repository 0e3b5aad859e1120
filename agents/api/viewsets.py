"""/api/v1/agents, /runtime/agents and /runtime/prompts (CONTRACT §3, Agents; seed 002). Logs are in logs.py,
taking work in work.py.
"""

import uuid
from typing import Final

from django.db.models import QuerySet
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from agents.api import serializers as bodies
from agents.api.base import AgentsViewSet
from agents.api.filters import AgentFilter, PromptFilter, RuntimeAgentFilter
from agents.models import Agent, Prompt, RuntimeAgent
from agents.services import definitions, instances, prompt_leases, prompts
from orchestrator.api.idempotency import idempotent
from orchestrator.api.lists import Listing
from orchestrator.core.errors import NotFound
from orchestrator.events import services as events

_MAY_MATCH: Final = OpenApiParameter(
    "If-Match", OpenApiTypes.STR, OpenApiParameter.HEADER, description="The ETag that you read; may be left out."
)


class AgentViewSet(AgentsViewSet):
    listing = Listing("agents", lambda rows: [bodies.agent_json(row) for row in rows], AgentFilter)
    for_agents = ("retrieve",)

    def list_rows(self, org_id: uuid.UUID) -> QuerySet[Agent]:
        return Agent.objects.for_org(org_id)

    @extend_schema(responses=bodies.AgentBody(many=True))
    def list(self, request: Request) -> Response:
        """The org's definitions, newest first, without the archived ones."""
        return self.answer_list(self.actor.org_id)

    @extend_schema(request=bodies.AgentFields, responses={201: bodies.AgentBody})
    @idempotent
    def create(self, request: Request) -> Response:
        """Define an agent. Its name is free: no other one that is not archived has it."""
        agent = definitions.create_agent(actor=self.actor, **self.body(bodies.AgentFields))
        return self.resource(bodies.agent_json(agent), status=201, location=f"/api/v1/agents/{agent.id}")

    @extend_schema(responses=bodies.AgentBody)
    def retrieve(self, request: Request, agent_id: str) -> Response:
        """One definition, archived or not."""
        self.no_parameters()
        return self.resource(bodies.agent_json(self.agent(agent_id)))

    @extend_schema(request=bodies.AgentFields, responses=bodies.AgentBody)
    def update(self, request: Request, agent_id: str) -> Response:
        """Replace a definition; what is left out goes back to its default. Needs If-Match."""
        return self._write(agent_id, partial=False)

    @extend_schema(request=bodies.AgentFields, responses=bodies.AgentBody)
    def partial_update(self, request: Request, agent_id: str) -> Response:
        """Change some fields of a definition. Needs If-Match."""
        return self._write(agent_id, partial=True)

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, agent_id: str) -> Response:
        """Archive a definition that has no live instance: its name is free again, its history stays. Needs If-Match."""
        agent = self.agent(agent_id, current=True)
        version = self.required_version(bodies.agent_json(agent))
        definitions.archive_agent(actor=self.actor, agent_id=agent.id, version=version)
        return Response(status=204)

    def agent(self, agent_id: str, *, current: bool = False) -> Agent:
        """The org's definition; with ``current``, one that can be written. Raises NotFound."""
        rows = Agent.objects.seen_by(self.actor).filter(pk=self.path_id(agent_id))
        found: Agent | None = (rows.current() if current else rows).first()
        if found is None:
            raise NotFound
        return found

    def _write(self, agent_id: str, *, partial: bool) -> Response:
        agent = self.agent(agent_id, current=True)
        version = self.required_version(bodies.agent_json(agent))
        body = self.body(bodies.AgentFields, partial=partial)
        written = definitions.update_agent(actor=self.actor, agent_id=agent.id, version=version, **body)
        return self.resource(bodies.agent_json(written))


class RuntimeAgentViewSet(AgentsViewSet):
    listing = Listing(
        "runtime_agents", lambda rows: [bodies.runtime_agent_json(row) for row in rows], RuntimeAgentFilter
    )
    for_agents = ("retrieve", "partial_update", "heartbeat", "stop")

    def list_rows(self, org_id: uuid.UUID) -> QuerySet[RuntimeAgent]:
        return RuntimeAgent.objects.for_org(org_id)

    @extend_schema(responses=bodies.RuntimeAgentBody(many=True))
    def list(self, request: Request) -> Response:
        """The org's runtime agents, newest first."""
        self.must_know(Agent.objects.all(), "agent_id")
        self.must_know(RuntimeAgent.objects.all(), "parent_id")
        return self.answer_list(self.actor.org_id)

    @extend_schema(request=bodies.NewRuntimeAgent, responses={201: bodies.RuntimeAgentBody})
    @idempotent
    def create(self, request: Request) -> Response:
        """Register a live instance of a definition. It is initializing, and must send heartbeats from now on."""
        made = instances.create_instance(actor=self.actor, **self.body(bodies.NewRuntimeAgent))
        return self.resource(bodies.runtime_agent_json(made), status=201, location=f"/api/v1/runtime/agents/{made.id}")

    @extend_schema(responses=bodies.RuntimeAgentBody)
    def retrieve(self, request: Request, runtime_agent_id: str) -> Response:
        """One runtime agent."""
        self.no_parameters()
        return self.resource(bodies.runtime_agent_json(self.runtime_agent(runtime_agent_id)))

    @extend_schema(request=bodies.StatusChange, responses=bodies.RuntimeAgentBody, parameters=[_MAY_MATCH])
    def partial_update(self, request: Request, runtime_agent_id: str) -> Response:
        """Say what the agent is doing. The table of statuses guards the change; it is a sign of life, too."""
        found = bodies.runtime_agent_json(self.runtime_agent(runtime_agent_id))
        version, body = self.asked_version(found), self.body(bodies.StatusChange)
        moved = instances.set_status(actor=self.actor, instance_id=self.id_of(found), version=version, **body)
        return self.resource(bodies.runtime_agent_json(moved))

    @extend_schema(request=None, responses=bodies.HeartbeatBody)
    def heartbeat(self, request: Request, runtime_agent_id: str) -> Response:
        """A sign of life; brings a lost agent back. 409 from one that has ended."""
        agent = instances.heartbeat(actor=self.actor, instance_id=self.path_id(runtime_agent_id))
        return Response(bodies.heartbeat_json(agent))

    @extend_schema(request=bodies.Stop, responses=bodies.RuntimeAgentBody)
    def stop(self, request: Request, runtime_agent_id: str) -> Response:
        """End the agent. One that has ended stays as it is, however often this is asked."""
        found = self.runtime_agent(runtime_agent_id)
        stopped = instances.stop_instance(actor=self.actor, instance_id=found.id, **self.body(bodies.Stop))
        return self.resource(bodies.runtime_agent_json(stopped))


class RuntimeStateViewSet(RuntimeAgentViewSet):
    """/api/v1/collab/state/agents: the same list under the name that the shared state gives it."""

    listing = Listing("agents", RuntimeAgentViewSet.listing.represent, RuntimeAgentFilter)

    def answer_list(self, org_id: uuid.UUID, **options: object) -> Response:
        # Of this kind are also the definitions, whose revision is another.
        return super().answer_list(org_id, revision=events.revision(org_id, "runtime_agents"), within="state")


class PromptViewSet(AgentsViewSet):
    listing = Listing("prompts", lambda rows: [bodies.prompt_json(row) for row in rows], PromptFilter)
    for_agents = ("list", "create", "retrieve", "partial_update", "heartbeat")

    def list_rows(self, org_id: uuid.UUID) -> QuerySet[Prompt]:
        return Prompt.objects.for_org(org_id)

    @extend_schema(responses=bodies.PromptBody(many=True))
    def list(self, request: Request) -> Response:
        """The org's prompts, newest first."""
        self.must_know(RuntimeAgent.objects.all(), "agent")
        return self.answer_list(self.actor.org_id, revision=prompt_leases.revision(self.actor.org_id))

    @extend_schema(request=bodies.NewPrompt, responses={201: bodies.PromptBody})
    @idempotent
    def create(self, request: Request) -> Response:
        """Ask something of a runtime agent that has not ended."""
        made = prompts.create_prompt(actor=self.actor, **self.body(bodies.NewPrompt))
        return self.resource(bodies.prompt_json(made), status=201, location=f"/api/v1/runtime/prompts/{made.id}")

    @extend_schema(responses=bodies.PromptBody)
    def retrieve(self, request: Request, prompt_id: str) -> Response:
        """One prompt with its answer."""
        self.no_parameters()
        return self.resource(bodies.prompt_json(self.prompt(prompt_id)))

    @extend_schema(request=bodies.AnswerFields, responses=bodies.PromptBody, parameters=[_MAY_MATCH])
    def partial_update(self, request: Request, prompt_id: str) -> Response:
        """Write what came of the prompt. What it cost adds up on its agent."""
        found = bodies.prompt_json(self.prompt(prompt_id))
        version, body = self.asked_version(found), self.body(bodies.AnswerFields, partial=True)
        answered = prompts.answer_prompt(actor=self.actor, prompt_id=self.id_of(found), version=version, **body)
        return self.resource(bodies.prompt_json(answered))

    @extend_schema(request=bodies.Renewal, responses=bodies.PromptBody)
    def heartbeat(self, request: Request, prompt_id: str) -> Response:
        """Keep a prompt that was handed out for another `ttl_seconds` from now, as many as the last time unless it
        says. Every answer in parts does so, too.
        """
        found = self.prompt(prompt_id)
        kept = prompt_leases.renew(actor=self.actor, prompt_id=found.id, **self.body(bodies.Renewal))
        return self.resource(bodies.prompt_json(kept))

    def prompt(self, prompt_id: str) -> Prompt:
        """The org's prompt, if the caller sees it. Raises NotFound."""
        found: Prompt | None = Prompt.objects.seen_by(self.actor).filter(pk=self.path_id(prompt_id)).first()
        if found is None:
            raise NotFound
        return found
