"""Patches to live runs for operators: to read, nothing to edit."""

from django.contrib import admin

from orchestrator.identity.admin import ReadOnlyAdmin
from runs.models import RunPatch


@admin.register(RunPatch)
class RunPatchAdmin(ReadOnlyAdmin):
    list_display = ("__str__", "org", "state", "message", "created_by", "decided_by", "created_at", "decided_at")
    list_filter = ("state", "org")
    list_select_related = ("org",)
    search_fields = ("message", "created_by", "run__workflow")
    ordering = ("-id",)
    fields = readonly_fields = (
        "id", "org", "run", "number", "state", "operations", "message", "comment", "base", "result",
        "definition_version", "created_by", "decided_by", "created_at", "decided_at",
    )  # fmt: skip
