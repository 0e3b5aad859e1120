from django.contrib import admin

from orchestrator.events.models import Event
from orchestrator.identity.admin import ReadOnlyAdmin


@admin.register(Event)
class EventAdmin(ReadOnlyAdmin):
    """The log as it is: append-only here, too."""

    list_display = ("seq", "org", "event", "target", "actor", "created_at")
    list_filter = ("event",)
    list_select_related = ("org",)
    search_fields = ("event", "target", "actor")
    ordering = ("-id",)
    show_full_result_count = False
