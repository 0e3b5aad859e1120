"""The board: tasks in columns by their status, the most urgent first."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from django.db.models import Count
from django.db.models.expressions import RawSQL

from tasks.details import attach
from tasks.models import Task, TaskDependency, TaskLease
from tasks.pages.holders import Held, held
from tasks.pages.words import status_words
from tasks.querysets import TaskQuerySet
from tasks.states import TRANSITIONS, Status

OPEN_SHOWN: Final = 50
CLOSED_SHOWN: Final = 20
CLOSED: Final = (Status.DONE, Status.CANCELLED)
FIELDS: Final = (
    "id", "org_id", "title", "status", "priority", "assignee", "attempts", "max_attempts", "updated_at", "version",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Move:
    """A status that a task may go to."""

    status: str
    words: str


@dataclass(frozen=True, slots=True)
class Card:
    """A task as the board and the table show it. ``waits`` counts what it depends on that is not done."""

    task: Task
    labels: list[str]
    waits: int
    held: Held | None
    moves: list[Move]


@dataclass(frozen=True, slots=True)
class Column:
    status: str
    words: str
    cards: list[Card]
    more: bool
    closed: bool


def columns(org_id: uuid.UUID, rows: TaskQuerySet, statuses: Sequence[str] = Status.values) -> list[Column]:
    """A column for each of ``statuses``: one query each and six for all their cards."""
    found = {status: _tasks(rows, status) for status in statuses}
    shown = {status: tasks[: _size(status)] for status, tasks in found.items()}
    by_task = {card.task.pk: card for card in cards(org_id, [task for tasks in shown.values() for task in tasks])}
    return [
        Column(
            status, status_words(status), [by_task[task.pk] for task in tasks],
            more=len(found[status]) > len(tasks), closed=status in CLOSED,
        )
        for status, tasks in shown.items()
    ]  # fmt: skip


def cards(org_id: uuid.UUID, tasks: Sequence[Task]) -> list[Card]:
    """Each task with what hangs on it. Six queries for any number."""
    attach(tasks)
    ids = [task.pk for task in tasks]
    leases = TaskLease.objects.for_org(org_id).active().filter(task_id__in=ids).defer("result", "error")
    held_by = held(org_id, leases)
    waits = _waits(ids)
    return [
        Card(task, task.label_names, waits.get(task.pk, 0), held_by.get(task.pk), moves_of(task.status))
        for task in tasks
    ]


def moves_of(status: str) -> list[Move]:
    """Where a task in ``status`` may go, in the order of the columns."""
    return [Move(to.value, status_words(to.value)) for to in Status if to in TRANSITIONS[status]]


def _tasks(rows: TaskQuerySet, status: str) -> list[Task]:
    # As a literal, which Status says it is: SQLite uses the partial index of the queue for that only.
    of_status = rows.filter(status=RawSQL(f"'{Status(status).value}'", ())).only(*FIELDS)  # noqa: S611
    # What is closed grows without end: its newest, by the index, and not its most urgent.
    order = ("-id",) if status in CLOSED else ("-priority", "id")
    return list(of_status.order_by(*order)[: _size(status) + 1])


def _size(status: str) -> int:
    return CLOSED_SHOWN if status in CLOSED else OPEN_SHOWN


def _waits(ids: Sequence[uuid.UUID]) -> dict[Any, int]:
    edges = TaskDependency.objects.filter(task_id__in=ids).exclude(depends_on__status=Status.DONE)
    return dict(edges.order_by().values_list("task_id").annotate(Count("id")))
