"""Visibility of runs."""

import uuid
from typing import Self

from orchestrator.identity.querysets import OrgQuerySet


class RunQuerySet(OrgQuerySet):
    def of_agent(self, agent_id: uuid.UUID) -> Self:
        """Those with a node whose prompt the agent has in hand."""
        held = {"nodes__status": "waiting", "nodes__waiting_on__runtime_agent_id": str(agent_id)}
        return self.filter(pk__in=self.model._default_manager.filter(**held).values("pk"))
