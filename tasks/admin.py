"""Tasks for operators: all to read, nothing to edit. The one action goes through the service, like every change."""

from django.contrib import admin, messages
from django.http import HttpRequest

from orchestrator.core.errors import OrchestratorError
from orchestrator.identity.admin import ReadOnlyAdmin, operator
from tasks import services
from tasks.models import Task, TaskDependency, TaskLabel
from tasks.querysets import TaskQuerySet
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
        "id", "org", "title", "description", "status", "priority", "assignee",
        "created_by", "created_at", "updated_at", "version",
    )  # fmt: skip
    readonly_fields = ("id", "created_by", "created_at", "updated_at", "version")
    inlines = (LabelInline, DependencyInline)
    actions = ("cancel_selected",)

    def has_cancel_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("tasks.change_task")

    @admin.action(description="Cancel selected tasks", permissions=["cancel"])
    def cancel_selected(self, request: HttpRequest, queryset: TaskQuerySet) -> None:
        """Cancel each task in the operator's name, in a transaction of its own, and name what is refused."""
        cancelled, refused = 0, []
        for task in queryset:
            try:
                services.transition_task(actor=operator(request, task.org_id), task_id=task.pk, to=Status.CANCELLED)
                cancelled += 1
            except OrchestratorError as error:
                refused.append(f"{task}: {error.message}")
        self.message_user(request, f"Cancelled tasks: {cancelled}.")
        for reason in refused:
            self.message_user(request, reason, messages.WARNING)
