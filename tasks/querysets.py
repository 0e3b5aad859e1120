"""Visibility and search of tasks, and the walk over their dependencies."""

import re
import uuid
from collections.abc import Collection
from typing import Final, Self

from django.db import connection
from django.db.models import F, Q

from orchestrator.identity.querysets import OrgQuerySet

# UNION (not UNION ALL) drops what was seen before, so that the walk ends on any graph.
_LEADS_TO: Final = """
    WITH RECURSIVE upstream (id) AS (
        SELECT depends_on_id FROM tasks_taskdependency WHERE task_id IN ({starts})
        UNION
        SELECT edge.depends_on_id FROM tasks_taskdependency edge JOIN upstream ON edge.task_id = upstream.id
    )
    SELECT 1 FROM upstream WHERE id = %s LIMIT 1
"""


class TaskQuerySet(OrgQuerySet):
    def of_agent(self, agent_id: uuid.UUID) -> Self:
        """What it has in hand."""
        return self.filter(leases__holder=f"agent:{agent_id}", leases__ended_at=None)

    def labelled(self, name: str) -> Self:
        # The label's own org, though it follows from the task's, lets the index (org, name, task) be used.
        return self.filter(labels__org_id=F("org_id"), labels__name=name)

    def mentioning(self, text: str) -> Self:
        """Tasks with ``text`` in their title or description, in any case."""
        # A regular expression, because SQLite's LIKE knows only the case of ASCII letters; its REGEXP is Python's.
        literal = re.escape(text)
        return self.filter(Q(title__iregex=literal) | Q(description__iregex=literal))


class TaskDependencyQuerySet(OrgQuerySet):
    def lead(self, starts: Collection[uuid.UUID], goal: uuid.UUID) -> bool:
        """Whether one of ``starts`` depends on ``goal``, at once or through others. One query at any depth."""
        if not starts:
            return False
        walk = _LEADS_TO.format(starts=", ".join(["%s"] * len(starts)))
        with connection.cursor() as cursor:
            cursor.execute(walk, [*(start.hex for start in starts), goal.hex])
            return cursor.fetchone() is not None


class TaskLeaseQuerySet(OrgQuerySet):
    def of_agent(self, agent_id: uuid.UUID) -> Self:
        return self.filter(holder=f"agent:{agent_id}")

    def active(self) -> Self:
        """Not ended; also those that have run out and that no sweeper has come by yet."""
        return self.filter(ended_at=None)

    def ended(self) -> Self:
        return self.exclude(ended_at=None)
