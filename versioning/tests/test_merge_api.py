"""Merging and reverting over HTTP: what comes together by itself, what needs a choice, and what is refused."""

from typing import Any

import pytest

from conftest import Person
from orchestrator.events.models import Event
from versioning import materialisation
from versioning.documents import pointers
from versioning.models import Artifact
from versioning.services import artifacts
from versioning.tests.calls import (
    API,
    assert_tag,
    body_of,
    branch,
    create,
    done,
    get,
    head,
    merge,
    nothing_written,
    patched,
    post,
    refused,
    set_timeout,
    unchanged,
)

Operation = dict[str, Any]
PLANNER = {"type": "planner"}


def add(pointer: str, value: Any) -> Operation:
    return {"op": "add", "path": pointer, "value": value}


def remove(pointer: str) -> Operation:
    return {"op": "remove", "path": pointer}


def node(*needs: str, **fields: Any) -> dict[str, Any]:
    return {**PLANNER, **({"needs": [*needs]} if needs else {}), **fields}


@pytest.fixture
def flow(alice: Person) -> str:
    """The id of a version that ``ours`` and ``theirs`` have in common: a, b after a, and c on its own."""
    whole = {"name": "flow", "nodes": {"a": node(), "b": node("a", timeout_seconds=1), "c": node()}}
    made: str = done(post(alice, "workflows", {"tag": "ours", "definition": whole})).json()["artifact"]["id"]
    branch(alice, "theirs", "ours")
    return made


def diverge(person: Person, ours: Operation | None, theirs: Operation | None) -> None:
    for tag, operation in (("ours", ours), ("theirs", theirs)):
        if operation is not None:
            patched(person, tag, operation)


# --- clean -----------------------------------------------------------------------------------------------------------


def test_both_sides_come_together_in_a_version_with_two_parents(alice: Person, flow: str) -> None:
    diverge(alice, set_timeout(5), add("/nodes/d", node("b")))
    ends = [head(alice, "ours"), head(alice, "theirs")]
    answer = merge(alice, "ours", "theirs", message="both")
    told = answer.json()
    assert (answer.status_code, answer["Location"]) == (201, f"{API}/artifacts/{told['artifact']['id']}")
    assert (told["artifact"]["parents"], told["artifact"]["depth"], told["artifact"]["message"]) == (ends, 2, "both")
    assert_tag(told["tag"], get(alice, "tags/ours"))
    assert told["tag"]["artifact_id"] == told["artifact"]["id"]
    assert told["diff"]["nodes"]["added"] == {"d": node("b")}
    assert told["diff"]["edges"]["added"] == [{"from": "b", "to": "d"}]
    nodes = body_of(alice, "ours")["nodes"]
    assert (nodes["a"]["timeout_seconds"], nodes["d"]) == (5, node("b"))
    assert head(alice, "theirs") == ends[1], "the other side stays"
    move = get(alice, "tags/ours/history").json()["items"][0]
    assert (move["kind"], move["from"], move["to"], move["message"]) == ("merge", ends[0], head(alice, "ours"), "both")
    event = Event.objects.latest("seq")
    assert (event.event, event.details["to"]) == ("tag_merged", head(alice, "ours"))
    patch = get(alice, f"patches/{told['artifact']['id']}").json()
    assert (patch["base_id"], patch["operations"]) == (ends[0], [add("/nodes/d", node("b"))])


@pytest.mark.parametrize("form", ["tag", "id", "digest", "move"])
def test_any_name_of_a_version_may_be_merged(alice: Person, flow: str, form: str) -> None:
    diverge(alice, set_timeout(5), set_timeout(6, "c"))
    theirs = get(alice, "tags/theirs").json()
    ref = {"tag": "theirs", "id": theirs["artifact_id"], "digest": theirs["digest"], "move": "theirs@{2}"}[form]
    assert done(merge(alice, "ours", ref)).json()["artifact"]["parents"][1] == theirs["artifact_id"]


def test_a_side_without_changes_of_its_own_takes_all_of_the_other(alice: Person, flow: str) -> None:
    diverge(alice, None, set_timeout(5))
    told = done(merge(alice, "ours", "theirs")).json()["artifact"]
    assert told["parents"] == [flow, head(alice, "theirs")]
    assert told["digest"] == get(alice, "tags/theirs").json()["digest"]


def test_the_same_change_on_both_sides_is_no_conflict(alice: Person, flow: str) -> None:
    diverge(alice, set_timeout(5), set_timeout(5))
    told = done(merge(alice, "ours", "theirs")).json()
    assert told["diff"]["nodes"]["changed"] == {}
    assert len(told["artifact"]["parents"]) == 2


