"""Runs, their nodes and their logs."""

from collections.abc import Callable
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from orchestrator.identity.actors import Actor
from orchestrator.identity.admin import ActingAdmin, ReadOnlyAdmin
from runs.models import Run, RunEvent, RunNode
from runs.services import cancellation, forks


def _by(service: Callable[..., Any]) -> Callable[[Actor, Run], object]:
    return lambda actor, run: service(actor=actor, run_id=run.id)


@admin.register(Run)
class RunAdmin(ActingAdmin):
    list_display = (
        "id", "org", "workflow", "status", "priority", "recoveries", "created_by", "created_at", "started_at",
        "finished_at",
    )  # fmt: skip
    list_filter = ("status", "org")
    list_select_related = ("org",)
    search_fields = ("id", "workflow", "created_by")
    date_hierarchy = "created_at"
    show_full_result_count = False
    ordering = ("-id",)
    fields = (
        "id", "org", "workflow", "artifact", "snapshot", "definition_version", "inputs", "priority", "status",
        "waiting_on", "output", "error", "created_by", "created_at", "started_at", "finished_at", "recoveries",
        "parent", "parent_node", "forked_from", "forked_at", "cancel_requested_at", "cancelled_by", "due_at", "version",
    )  # fmt: skip
    actions = ("cancel_selected", "retry_selected")

    def has_act_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("runs.change_run")

    @admin.action(description="Cancel", permissions=["act"])
    def cancel_selected(self, request: HttpRequest, queryset: QuerySet[Run]) -> None:
        self.each(request, queryset, "Cancelled", _by(cancellation.cancel_run))

    @admin.action(description="Retry", permissions=["act"])
    def retry_selected(self, request: HttpRequest, queryset: QuerySet[Run]) -> None:
        self.each(request, queryset, "Started again", _by(forks.retry_run))


@admin.register(RunNode)
class RunNodeAdmin(ReadOnlyAdmin):
    list_display = (
        "node", "run", "org", "status", "attempts", "recoveries", "queue", "lease_holder", "lease_expires_at",
        "started_at", "finished_at",
    )  # fmt: skip
    list_filter = ("status", "org")
    list_select_related = ("org", "run")
    search_fields = ("node", "run__id", "lease_holder")
    show_full_result_count = False
    ordering = ("-id",)
    fields = (
        "id", "org", "run", "node", "status", "attempts", "recoveries", "token", "queue", "waiting_on", "due_at",
        "lease_holder", "lease_expires_at", "output", "error", "started_at", "finished_at",
    )  # fmt: skip


@admin.register(RunEvent)
class RunEventAdmin(ReadOnlyAdmin):
    list_display = ("run", "sequence", "node", "phase", "summary", "timestamp", "org")
    list_filter = ("phase", "org")
    list_select_related = ("org", "run")
    search_fields = ("run__id", "node", "summary")
    show_full_result_count = False
    ordering = ("-id",)
    fields = ("id", "org", "run", "sequence", "node", "phase", "summary", "payload", "timestamp")
