"""What runs put on the home page: what of them needs somebody, how they went, the form that starts one, the latest."""

from datetime import datetime, timedelta
from typing import Any, Final

from django.urls import reverse

from orchestrator.core import clock
from orchestrator.core.ids import first_id
from orchestrator.identity.actors import Actor
from orchestrator.web import charts
from orchestrator.web.charts import Values
from orchestrator.web.counting import capped_by
from orchestrator.web.needs import Need
from orchestrator.web.people import Names
from runs.forms import StartRunForm
from runs.jobs.models import Job
from runs.jobs.services import MAX_FAILURES
from runs.jobs.states import JobStatus
from runs.models import Run
from runs.pages import statistics
from runs.pages.approvals import pending
from runs.pages.rows import LIST_FIELDS
from runs.pages.statistics import Hour
from runs.states import RunStatus

_LATEST: Final = 8
_DAY: Final = timedelta(hours=24)
_WEEK: Final = timedelta(days=7)
_NOW: Final = (RunStatus.QUEUED, RunStatus.RUNNING, RunStatus.WAITING)
_ENDED: Final = (RunStatus.SUCCEEDED, RunStatus.FAILED, RunStatus.CANCELLED)
_OUTCOMES: Final = ("succeeded", "failed", "cancelled", "active")


def decisions(actor: Actor, limit: int) -> list[Need]:
    """What waits for the actor's own decision, the longest first. Two queries."""
    return [
        Need(
            reverse("dashboard-run-node", args=[asked["run_id"], asked["node"]]), asked["title"], asked["workflow"],
            asked["since"],
        )
        for asked in pending(actor, limit)
    ]  # fmt: skip


def failures(actor: Actor, limit: int) -> list[Need]:
    """The last runs that failed within a day, of those that were made within a week: their ids are an end to search."""
    now = clock.now()
    failed = Run.objects.for_org(actor.org_id).filter(
        status=RunStatus.FAILED, pk__gte=first_id(now - _WEEK), finished_at__gte=now - _DAY
    )
    told = failed.order_by("-pk").values_list("pk", "workflow", "inputs__prompt", "error__message", "finished_at")
    rows = [(*row[:3], str(row[3] or "")[:200], row[4]) for row in told[:limit]]
    names = Names(actor.org_id, (message for *_, message, _ in rows))  # who rejected it
    return [
        Need(reverse("dashboard-run", args=[run_id]), str(prompt or workflow)[:120], names.spell(message), at)
        for run_id, workflow, prompt, message, at in rows
    ]


def stuck_jobs(actor: Actor, limit: int) -> list[Need]:
    """Jobs whose schedule is held because their runs could not be started."""
    paused = Job.objects.for_org(actor.org_id).filter(status=JobStatus.PAUSED, failures__gte=MAX_FAILURES)
    rows = paused.order_by("-pk").values_list("pk", "name", "failures", "updated_at")
    return [
        Need(reverse("dashboard-job", args=[job_id]), name, f"paused: {failures} times no run could be started", at)
        for job_id, name, failures, at in rows[:limit]
    ]


def activity(actor: Actor) -> dict[str, Any]:
    """Tiles and charts; ``started`` is False as long as the org never had a run: then it is told how to begin."""
    rows = Run.objects.for_org(actor.org_id)
    whole, hours = statistics.last_day(actor.org_id)
    now = [(status, str(count), "now") for status, count in capped_by(rows, "status", _NOW).items()]
    ended = [(status.value, f"{whole.counts.get(status, 0):,}", "in 24 h") for status in _ENDED]
    return {
        "started": rows.exists(),
        "tiles": [*now, *ended],
        "whole": whole,
        "hours": hours[::-1],
        "outcomes": _outcomes(hours),
        "durations": _durations(hours),
    }


def latest(actor: Actor) -> dict[str, Any]:
    rows = Run.objects.for_org(actor.org_id).order_by("-pk").only(*LIST_FIELDS)
    return {"runs": list(rows[:_LATEST])}


def start_form(actor: Actor) -> dict[str, Any]:
    return {"form": StartRunForm()}


def _outcomes(hours: list[Hour]) -> charts.Chart:
    columns = []
    for hour in hours:
        values = {outcome: getattr(hour, outcome) for outcome in _OUTCOMES}
        told = ", ".join(f"{count} {_WORDS.get(outcome, outcome)}" for outcome, count in values.items() if count)
        columns.append(Values(f"{hour.at:%H}:00 UTC: {told or 'no run'}", values))
    return charts.stacked(columns, _OUTCOMES, _ticks(hours))


def _durations(hours: list[Hour]) -> charts.Chart:
    columns = []
    for hour in hours:
        if hour.median is None or hour.p95 is None:
            columns.append(Values(f"{hour.at:%H}:00 UTC: no run has ended", {}))
        else:
            told = f"{hour.at:%H}:00 UTC: median {hour.median:g} s, 95 % within {hour.p95:g} s"
            columns.append(Values(told, {"p95": hour.p95, "median": hour.median}))
    return charts.nested(columns, ("p95", "median"), _ticks(hours))


def _ticks(hours: list[Hour]) -> list[str]:
    return [_clock(hour.at) for hour in hours[:: len(hours) // 4]] + ["now"]


def _clock(at: datetime) -> str:
    return f"{at:%H}:00"


_WORDS: Final = {"active": "not over yet"}
