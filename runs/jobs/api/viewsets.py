"""/api/v1/jobs (CONTRACT §3, Jobs): start runs now, later, or on a schedule."""

import uuid
from collections.abc import Callable
from typing import Any, Final

from django.db.models import QuerySet
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from orchestrator.api.idempotency import idempotent
from orchestrator.api.lists import Listing
from orchestrator.api.viewsets import BaseViewSet
from orchestrator.core.errors import NotFound
from orchestrator.events import services as events
from runs.jobs import services
from runs.jobs.api import serializers as bodies
from runs.jobs.api.filters import JobFilter, JobFireFilter
from runs.jobs.models import Job, JobFire

_MAY_MATCH: Final = OpenApiParameter(
    "If-Match", OpenApiTypes.STR, OpenApiParameter.HEADER, description="The ETag that you read; may be left out."
)
_RUNS: Final = 20
_TIMES: Final = 5


class _JobsViewSet(BaseViewSet):
    write_scope = "jobs"

    def job(self, job_id: str) -> Job:
        """The org's job. Raises NotFound."""
        found: Job | None = Job.objects.for_org(self.actor.org_id).filter(pk=self.path_id(job_id)).first()
        if found is None:
            raise NotFound
        return found


class JobViewSet(_JobsViewSet):
    listing = Listing("jobs", lambda rows: [bodies.job_json(row) for row in rows], JobFilter)

    def list_rows(self, org_id: uuid.UUID) -> QuerySet[Job]:
        return Job.objects.for_org(org_id)

    @extend_schema(responses=bodies.JobBody(many=True))
    def list(self, request: Request) -> Response:
        """The org's jobs, newest first."""
        return super().list(request)

    @extend_schema(request=bodies.JobFields, responses={202: bodies.JobAccepted})
    @idempotent
    def create(self, request: Request) -> Response:
        """Start a run now (without `run_at` and `cron`), at a time, or on a schedule. The answer means: it is kept."""
        job = services.create_job(actor=self.actor, **bodies.with_moment(self.body(bodies.JobFields), "UTC"))
        return self.resource({**_detail(job), "job_id": str(job.id)}, status=202, location=f"/api/v1/jobs/{job.id}")

    @extend_schema(responses=bodies.JobDetailBody)
    def retrieve(self, request: Request, job_id: str) -> Response:
        """One job, with its last runs and its next times."""
        self.no_parameters()
        return self.resource(_detail(self.job(job_id)))

    @extend_schema(request=bodies.JobFields, responses=bodies.JobDetailBody, parameters=[_MAY_MATCH])
    def partial_update(self, request: Request, job_id: str) -> Response:
        """Change some fields of a job that is not over. A new schedule counts from now."""
        job = self.job(job_id)
        version = self.asked_version(_detail(job))
        changes = bodies.with_moment(self.body(bodies.JobFields, partial=True), job.timezone)
        return self.resource(_detail(services.update_job(actor=self.actor, job_id=job.id, version=version, **changes)))

    @extend_schema(request=None, responses=bodies.JobDetailBody)
    def cancel(self, request: Request, job_id: str) -> Response:
        """End the schedule. Runs that have started go on; `/runs/bulk/cancel` ends those."""
        return self._change(services.cancel_job, job_id)

    @extend_schema(request=None, responses=bodies.JobDetailBody)
    def pause(self, request: Request, job_id: str) -> Response:
        """Hold the schedule. Times that pass meanwhile are not made up for."""
        return self._change(services.pause_job, job_id)

    @extend_schema(request=None, responses=bodies.JobDetailBody)
    def resume(self, request: Request, job_id: str) -> Response:
        """Go on with the schedule, from now."""
        return self._change(services.resume_job, job_id)

    @extend_schema(request=None, responses={202: bodies.JobFireBody})
    @idempotent
    def trigger(self, request: Request, job_id: str) -> Response:
        """Fire now, besides the schedule, also while it is paused. The overlap policy holds: 409 where it skips."""
        fire = services.trigger_job(actor=self.actor, job_id=self.path_id(job_id))
        location = f"/api/v1/runs/{fire.run_id}" if fire.run_id else None
        return self.resource(bodies.fire_json(fire), status=202, location=location)

    def _change(self, change: Callable[..., Job], job_id: str) -> Response:
        return self.resource(_detail(change(actor=self.actor, job_id=self.path_id(job_id))))


class JobFireViewSet(_JobsViewSet):
    listing = Listing("job_fires", lambda rows: [bodies.fire_json(row) for row in rows], JobFireFilter)

    @extend_schema(responses=bodies.JobFireBody(many=True))
    def list(self, request: Request, job_id: str) -> Response:  # type: ignore[override]  # a list within one job
        """What was decided for each time of the job, the latest first, with the runs."""
        self._job = self.job(job_id)
        org_id = self.actor.org_id
        revision = (events.revision(org_id, "jobs"), events.revision(org_id, "runs"))
        return self.answer_list(org_id, revision=revision, within=self._job.id)

    def list_rows(self, org_id: uuid.UUID) -> QuerySet[JobFire]:
        return JobFire.objects.filter(job=self._job).select_related("run")


def _detail(job: Job) -> dict[str, Any]:
    fires = JobFire.objects.filter(job=job, run__isnull=False).select_related("run").order_by("-id")[:_RUNS]
    return bodies.job_detail_json(job, list(fires), services.next_times(job, _TIMES))
