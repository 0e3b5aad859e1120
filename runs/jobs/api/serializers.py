"""Bodies of the jobs API: what is accepted, and how rows are answered."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from rest_framework import serializers

from agents.api.fields import DocumentField
from orchestrator.api.serializers import StrictSerializer
from orchestrator.core import clock
from runs.definitions import BUILT_IN
from runs.jobs import cron
from runs.jobs.models import MAX_GRACE_SECONDS, MAX_NAME, MAX_PRIORITY, Job, JobFire
from runs.jobs.states import FireStatus, JobStatus, Misfire, Overlap
from runs.states import RunStatus

_TIME: Final = "RFC 3339, such as 2026-01-31T12:00:00Z; without an offset it is a time of `timezone`."


class JobFields(StrictSerializer):
    """All that a caller may write of a job. ``run_at`` stays a text until ``with_moment``: DRF's own field would take a
    time without an offset for one in UTC.
    """

    name = serializers.CharField(max_length=MAX_NAME, help_text="Any; it need not be unique.")
    workflow = serializers.CharField(max_length=200, default=BUILT_IN)
    ref = serializers.CharField(
        required=False, max_length=300, help_text="Any ref, looked up at each fire; ~2, @{3} and 3 are of the tag."
    )
    inputs = DocumentField(default=dict, help_text="Of every run.")
    priority = serializers.IntegerField(min_value=0, max_value=MAX_PRIORITY, default=0, help_text="Higher goes first.")
    run_at = serializers.CharField(required=False, max_length=50, help_text=_TIME)
    cron = serializers.CharField(
        required=False, max_length=cron.MAX_EXPRESSION, help_text="Minute, hour, day, month, weekday; or @daily."
    )
    timezone = serializers.CharField(max_length=64, default="UTC", help_text="An IANA name.")
    misfire = serializers.ChoiceField(
        Misfire.choices, default=Misfire.FIRE_ONCE.value, help_text="For times at which no scheduler was there."
    )
    misfire_grace_seconds = serializers.IntegerField(
        min_value=0, max_value=MAX_GRACE_SECONDS, default=60, help_text="How late a fire may be where misfire is skip."
    )
    overlap = serializers.ChoiceField(
        Overlap.choices, default=Overlap.ALLOW.value, help_text="For fires while a run of the job is active."
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if "run_at" in attrs and "cron" in attrs:
            raise serializers.ValidationError({"run_at": ["Give `run_at` or `cron`, not both."]})
        return attrs


def with_moment(body: dict[str, Any], timezone: str) -> dict[str, Any]:
    """The arguments of the services: ``run_at`` as a moment, in ``timezone`` unless the body names one.

    Raises ValidationFailed.
    """
    if "run_at" not in body:
        return body
    return {**body, "run_at": _moment(body["run_at"], body.get("timezone", timezone))}


def _moment(text: str, timezone: str) -> datetime:
    moment = clock.parse_rfc3339(text, "run_at")
    try:
        is_local = datetime.fromisoformat(text).tzinfo is None
    except ValueError:  # the parser above forgives a little more
        is_local = False
    return moment.replace(tzinfo=cron.zone_named(timezone)) if is_local else moment


class JobBody(serializers.Serializer):
    """A job as it is listed; documents ``job_json``."""

    id = serializers.UUIDField()
    name = serializers.CharField()
    workflow = serializers.CharField()
    ref = serializers.CharField(allow_null=True)
    inputs = serializers.DictField()
    priority = serializers.IntegerField()
    run_at = serializers.DateTimeField(allow_null=True)
    cron = serializers.CharField(allow_null=True)
    timezone = serializers.CharField()
    misfire = serializers.ChoiceField(Misfire.choices)
    misfire_grace_seconds = serializers.IntegerField()
    overlap = serializers.ChoiceField(Overlap.choices)
    status = serializers.ChoiceField(JobStatus.choices)
    next_fire_at = serializers.DateTimeField(allow_null=True)
    created_by = serializers.CharField()
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()
    version = serializers.IntegerField()


class JobRunBody(serializers.Serializer):
    id = serializers.UUIDField()
    status = serializers.ChoiceField(RunStatus.choices)
    fire_time = serializers.DateTimeField()


class JobDetailBody(JobBody):
    runs = JobRunBody(many=True, help_text="The last 20; all of them are in `fires`.")
    next_fire_times = serializers.ListField(child=serializers.DateTimeField(), help_text="The next 5, in UTC.")


class JobAccepted(JobDetailBody):
    job_id = serializers.UUIDField(help_text="The same as `id`.")


class JobFireBody(serializers.Serializer):
    """A fire as it is answered; documents ``fire_json``."""

    id = serializers.UUIDField()
    job_id = serializers.UUIDField()
    fire_time = serializers.DateTimeField()
    status = serializers.ChoiceField(FireStatus.choices)
    reason = serializers.CharField(help_text="Why it was skipped or waits; or how many missed times it stands for.")
    run_id = serializers.UUIDField(allow_null=True)
    run_status = serializers.ChoiceField(RunStatus.choices, allow_null=True)
    created_by = serializers.CharField(help_text="`system`, or who triggered it.")
    created_at = serializers.DateTimeField()


def job_json(job: Job) -> dict[str, Any]:
    return {
        "id": str(job.id),
        "name": job.name,
        "workflow": job.workflow,
        "ref": job.ref or None,
        "inputs": job.inputs,
        "priority": job.priority,
        "run_at": _time(job.run_at),
        "cron": job.cron or None,
        "timezone": job.timezone,
        "misfire": str(job.misfire),
        "misfire_grace_seconds": job.misfire_grace_seconds,
        "overlap": str(job.overlap),
        "status": str(job.status),
        "next_fire_at": _time(job.next_fire_at),
        "created_by": job.created_by,
        "created_at": clock.rfc3339(job.created_at),
        "updated_at": clock.rfc3339(job.updated_at),
        "version": job.version,
    }


def job_detail_json(job: Job, fires: Sequence[JobFire], times: Sequence[datetime]) -> dict[str, Any]:
    """``fires`` with their runs loaded (select_related)."""
    runs = [
        {"id": str(fire.run.id), "status": str(fire.run.status), "fire_time": clock.rfc3339(fire.fire_time)}
        for fire in fires
        if fire.run is not None
    ]
    return {**job_json(job), "runs": runs, "next_fire_times": [clock.rfc3339(moment) for moment in times]}


def fire_json(fire: JobFire) -> dict[str, Any]:
    """``fire`` with its run loaded (select_related)."""
    return {
        "id": str(fire.id),
        "job_id": str(fire.job_id),
        "fire_time": clock.rfc3339(fire.fire_time),
        "status": str(fire.status),
        "reason": fire.reason,
        "run_id": str(fire.run_id) if fire.run_id else None,
        "run_status": str(fire.run.status) if fire.run else None,
        "created_by": fire.created_by,
        "created_at": clock.rfc3339(fire.created_at),
    }


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else clock.rfc3339(moment)
