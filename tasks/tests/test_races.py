"""Many writers at once, each on a connection of its own."""

import threading
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connections
from django.test import Client

from conftest import Person
from orchestrator.events.models import Event
from tasks.models import Task, TaskDependency
from tasks.tests.calls import TASKS, add, of, read, send

pytestmark = pytest.mark.django_db(transaction=True)


def race(calls: Sequence[Callable[[], Any]]) -> list[Any]:
    """The answers of calls that start at one moment."""
    start = threading.Barrier(len(calls))

    def run(call: Callable[[], Any]) -> Any:
        try:
            start.wait(10)
            return call()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))


def caller(person: Person, method: str, path: str, body: Any = None, if_match: str | None = None) -> Callable[[], Any]:
    client = Client(headers={"Authorization": f"Bearer {person.access_token}"})
    return lambda: send(client, method, path, body, if_match=if_match)


def statuses(answers: Sequence[Any]) -> Counter[int]:
    return Counter(answer.status_code for answer in answers)


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_one_of_twenty_writers_with_the_same_tag_wins(alice: Person, method: str) -> None:
    task = add(alice)
    calls = [caller(alice, method, of(task), {"title": f"Writer {n}"}, task["etag"]) for n in range(20)]
    answers = race(calls)
    assert statuses(answers) == {200: 1, 412: 19}
    [winner] = [answer for answer in answers if answer.status_code == 200]
    assert winner.json() == read(alice, task)
    assert winner.json()["version"] == 2
    assert Event.objects.filter(event="task_updated").count() == 1


def test_any_tag_lets_all_pass_and_every_write_counts(alice: Person) -> None:
    task = add(alice)
    answers = race([caller(alice, "PATCH", of(task), {"title": f"Writer {n}"}, "*") for n in range(10)])
    assert statuses(answers) == {200: 10}
    assert sorted(answer.json()["version"] for answer in answers) == list(range(2, 12))


def test_one_of_many_same_transitions_wins(alice: Person) -> None:
    task = add(alice)
    answers = race([caller(alice, "POST", f"{of(task)}/transition", {"status": "in_progress"}) for _ in range(10)])
    assert statuses(answers) == {200: 1, 409: 9}
    assert {answer.json()["type"] for answer in answers if answer.status_code == 409} == {"invalid_transition"}
    assert (read(alice, task)["version"], Event.objects.filter(event="task_transitioned").count()) == (2, 1)


def test_one_of_many_deletes_wins(alice: Person) -> None:
    task = add(alice)
    answers = race([caller(alice, "DELETE", of(task), None, task["etag"]) for _ in range(10)])
    assert statuses(answers)[204] == 1
    assert set(statuses(answers)) <= {204, 404, 412}
    assert Event.objects.filter(event="task_deleted").count() == 1


@pytest.mark.parametrize("attempt", range(5))
def test_two_halves_of_a_cycle_do_not_meet(alice: Person, attempt: int) -> None:
    """The four tasks share no row: b waits for c, d for a; now a for b and c for d at once."""
    a, c = add(alice), add(alice)
    b, d = add(alice, depends_on=[c["id"]]), add(alice, depends_on=[a["id"]])
    answers = race(
        [
            caller(alice, "PATCH", of(a), {"depends_on": [b["id"]]}, a["etag"]),
            caller(alice, "PATCH", of(c), {"depends_on": [d["id"]]}, c["etag"]),
        ]
    )
    assert statuses(answers) == {200: 1, 422: 1}


@pytest.mark.parametrize("attempt", range(5))
def test_a_task_is_not_deleted_while_another_begins_to_wait_for_it(alice: Person, attempt: int) -> None:
    task, other = add(alice), add(alice)
    deleted, created, updated = race(
        [
            caller(alice, "DELETE", of(task), None, "*"),
            caller(alice, "POST", TASKS, {"title": "New", "depends_on": [task["id"]]}),
            caller(alice, "PATCH", of(other), {"depends_on": [task["id"]]}, "*"),
        ]
    )
    outcome = (deleted.status_code, created.status_code, updated.status_code)
    assert outcome in {(204, 422, 422), (409, 200, 200), (409, 200, 422), (409, 422, 200)}
    gone = not Task.objects.filter(pk=task["id"]).exists()
    assert gone == (deleted.status_code == 204)
    assert TaskDependency.objects.count() == (0 if gone else 2)
