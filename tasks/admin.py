"""Tasks and leases for operators: all to read, nothing to edit. The acts are services, like every change."""

from django.contrib import admin

from orchestrator.api.admin.acts import Act, ActsMixin, Said
from orchestrator.api.admin.base import LargeAdmin
from orchestrator.api.admin.filters import OrgFilter, exactly
from orchestrator.identity.actors import Actor
from tasks import services
from tasks.models import Task, TaskDependency, TaskLabel, TaskLease
from tasks.states import Status


def _cancel(actor: Actor, task: Task, said: Said) -> None:
    services.transition_task(actor=actor, task_id=task.pk, to=Status.CANCELLED)


def _requeue(actor: Actor, task: Task, said: Said) -> None:
    services.transition_task(actor=actor, task_id=task.pk, to=Status.TODO)


def _revoke(actor: Actor, lease: TaskLease, said: Said) -> None:
    services.revoke_lease(actor=actor, lease_id=lease.pk)


class PartInline(admin.TabularInline):
    """Labels and dependencies are shown with their task, which alone changes them."""

    extra = max_num = 0
    can_delete = False


class LabelInline(PartInline):
    model = TaskLabel
    fields = readonly_fields = ("name",)


class DependencyInline(PartInline):
    model = TaskDependency
    fk_name = "task"
    fields = readonly_fields = ("depends_on",)


@admin.register(Task)
class TaskAdmin(ActsMixin, LargeAdmin):
    list_display = ("title", "org", "status", "priority", "assignee", "created_by", "created_at", "version")
    list_filter = (OrgFilter, "status", exactly("assignee"))
    search_fields = ("title", "assignee", "labels__name")
    indexed_in_org = ("status__exact", "assignee")
    fields = (
        "id", "org", "title", "description", "status", "priority", "assignee", "attempts", "max_attempts",
        "lease_token", "created_by", "created_at", "updated_at", "version",
    )  # fmt: skip
    inlines = (LabelInline, DependencyInline)
    acts = (
        Act("requeue_selected", "Put back into the queue", "Back in the queue", _requeue),
        Act("cancel_selected", "Cancel", "Cancelled tasks", _cancel, asks="A cancelled task is over for good. Whoever "
            "works on it loses the lease."),
    )  # fmt: skip


@admin.register(TaskLease)
class TaskLeaseAdmin(ActsMixin, LargeAdmin):
    list_display = ("holder", "task", "org", "outcome", "token", "acquired_at", "renewed_at", "expires_at", "ended_at")
    list_filter = (OrgFilter, ("ended_at", admin.EmptyFieldListFilter), "outcome", exactly("holder"))
    search_fields = ("holder", "task__title")
    ids = ("task_id",)
    indexed_in_org = ("holder",)
    date_hierarchy = "acquired_at"
    fields = (
        "id", "org", "task", "holder", "token", "ttl_seconds", "acquired_at", "renewed_at", "expires_at", "ended_at",
        "outcome", "error", "result", "created_by",
    )  # fmt: skip
    acts = (
        Act("revoke_selected", "Revoke", "Revoked leases", _revoke, asks="The task goes back into the queue, and its "
            "holder's work on it is refused."),
    )  # fmt: skip
