"""The nodes that wait for agents as a source of work for runtime agents."""

from agents.api.serializers import HandedPromptBody, handed_json
from agents.models import RuntimeAgent
from agents.work import Wanted, Work
from orchestrator.identity.actors import Actor
from runs.services import asking


class PromptSource:
    name = "prompt"
    answer = HandedPromptBody

    def take(self, *, actor: Actor, instance: RuntimeAgent, wanted: Wanted) -> Work | None:
        """The prompt of the node that has waited longest for an agent like this one. Raises PermissionDenied."""
        prompt = asking.take_prompt(actor=actor, instance=instance, ttl_seconds=wanted.ttl_seconds)
        return Work(self.name, handed_json(prompt), f"/api/v1/runtime/prompts/{prompt.id}") if prompt else None
