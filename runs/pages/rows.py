"""Runs as rows of a list."""

from typing import Any, Final

from django.db.models import QuerySet
from django.db.models.fields.json import KT

from orchestrator.identity.actors import Actor
from orchestrator.web.people import Names
from runs.models import Run
from runs.pages.waits import sentences
from runs.states import ACTIVE_RUN

# What a row shows. An output may be large, and a list of them larger.
LIST_FIELDS: Final = (
    "id", "workflow", "inputs", "status", "created_by", "created_at", "started_at", "finished_at",
)  # fmt: skip
_COLUMNS: Final = (
    "id", "workflow", "status", "created_by", "created_at", "started_at", "finished_at", "priority", "waiting_on",
    "snapshot__definition_digest",
)  # fmt: skip


def as_rows(runs: QuerySet[Run]) -> QuerySet[Run]:
    """The columns that a list shows; of the inputs, which may be large, only the ``prompt``."""
    return runs.select_related("snapshot").only(*_COLUMNS).annotate(prompt=KT("inputs__prompt"))


def rows_shown(actor: Actor, runs: list[Run]) -> list[dict[str, Any]]:
    """Each with who started it, and what it waits for. Two queries at the most."""
    names = Names(actor.org_id, (run.created_by for run in runs))
    return [
        {
            "run": run,
            "started_by": names.spell(run.created_by),
            "waits_for": sentences(run.waiting_on) if run.status in ACTIVE_RUN else [],
        }
        for run in runs
    ]
