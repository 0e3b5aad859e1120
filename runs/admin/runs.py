"""Runs, their nodes, their logs, and what is kept for them."""

from collections.abc import Callable
from typing import Any

from django.contrib import admin

from orchestrator.api.admin.acts import Act, ActsMixin, Said
from orchestrator.api.admin.base import LargeAdmin, PartAdmin
from orchestrator.api.admin.filters import OrgFilter, exactly
from orchestrator.identity.actors import Actor
from runs.models import Run, RunEvent, RunNode, RunOutput, RunPin
from runs.services import cancellation, forks


def _by(service: Callable[..., Any]) -> Callable[[Actor, Run, Said], object]:
    return lambda actor, run, said: service(actor=actor, run_id=run.id)


@admin.register(Run)
class RunAdmin(ActsMixin, LargeAdmin):
    list_display = (
        "id", "org", "workflow", "status", "priority", "recoveries", "created_by", "created_at", "started_at",
        "finished_at",
    )  # fmt: skip
    list_filter = (OrgFilter, "status", exactly("workflow"))
    search_fields = ("workflow", "created_by")
    ids = ("artifact_id", "snapshot_id", "parent_id", "forked_from_id")
    indexed_in_org = ("status__exact", "workflow")
    fields = (
        "id", "org", "workflow", "artifact", "snapshot", "definition_version", "inputs", "priority", "status",
        "waiting_on", "output", "error", "created_by", "created_at", "started_at", "finished_at", "recoveries",
        "parent", "parent_node", "forked_from", "forked_at", "cancel_requested_at", "cancelled_by", "due_at", "version",
    )  # fmt: skip
    acts = (
        Act("retry_selected", "Retry", "Started again", _by(forks.retry_run)),
        Act("cancel_selected", "Cancel", "Cancelled", _by(cancellation.cancel_run), asks="Nothing of the run starts "
            "any more. A cancelled run can be retried, but does not go on."),
    )  # fmt: skip


class OfRunAdmin(PartAdmin):
    whole = "run"
    ids = ("run_id",)


@admin.register(RunNode)
class RunNodeAdmin(OfRunAdmin):
    list_display = (
        "node", "run", "org", "status", "attempts", "recoveries", "queue", "lease_holder", "lease_expires_at",
        "started_at", "finished_at",
    )  # fmt: skip
    list_filter = (OrgFilter, "status")
    search_fields = ("node", "lease_holder")
    date_hierarchy = "started_at"
    fields = (
        "id", "org", "run", "node", "status", "attempts", "recoveries", "token", "queue", "waiting_on", "due_at",
        "lease_holder", "lease_expires_at", "output", "error", "started_at", "finished_at",
    )  # fmt: skip


@admin.register(RunEvent)
class RunEventAdmin(OfRunAdmin):
    list_display = ("sequence", "run", "node", "phase", "summary", "timestamp", "org")
    list_filter = (OrgFilter, "phase")
    search_fields = ("node", "summary")
    date_hierarchy = "timestamp"
    fields = ("id", "org", "run", "sequence", "node", "phase", "summary", "payload", "timestamp")


class KeptAdmin(OfRunAdmin):
    """Rows without a date of their own: their ids have it."""

    date_hierarchy = "run__created_at"


@admin.register(RunPin)
class RunPinAdmin(KeptAdmin):
    list_display = ("id", "run", "org", "artifact")
    list_filter = (OrgFilter,)
    search_fields = ("run__workflow",)
    fields = ("id", "org", "run", "artifact")


@admin.register(RunOutput)
class RunOutputAdmin(KeptAdmin):
    list_display = ("digest", "run", "org")
    list_filter = (OrgFilter,)
    search_fields = ("digest", "run__workflow")
    fields = ("id", "org", "run", "digest", "content")
