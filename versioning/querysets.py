"""Visibility of versions and tags."""

from typing import Self

from orchestrator.identity.querysets import OrgQuerySet


class TagQuerySet(OrgQuerySet):
    def live(self) -> Self:
        """Those that are not deleted."""
        return self.filter(artifact__isnull=False)


class ArtifactQuerySet(OrgQuerySet):
    def versions(self) -> Self:
        """Those that are in a history: neither frozen for runs nor made by compaction."""
        return self.exclude(kind="run_snapshot").exclude(kind="workflow", base__isnull=False)
