"""/runtime/agents/{id}/next: an agent takes work, and waits for it (CONTRACT §3, Agents)."""

from typing import Any

from drf_spectacular.utils import PolymorphicProxySerializer, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from agents import work
from agents.api import serializers as bodies
from agents.api.base import AgentsViewSet
from agents.services import instances
from agents.work import Wanted
from orchestrator.api.waiting import ask_again
from orchestrator.events.services import topic


def _answers() -> dict[str, Any]:
    return {"prompt": bodies.HandedPromptBody, **work.answers()}


_WORK = PolymorphicProxySerializer("Work", _answers, resource_type_field_name="kind")


class NextViewSet(AgentsViewSet):
    for_agents = ("create",)

    @extend_schema(request=bodies.Next, responses={200: _WORK, 204: None})
    def create(self, request: Request, runtime_agent_id: str) -> Response:
        """The next prompt or task for a runtime agent, under a lease of its own; waits for one, and answers 204 when
        none came. What a run asks goes before tasks.

        It is a sign of life. A task's lease is kept, completed or failed under `/collab/leases`, a prompt answered
        under `/runtime/prompts`.
        """
        found = self.runtime_agent(runtime_agent_id)
        body = self.body(bodies.Next)
        instance = instances.heartbeat(actor=self.actor, instance_id=found.id)
        wanted = Wanted(body["ttl_seconds"], body["labels"], body["q"])
        handed = work.take(actor=self.actor, instance=instance, wanted=wanted, kinds=body.get("kinds", work.KINDS))
        if handed is not None:
            return self.resource({"kind": handed.kind, **handed.body}, location=handed.location)
        response = Response(b"", status=204)
        ask_again(response, request._request, topic(self.actor.org_id), body["wait_seconds"])
        return response
