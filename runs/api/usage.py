"""Which runs used a version, and how they went: /api/v1/workflows/{tag}/runs and /api/v1/artifacts/{id}/runs."""

import statistics
import uuid
from typing import Any, Final

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from orchestrator.api.lists import Listing
from orchestrator.api.viewsets import BaseViewSet
from orchestrator.core.errors import NotFound
from runs.api.filters import RunFilter
from runs.api.serializers import RunBody, run_json
from runs.models import Run
from runs.states import RunStatus
from versioning import refs
from versioning.models import Artifact, ArtifactKind

_SUMMED: Final = 1000


def summary(runs: QuerySet[Run]) -> dict[str, Any]:
    """How the last finished runs went: as many reads, however many there are. Durations in seconds, start to end."""
    last = runs.filter(finished_at__isnull=False).order_by("-id")[:_SUMMED]
    ended = list(last.values_list("status", "started_at", "finished_at"))
    # A cancelled run says nothing of the version.
    succeeded = [status == RunStatus.SUCCEEDED for status, _, _ in ended if status != RunStatus.CANCELLED]
    seconds = [(end - start).total_seconds() for _, start, end in ended if start and end]
    return {
        "finished": len(ended),
        "of_last": _SUMMED,
        "success_rate": round(statistics.fmean(succeeded), 4) if succeeded else None,
        "median_duration_seconds": round(statistics.median(seconds), 6) if seconds else None,
    }


class _UsageViewSet(BaseViewSet):
    listing = Listing("runs", lambda rows: [run_json(run) for run in rows], RunFilter, summarise=summary)
    within: tuple[str, Any]

    def list_rows(self, org_id: uuid.UUID) -> QuerySet[Run]:
        column, value = self.within
        return Run.objects.for_org(org_id).filter(**{column: value}).select_related("snapshot")

    def answer(self, column: str, value: Any) -> Response:
        self.within = (column, value)
        return self.answer_list(self.actor.org_id, within=self.within)


class WorkflowRunsViewSet(_UsageViewSet):
    @extend_schema(responses=RunBody(many=True))
    def list(self, request: Request, tag: str) -> Response:  # type: ignore[override]  # a list within one tag
        """The runs that were started under this tag, of a deleted one, too; `summary` says how the last ones went."""
        return self.answer("workflow", refs.tag_of_any_life(self.actor.org_id, tag).name)


class ArtifactRunsViewSet(_UsageViewSet):
    @extend_schema(responses=RunBody(many=True))
    def list(self, request: Request, artifact_id: str) -> Response:  # type: ignore[override]  # within one version
        """The runs of this version; of a run_snapshot, all that are frozen to it. `summary` as for a workflow."""
        versions = Artifact.objects.for_org(self.actor.org_id).filter(pk=self.path_id(artifact_id))
        kind = versions.values_list("kind", flat=True).first()
        if kind is None:
            raise NotFound
        return self.answer("snapshot" if kind == ArtifactKind.RUN_SNAPSHOT else "artifact", self.path_id(artifact_id))
