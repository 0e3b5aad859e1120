"""Tasks and leases for operators: all to read, nothing to edit. The actions go through services, like every change."""

from collections.abc import Callable, Iterable
from typing import Any

from django.contrib import admin, messages
from django.http import HttpRequest

from orchestrator.core.errors import OrchestratorError
from orchestrator.identity.admin import ReadOnlyAdmin, operator
from tasks import services
from tasks.models import Task, TaskDependency, TaskLabel, TaskLease
from tasks.querysets import TaskLeaseQuerySet, TaskQuerySet
from tasks.states import Status


class LabelInline(admin.TabularInline):
    model = TaskLabel
    fields = ("name",)


class DependencyInline(admin.TabularInline):
    model = TaskDependency
    fk_name = "task"
    fields = ("depends_on",)


@admin.register(Task)
class TaskAdmin(ReadOnlyAdmin):
    list_display = ("title", "org", "status", "priority", "assignee", "created_by", "created_at", "version")
    list_filter = ("status", "org")
    list_select_related = ("org",)
    search_fields = ("title", "assignee", "labels__name")
    ordering = ("-id",)
    fields = (
        "id", "org", "title", "description", "status", "priority", "assignee", "attempts", "max_attempts",
        "lease_token", "created_by", "created_at", "updated_at", "version",
    )  # fmt: skip
    readonly_fields = ("id", "attempts", "lease_token", "created_by", "created_at", "updated_at", "version")
    inlines = (LabelInline, DependencyInline)
    actions = ("cancel_selected",)

    def has_cancel_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("tasks.change_task")

    @admin.action(description="Cancel selected tasks", permissions=["cancel"])
    def cancel_selected(self, request: HttpRequest, queryset: TaskQuerySet) -> None:
        """Cancel each task in the operator's name."""

        def cancel(task: Task) -> None:
            services.transition_task(actor=operator(request, task.org_id), task_id=task.pk, to=Status.CANCELLED)

        done = _each(self, request, queryset, cancel)
        self.message_user(request, f"Cancelled tasks: {done}.")


@admin.register(TaskLease)
class TaskLeaseAdmin(ReadOnlyAdmin):
    list_display = ("holder", "task", "org", "outcome", "token", "acquired_at", "renewed_at", "expires_at", "ended_at")
    list_filter = (("ended_at", admin.EmptyFieldListFilter), "outcome", "org")
    list_select_related = ("org", "task")
    search_fields = ("holder", "task__title")
    ordering = ("-id",)
    fields = readonly_fields = (
        "id", "org", "task", "holder", "token", "ttl_seconds", "acquired_at", "renewed_at", "expires_at", "ended_at",
        "outcome", "error", "result", "created_by",
    )  # fmt: skip
    actions = ("revoke_selected",)

    def has_revoke_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("tasks.change_tasklease")

    @admin.action(description="Revoke selected leases", permissions=["revoke"])
    def revoke_selected(self, request: HttpRequest, queryset: TaskLeaseQuerySet) -> None:
        """Put the task of each lease back into todo, in the operator's name."""

        def revoke(lease: TaskLease) -> None:
            services.revoke_lease(actor=operator(request, lease.org_id), lease_id=lease.pk)

        self.message_user(request, f"Revoked leases: {_each(self, request, queryset, revoke)}.")


def _each(page: ReadOnlyAdmin, request: HttpRequest, rows: Iterable[Any], change: Callable[[Any], None]) -> int:
    """Change each row, in a transaction of its own, and name what is refused; how many were changed."""
    changed = 0
    for row in rows:
        try:
            change(row)
            changed += 1
        except OrchestratorError as error:
            page.message_user(request, f"{row}: {error.message}", messages.WARNING)
    return changed
