"""Tasks and leases for operators: all to read, nothing to edit. The actions go through services, like every change."""

from django.contrib import admin
from django.http import HttpRequest

from orchestrator.identity.actors import Actor
from orchestrator.identity.admin import ActingAdmin
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
class TaskAdmin(ActingAdmin):
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

        def cancel(actor: Actor, task: Task) -> None:
            services.transition_task(actor=actor, task_id=task.pk, to=Status.CANCELLED)

        self.each(request, queryset, "Cancelled tasks", cancel)


@admin.register(TaskLease)
class TaskLeaseAdmin(ActingAdmin):
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

        def revoke(actor: Actor, lease: TaskLease) -> None:
            services.revoke_lease(actor=actor, lease_id=lease.pk)

        self.each(request, queryset, "Revoked leases", revoke)