def test_edges_are_a_set(alice: Person, flow: str) -> None:
    diverge(alice, add("/nodes/b/needs/-", "c"), remove("/nodes/b/needs/0"))
    done(merge(alice, "ours", "theirs"))
    assert body_of(alice, "ours")["nodes"]["b"]["needs"] == ["c"]


# --- conflicts -------------------------------------------------------------------------------------------------------

B1 = node("a", timeout_seconds=1)
CONFLICTS: list[tuple[str, Operation, Operation, Any]] = [
    (
        "modify/modify", set_timeout(2, "b"), set_timeout(3, "b"),
        {"pointer": "/nodes/b/timeout_seconds", "base": 1, "ours": 2, "theirs": 3},
    ),
    (
        "modify/delete", remove("/nodes/b"), set_timeout(3, "b"),
        {"pointer": "/nodes/b", "base": B1, "theirs": {**B1, "timeout_seconds": 3}},
    ),
    (
        "modify/delete", set_timeout(2, "b"), remove("/nodes/b/timeout_seconds"),
        {"pointer": "/nodes/b/timeout_seconds", "base": 1, "ours": 2},
    ),
    (
        "add/add", add("/nodes/d", node()), add("/nodes/d", node("a")),
        {"pointer": "/nodes/d", "ours": node(), "theirs": node("a")},
    ),
    (
        "add/add", add("/nodes/a/with", {"a/b~": 1}), add("/nodes/a/with", {"a/b~": 2}),
        {"pointer": "/nodes/a/with/a~1b~0", "ours": 1, "theirs": 2},
    ),
    (
        "edge_to_deleted_node", remove("/nodes/c"), add("/nodes/b/needs", ["a", "c"]),
        {"pointer": "/nodes/b/needs", "base": ["a"], "ours": ["a"], "theirs": ["a", "c"]},
    ),
    ("invalid_graph", add("/nodes/a/needs", ["c"]), add("/nodes/c/needs", ["b"]), None),
    (
        "modify/modify", add("/name", "ours"), add("/name", "theirs"),
        {"pointer": "/name", "base": "flow", "ours": "ours", "theirs": "theirs"},
    ),
]  # fmt: skip
each_conflict = pytest.mark.parametrize(("kind", "ours", "theirs", "told"), CONFLICTS)


@each_conflict
def test_a_conflict_is_told_and_nothing_is_written(
    alice: Person, flow: str, kind: str, ours: Operation, theirs: Operation, told: Any
) -> None:
    diverge(alice, ours, theirs)
    error = unchanged(lambda: merge(alice, "ours", "theirs"), 409, "merge_conflict")
    ids = {"base_id": flow, "ours_id": head(alice, "ours"), "theirs_id": head(alice, "theirs")}
    assert {name: error["details"][name] for name in ids} == ids
    conflicts = error["details"]["conflicts"]
    assert {conflict["kind"] for conflict in conflicts} == {kind}
    assert all(set(conflict) <= {"kind", "pointer", "message", "base", "ours", "theirs"} for conflict in conflicts)
    if told is None:
        assert all(conflict["message"] for conflict in conflicts)
        assert {"/nodes/a/needs", "/nodes/b/needs", "/nodes/c/needs"} & {
            conflict["pointer"].removesuffix("/0") for conflict in conflicts
        }
    else:
        assert conflicts == [{"kind": kind, **told}]


@each_conflict
def test_a_dry_run_tells_the_same_and_writes_nothing(
    alice: Person, flow: str, kind: str, ours: Operation, theirs: Operation, told: Any
) -> None:
    diverge(alice, ours, theirs)
    conflicts = merge(alice, "ours", "theirs").json()["details"]["conflicts"]
    proposed = dry_run(alice)
    assert (proposed["mergeable"], proposed["conflicts"]) == (False, conflicts)


def dry_run(person: Person, **fields: Any) -> Any:
    with nothing_written():
        answer = merge(person, "ours", "theirs", dry_run=True, **fields)
    assert answer.status_code == 200, answer.content
    return answer.json()


def test_a_dry_run_of_a_clean_merge_shows_what_will_be(alice: Person, flow: str) -> None:
    diverge(alice, set_timeout(5), add("/nodes/d", node("b")))
    proposed = dry_run(alice, message="never mind")
    assert (proposed["mergeable"], proposed["conflicts"]) == (True, [])
    assert proposed["operations"] == [add("/nodes/d", node("b"))]
    merged = done(merge(alice, "ours", "theirs")).json()
    assert proposed["diff"] == merged["diff"]
    assert proposed["definition"] == body_of(alice, "ours")


