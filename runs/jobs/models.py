"""Jobs and their fires. runs/models.py imports them, so that Django finds them; they name Run by its label."""

from django.db import models
from django.db.models import Q

from orchestrator.core import clock
from orchestrator.core.ids import uuid7
from orchestrator.identity.models import Organization
from orchestrator.identity.querysets import OrgQuerySet
from runs.jobs.querysets import JobFireQuerySet
from runs.jobs.states import FireStatus, JobStatus, Misfire, Overlap

MAX_NAME = 200
MAX_REASON = 500
MAX_PRIORITY = 100
MAX_GRACE_SECONDS = 7 * 24 * 3600


class Job(models.Model):
    """A request, made by a machine, to start a run now, later (``run_at``), or on a schedule (``cron``).

    ``next_fire_at`` is set exactly while the job is scheduled; schedulers look at nothing else. ``failures`` counts the
    last fires in a row whose run could not be started.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    org = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="+", db_index=False)
    name = models.CharField(max_length=MAX_NAME)
    workflow = models.CharField(max_length=200)
    ref = models.CharField(max_length=300, blank=True, default="")
    inputs = models.JSONField(default=dict)
    priority = models.PositiveSmallIntegerField(default=0)
    run_at = models.DateTimeField(null=True)
    cron = models.CharField(max_length=100, blank=True, default="")
    timezone = models.CharField(max_length=64, default="UTC")
    misfire = models.CharField(max_length=10, choices=Misfire.choices, default=Misfire.FIRE_ONCE)
    misfire_grace_seconds = models.PositiveIntegerField(default=60)
    overlap = models.CharField(max_length=14, choices=Overlap.choices, default=Overlap.ALLOW)
    status = models.CharField(max_length=10, choices=JobStatus.choices, default=JobStatus.SCHEDULED)
    next_fire_at = models.DateTimeField(null=True)
    failures = models.PositiveSmallIntegerField(default=0)
    created_by = models.CharField(max_length=80)
    created_at = models.DateTimeField(default=clock.now)
    updated_at = models.DateTimeField(default=clock.now)
    version = models.PositiveIntegerField(default=1)

    objects = OrgQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["org", "id"], name="job_by_org"),  # what references inside an org need
            models.CheckConstraint(condition=Q(run_at=None) | Q(cron=""), name="job_once_or_often"),
            models.CheckConstraint(condition=Q(priority__lte=MAX_PRIORITY), name="job_priority_in_range"),
            models.CheckConstraint(
                condition=Q(status="scheduled", next_fire_at__isnull=False)
                | (~Q(status="scheduled") & Q(next_fire_at=None)),
                name="job_scheduled_has_next_fire",
            ),
        ]
        indexes = [
            models.Index(fields=["org", "status", "id"], name="job_by_status"),
            models.Index(fields=["org", "workflow", "id"], name="job_by_workflow"),
            # The schedulers': as small as what is scheduled, however many jobs are over.
            models.Index(fields=["next_fire_at"], condition=Q(next_fire_at__isnull=False), name="job_due"),
        ]

    def __str__(self) -> str:
        return self.name


class JobFire(models.Model):
    """What was decided for one time of one job. The pair is unique: however many schedulers there are, no time fires
    twice.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    org = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="+", db_index=False)
    job = models.ForeignKey(Job, on_delete=models.CASCADE, related_name="fires", db_index=False)
    fire_time = models.DateTimeField()
    status = models.CharField(max_length=7, choices=FireStatus.choices)
    reason = models.CharField(max_length=MAX_REASON, blank=True, default="")
    run = models.OneToOneField("runs.Run", null=True, on_delete=models.SET_NULL, related_name="job_fire")
    created_by = models.CharField(max_length=80)
    created_at = models.DateTimeField(default=clock.now)

    objects = JobFireQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["job", "fire_time"], name="job_fire_once"),
            # Few rows: also what the schedulers look for.
            models.UniqueConstraint(fields=["job"], condition=Q(status="waiting"), name="job_fire_one_waiting"),
            models.CheckConstraint(condition=Q(run=None) | Q(status="fired"), name="job_fire_of_a_run_has_fired"),
        ]
        indexes = [models.Index(fields=["job", "id"], name="job_fire_by_job")]

    def __str__(self) -> str:
        return f"{self.job_id} at {self.fire_time:%Y-%m-%d %H:%M:%S}"
