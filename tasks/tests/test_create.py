"""POST /api/v1/collab/tasks (seed 000, PR1)."""

import hashlib

import rfc8785

from conftest import Person
from tasks.models import Task
from tasks.tests.calls import STATE, TASKS, add, refused, send, titles


def test_answers_200_with_the_task_its_etag_and_its_place(alice: Person) -> None:
    answer = send(alice.client, "POST", TASKS, {"title": "Demo", "description": "hello"})
    assert answer.status_code == 200
    task = answer.json()
    assert (task["title"], task["description"], task["version"], task["status"]) == ("Demo", "hello", 1, "todo")
    assert answer["ETag"] == f'"{hashlib.sha256(rfc8785.dumps(task)).hexdigest()}"'
    assert answer["Location"] == f"{TASKS}/{task['id']}"
    again = alice.client.get(answer["Location"])
    assert (again.content, again["ETag"]) == (answer.content, answer["ETag"])


def test_shows_every_field_with_its_default(alice: Person) -> None:
    task = add(alice)
    made = Task.objects.get()
    assert task.pop("created_at") == task.pop("updated_at")
    task.pop("etag")
    assert task == {
        "id": str(made.id),
        "title": "Demo",
        "description": "",
        "status": "todo",
        "priority": 0,
        "labels": [],
        "depends_on": [],
        "assignee": "",
        "attempts": 0,
        "max_attempts": 3,
        "created_by": f"user:{alice.user.id}",
        "version": 1,
    }
    assert (made.org_id, made.id.version, made.created_at) == (alice.org.id, 7, made.updated_at)


def test_keeps_what_is_sent(alice: Person) -> None:
    first = add(alice)
    sent = {
        "title": "Ünïcode 🚀 </script>",
        "description": "  kept\n  as it is \n",
        "priority": 100,
        "assignee": "agent:7",
        "labels": ["ops"],
        "depends_on": [first["id"]],
    }
    task = add(alice, **sent)
    assert {name: task[name] for name in sent} == sent


def test_labels_are_trimmed_folded_and_sorted(alice: Person) -> None:
    assert add(alice, labels=["b", " a ", "a", "B", "b"])["labels"] == ["B", "a", "b"]


def test_the_new_task_is_in_the_list_at_once(alice: Person) -> None:
    assert titles(alice.client.get(STATE)) == []
    add(alice, "Demo")
    assert titles(alice.client.get(STATE)) == ["Demo"]


def test_a_trailing_slash_is_as_good(alice: Person) -> None:
    assert send(alice.client, "POST", f"{TASKS}/", {"title": "Demo"}).status_code == 200


def test_needs_credentials(client: object, db: object) -> None:
    answer = send(client, "POST", TASKS, {"title": "Demo"})  # type: ignore[arg-type]
    refused(answer, 401, "not_authenticated")
    assert answer["WWW-Authenticate"] == "Bearer"
    assert not Task.objects.exists()


def test_an_idempotency_key_creates_once(alice: Person) -> None:
    one, two = (send(alice.client, "POST", TASKS, {"title": "Once"}, **{"Idempotency-Key": "k"}) for _ in range(2))
    assert (one.content, one["ETag"], one["Location"]) == (two.content, two["ETag"], two["Location"])
    assert ("Idempotent-Replayed" in one, two["Idempotent-Replayed"]) == (False, "true")
    assert Task.objects.count() == 1
    other = send(alice.client, "POST", TASKS, {"title": "Other"}, **{"Idempotency-Key": "k"})
    refused(other, 422, "validation_error")
