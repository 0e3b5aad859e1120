"""The runs of a workflow by version, for its page: as many of the last ones as are read at once."""

import uuid
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Final

from orchestrator.identity.actors import Actor
from runs.models import Run
from runs.states import RunStatus
from versioning.models import Artifact, Tag

RUNS_READ: Final = 200
VERSIONS_SHOWN: Final = 5
RUNS_SHOWN: Final = 5


@dataclass(slots=True)
class OfVersion:
    """The runs of one version among those that were read, the latest first."""

    version: Artifact | None = None
    total: int = 0
    by_status: Counter[str] = field(default_factory=Counter)
    latest: list[dict[str, Any]] = field(default_factory=list)

    @property
    def counts(self) -> list[tuple[str, int]]:
        """The states that occur, in the order of a run's life."""
        return [(status.value, self.by_status[status.value]) for status in RunStatus if self.by_status[status.value]]


def by_version(actor: Actor, tag: Tag) -> dict[str, Any]:
    """The last runs under the tag, version by version. Two queries."""
    rows = Run.objects.for_org(actor.org_id).filter(workflow=tag.name).order_by("-pk")
    runs = list(rows.values("id", "artifact_id", "status", "created_at")[:RUNS_READ])
    found: dict[uuid.UUID, OfVersion] = {}
    for run in runs:
        of_version = found.setdefault(run["artifact_id"], OfVersion())
        of_version.total += 1
        of_version.by_status[run["status"]] += 1
        if len(of_version.latest) < RUNS_SHOWN:
            of_version.latest.append({**run})
    shown = list(found)[:VERSIONS_SHOWN]
    versions = Artifact.objects.in_bulk(shown)
    for id_ in shown:
        found[id_].version = versions.get(id_)
    return {
        "versions": [found[id_] for id_ in shown],
        "tag": tag,
        "read": len(runs),
        "capped": len(runs) == RUNS_READ,
        "others": len(found) - len(shown),
    }
