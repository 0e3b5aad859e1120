"""What people write of tasks on pages: new ones, changes with a conflict, moves, revoking and deleting."""

import html as markup
import re
from typing import Any

import pytest
from django.test import Client

from orchestrator.web.tests.browser import faults, sign_in
from tasks import services
from tasks.details import attach
from tasks.models import Task
from tasks.tests.test_tasks_pages import BOARD, make, of, page_at

NEW = f"{BOARD}/new"


def filled(html: str) -> dict[str, str]:
    """What the form on the page would send."""
    form = re.search(r'<form class="card.*?</form>', html, re.DOTALL)
    assert form, html
    found = {}
    for tag in re.findall(r"<input[^>]*>", form[0]):
        given = dict(re.findall(r'([\w-]+)="([^"]*)"', tag))
        if "name" in given and (given.get("type") != "radio" or "checked" in tag):
            found[given["name"]] = markup.unescape(given.get("value", ""))
    for name, text in re.findall(r'<textarea name="(\w+)"[^>]*>\n?(.*?)</textarea>', form[0], re.DOTALL):
        found[name] = markup.unescape(text).replace("\n", "\r\n")  # as browsers do
    return found


def edit(client: Client, task: Task) -> dict[str, str]:
    return filled(page_at(client, f"{of(task)}/edit"))


def fresh(task: Task) -> Task:
    task = Task.objects.get(pk=task.pk)
    attach([task])
    return task


def move(client: Client, task: Task, to: str, version: int | None = None, **data: str) -> Any:
    return client.post(f"{of(task)}/move?version={version or task.version}", {"status": to, **data})


def flashed(client: Client, answer: Any) -> str:
    assert answer.status_code == 302, answer.content
    return page_at(client, answer["Location"])


# --- new --------------------------------------------------------------------------------------------------------------


def test_a_new_task_has_what_the_form_says(alice: Any) -> None:
    client, first = sign_in(alice), make(alice, "First")
    typed = filled(page_at(client, NEW)) | {
        "title": "Second", "description": "One.\r\nTwo.", "labels": "b, a,,b", "priority": "7",
        "depends_on": f"http://testserver{of(first)}\r\n",
    }  # fmt: skip
    answer = client.post(NEW, typed)
    task = fresh(Task.objects.get(title="Second"))
    assert (answer.status_code, answer["Location"]) == (302, of(task))
    assert (task.description, task.label_names, task.priority) == ("One.\nTwo.", ["a", "b"], 7)
    assert (task.dependency_ids, task.created_by, task.max_attempts) == ([first.pk], str(alice.actor), 3)


@pytest.mark.parametrize(
    ("field", "value"),
    [("title", ""), ("title", "x" * 201), ("title", "a\x00"), ("priority", "101"), ("priority", "x"),
     ("max_attempts", "0"), ("labels", "x" * 51), ("depends_on", "nonsense"),
     ("depends_on", "01900000-0000-7000-8000-000000000000")],
)  # fmt: skip
def test_a_faulty_field_is_named_and_what_was_typed_stays(alice: Any, field: str, value: str) -> None:
    typed = {"title": "Kept", "priority": "5", "max_attempts": "3"} | {field: value}
    answer = sign_in(alice).post(NEW, typed)
    html = answer.content.decode()
    assert answer.status_code == 422
    assert f'id="id_{field}_error"' in html
    assert faults(html) == []
    assert "Kept" in html or field == "title"
    assert not Task.objects.exists()


def test_another_orgs_task_cannot_be_waited_for(alice: Any, mallory: Any) -> None:
    secret = make(alice, "Secret")
    typed = {"title": "Mine", "priority": "0", "max_attempts": "3", "depends_on": str(secret.pk)}
    answer = sign_in(mallory).post(NEW, typed)
    assert answer.status_code == 422
    assert "There is no such task" in answer.content.decode()


def test_viewers_write_nothing(alice: Any, carol: Any) -> None:
    task, client = make(alice), sign_in(carol)
    services.acquire_lease(actor=alice.actor, holder="h", task_id=task.pk)
    for path in (NEW, f"{of(task)}/edit"):
        assert client.get(path).status_code == 403
    for path in (NEW, *(f"{of(task)}/{act}?version=2" for act in ("edit", "move", "revoke", "delete"))):
        assert client.post(path, {"status": "todo", "title": "x"}).status_code == 403
    assert fresh(task).version == 2


# --- changes ----------------------------------------------------------------------------------------------------------


def test_the_form_changes_what_was_changed_and_nothing_else(alice: Any) -> None:
    client, task = sign_in(alice), make(alice, description="One.\nTwo.", labels=["a"])
    answer = client.post(f"{of(task)}/edit", edit(client, task) | {"title": "New name"})
    assert answer.status_code == 302
    assert (fresh(task).title, fresh(task).description, fresh(task).label_names) == ("New name", "One.\nTwo.", ["a"])
    assert "Alice changed its title" in page_at(client, of(task))


def test_saving_what_is_there_writes_nothing(alice: Any) -> None:
    client, task = sign_in(alice), make(alice)
    assert client.post(f"{of(task)}/edit", edit(client, task)).status_code == 302
    assert fresh(task).version == 1


