"""Runs in the command palette."""

import uuid
from typing import Final

from django.db.models import QuerySet
from django.db.models.fields.json import KT
from django.urls import reverse

from orchestrator.core.ids import parse_uuid
from orchestrator.identity.actors import Actor
from orchestrator.web.palette import Hit
from orchestrator.web.templatetags.formats import short_id
from runs.models import Run

_SEARCHED: Final = 2000  # of the newest: it is asked at every key that is pressed


def find_runs(actor: Actor, text: str, limit: int) -> list[Hit]:
    """The run of that id; otherwise the newest whose prompt or workflow holds the text, or whose id ends so. One
    query of columns that are small, in an order that an index has.
    """
    runs = Run.objects.for_org(actor.org_id)
    if run_id := parse_uuid(text):
        return [_hit(*row) for row in _columns(runs.filter(pk=run_id))[:1]]
    newest, wanted = _columns(runs.order_by("-pk"))[:_SEARCHED], text.casefold().lstrip("…")
    found = (row for row in newest if _fits(wanted, *row))
    return [_hit(*row) for row, _ in zip(found, range(limit), strict=False)]


def _columns(runs: QuerySet[Run]) -> QuerySet[Run, tuple[uuid.UUID, str, str | None, str]]:
    return runs.annotate(prompt=KT("inputs__prompt")).values_list("pk", "workflow", "prompt", "status")


def _fits(wanted: str, run_id: uuid.UUID, workflow: str, prompt: str | None, _status: str) -> bool:
    return wanted in (prompt or "").casefold() or wanted in workflow.casefold() or str(run_id).endswith(wanted)


def _hit(run_id: uuid.UUID, workflow: str, prompt: str | None, status: str) -> Hit:
    label = (prompt or workflow)[:80]
    return Hit(label, reverse("dashboard-run", args=[run_id]), "play", f"{status} …{short_id(run_id)}")
