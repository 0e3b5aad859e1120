"""The log for operators, as it is: append-only here, too."""

import uuid
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet

from orchestrator.api.admin.base import LargeAdmin
from orchestrator.api.admin.filters import OrgFilter, exactly
from orchestrator.events.models import Event


@admin.register(Event)
class EventAdmin(LargeAdmin):
    list_display = ("event", "seq", "org", "target", "actor", "created_at")
    list_filter = (OrgFilter, exactly("event"), exactly("target"), exactly("actor"))
    search_fields = ("event", "target", "actor")
    indexed_in_org = ("event", "target", "actor")
    fields = ("id", "org", "seq", "event", "kind", "target", "details", "actor", "request_id", "created_at")

    # An organization's are in the order of their numbers, and no index has them by id: not those of one date, either.
    org_index = False

    def slow_in_org(self, dated: bool) -> bool:
        return dated

    def newest_first(self, in_org: bool) -> tuple[str, ...]:
        return ("-seq",) if in_org else ("-pk",)

    def newest(self, rows: QuerySet[Any], org_id: uuid.UUID | None, count: int) -> QuerySet[Any]:
        if org_id is None:
            return super().newest(rows, None, count)
        numbers = rows.filter(org_id=org_id).order_by("-seq").values_list("seq", flat=True)
        last = numbers[count : count + 1].first()
        return rows if last is None else rows.filter(seq__gt=last)
