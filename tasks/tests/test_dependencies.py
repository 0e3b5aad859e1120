"""What a task may wait for: tasks of its org, never itself, never in a circle."""

import random
import uuid

import pytest
from django.db import IntegrityError, transaction

from conftest import Person
from orchestrator.core.errors import ValidationFailed
from tasks import services
from tasks.models import MAX_DEPENDENCIES, Task, TaskDependency
from tasks.tests.calls import TASKS, add, of, read, refused, send


def depend(person: Person, task: dict[str, str], *others: dict[str, str]) -> object:
    body = {"depends_on": [other["id"] for other in others]}
    return send(person.client, "PATCH", of(task), body, if_match="*")


def faults(answer: object) -> list[str]:
    details = refused(answer, 422, "validation_error")["details"]
    assert list(details) == ["depends_on"]
    return list(details["depends_on"])


def test_duplicates_are_folded_and_the_order_is_stable(alice: Person) -> None:
    a, b = add(alice), add(alice)
    task = add(alice, depends_on=[b["id"], a["id"], b["id"], a["id"].upper()])
    assert task["depends_on"] == sorted([a["id"], b["id"]])
    assert TaskDependency.objects.count() == 2


def test_they_can_be_replaced(alice: Person) -> None:
    a, b, c = add(alice), add(alice), add(alice)
    task = add(alice, depends_on=[a["id"], b["id"]])
    depend(alice, task, b, c)
    assert read(alice, task)["depends_on"] == sorted([b["id"], c["id"]])
    depend(alice, task)
    assert read(alice, task)["depends_on"] == []


def test_an_unknown_task_is_named(alice: Person) -> None:
    nobody = str(uuid.uuid4())
    answer = send(alice.client, "POST", TASKS, {"title": "T", "depends_on": [add(alice)["id"], nobody]})
    assert faults(answer) == [f"There is no such task: {nobody}."]
    assert Task.objects.count() == 1


def test_a_task_cannot_wait_for_itself(alice: Person) -> None:
    task = add(alice)
    assert faults(depend(alice, task, task)) == ["A task cannot depend on itself."]


@pytest.mark.parametrize("length", [2, 3, 50])
def test_a_cycle_of_any_length_is_refused(alice: Person, length: int) -> None:
    first = last = add(alice)
    for _ in range(length - 1):
        last = add(alice, depends_on=[last["id"]])
    [sentence] = faults(depend(alice, first, last))
    assert "cycle" in sentence
    assert read(alice, first)["depends_on"] == []


def test_a_diamond_is_not_a_cycle(alice: Person) -> None:
    top = add(alice)
    left, right = add(alice, depends_on=[top["id"]]), add(alice, depends_on=[top["id"]])
    bottom = add(alice, depends_on=[left["id"], right["id"]])
    assert depend(alice, bottom, left, right, top).status_code == 200  # type: ignore[attr-defined]
    faults(depend(alice, top, bottom))


def test_one_edge_may_be_turned_round_in_two_steps(alice: Person) -> None:
    a = add(alice)
    b = add(alice, depends_on=[a["id"]])
    faults(depend(alice, a, b))
    depend(alice, b)
    assert depend(alice, a, b).status_code == 200  # type: ignore[attr-defined]


def test_any_walk_of_updates_keeps_the_graph_free_of_cycles(alice: Person) -> None:
    """Against an oracle that walks the edges in memory."""
    dice = random.Random(7)
    ids = [services.create_task(actor=alice.actor, title=str(n)).pk for n in range(7)]
    edges: dict[uuid.UUID, set[uuid.UUID]] = {task: set() for task in ids}

    def reaches(start: uuid.UUID, goal: uuid.UUID) -> bool:
        return start == goal or any(reaches(other, goal) for other in edges[start])

    outcomes = set()
    for _ in range(120):
        task, wanted = dice.choice(ids), set(dice.sample(ids, dice.randint(0, 3)))
        closes = any(reaches(other, task) for other in wanted)
        outcomes.add(closes)
        if closes:
            with pytest.raises(ValidationFailed):
                services.update_task(actor=alice.actor, task_id=task, version=None, depends_on=wanted)
        else:
            services.update_task(actor=alice.actor, task_id=task, version=None, depends_on=wanted)
            edges[task] = wanted
    assert outcomes == {True, False}
    stored = {(edge.task_id, edge.depends_on_id) for edge in TaskDependency.objects.all()}
    assert stored == {(task, other) for task, others in edges.items() for other in others}


@pytest.mark.parametrize(
    ("count", "status"), [(MAX_DEPENDENCIES, 200), (MAX_DEPENDENCIES + 1, 422)], ids=["most", "too many"]
)
def test_there_is_a_limit(alice: Person, count: int, status: int) -> None:
    tasks = Task.objects.bulk_create(Task(org=alice.org, title=str(n), created_by="test") for n in range(count))
    answer = send(alice.client, "POST", TASKS, {"title": "T", "depends_on": [str(task.pk) for task in tasks]})
    assert answer.status_code == status


@pytest.mark.parametrize("bad", [5, True, None, "", "x", "urn:uuid:{}", "{{{}}}", {"id": "{}"}, ["{}"]])
def test_an_id_has_one_form(alice: Person, bad: object) -> None:
    known = add(alice)["id"]
    value = bad.format(known) if isinstance(bad, str) else bad
    answer = send(alice.client, "POST", TASKS, {"title": "T", "depends_on": [value]})
    assert list(refused(answer, 422, "validation_error")["details"]) == ["depends_on"]


def test_the_database_itself_holds_the_graph_together(alice: Person) -> None:
    a, b = (services.create_task(actor=alice.actor, title=title) for title in "ab")
    for pair in ((a, a), (b, a), (b, a)):
        broken = pair == (a, a) or TaskDependency.objects.exists()
        try:
            with transaction.atomic():
                TaskDependency.objects.create(org=alice.org, task=pair[0], depends_on=pair[1])
        except IntegrityError:
            assert broken
        else:
            assert not broken
    with pytest.raises(IntegrityError):
        Task.objects.filter(pk=a.pk).delete()
