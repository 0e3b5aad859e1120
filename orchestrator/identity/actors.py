"""Who is acting. Every write names an Actor; every read is in its org."""

import uuid
from dataclasses import dataclass
from typing import Final, Literal, Self

from orchestrator.core.errors import PermissionDenied
from orchestrator.identity.models import Role

Kind = Literal["user", "api_key", "agent", "system"]

SCOPES: Final = ("read", "write", "jobs", "admin")
AGENT_SCOPES: Final = frozenset({"read", "write"})  # what a runtime agent may have at the most
ROLE_SCOPES: Final[dict[str, frozenset[str]]] = {
    Role.VIEWER: frozenset({"read"}),
    Role.MEMBER: frozenset({"read", "write", "jobs"}),
    Role.ADMIN: frozenset(SCOPES),
    Role.OWNER: frozenset(SCOPES),
}


@dataclass(frozen=True, slots=True)
class Actor:
    """A user, an API key, a runtime agent, or the system, in one org, with what it may do there."""

    kind: Kind
    id: uuid.UUID | None
    org_id: uuid.UUID
    scopes: frozenset[str]
    role: str = ""

    @classmethod
    def system(cls, org_id: uuid.UUID) -> Self:
        """The platform itself: workers, the sweeper, commands."""
        return cls("system", None, org_id, frozenset(SCOPES))

    def __str__(self) -> str:
        """``user:<uuid>``, ``api_key:<uuid>``, ``agent:<uuid>`` or ``system``: how events and records name it."""
        return f"{self.kind}:{self.id}" if self.id else self.kind

    @property
    def is_agent(self) -> bool:
        """A runtime agent with a key of its own: it sees and changes what is its own, and nothing else."""
        return self.kind == "agent"

    def may(self, scope: str) -> bool:
        return scope in self.scopes

    def require(self, scope: str) -> None:
        """Raises PermissionDenied when the actor lacks ``scope``."""
        if scope not in self.scopes:
            raise PermissionDenied(f"This needs the scope {scope!r}, which you do not have in this organization.")

    def require_whole_org(self) -> None:
        """Raises PermissionDenied for a runtime agent, which may not see the whole organization."""
        if self.is_agent:
            raise PermissionDenied("A key that is bound to an agent does not reach here.")
