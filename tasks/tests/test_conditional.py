"""ETags and preconditions (RFC 9110 §13; CONTRACT §2)."""

from typing import Any

import pytest

from conftest import Person
from tasks.models import Task
from tasks.tests.calls import STATE, add, of, read, refused, send

STALE = '"0000000000000000000000000000000000000000000000000000000000000000"'
WRITES: list[tuple[str, Any, int]] = [
    ("PUT", {"title": "Written"}, 200),
    ("PATCH", {"title": "Written"}, 200),
    ("DELETE", None, 204),
]
each_write = pytest.mark.parametrize(("method", "body", "status"), WRITES, ids=[write[0] for write in WRITES])


@pytest.mark.parametrize("form", ["{}", "W/{}", '"other", {}', "*"])
def test_a_known_tag_gives_304_without_a_body(alice: Person, form: str) -> None:
    task = add(alice)
    for path in (of(task), STATE):
        full = alice.client.get(path)
        answer = alice.client.get(path, headers={"If-None-Match": form.format(full["ETag"])})
        assert (answer.status_code, answer.content, answer["ETag"]) == (304, b"", full["ETag"])
        assert answer["Vary"] == full["Vary"]
        assert answer["Cache-Control"] == full["Cache-Control"]


def test_an_old_tag_gives_200_after_each_write(alice: Person) -> None:
    task = add(alice)
    before = alice.client.get(STATE)["ETag"]
    for method, path, body in (
        ("PATCH", of(task), {"priority": 1}),
        ("POST", f"{of(task)}/transition", {"status": "blocked"}),
        ("DELETE", of(task), None),
    ):
        send(alice.client, method, path, body, if_match="*")
        answer = alice.client.get(STATE, headers={"If-None-Match": before})
        assert answer.status_code == 200, method
        before = answer["ETag"]


@each_write
def test_writes_need_if_match(alice: Person, method: str, body: Any, status: int) -> None:
    task = add(alice)
    refused(send(alice.client, method, of(task), body), 428, "precondition_required")
    assert read(alice, task)["version"] == 1


@each_write
@pytest.mark.parametrize("tag", [STALE, "W/{}", "nonsense", ""])
def test_a_tag_that_does_not_match_strongly_is_412(
    alice: Person, method: str, body: Any, status: int, tag: str
) -> None:
    task = add(alice)
    refused(send(alice.client, method, of(task), body, if_match=tag.format(task["etag"])), 412, "precondition_failed")
    assert read(alice, task)["version"] == 1


@each_write
@pytest.mark.parametrize("form", ["{}", "*", f"{STALE}, {{}}"])
def test_the_tag_that_was_read_lets_a_write_pass(alice: Person, method: str, body: Any, status: int, form: str) -> None:
    task = add(alice)
    answer = send(alice.client, method, of(task), body, if_match=form.format(task["etag"]))
    assert answer.status_code == status
    assert Task.objects.filter(version=1).count() == 0


@each_write
def test_the_tag_of_the_compressed_representation_is_as_good(
    alice: Person, method: str, body: Any, status: int
) -> None:
    task = add(alice, description="x" * 2000)
    compressed = alice.client.get(of(task), headers={"Accept-Encoding": "gzip"})
    assert compressed["Content-Encoding"] == "gzip"
    assert compressed["ETag"] == task["etag"][:-1] + '-gzip"'
    assert alice.client.get(of(task), headers={"If-None-Match": compressed["ETag"]}).status_code == 304
    assert send(alice.client, method, of(task), body, if_match=compressed["ETag"]).status_code == status


def test_of_two_writers_with_one_tag_the_second_is_refused(alice: Person, bob: Person) -> None:
    task = add(alice)
    first = send(alice.client, "PATCH", of(task), {"title": "Hers"}, if_match=task["etag"])
    second = send(bob.client, "PATCH", of(task), {"title": "His"}, if_match=task["etag"])
    refused(second, 412, "precondition_failed")
    assert read(alice, task)["title"] == "Hers"
    assert send(bob.client, "PATCH", of(task), {"title": "His"}, if_match=first["ETag"]).status_code == 200


def test_a_transition_honours_if_match_when_it_is_sent(alice: Person) -> None:
    task = add(alice)
    path = f"{of(task)}/transition"
    refused(send(alice.client, "POST", path, {"status": "blocked"}, if_match=STALE), 412, "precondition_failed")
    assert read(alice, task)["status"] == "todo"
    assert send(alice.client, "POST", path, {"status": "blocked"}, if_match=task["etag"]).status_code == 200


def test_the_precondition_is_judged_before_the_body(alice: Person) -> None:
    """RFC 9110 §13.2.1: after the checks that need no content, before the content is processed."""
    task = add(alice)
    refused(send(alice.client, "PUT", of(task), {"title": ""}, if_match=STALE), 412, "precondition_failed")
