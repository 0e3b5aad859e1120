"""Fires that wait, found by the index that holds them alone."""

from typing import Self

from django.db.models.expressions import RawSQL

from orchestrator.identity.querysets import OrgQuerySet


class JobFireQuerySet(OrgQuerySet):
    def waiting(self) -> Self:
        # As a literal: SQLite uses a partial index only where the statement's own text implies its condition.
        return self.filter(status=RawSQL("'waiting'", ()))
