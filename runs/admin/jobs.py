"""Jobs for operators: all to read, nothing to edit. The actions go through the services, in the operator's name."""

from collections.abc import Callable
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from orchestrator.identity.actors import Actor
from orchestrator.identity.admin import ActingAdmin, ReadOnlyAdmin
from runs.jobs import services
from runs.jobs.models import Job, JobFire

Act = Callable[[Actor, Job], object]


def _by(service: Callable[..., Any]) -> Act:
    return lambda actor, job: service(actor=actor, job_id=job.id)


@admin.register(Job)
class JobAdmin(ActingAdmin):
    list_display = ("name", "org", "workflow", "status", "cron", "timezone", "next_fire_at", "created_by", "created_at")
    list_filter = ("status", "overlap", "misfire", "org")
    list_select_related = ("org",)
    search_fields = ("name", "workflow")
    ordering = ("-id",)
    fields = (
        "id", "org", "name", "workflow", "ref", "inputs", "priority", "run_at", "cron", "timezone", "misfire",
        "misfire_grace_seconds", "overlap", "status", "next_fire_at", "failures", "created_by", "created_at",
        "updated_at", "version",
    )  # fmt: skip
    readonly_fields = ("id",)
    actions = ("pause_selected", "resume_selected", "trigger_selected", "cancel_selected")

    def has_act_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("runs.change_job")

    @admin.action(description="Pause", permissions=["act"])
    def pause_selected(self, request: HttpRequest, queryset: QuerySet[Job]) -> None:
        self.each(request, queryset, "Paused", _by(services.pause_job))

    @admin.action(description="Resume", permissions=["act"])
    def resume_selected(self, request: HttpRequest, queryset: QuerySet[Job]) -> None:
        self.each(request, queryset, "Resumed", _by(services.resume_job))

    @admin.action(description="Fire now", permissions=["act"])
    def trigger_selected(self, request: HttpRequest, queryset: QuerySet[Job]) -> None:
        self.each(request, queryset, "Fired", _by(services.trigger_job))

    @admin.action(description="Cancel", permissions=["act"])
    def cancel_selected(self, request: HttpRequest, queryset: QuerySet[Job]) -> None:
        self.each(request, queryset, "Cancelled", _by(services.cancel_job))


@admin.register(JobFire)
class JobFireAdmin(ReadOnlyAdmin):
    list_display = ("job", "org", "fire_time", "status", "reason", "run", "created_by")
    list_filter = ("status", "org")
    list_select_related = ("org", "job", "run")
    search_fields = ("job__name",)
    show_full_result_count = False
    ordering = ("-id",)
    fields = readonly_fields = (
        "id", "org", "job", "fire_time", "status", "reason", "run", "created_by", "created_at",
    )  # fmt: skip
