"""What the viewsets of agents share: ids that a query names, and If-Match where it may be left out."""

import uuid
from typing import Any

from agents.models import RuntimeAgent
from orchestrator.api.viewsets import BaseViewSet
from orchestrator.core.errors import NotFound
from orchestrator.core.ids import parse_uuid
from orchestrator.identity.querysets import OrgQuerySet


class AgentsViewSet(BaseViewSet):
    def must_know(self, rows: OrgQuerySet, parameter: str) -> None:
        """Raises NotFound when ``parameter`` of the query names none of the ``rows`` that the caller sees. That a value
        is no id at all is the filter's to say.
        """
        found = parse_uuid(self.request.query_params.get(parameter, ""))
        if found is not None and not rows.seen_by(self.actor).filter(pk=found).exists():
            raise NotFound(f"The {parameter} {str(found)!r} names nothing.")

    def runtime_agent(self, runtime_agent_id: str) -> RuntimeAgent:
        """The org's instance, if the caller sees it. Raises NotFound."""
        rows = RuntimeAgent.objects.seen_by(self.actor)
        found: RuntimeAgent | None = rows.filter(pk=self.path_id(runtime_agent_id)).first()
        if found is None:
            raise NotFound
        return found

    def id_of(self, resource: dict[str, Any]) -> uuid.UUID:
        return uuid.UUID(resource["id"])
