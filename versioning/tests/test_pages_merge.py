"""Merging by the page: what would come of it, choices where both changed, and the merge."""

from typing import Any

import pytest

from orchestrator.web.tests.browser import sign_in
from versioning.materialisation import definition_of
from versioning.models import TagMove
from versioning.tests.pages import FLOW, FLOWS, branch, change, make, now, page_at, sound

MERGE = f"{FLOWS}/side/merge"
PLACE = "/nodes/a/timeout_seconds"


@pytest.fixture
def flow(alice: Any) -> Any:
    make(alice)
    branch(alice, "side")
    return alice


def seconds(person: Any) -> dict[str, Any]:
    return {name: node.get("timeout_seconds") for name, node in definition_of(now(person).head)["nodes"].items()}


def test_without_a_target_the_page_asks_for_one(flow: Any) -> None:
    assert "Write into which workflow" in page_at(sign_in(flow), MERGE)


def test_a_preview_changes_nothing(flow: Any) -> None:
    change(flow, "side", node="b")
    answer = sign_in(flow).get(f"{MERGE}?into=flow")
    sound(answer)
    assert [(row["state"], row["name"]) for row in answer.context["rows"]] == [("changed", "b")]
    assert seconds(flow) == {"a": None, "b": None}


def test_what_fits_together_is_merged(flow: Any) -> None:
    change(flow, "side", node="b")
    change(flow, seconds=7)
    answer = sign_in(flow).post(MERGE, {"into": "flow", "version": now(flow).version})
    assert (answer.status_code, answer["Location"]) == (302, FLOW)
    assert seconds(flow) == {"a": 7, "b": 5}
    move = TagMove.objects.filter(tag__name="flow").latest("number")
    assert (move.kind, move.message) == ("merge", "Merge side into flow")


@pytest.mark.parametrize(("take", "expected"), [("ours", 7), ("theirs", 5)])
def test_conflicts_show_both_sides_and_are_decided(flow: Any, take: str, expected: int) -> None:
    change(flow, "side")
    change(flow, seconds=7)
    client = sign_in(flow)
    html = page_at(client, f"{MERGE}?into=flow")
    assert PLACE in html
    sent = {"into": "flow", "version": now(flow).version}
    sound(client.post(MERGE, sent), 409)
    assert client.post(MERGE, sent | {"pointer-0": PLACE, "take-0": take}).status_code == 302
    assert seconds(flow)["a"] == expected


def test_choices_that_were_made_are_kept_for_the_next_look(flow: Any) -> None:
    for node in ("a", "b"):
        change(flow, "side", node=node)
        change(flow, seconds=7, node=node)
    other = "/nodes/b/timeout_seconds"
    sent = {"into": "flow", "version": now(flow).version, "pointer-0": PLACE, "take-0": "ours", "pointer-1": other}
    answer = sign_in(flow).post(MERGE, sent)
    html = " ".join(sound(answer, 409).split())
    assert [row["pointer"] for row in answer.context["conflicts"]] == [other]
    assert f'name="pointer-0" value="{PLACE}"' in html
    assert f'name="pointer-1" value="{other}"' in html


def test_a_stale_merge_is_shown_again(flow: Any, bob: Any) -> None:
    change(flow, "side", node="b")
    stale = now(flow).version
    change(bob, seconds=7)
    html = sound(sign_in(flow).post(MERGE, {"into": "flow", "version": stale}), 200)
    assert "changed meanwhile by Bob" in html
    assert seconds(flow) == {"a": 7, "b": None}


@pytest.mark.parametrize(
    ("into", "status", "told"),
    [("nobody", 404, "no tag"), ("side", 200, "nothing to merge"), ("stranger", 200, "no common ancestor"),
     ("theirs", 404, "no tag")],
)  # fmt: skip
def test_what_cannot_be_merged_is_said(flow: Any, mallory: Any, into: str, status: int, told: str) -> None:
    make(flow, "stranger", "x")
    make(mallory, "theirs")
    assert told in page_at(sign_in(flow), f"{MERGE}?into={into}", status)
    posted = sign_in(flow).post(MERGE, {"into": into, "version": 1})
    assert posted.status_code >= 400


def test_a_choice_that_makes_no_sense_is_said(flow: Any) -> None:
    change(flow, "side")
    change(flow, seconds=7)
    sent = {"into": "flow", "version": now(flow).version, "pointer-0": "nonsense", "take-0": "ours"}
    assert "JSON Pointer" in sound(sign_in(flow).post(MERGE, sent), 422)