def test_who_was_slower_sees_both_sides_and_loses_nothing(alice: Any, bob: Any) -> None:
    task = make(alice, description="Old.", priority=1)
    slow, quick = sign_in(alice), sign_in(bob)
    mine = edit(slow, task) | {"title": "Alice's", "description": "Alice says so."}
    quick.post(f"{of(task)}/edit", edit(quick, task) | {"title": "Bob's", "priority": "9"})
    answer = slow.post(f"{of(task)}/edit", mine)
    html = answer.content.decode()
    assert (answer.status_code, fresh(task).title) == (409, "Bob's")
    assert faults(html) == []
    assert "Bob changed its priority, title" in html
    for side in ("Bob&#x27;s", "Alice&#x27;s", "Alice says so.", "Old."):
        assert side in html
    choices = filled(html)
    # Only one of them changed these; the title is for a person to decide.
    assert (choices["pick-priority"], choices["pick-description"]) == ("now", "yours")
    assert "pick-title" not in choices
    assert slow.post(f"{of(task)}/edit", choices | {"pick-title": "yours"}).status_code == 302
    now = fresh(task)
    assert (now.title, now.priority, now.description) == ("Alice's", 9, "Alice says so.")


def test_a_choice_can_be_overtaken_again(alice: Any, bob: Any) -> None:
    task = make(alice)
    slow = sign_in(alice)
    mine = edit(slow, task) | {"title": "Alice's"}
    services.update_task(actor=bob.actor, task_id=task.pk, version=None, title="Bob's")
    choices = filled(slow.post(f"{of(task)}/edit", mine).content.decode())
    services.update_task(actor=bob.actor, task_id=task.pk, version=None, title="Bob's second")
    answer = slow.post(f"{of(task)}/edit", choices | {"pick-title": "yours"})
    assert answer.status_code == 409
    assert "Bob&#x27;s second" in answer.content.decode()
    assert fresh(task).title == "Bob's second"


def test_a_form_without_its_version_is_refused(alice: Any) -> None:
    task = make(alice)
    for version in ("", "x", "-1"):
        answer = sign_in(alice).post(f"{of(task)}/edit", {"title": "x", "version": version})
        assert answer.status_code == 422
    assert fresh(task).version == 1


def test_a_circle_is_told_at_its_field(alice: Any) -> None:
    client, first = sign_in(alice), make(alice)
    second = make(alice, depends_on=[first.pk])
    answer = client.post(f"{of(first)}/edit", edit(client, first) | {"depends_on": str(second.pk)})
    assert answer.status_code == 422
    assert "close a cycle" in answer.content.decode()


# --- moves ------------------------------------------------------------------------------------------------------------


def test_a_button_moves_the_task_and_leads_back(alice: Any) -> None:
    client, task = sign_in(alice), make(alice)
    answer = move(client, task, "blocked", next=f"{BOARD}?label=a")
    assert answer["Location"] == f"{BOARD}?label=a"
    assert "is moved to blocked" in flashed(client, answer)
    assert fresh(task).status == "blocked"


@pytest.mark.parametrize("wanted", ["", "https://evil.example/", "//evil.example", "/logout", "javascript:x"])
def test_it_leads_nowhere_else(alice: Any, wanted: str) -> None:
    task = make(alice)
    assert move(sign_in(alice), task, "blocked", next=wanted)["Location"] == of(task)


def test_a_stale_move_tells_what_happened_meanwhile(alice: Any, bob: Any) -> None:
    client, task = sign_in(alice), make(alice)
    services.transition_task(actor=bob.actor, task_id=task.pk, to="in_progress")
    services.transition_task(actor=bob.actor, task_id=task.pk, to="review")
    told = flashed(client, move(client, task, "blocked", version=1))
    assert "was not moved. Bob moved it to in progress. Bob moved it to review." in told
    assert fresh(task).status == "review"


def test_the_table_of_transitions_is_respected(alice: Any) -> None:
    client, task = sign_in(alice), make(alice)
    assert "cannot go from todo to done" in flashed(client, move(client, task, "done"))
    assert fresh(task).version == 1
    assert move(client, task, "lost").status_code == 422
    assert client.post(f"{of(task)}/move", {"status": "blocked"}).status_code == 422


def test_the_script_gets_the_sentence_alone(alice: Any) -> None:
    client, task = sign_in(alice), make(alice)
    moved = move(client, task, "blocked", part="1")
    stale = move(client, task, "todo", version=1, part="1")
    assert (moved.status_code, stale.status_code) == (200, 200)
    assert 'data-kind="success"' in moved.content.decode()
    assert 'data-kind="warning"' in stale.content.decode()
    assert "<html" not in moved.content.decode()


# --- leases and the end -----------------------------------------------------------------------------------------------


def test_a_lease_is_revoked_once(alice: Any) -> None:
    client, task = sign_in(alice), make(alice)
    services.acquire_lease(actor=alice.actor, holder="sleeper", task_id=task.pk)
    assert "Revoke the lease" in page_at(client, of(task))
    assert "The lease is revoked" in flashed(client, client.post(f"{of(task)}/revoke"))
    assert fresh(task).status == "todo"
    assert "Nobody holds a lease" in flashed(client, client.post(f"{of(task)}/revoke"))


def test_a_task_is_deleted_unless_others_need_it_or_it_has_changed(alice: Any, bob: Any) -> None:
    client, task = sign_in(alice), make(alice)
    other = make(alice, depends_on=[task.pk])
    delete = f"{of(task)}/delete?version=1"
    assert "Tasks that depend on this one: 1" in flashed(client, client.post(delete))
    services.delete_task(actor=alice.actor, task_id=other.pk, version=None)
    services.update_task(actor=bob.actor, task_id=task.pk, version=None, priority=3)
    assert "Bob changed its priority" in flashed(client, client.post(delete))
    assert "is deleted" in flashed(client, client.post(f"{of(task)}/delete?version=2"))
    assert not Task.objects.exists()
