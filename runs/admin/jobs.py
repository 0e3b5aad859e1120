"""Jobs for operators: all to read, nothing to edit. The acts are services, in the operator's name."""

from collections.abc import Callable
from typing import Any

from django.contrib import admin

from orchestrator.api.admin.acts import Act, ActsMixin, Said
from orchestrator.api.admin.base import LargeAdmin, PartAdmin
from orchestrator.api.admin.filters import OrgFilter, exactly
from orchestrator.identity.actors import Actor
from runs.jobs import services
from runs.jobs.models import Job, JobFire


def _by(service: Callable[..., Any]) -> Callable[[Actor, Job, Said], object]:
    return lambda actor, job, said: service(actor=actor, job_id=job.id)


@admin.register(Job)
class JobAdmin(ActsMixin, LargeAdmin):
    list_display = ("name", "org", "workflow", "status", "cron", "timezone", "next_fire_at", "created_by", "created_at")
    list_filter = (OrgFilter, "status", "overlap", "misfire", exactly("workflow"))
    search_fields = ("name", "workflow")
    indexed_in_org = ("status__exact", "workflow")
    fields = (
        "id", "org", "name", "workflow", "ref", "inputs", "priority", "run_at", "cron", "timezone", "misfire",
        "misfire_grace_seconds", "overlap", "status", "next_fire_at", "failures", "created_by", "created_at",
        "updated_at", "version",
    )  # fmt: skip
    acts = (
        Act("pause_selected", "Pause", "Paused", _by(services.pause_job)),
        Act("resume_selected", "Resume", "Resumed", _by(services.resume_job)),
        Act("trigger_selected", "Fire now", "Fired", _by(services.trigger_job)),
        Act("cancel_selected", "Cancel", "Cancelled", _by(services.cancel_job), asks="The schedule ends for good. Runs "
            "that have started go on."),
    )  # fmt: skip


@admin.register(JobFire)
class JobFireAdmin(PartAdmin):
    whole = "job"
    list_display = ("fire_time", "job", "org", "status", "reason", "run", "created_by")
    list_filter = (OrgFilter, "status")
    search_fields = ("job__name",)
    ids = ("job_id", "run_id")
    fields = ("id", "org", "job", "fire_time", "status", "reason", "run", "created_by", "created_at")
