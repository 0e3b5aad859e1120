"""What operators did in the admin, to read."""

from django.contrib import admin
from django.contrib.admin.models import LogEntry

from orchestrator.api.admin.base import ReadOnlyAdmin


@admin.register(LogEntry)
class LogEntryAdmin(ReadOnlyAdmin):
    list_display = ("action_time", "user", "content_type", "object_repr", "action_flag", "change_message")
    list_filter = ("action_flag",)
    search_fields = ("object_repr", "user__email")
    date_hierarchy = "action_time"
    ordering = ("-id",)
    fields = ("id", "action_time", "user", "content_type", "object_id", "object_repr", "action_flag", "change_message")