def test_several_conflicts_are_told_together_by_pointer(alice: Person, flow: str) -> None:
    for tag, number in (("ours", 2), ("theirs", 3)):
        patched(alice, tag, add("/name", tag), set_timeout(number, "c"), set_timeout(number, "b"))
    conflicts = merge(alice, "ours", "theirs").json()["details"]["conflicts"]
    assert [conflict["pointer"] for conflict in conflicts] == [
        "/name", "/nodes/b/timeout_seconds", "/nodes/c/timeout_seconds",
    ]  # fmt: skip


# --- resolutions -----------------------------------------------------------------------------------------------------

TIMEOUT = "/nodes/b/timeout_seconds"


@pytest.mark.parametrize(
    ("pointer", "resolution", "expected"),
    [
        (TIMEOUT, {"take": "base"}, 1), (TIMEOUT, {"take": "ours"}, 2), (TIMEOUT, {"take": "theirs"}, 3),
        (TIMEOUT, {"value": 7}, 7), (TIMEOUT, {"remove": True}, pointers.ABSENT),
        ("/nodes/b", {"take": "base"}, 1), ("/nodes/b", {"take": "theirs"}, 3),
        ("/nodes/b", {"value": PLANNER}, pointers.ABSENT), ("/nodes/b", {"remove": True}, pointers.ABSENT),
        ("", {"take": "ours"}, 2), ("", {"value": {"nodes": {"b": node(timeout_seconds=9)}}}, 9),
    ],
)  # fmt: skip
def test_a_second_call_with_resolutions_finishes(
    alice: Person, flow: str, pointer: str, resolution: dict[str, Any], expected: Any
) -> None:
    diverge(alice, set_timeout(2, "b"), set_timeout(3, "b"))
    refused(merge(alice, "ours", "theirs"), 409, "merge_conflict")
    proposed = dry_run(alice, resolutions={pointer: resolution})
    assert (proposed["mergeable"], proposed["conflicts"]) == (True, [])
    told = done(merge(alice, "ours", "theirs", resolutions={pointer: resolution})).json()
    assert len(told["artifact"]["parents"]) == 2
    assert pointers.get(body_of(alice, "ours"), TIMEOUT) == expected
    assert body_of(alice, "ours") == proposed["definition"]


def test_what_is_not_resolved_is_still_told(alice: Person, flow: str) -> None:
    for tag, number in (("ours", 2), ("theirs", 3)):
        patched(alice, tag, set_timeout(number, "c"), set_timeout(number, "b"))
    chosen = {TIMEOUT: {"take": "ours"}}
    error = unchanged(lambda: merge(alice, "ours", "theirs", resolutions=chosen), 409, "merge_conflict")
    assert [conflict["pointer"] for conflict in error["details"]["conflicts"]] == ["/nodes/c/timeout_seconds"]


def test_each_kind_can_be_resolved(alice: Person, flow: str) -> None:
    ways = [("modify/delete", "/nodes/b"), ("add/add", "/nodes/d"), ("edge_to_deleted_node", "/nodes/b/needs")]
    for kind, pointer in ways:
        _, ours, theirs, _ = next(row for row in CONFLICTS if row[0] == kind and row[3]["pointer"] == pointer)
        branch(alice, f"{kind}/ours", "ours@{1}")
        branch(alice, f"{kind}/theirs", "ours@{1}")
        patched(alice, f"{kind}/ours", ours)
        patched(alice, f"{kind}/theirs", theirs)
        done(merge(alice, f"{kind}/ours", f"{kind}/theirs", resolutions={pointer: {"take": "ours"}}))
        assert body_of(alice, f"{kind}/ours") == body_of(alice, f"{kind}/ours~1")


def test_a_circle_that_both_sides_made_can_be_cut(alice: Person, flow: str) -> None:
    diverge(alice, add("/nodes/a/needs", ["c"]), add("/nodes/c/needs", ["b"]))
    done(merge(alice, "ours", "theirs", resolutions={"/nodes/a/needs": {"remove": True}}))
    assert body_of(alice, "ours")["nodes"]["c"]["needs"] == ["b"]


def test_a_resolution_that_makes_the_graph_invalid_is_a_conflict(alice: Person, flow: str) -> None:
    diverge(alice, set_timeout(2, "b"), set_timeout(3, "b"))
    for pointer, value in ((TIMEOUT, "soon"), ("", []), ("/nodes/b", {"type": "nobody"})):
        choice = {pointer: {"value": value}}
        error = unchanged(
            lambda choice=choice: merge(alice, "ours", "theirs", resolutions=choice), 409, "merge_conflict"
        )
        assert {conflict["kind"] for conflict in error["details"]["conflicts"]} == {"invalid_graph"}


