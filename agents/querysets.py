"""Visibility and search of agents, and of what they reported."""

import re
import uuid
from typing import Final, Self

from django.db.models import Q
from django.db.models.expressions import RawSQL

from agents.states import LIVE
from orchestrator.identity.querysets import OrgQuerySet

_INDEXED_LEVELS: Final = (2, 3)  # WARNING and ERROR, each with an index of what is as bad: see models.AgentLog


class AgentQuerySet(OrgQuerySet):
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
    def live(self) -> Self:
        """Those that may be at work: neither ended nor lost."""
        return self.filter(status__in=LIVE)


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
