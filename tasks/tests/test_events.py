"""Every write is in the org's log, in the same transaction."""

from typing import Any, NoReturn

import pytest

from conftest import Person
from orchestrator.events import services as events
from orchestrator.events.models import Event
from tasks.models import Task, TaskDependency, TaskLabel
from tasks.tests.calls import TASKS, add, of, refused, send

WRITES: list[tuple[str, str, Any, str, dict[str, Any]]] = [
    ("PUT", "{}", {"title": "New"}, "task_updated",
     {"fields": ["assignee", "depends_on", "description", "labels", "max_attempts", "priority", "title"],
      "version": 2}),
    ("PATCH", "{}", {"priority": 3, "labels": ["b"]}, "task_updated", {"fields": ["labels", "priority"], "version": 2}),
    ("POST", "{}/transition", {"status": "blocked"}, "task_transitioned",
     {"from": "todo", "to": "blocked", "version": 2}),
    ("DELETE", "{}", None, "task_deleted", {"title": "Demo", "version": 2}),
]  # fmt: skip


def test_creation_is_recorded(alice: Person) -> None:
    before = events.head(alice.org.pk)
    answer = send(alice.client, "POST", TASKS, {"title": "Demo"}, **{"X-Request-ID": "the-request"})
    [event] = Event.objects.for_org(alice.org.pk).filter(seq__gt=before)
    assert (event.event, event.kind, event.target) == ("task_created", "tasks", f"task:{answer.json()['id']}")
    assert event.details == {"title": "Demo", "version": 1}
    assert (event.actor, event.request_id) == (f"user:{alice.user.pk}", "the-request")


@pytest.mark.parametrize(("method", "path", "body", "name", "details"), WRITES)
def test_every_write_is_recorded_once(
    alice: Person, bob: Person, method: str, path: str, body: Any, name: str, details: dict[str, Any]
) -> None:
    task = add(alice)
    before = events.head(alice.org.pk)
    assert send(bob.client, method, path.format(of(task)), body, if_match="*").status_code < 300
    [event] = Event.objects.for_org(alice.org.pk).filter(seq__gt=before)
    assert (event.event, event.kind, event.target) == (name, "tasks", f"task:{task['id']}")
    assert (event.actor, event.details) == (f"user:{bob.user.pk}", details)


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", TASKS, {"title": ""}, 422),
        ("PATCH", "{}", {"title": "x" * 201}, 422),
        ("PATCH", "{}", {"title": "Self", "depends_on": ["{}"]}, 422),
        ("POST", "{}/transition", {"status": "done"}, 409),
    ],
)
def test_a_refused_write_is_not_recorded(alice: Person, method: str, path: str, body: Any, status: int) -> None:
    task = add(alice)
    before = events.head(alice.org.pk)
    if "depends_on" in body:
        body = {**body, "depends_on": [task["id"]]}
    assert send(alice.client, method, path.format(of(task)), body, if_match="*").status_code == status
    assert events.head(alice.org.pk) == before


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", TASKS, {"title": "New", "labels": ["x"]}),
        ("PUT", "{}", {"title": "New"}),
        ("PATCH", "{}", {"title": "New", "labels": ["b"], "depends_on": []}),
        ("POST", "{}/transition", {"status": "blocked"}),
        ("DELETE", "{}", None),
    ],
)
def test_what_cannot_be_recorded_is_not_written(
    alice: Person, monkeypatch: pytest.MonkeyPatch, method: str, path: str, body: Any
) -> None:
    task = add(alice, labels=["a"], depends_on=[add(alice)["id"]])
    before = _all_rows()
    monkeypatch.setattr(events, "record", _fail)
    error = refused(send(alice.client, method, path.format(of(task)), body, if_match="*"), 500, "internal_error")
    assert "out of ink" not in str(error)
    assert _all_rows() == before


def _fail(**_: Any) -> NoReturn:
    raise RuntimeError("out of ink")


def _all_rows() -> list[list[Any]]:
    return [list(model.objects.order_by("pk").values()) for model in (Task, TaskLabel, TaskDependency, Event)]
