"""Another org's tasks do not exist for you."""

import uuid
from typing import Any

import pytest

from conftest import Person
from orchestrator.core.errors import NotFound
from tasks import services
from tasks.tests.calls import STATE, TASKS, add, of, read, refused, send, titles

CALLS: list[tuple[str, str, Any]] = [
    ("GET", "", None),
    ("PUT", "", {"title": "Mine now"}),
    ("PATCH", "", {"title": "Mine now"}),
    ("DELETE", "", None),
    ("POST", "/transition", {"status": "cancelled"}),
]


@pytest.mark.parametrize(("method", "suffix", "body"), CALLS)
def test_every_call_on_a_foreign_task_is_the_404_of_one_that_never_was(
    alice: Person, mallory: Person, method: str, suffix: str, body: Any
) -> None:
    task = add(alice)
    foreign = send(mallory.client, method, of(task) + suffix, body, if_match=task["etag"])
    nowhere = send(mallory.client, method, f"{TASKS}/{uuid.uuid4()}{suffix}", body, if_match=task["etag"])
    errors = [refused(answer, 404, "not_found") for answer in (foreign, nowhere)]
    assert errors[0]["message"] == errors[1]["message"]
    assert {**read(alice, task), "etag": task["etag"]} == task


def test_lists_are_apart(alice: Person, mallory: Person) -> None:
    add(alice, "Hers", labels=["x"], assignee="ann")
    add(mallory, "Mine", labels=["x"], assignee="ann")
    for query in ("", "?status=todo", "?label=x", "?assignee=ann", "?q=e"):
        assert titles(alice.client.get(STATE + query)) == ["Hers"]
        assert titles(mallory.client.get(STATE + query)) == ["Mine"]


def test_a_foreign_task_cannot_be_waited_for_in_the_words_for_one_that_never_was(
    alice: Person, mallory: Person
) -> None:
    foreign, nowhere = add(alice)["id"], str(uuid.uuid4())
    mine = add(mallory)
    for method, path in (("POST", TASKS), ("PATCH", of(mine)), ("PUT", of(mine))):
        sentences = []
        for other in (foreign, nowhere):
            answer = send(mallory.client, method, path, {"title": "T", "depends_on": [other]}, if_match="*")
            error = refused(answer, 422, "validation_error")
            sentences.append(str(error["details"]).replace(other, "…"))
        assert sentences[0] == sentences[1]
    assert titles(mallory.client.get(STATE)) == ["Demo"]


def test_a_cursor_from_another_org_shows_nothing_of_it(alice: Person, mallory: Person) -> None:
    for number in range(3):
        add(alice, f"Hers {number}")
    add(mallory, "Mine")
    cursor = alice.client.get(f"{STATE}?limit=1").json()["next_cursor"]
    assert set(titles(mallory.client.get(f"{STATE}?cursor={cursor}"))) <= {"Mine"}


def test_the_services_know_the_org_too(alice: Person, mallory: Person) -> None:
    task_id = services.create_task(actor=alice.actor, title="Hers").pk
    for call in (
        lambda: services.update_task(actor=mallory.actor, task_id=task_id, version=1, title="Mine"),
        lambda: services.transition_task(actor=mallory.actor, task_id=task_id, to="blocked"),
        lambda: services.delete_task(actor=mallory.actor, task_id=task_id, version=1),
    ):
        with pytest.raises(NotFound):
            call()
