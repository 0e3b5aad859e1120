"""The queue of tasks as a source of work for runtime agents."""

from agents.models import RuntimeAgent
from agents.work import Wanted, Work
from orchestrator.identity.actors import Actor
from tasks import services
from tasks.api.serializers import HandedTaskBody, acquired_json
from tasks.services.leases import holder_of


class TaskSource:
    name = "task"
    answer = HandedTaskBody

    def take(self, *, actor: Actor, instance: RuntimeAgent, wanted: Wanted) -> Work | None:
        """The best task that waits. Raises PermissionDenied."""
        lease = services.acquire_lease(
            actor=actor, holder=holder_of(instance.id), ttl_seconds=wanted.ttl_seconds, labels=wanted.labels, q=wanted.q
        )
        if lease is None:
            return None
        return Work(self.name, acquired_json(lease), f"/api/v1/collab/leases/{lease.id}")
