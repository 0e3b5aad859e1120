"""Limits for operators: who holds a slot, who waits for one, and what orgs were set to. Nothing to edit."""

from django.contrib import admin

from orchestrator.identity.admin import ReadOnlyAdmin
from runs.models import OrgLimits, Slot


@admin.register(Slot)
class SlotAdmin(ReadOnlyAdmin):
    list_display = ("scope", "org", "run", "number", "capacity", "policy", "priority", "turn", "taken_at")
    list_filter = (("number", admin.EmptyFieldListFilter), "policy", "org")
    list_select_related = ("org", "run")
    search_fields = ("scope", "run__workflow")
    ordering = ("org", "scope", "number", "-priority", "turn", "run")
    fields = (
        "id", "org", "run", "scope", "lane", "policy", "priority", "turn", "capacity", "number", "taken_at",
    )  # fmt: skip


@admin.register(OrgLimits)
class OrgLimitsAdmin(ReadOnlyAdmin):
    list_display = ("org", "max_running_runs", "updated_at", "version")
    list_select_related = ("org",)
    ordering = ("org",)
    fields = ("org", "max_running_runs", "updated_at", "version")
