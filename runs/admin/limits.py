"""Who holds a slot of a limit and who waits for one, to read; and what orgs are set to, which operators may change."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from orchestrator.api.admin.acts import operator
from orchestrator.api.admin.base import LargeAdmin, ServiceAdmin
from orchestrator.api.admin.filters import OrgFilter, exactly
from runs.models import OrgLimits, Slot
from runs.services import org_limits


@admin.register(Slot)
class SlotAdmin(LargeAdmin):
    """As small as what is going on. The id has the time at which the run asked."""

    list_display = ("scope", "org", "run", "number", "capacity", "policy", "priority", "turn", "taken_at")
    list_filter = (OrgFilter, ("number", admin.EmptyFieldListFilter), "policy", exactly("scope"))
    search_fields = ("scope", "run__workflow")
    ids = ("run_id",)
    indexed_in_org = ("scope",)
    date_hierarchy = "taken_at"
    fields = ("id", "org", "run", "scope", "lane", "policy", "priority", "turn", "capacity", "number", "taken_at")


@admin.register(OrgLimits)
class OrgLimitsAdmin(ServiceAdmin):
    list_display = ("org", "max_running_runs", "updated_at", "version")
    list_filter = (OrgFilter,)
    search_fields = ("org__slug", "org__name")
    date_hierarchy = "updated_at"
    ordering = ("org",)
    fields = ("org", "max_running_runs", "updated_at", "version")
    raw_id_fields = ("org",)

    def get_readonly_fields(self, request: HttpRequest, obj: OrgLimits | None = None) -> tuple[str, ...]:
        return ("org", "updated_at", "version") if obj else ("updated_at", "version")

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **options: Any) -> Any:
        """Nothing leaves it to the server's default, so the number may be missing."""
        form = super().get_form(request, obj, change=change, **options)
        if "max_running_runs" in form.base_fields:
            form.base_fields["max_running_runs"].required = False
            form.base_fields["max_running_runs"].help_text = "Empty: the server's default. 0: no limit."
        return form

    def save_model(self, request: HttpRequest, obj: OrgLimits, form: Any, change: bool) -> None:
        org_limits.set_limits(
            actor=operator(request, obj.org_id), version=None, max_running_runs=obj.max_running_runs
        )  # fmt: skip

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False  # an empty number says the same, and stays on the record
