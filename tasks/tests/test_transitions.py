"""POST …/transition, over every pair of statuses. The table is written out again, as CONTRACT §3 has it."""

import itertools

import pytest

from conftest import Person
from orchestrator.core.errors import InvalidTransition
from tasks import services
from tasks.models import Task
from tasks.states import TRANSITIONS, Status
from tasks.tests.calls import add, of, read, refused, send

CONTRACT = {
    "todo": "in_progress blocked cancelled",
    "in_progress": "review blocked todo cancelled",
    "review": "approved in_progress blocked cancelled",
    "approved": "merging blocked cancelled",
    "merging": "done approved blocked",
    "blocked": "todo in_progress cancelled",
    "done": "",
    "cancelled": "",
}
PAIRS = list(itertools.product(CONTRACT, CONTRACT))


def test_the_contract_names_every_status() -> None:
    assert list(CONTRACT) == Status.values
    assert {str(old): {str(new) for new in allowed} for old, allowed in TRANSITIONS.items()} == {
        old: set(allowed.split()) for old, allowed in CONTRACT.items()
    }


@pytest.mark.parametrize(("old", "new"), PAIRS, ids=[f"{old}-{new}" for old, new in PAIRS])
def test_every_pair(alice: Person, old: str, new: str) -> None:
    task = services.create_task(actor=alice.actor, title="T")
    Task.objects.filter(pk=task.pk).update(status=old)
    answer = send(alice.client, "POST", f"/api/v1/collab/tasks/{task.pk}/transition", {"status": new})
    task.refresh_from_db()
    if new in CONTRACT[old].split():
        assert (answer.status_code, answer.json()["status"], task.status, task.version) == (200, new, new, 2)
    else:
        error = refused(answer, 409, "invalid_transition")
        assert error["details"] == {"from": old, "to": new, "allowed": sorted(CONTRACT[old].split())}
        assert (task.status, task.version) == (old, 1)


def test_a_task_walks_all_the_way(alice: Person) -> None:
    task = add(alice, labels=["kept"])
    for status in ("in_progress", "review", "approved", "merging", "done"):
        answer = send(alice.client, "POST", f"{of(task)}/transition", {"status": status})
        assert answer.status_code == 200
        again = alice.client.get(of(task))
        assert (again.content, again["ETag"]) == (answer.content, answer["ETag"])
    assert {name: read(alice, task)[name] for name in ("status", "version", "labels")} == {
        "status": "done",
        "version": 6,
        "labels": ["kept"],
    }


@pytest.mark.parametrize("body", [{}, {"status": None}, {"status": ""}, {"status": 1}, {"status": ["todo"]}])
def test_a_body_without_a_status_is_422(alice: Person, body: dict[str, object]) -> None:
    answer = send(alice.client, "POST", f"{of(add(alice))}/transition", body)
    assert list(refused(answer, 422, "validation_error")["details"]) == ["status"]


def test_an_unknown_status_is_422_and_names_the_known_ones(alice: Person) -> None:
    answer = send(alice.client, "POST", f"{of(add(alice))}/transition", {"status": "banana"})
    [sentence] = refused(answer, 422, "validation_error")["details"]["status"]
    assert all(status in sentence for status in (*Status.values, "banana"))


def test_unknown_fields_are_422(alice: Person) -> None:
    answer = send(alice.client, "POST", f"{of(add(alice))}/transition", {"status": "blocked", "why": "x"})
    assert list(refused(answer, 422, "validation_error")["details"]) == ["why"]


def test_the_service_knows_only_the_table(alice: Person) -> None:
    task = services.create_task(actor=alice.actor, title="T")
    with pytest.raises(InvalidTransition):
        services.transition_task(actor=alice.actor, task_id=task.pk, to="banana")
    task.refresh_from_db()
    assert task.version == 1
