"""Visibility and search of agents, and of what they reported."""

import re
import uuid
from typing import TYPE_CHECKING, Final, Self

from django.db.models import Q
from django.db.models.expressions import RawSQL

from agents.states import LIVE
from orchestrator.identity.querysets import OrgQuerySet

if TYPE_CHECKING:
    from orchestrator.identity.actors import Actor

_INDEXED_LEVELS: Final = (2, 3)  # WARNING and ERROR, each with an index of what is as bad: see models.AgentLog


class AgentQuerySet(OrgQuerySet):
    def of_agent(self, agent_id: uuid.UUID) -> Self:
        """What it is an instance of."""
        return self.filter(instances=agent_id)

    def current(self) -> Self:
        """Those that are not archived."""
        return self.filter(archived_at=None)

    def archived(self) -> Self:
        return self.exclude(archived_at=None)

    def mentioning(self, text: str) -> Self:
        """Definitions with ``text`` in their name or description, in any case."""
        # A regular expression, because SQLite's LIKE knows only the case of ASCII letters; its REGEXP is Python's.
        literal = re.escape(text)
        return self.filter(Q(name__iregex=literal) | Q(description__iregex=literal))


class RuntimeAgentQuerySet(OrgQuerySet):
    def of_agent(self, agent_id: uuid.UUID) -> Self:
        return self.filter(pk=agent_id)

    def asked_by(self, actor: "Actor") -> Self:
        """Those that the actor may ask something: the org's; for a runtime agent, itself and its children."""
        rows = self.for_org(actor.org_id)
        return rows.filter(Q(pk=actor.id) | Q(parent_id=actor.id)) if actor.is_agent else rows

    def live(self) -> Self:
        """Those that may be at work: neither ended nor lost."""
        return self.filter(status__in=LIVE)


class PromptQuerySet(OrgQuerySet):
    def of_agent(self, agent_id: uuid.UUID) -> Self:
        """What it was asked, and what it asked of its children."""
        # The family as a set, for the index by agent: who asked is in none.
        agents = self.model.runtime_agent.get_queryset()  # type: ignore[attr-defined]  # of no known model
        family = agents.filter(Q(pk=agent_id) | Q(parent_id=agent_id))
        return self.filter(
            Q(runtime_agent_id=agent_id) | Q(created_by=f"agent:{agent_id}"), runtime_agent_id__in=family.values("pk")
        )

    def leased(self) -> Self:
        """Handed out under a lease and not ended, though the lease may have run out."""
        return self.filter(lease_expires_at__isnull=False)


class LogQuerySet(OrgQuerySet):
    """Lines of agents or of the platform."""

    def as_bad_as(self, level: int) -> Self:
        """Lines of this level (a place in states.LEVELS) or worse."""
        rows = self.filter(level__gte=level)
        for indexed in _INDEXED_LEVELS:
            if level >= indexed:
                # As a literal: SQLite uses a partial index only where the statement's own text implies its condition.
                rows = rows.filter(level__gte=RawSQL(str(indexed), ()))  # noqa: S611
        return rows

    def after(self, line_id: uuid.UUID) -> Self:
        return self.filter(id__gt=line_id)


class AgentLogQuerySet(LogQuerySet):
    def of_agent(self, agent_id: uuid.UUID) -> Self:
        return self.filter(runtime_agent_id=agent_id)
