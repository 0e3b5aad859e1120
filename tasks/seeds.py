"""The tasks of the demonstration: some in every status, with labels, what they wait for, and who works on them."""

import uuid
from collections import defaultdict
from typing import Any, Final

from orchestrator.events import seeds as filling
from orchestrator.events.copies import Pattern, Rows, Told, events_of
from orchestrator.events.seeds import Load, Tell, Time
from orchestrator.identity import seeds
from orchestrator.identity.actors import AGENT_SCOPES, Actor
from orchestrator.identity.seeds import Stage
from tasks import services
from tasks.models import Task, TaskLabel, TaskLease

_PATHS: Final = {
    "todo": (),
    "in_progress": ("in_progress",),
    "review": ("in_progress", "review"),
    "approved": ("in_progress", "review", "approved"),
    "merging": ("in_progress", "review", "approved", "merging"),
    "blocked": ("in_progress", "blocked"),
    "done": ("in_progress", "review", "approved", "merging", "done"),
    "cancelled": ("cancelled",),
}
_OFTEN: Final = {"done": 80, "cancelled": 5, "todo": 7, "review": 4, "blocked": 4}
_EVENTS_A_TASK: Final = 100
_TITLE: Final = "Task of the load"
_OLD: Final = (
    ("Let the search forgive typing errors", "done", 60, ("search",)),
    ("Measure how long the search takes", "done", 40, ("search", "performance")),
    ("Take the old report away", "cancelled", 5, ("cleanup",)),
    ("Show prices with their tax", "done", 70, ("checkout",)),
    ("Write down who may refund", "approved", 30, ("docs",)),
    ("Let carriers be chosen by country", "merging", 55, ("checkout", "shipping")),
)
_NEW: Final = (
    ("Make the checkout usable by keyboard", "review", 80, ("checkout", "accessibility")),
    ("Find out why mails arrive twice", "blocked", 90, ("mail", "bug")),
    ("Keep invoices for ten years", "todo", 35, ("billing",)),
    ("Translate the sign-in page", "todo", 20, ("sign-in",)),
    ("Draw the icons anew", "in_progress", 10, ("design",)),
    ("Move images to the new store", "todo", 45, ("images", "performance")),
    ("Tell suppliers when they are paid", "todo", 25, ("billing", "mail")),
)


def _make(stage: Stage, title: str, status: str, priority: int, labels: tuple[str, ...], **more: Any) -> uuid.UUID:
    actor = stage.people[stage.chance.choice(("owner", "mina", "leo"))]
    task = services.create_task(
        actor=actor, title=title, priority=priority, labels=labels,
        description=f"{title}.\n\nDone when somebody who did not write it has tried it.", **more,
    )  # fmt: skip
    stage.props[title] = task.id
    _walk(stage, task.id, status)
    return task.id


def _walk(stage: Stage, task_id: uuid.UUID, status: str) -> None:
    for step in _PATHS[status]:
        stage.clock.pass_seconds(stage.chance.uniform(60, 600))
        services.transition_task(actor=stage.people["leo"], task_id=task_id, to=step)


def _old_tasks(stage: Stage) -> None:
    for title, status, priority, labels in _OLD:
        _make(stage, title, status, priority, labels)


def _new_tasks(stage: Stage) -> None:
    for title, status, priority, labels in _NEW:
        _make(stage, title, status, priority, labels)
    waits_for = (stage.props["Find out why mails arrive twice"], stage.props["Keep invoices for ten years"])
    _make(stage, "Send invoices by mail", "todo", 75, ("billing", "mail"), depends_on=waits_for)
    _make(stage, "Review the mail templates", "todo", 15, ("mail",), assignee="ines@example.com")


def _given_up(stage: Stage) -> None:
    """Three tries that failed: parked until a person gives it another chance."""
    task_id = _make(stage, "Update the map library", "todo", 50, ("maps",))
    for number in range(1, 4):
        lease = services.acquire_lease(actor=stage.people["pipeline"], holder="builder-bot", task_id=task_id)
        assert lease is not None, "it is todo, and nobody has it"
        stage.clock.pass_seconds(45)
        told = f"Try {number}: the new version has no build for this platform."
        services.fail_lease(actor=stage.people["pipeline"], lease_id=lease.id, token=lease.token, error=told)
        stage.clock.pass_seconds(30)


def _in_hand(stage: Stage) -> None:
    """An agent and a program work on these now; the first has an hour."""
    builder = Actor("agent", stage.props["builder"], stage.org_id, AGENT_SCOPES)
    task_id = _make(stage, "Let one search in several languages", "todo", 85, ("search",))
    services.acquire_lease(actor=builder, holder=str(builder), task_id=task_id, ttl_seconds=3600)
    task_id = _make(stage, "Compress the images of the front page", "todo", 65, ("images",))
    services.acquire_lease(actor=stage.people["pipeline"], holder="image-bot", task_id=task_id, ttl_seconds=1800)


def _prepare(load: Load) -> Tell:
    """Tasks for trials: most of them done."""
    stage = Stage(load.actor.org_id, load.clock, defaultdict(lambda: load.actor), chance=load.chance)
    patterns = [_pattern(stage, status) for status in _OFTEN]

    def tell(rows: Rows, when: Time) -> list[Told]:
        pattern = load.chance.choices(patterns, list(_OFTEN.values()))[0]
        return pattern.copy(rows, when.at, when.seconds, load.chance, {_TITLE: f"Task {when.number + 1:,} of the load"})

    return tell


def _pattern(stage: Stage, status: str) -> Pattern:
    """A task that a holder has worked on before, and that has come to that status."""
    task_id = _make(stage, _TITLE, "todo", 50, ("load", status))
    lease = services.acquire_lease(actor=stage.people["owner"], holder="load-bot", task_id=task_id)
    assert lease is not None, "it is todo, and nobody has it"
    stage.clock.pass_seconds(30)
    services.release_lease(actor=stage.people["owner"], lease_id=lease.id, token=lease.token)
    _walk(stage, task_id, status)
    task, leases = Task.objects.filter(pk=task_id), TaskLease.objects.filter(task=task_id)
    told = events_of(stage.org_id, [*task, *leases])
    return Pattern(told, (task, TaskLabel.objects.filter(task=task_id), leases), (_TITLE,))


seeds.register_scenes((46, _old_tasks), (20, _new_tasks), (9, _given_up), (0.2, _in_hand))
filling.register(_EVENTS_A_TASK, _prepare)
