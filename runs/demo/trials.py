"""Runs for trials (``manage.py seed --load N``): one for every ten events, most of them short, some with long logs."""

from typing import Any, Final

from orchestrator.events import seeds
from orchestrator.events.copies import Pattern, Rows, Told, events_of
from orchestrator.events.seeds import Load, Tell, Time
from orchestrator.identity.seeds import Stage
from runs.demo.director import Director
from runs.engine import worker
from runs.models import Run, RunEvent, RunNode
from runs.services import cancellation, progress
from runs.services.submission import start_run
from versioning.services import pins, workflows

_EVENTS_A_RUN: Final = 10
_EVENTS_A_WORKFLOW: Final = 10_000
_FEWEST_WORKFLOWS: Final = 10
_LONG_RUNS_ARE: Final = 1_000  # one of so many
_LONG: Final = 100  # nodes
_WAITING: Final = 5
_LADDER: Final = "load/long"


def register() -> None:
    seeds.register(_EVENTS_A_RUN, _prepare)
    seeds.register_ending(_leave_some_waiting)


def _prepare(load: Load) -> Tell:
    """Three patterns of short runs, which all workflows share, and a long one."""
    names = [f"load/report-{number:04}" for number in range(max(load.events // _EVENTS_A_WORKFLOW, _FEWEST_WORKFLOWS))]
    versions = [_workflow(load, name) for name in names]
    ends = [_pattern(load, names[0], end) for end in ("succeeded", "failed", "cancelled")]
    workflows.create_workflow(actor=load.actor, tag=_LADDER, definition=_long())
    long = _pattern(load, _LADDER, "succeeded")
    weights = (88, 9, 3)

    def tell(rows: Rows, when: Time) -> list[Told]:
        if when.number % _LONG_RUNS_ARE == _LONG_RUNS_ARE - 1:
            return long.copy(rows, when.at, when.seconds, load.chance)
        pattern = load.chance.choices(ends, weights)[0]
        changes = zip(versions[0], load.chance.choice(versions), strict=True)
        return pattern.copy(rows, when.at, when.seconds * load.chance.uniform(0.2, 1), load.chance, dict(changes))

    return tell


def _workflow(load: Load, name: str) -> tuple[Any, ...]:
    """What a run's row says of the workflow: its tag, version and snapshot."""
    workflows.create_workflow(actor=load.actor, tag=name, definition=_report(name))
    pin = pins.pin(actor=load.actor, tag=name)
    return name, pin.artifact_id, pin.snapshot_id


def _report(name: str) -> dict[str, Any]:
    """Two nodes and three events: one begins and ends, the other is skipped."""
    collect = {"type": "transform", "with": {"output": {"rows": 128}}}
    alert = {"type": "transform", "needs": ["collect"], "when": "inputs.alert", "with": {"output": {"sent": True}}}
    return {
        "description": f"The report {name}.",
        "nodes": {"collect": collect, "alert": alert},
        "output": "nodes.collect",
    }


def _long() -> dict[str, Any]:
    """A ladder: pairs side by side, each after the pair before."""
    nodes: dict[str, Any] = {}
    for number in range(_LONG // 2):
        needs = [f"left-{number - 1:02}", f"right-{number - 1:02}"] if number else []
        for side in ("left", "right"):
            nodes[f"{side}-{number:02}"] = {"type": "transform", "needs": needs, "with": {"output": {"step": number}}}
    return {"description": "Many nodes and a long log.", "nodes": nodes}


def _pattern(load: Load, workflow: str, end: str) -> Pattern:
    """A run that came to that end."""
    run = start_run(actor=load.actor, workflow=workflow, inputs={"source": "shop"})
    load.clock.pass_seconds(1)
    if end == "cancelled":
        attempt = Director(_stage(load)).begin(run)
        load.clock.pass_seconds(4)
        cancellation.cancel_run(actor=load.actor, run_id=run.id)
        assert attempt is not None, "nobody else begins it"
        progress.finish(attempt, worker.run_node(attempt))
    else:
        Director(_stage(load), {"collect": ["http_status"]} if end == "failed" else {}).carry(run)
    run.refresh_from_db()
    assert run.status == end, run.status
    rows = (Run.objects.filter(pk=run.pk), RunNode.objects.filter(run=run), RunEvent.objects.filter(run=run))
    return Pattern(events_of(load.actor.org_id, [run]), rows, (run.workflow, run.artifact_id, run.snapshot_id))


def _leave_some_waiting(load: Load) -> None:
    """A few are not over: they wait for a person."""
    ask = {"type": "approval", "with": {"title": "Go on?", "schema": {"type": "object"}}}
    workflows.create_workflow(actor=load.actor, tag="load/asking", definition={"nodes": {"ask": ask}})
    for _ in range(_WAITING):
        Director(_stage(load)).carry(start_run(actor=load.actor, workflow="load/asking", inputs={}))


def _stage(load: Load) -> Stage:
    return Stage(load.actor.org_id, load.clock, {"owner": load.actor}, chance=load.chance)