@pytest.mark.parametrize(
    "resolution",
    [
        {}, {"take": "mine"}, {"take": "ours", "value": 1}, {"take": ["ours"]}, {"take": None}, {"remove": False},
        {"remove": 1}, {"remove": "true"}, {"keep": "ours"}, {"Take": "ours"}, "ours", ["ours"], None, 5, True,
    ],
)  # fmt: skip
@pytest.mark.parametrize("dry", [True, False])
def test_a_resolution_of_another_form_is_422(alice: Person, flow: str, resolution: Any, dry: bool) -> None:
    diverge(alice, set_timeout(2, "b"), set_timeout(3, "b"))
    chosen = {TIMEOUT: resolution}
    unchanged(lambda: merge(alice, "ours", "theirs", resolutions=chosen, dry_run=dry), 422, "validation_error")


@pytest.mark.parametrize("pointer", ["nodes/b", "/nodes/gone/timeout_seconds", "/name/x", "/nodes/b/needs/7", "/~2"])
def test_a_resolution_without_a_place_is_422_and_named(alice: Person, flow: str, pointer: str) -> None:
    diverge(alice, set_timeout(2, "b"), set_timeout(3, "b"))
    chosen = {TIMEOUT: {"take": "ours"}, pointer: {"value": 1}}
    error = unchanged(lambda: merge(alice, "ours", "theirs", resolutions=chosen), 422, "validation_error")
    assert pointer in error["details"]


# --- what cannot be merged -------------------------------------------------------------------------------------------


def test_nothing_to_merge_is_409(alice: Person, flow: str) -> None:
    patched(alice, "ours", set_timeout(5))
    for dry in (True, False):
        for ref in ("theirs", "ours", "ours~1", flow):
            unchanged(lambda ref=ref, dry=dry: merge(alice, "ours", ref, dry_run=dry), 409, "conflict")


def test_strangers_are_409(alice: Person, flow: str) -> None:
    create(alice, "stranger", "x")
    unchanged(lambda: merge(alice, "ours", "stranger"), 409, "conflict")


def test_the_same_definition_is_no_kinship(alice: Person) -> None:
    create(alice, "one")
    create(alice, "two")
    patched(alice, "two", set_timeout(1))
    unchanged(lambda: merge(alice, "one", "two"), 409, "conflict")


@pytest.mark.parametrize("dry", [True, False])
def test_a_stale_precondition_is_412(alice: Person, flow: str, dry: bool) -> None:
    read = get(alice, "tags/ours")["ETag"]
    diverge(alice, set_timeout(5), set_timeout(6, "c"))
    unchanged(lambda: merge(alice, "ours", "theirs", if_match=read, dry_run=dry), 412, "precondition_failed")
    done(merge(alice, "ours", "theirs", if_match=get(alice, "workflows/ours")["ETag"], dry_run=dry))


def test_what_is_not_there_is_404(alice: Person, mallory: Person, flow: str) -> None:
    create(mallory, "secret")
    for into, source in (("gone", "theirs"), ("ours", "gone"), ("ours", "secret"), ("ours", head(mallory, "secret"))):
        unchanged(lambda into=into, source=source: merge(alice, into, source), 404, "not_found")
    unchanged(lambda: merge(mallory, "secret", head(alice, "theirs")), 404, "not_found")


def test_only_a_tag_can_be_merged_into(alice: Person, flow: str) -> None:
    patched(alice, "theirs", set_timeout(5))
    for into in (flow, "ours~0", "ours@{1}"):
        unchanged(lambda into=into: merge(alice, into, "theirs"), 404, "not_found")


def test_a_repeated_key_merges_once(alice: Person, flow: str) -> None:
    diverge(alice, set_timeout(5), set_timeout(6, "c"))
    first, again = (
        post(alice, "merge", {"into": "ours", "from": "theirs"}, **{"Idempotency-Key": "k"}) for _ in range(2)
    )
    assert (again.status_code, again.content, again["Idempotent-Replayed"]) == (201, first.content, "true")


# --- histories that meet more than once ------------------------------------------------------------------------------


