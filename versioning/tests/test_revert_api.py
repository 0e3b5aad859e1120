"""Reverting: a new patch that takes back what an older version changed, and nothing else."""

from typing import Any

import pytest

from conftest import Person
from versioning.tests.calls import (
    API,
    assert_tag,
    body_of,
    branch,
    create,
    definition,
    done,
    get,
    head,
    merge,
    patched,
    post,
    refused,
    revert,
    set_timeout,
    unchanged,
)

C = {"type": "planner", "needs": ["b"]}


@pytest.fixture
def line(alice: Person) -> list[str]:
    """A root; a timeout for a; the node c; a timeout for b."""
    first = create(alice).json()["artifact"]["id"]
    changes = (set_timeout(1), {"op": "add", "path": "/nodes/c", "value": C}, set_timeout(2, "b"))
    return [first, *(patched(alice, "flow", operation) for operation in changes)]


def test_later_changes_stay(alice: Person, line: list[str]) -> None:
    answer = revert(alice, "flow", line[1], message="was wrong")
    told = answer.json()
    assert (answer.status_code, answer["Location"]) == (201, f"{API}/patches/{told['id']}")
    assert told["operations"] == [{"op": "remove", "path": "/nodes/a/timeout_seconds"}]
    assert (told["parents"], told["base_id"], told["message"]) == ([line[3]], line[3], "was wrong")
    assert_tag(told["tag"], get(alice, "tags/flow"))
    nodes = body_of(alice)["nodes"]
    assert nodes == {
        "a": {"type": "planner"},
        "b": {**definition("a", "b")["nodes"]["b"], "timeout_seconds": 2},
        "c": C,
    }
    move = get(alice, "tags/flow/history").json()["items"][0]
    assert (move["kind"], move["from"], move["message"]) == ("patch", line[3], "was wrong")
    done(post(alice, "tags/flow/undo", {}))
    assert head(alice) == line[3]


@pytest.mark.parametrize("ref", ["flow~1", "flow@{3}", None])
def test_any_name_will_do(alice: Person, line: list[str], ref: str | None) -> None:
    done(revert(alice, "flow", ref or line[2]))
    assert "c" not in body_of(alice)["nodes"]


def test_a_revert_can_be_reverted(alice: Person, line: list[str]) -> None:
    before = body_of(alice)
    done(revert(alice, "flow", line[2]))
    done(revert(alice, "flow", "flow"))
    assert body_of(alice) == before


def test_a_merge_is_taken_back_against_its_first_parent(alice: Person, line: list[str]) -> None:
    branch(alice, "side", "flow~1")
    patched(alice, "side", set_timeout(9, "c"))
    before = body_of(alice)
    merged = done(merge(alice, "flow", "side")).json()["artifact"]["id"]
    done(revert(alice, "flow", merged))
    assert body_of(alice) == before


def test_what_was_changed_again_is_a_conflict(alice: Person, line: list[str]) -> None:
    patched(alice, "flow", set_timeout(7))
    error = unchanged(lambda: revert(alice, "flow", line[1]), 409, "merge_conflict")
    assert error["details"]["conflicts"] == [
        {"kind": "modify/delete", "pointer": "/nodes/a/timeout_seconds", "base": 1, "ours": 7}
    ]
    done(revert(alice, "flow", line[1], resolutions={"/nodes/a/timeout_seconds": {"remove": True}}))
    assert "timeout_seconds" not in body_of(alice)["nodes"]["a"]


def test_what_others_need_by_now_is_a_conflict(alice: Person, line: list[str]) -> None:
    patched(alice, "flow", {"op": "add", "path": "/nodes/d", "value": {"type": "planner", "needs": ["c"]}})
    error = unchanged(lambda: revert(alice, "flow", line[2]), 409, "merge_conflict")
    assert [(row["kind"], row["pointer"]) for row in error["details"]["conflicts"]] == [
        ("edge_to_deleted_node", "/nodes/d/needs")
    ]


def test_the_first_version_cannot_be_taken_back(alice: Person, line: list[str]) -> None:
    unchanged(lambda: revert(alice, "flow", line[0]), 409, "conflict")


def test_taking_back_twice_is_409(alice: Person, line: list[str]) -> None:
    done(revert(alice, "flow", line[1]))
    unchanged(lambda: revert(alice, "flow", line[1]), 409, "conflict")


def test_a_stale_precondition_is_412(alice: Person, line: list[str]) -> None:
    read = get(alice, "tags/flow")["ETag"]
    patched(alice, "flow", set_timeout(5, "c"))
    body = {"artifact": line[1]}
    unchanged(lambda: post(alice, "workflows/flow/revert", body, if_match=read), 412, "precondition_failed")


def test_what_is_not_there_is_404(alice: Person, mallory: Person, line: list[str]) -> None:
    theirs = create(mallory, "secret").json()["artifact"]["id"]
    for tag, ref in (("gone", line[1]), ("flow", "gone"), ("flow", theirs), ("flow", "flow~9")):
        unchanged(lambda tag=tag, ref=ref: revert(alice, tag, ref), 404, "not_found")
    refused(revert(mallory, "flow", line[1]), 404, "not_found")


def test_a_repeated_key_reverts_once(alice: Person, line: list[str]) -> None:
    body: Any = {"artifact": line[1]}
    first, again = (post(alice, "workflows/flow/revert", body, **{"Idempotency-Key": "k"}) for _ in range(2))
    assert (again.status_code, again.content) == (201, first.content)
