"""Who may do what within the org."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from conftest import Person
from orchestrator.core.errors import PermissionDenied
from tasks import services
from tasks.models import Task
from tasks.tests.calls import STATE, TASKS, add, of, read, refused, send, titles

WRITES: list[tuple[str, str, Any]] = [
    ("POST", TASKS, {"title": "T"}),
    ("PUT", "{}", {"title": "T"}),
    ("PATCH", "{}", {"title": "T"}),
    ("DELETE", "{}", None),
    ("POST", "{}/transition", {"status": "blocked"}),
]


def test_a_viewer_reads(alice: Person, carol: Person) -> None:
    task = add(alice)
    assert titles(carol.client.get(STATE)) == ["Demo"]
    assert carol.client.get(of(task))["ETag"] == task["etag"]


@pytest.mark.parametrize(("method", "path", "body"), WRITES)
def test_a_viewer_does_not_write(alice: Person, carol: Person, method: str, path: str, body: Any) -> None:
    task = add(alice)
    refused(send(carol.client, method, path.format(of(task)), body, if_match="*"), 403, "permission_denied")
    assert Task.objects.count() == 1
    assert read(alice, task)["version"] == 1


@pytest.mark.parametrize(("method", "path", "body"), WRITES)
def test_a_member_writes(alice: Person, bob: Person, method: str, path: str, body: Any) -> None:
    answer = send(bob.client, method, path.format(of(add(alice))), body, if_match="*")
    assert answer.status_code in (200, 204)


def test_an_api_key_does_what_its_scopes_say(alice: Person, api_client: Callable[..., Client]) -> None:
    task = add(alice)
    assert api_client("read").get(of(task)).status_code == 200
    refused(send(api_client("read"), "POST", TASKS, {"title": "T"}), 403, "permission_denied")
    refused(api_client("write").get(of(task)), 403, "permission_denied")
    made = send(api_client("write"), "POST", TASKS, {"title": "T"})
    assert made.json()["created_by"].startswith("api_key:")


def test_the_services_ask_by_themselves(alice: Person, carol: Person) -> None:
    task_id = services.create_task(actor=alice.actor, title="T").pk
    for call in (
        lambda: services.create_task(actor=carol.actor, title="T"),
        lambda: services.update_task(actor=carol.actor, task_id=task_id, version=1, title="U"),
        lambda: services.transition_task(actor=carol.actor, task_id=task_id, to="blocked"),
        lambda: services.delete_task(actor=carol.actor, task_id=task_id, version=1),
    ):
        with pytest.raises(PermissionDenied):
            call()
    assert Task.objects.get().version == 1
