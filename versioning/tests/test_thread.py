"""The thinnest thread through all of it, as a user walks it."""

from typing import Any

from conftest import Person
from versioning.tests.calls import API, definition, get, post


def test_create_patch_undo_redo_branch_merge(alice: Person) -> None:
    made = post(alice, "workflows", {"tag": "team/flow", "definition": definition("a", "b"), "message": "first"})
    assert made.status_code == 201, made.content
    assert made["Location"] == f"{API}/workflows/team/flow"
    patch = post(
        alice,
        "patches",
        {"tag": "team/flow", "operations": [{"op": "add", "path": "/nodes/b/timeout_seconds", "value": 5}]},
        if_match=made["ETag"],
    )
    assert patch.status_code == 201, patch.content
    assert patch.json()["tag"]["version"] == 2
    assert get(alice, "workflows/team/flow").json()["definition"]["nodes"]["b"]["timeout_seconds"] == 5
    assert post(alice, "tags/team/flow/undo", {}).status_code == 200
    assert get(alice, "workflows/team/flow").json()["definition"] == definition("a", "b")
    assert post(alice, "tags/team/flow/redo", {}).json()["artifact_id"] == patch.json()["id"]
    branch: Any = alice.client.put(
        f"{API}/tags/fix", {"tag": "team/flow~1"}, content_type="application/json", headers={"If-None-Match": "*"}
    )
    assert branch.status_code == 201, branch.content
    more = {"op": "add", "path": "/nodes/c", "value": {"type": "planner", "needs": ["b"]}}
    assert post(alice, "patches", {"tag": "fix", "operations": [more]}).status_code == 201
    merged = post(alice, "merge", {"into": "team/flow", "from": "fix"})
    assert merged.status_code == 201, merged.content
    assert len(merged.json()["artifact"]["parents"]) == 2
    found = get(alice, "workflows/team/flow").json()["definition"]["nodes"]
    assert found["b"]["timeout_seconds"] == 5
    assert found["c"]["needs"] == ["b"]
    log = get(alice, "workflows/team/flow/log").json()["items"]
    assert [row["depth"] for row in log] == [2, 1, 1, 0]
    history = get(alice, "tags/team/flow/history").json()["items"]
    assert [(row["number"], row["kind"]) for row in history] == [
        (5, "merge"), (4, "redo"), (3, "undo"), (2, "patch"), (1, "create"),
    ]  # fmt: skip
    diff = get(alice, "diff?from=team/flow@{1}&to=team/flow").json()
    assert diff["nodes"]["added"].keys() == {"c"}
    assert diff["edges"]["added"] == [{"from": "b", "to": "c"}]