def test_a_second_merge_brings_only_what_is_new(alice: Person, flow: str) -> None:
    diverge(alice, set_timeout(2, "b"), set_timeout(3, "b"))
    done(merge(alice, "ours", "theirs", resolutions={TIMEOUT: {"take": "ours"}}))
    unchanged(lambda: merge(alice, "ours", "theirs"), 409, "conflict")
    patched(alice, "theirs", set_timeout(6, "c"))
    told = done(merge(alice, "ours", "theirs")).json()
    assert told["diff"]["nodes"]["changed"] == {"c": {"fields": {"timeout_seconds": {"to": 6}}}}
    assert body_of(alice, "ours")["nodes"]["b"]["timeout_seconds"] == 2
    back = done(merge(alice, "theirs", "ours")).json()
    assert back["artifact"]["digest"] == told["artifact"]["digest"]


def test_sides_that_took_each_other_merge_again(alice: Person, flow: str) -> None:
    diverge(alice, set_timeout(5), set_timeout(6, "c"))
    before = head(alice, "ours")
    done(merge(alice, "ours", "theirs"))
    done(merge(alice, "theirs", before))
    diverge(alice, add("/nodes/d", node("b")), add("/description", "new"))
    expected = body_of(alice, "ours") | {"description": "new"}
    done(merge(alice, "ours", "theirs"))
    assert body_of(alice, "ours") == expected
    done(merge(alice, "theirs", "ours"))
    assert body_of(alice, "theirs") == expected


def test_opposite_decisions_in_histories_that_cross_are_a_conflict(alice: Person, flow: str) -> None:
    """Each side has merged the other and decided for its own: to take either without asking would lose a decision."""
    diverge(alice, set_timeout(2, "b"), set_timeout(3, "b"))
    before = head(alice, "ours")
    done(merge(alice, "ours", "theirs", resolutions={TIMEOUT: {"take": "ours"}}))
    done(merge(alice, "theirs", before, resolutions={TIMEOUT: {"take": "ours"}}))
    assert [body_of(alice, tag)["nodes"]["b"]["timeout_seconds"] for tag in ("ours", "theirs")] == [2, 3]
    for into, source in (("ours", "theirs"), ("theirs", "ours")):
        error = unchanged(lambda into=into, source=source: merge(alice, into, source), 409, "merge_conflict")
        assert [conflict["pointer"] for conflict in error["details"]["conflicts"]] == [TIMEOUT]


def test_a_compaction_is_nobodys_common_ancestor(alice: Person, flow: str) -> None:
    """It is content said again: what a conflict names as the base must be a version that the log shows."""
    artifacts.compact(Artifact.objects.get(pk=flow), alice.actor)
    diverge(alice, set_timeout(2, "b"), set_timeout(3, "b"))
    assert merge(alice, "ours", "theirs").json()["details"]["base_id"] == flow
    done(merge(alice, "ours", "theirs", resolutions={TIMEOUT: {"take": "ours"}}))
    assert len(get(alice, "workflows/ours/log").json()["items"]) == 4


def test_more_than_a_thousand_differing_members_merge_and_read_back(alice: Person) -> None:
    count = 1500
    base = {"nodes": {"a": {**PLANNER, "with": {f"k{number}": 0 for number in range(count)}}, "b": PLANNER}}
    done(post(alice, "workflows", {"tag": "ours", "definition": base}))
    branch(alice, "theirs", "ours")
    diverge(
        alice, set_timeout(5, "b"),
        {"op": "replace", "path": "/nodes/a/with", "value": {f"k{number}": 1 for number in range(count)}},
    )  # fmt: skip
    merged = done(merge(alice, "ours", "theirs")).json()["artifact"]
    assert len(get(alice, f"patches/{merged['id']}").json()["operations"]) == count
    done(post(alice, "tags/ours/undo", {}))  # no tag keeps it whole any more
    materialisation.forget()
    found = get(alice, f"artifacts/{merged['id']}").json()["definition"]["nodes"]
    assert (set(found["a"]["with"].values()), len(found["a"]["with"])) == ({1}, count)
    assert found["b"]["timeout_seconds"] == 5
    done(post(alice, "tags/ours/redo", {}))
    patched(alice, "ours", {"op": "test", "path": "/nodes/a/with/k7", "value": 1}, set_timeout(6, "b"))


def test_a_merge_on_top_of_a_long_line_of_patches(alice: Person, flow: str) -> None:
    for seconds in range(1, 80):
        patched(alice, "ours", set_timeout(seconds))
        patched(alice, "theirs", set_timeout(seconds, "c"))
    merged = done(merge(alice, "ours", "theirs")).json()["artifact"]
    assert merged["depth"] == 80
    materialisation.forget()
    nodes = body_of(alice, merged["id"])["nodes"]
    assert nodes["a"]["timeout_seconds"] == nodes["c"]["timeout_seconds"] == 79
