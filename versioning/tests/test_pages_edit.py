"""Editing a definition by the page: faults at their place, and two editors of whom nobody loses a word."""

from typing import Any

import pytest

from orchestrator.web.tests.browser import sign_in
from versioning.materialisation import definition_of
from versioning.models import TagMove
from versioning.pages.places import parse
from versioning.services import tags
from versioning.tests.calls import definition
from versioning.tests.pages import FLOW, FLOWS, change, draft, make, now, page_at, said, sound

EDIT = f"{FLOW}/edit"


def timeouts(person: Any, tag: str = "flow") -> dict[str, Any]:
    nodes = definition_of(now(person, tag).head)["nodes"]
    return {name: node["timeout_seconds"] for name, node in nodes.items() if "timeout_seconds" in node}


def with_timeouts(**seconds: int) -> dict[str, Any]:
    document = definition("a", "b")
    for name, number in seconds.items():
        document["nodes"][name]["timeout_seconds"] = number
    return document


def test_the_form_holds_the_definition_and_what_it_was_made_from(alice: Any) -> None:
    tag = make(alice)
    page_at(sign_in(alice), EDIT)
    begun = sign_in(alice).get(EDIT).context["form"].initial
    assert (begun["version"], begun["base"]) == (tag.version, tag.head.pk)
    assert parse(begun["text"]) == (definition("a", "b"), [])


def test_saving_is_a_patch_with_a_message_and_an_author(alice: Any, bob: Any) -> None:
    tag = make(alice)
    answer = sign_in(bob).post(EDIT, draft(tag, with_timeouts(a=5), message="Wait for a"))
    assert (answer.status_code, answer["Location"]) == (302, FLOW)
    move = TagMove.objects.get(tag=tag, number=2)
    assert (move.kind, move.actor, move.message) == ("patch", str(bob.actor), "Wait for a")
    assert timeouts(alice) == {"a": 5}


def test_line_ends_of_a_browser_do_not_matter(alice: Any) -> None:
    tag = make(alice)
    sent = draft(tag, with_timeouts(a=5))
    sign_in(alice).post(EDIT, sent | {"text": sent["text"].replace("\n", "\r\n")})
    assert timeouts(alice) == {"a": 5}


def test_saving_without_a_change_writes_nothing(alice: Any) -> None:
    tag = make(alice)
    assert "Nothing was saved" in said(sign_in(alice).post(EDIT, draft(tag, definition("a", "b"))))
    assert TagMove.objects.filter(tag=tag).count() == 1


def test_more_changes_than_a_patch_may_have_are_saved(alice: Any) -> None:
    names = [f"n{number}" for number in range(1100)]
    tag = make(alice, "flow", *names[:50])
    other = definition(*names)
    for node in other["nodes"].values():
        node.pop("needs", None)
    assert sign_in(alice).post(EDIT, draft(tag, other)).status_code == 302
    assert len(definition_of(now(alice).head)["nodes"]) == 1100


@pytest.mark.parametrize(
    ("text", "lines"),
    [('{\n "nodes": {\n  "a": {"type": "planner"}\n}', [4]),
     ('{\n "nodes": {\n  "a": {"type": "nonsense"}\n }\n}', [3]),
     ('{\n "nodes": {\n  "a": {"type": "planner", "x": 1,\n   "needs": ["b"]}\n }\n}', [3, 4]), ("[]", [1])],
)  # fmt: skip
def test_faults_are_told_at_their_lines_and_the_text_is_kept(alice: Any, text: str, lines: list[int]) -> None:
    tag = make(alice)
    answer = sign_in(alice).post(EDIT, draft(tag, text, message="Try"))
    sound(answer, 422)
    assert [fault.line for fault in answer.context["faults"]] == lines
    form = answer.context["form"]
    assert [form[name].value() for name in ("text", "message", "version")] == [text, "Try", str(tag.version)]
    assert now(alice).version == tag.version


def test_of_a_long_text_the_lines_around_a_fault_are_shown(alice: Any) -> None:
    tag = make(alice)
    html = sound(sign_in(alice).post(EDIT, draft(tag, "{" + "\n" * 5000 + "nodes}")), 422)
    assert [number for number in (1, 4997, 4998, 5001) if f'id="line-{number}"' in html] == [4998, 5001]


def test_a_form_that_does_not_say_what_it_began_with_is_refused(alice: Any) -> None:
    tag = make(alice)
    for wrong in ({"version": "x"}, {"base": "x"}, {"version": ""}):
        assert "Begin again" in sound(sign_in(alice).post(EDIT, draft(tag, with_timeouts(a=5)) | wrong), 422)
    assert timeouts(alice) == {}


# --- two editors ------------------------------------------------------------------------------------------------------


def test_the_second_editor_sees_who_was_faster_and_both_sides(alice: Any, bob: Any) -> None:
    begun = make(alice)
    change(bob, node="b", seconds=7, message="Bob was here")
    answer = sign_in(alice).post(EDIT, draft(begun, with_timeouts(a=5), message="Mine"))
    html = sound(answer, 409)
    assert "Bob was here" in html
    assert "Bob" in html
    assert [side["rows"][0]["name"] for side in answer.context["sides"]] == ["b", "a"]
    assert timeouts(alice) == {"b": 7}


def test_changes_that_fit_together_are_saved_merged(alice: Any, bob: Any) -> None:
    begun = make(alice)
    change(bob, node="b", seconds=7)
    client = sign_in(alice)
    shown = client.post(EDIT, draft(begun, with_timeouts(a=5))).context
    again = draft(shown["tag"], shown["merged"], message="Both")
    assert client.post(EDIT, again).status_code == 302
    assert timeouts(alice) == {"a": 5, "b": 7}


@pytest.mark.parametrize(("take", "seconds"), [("ours", 5), ("theirs", 7)])
def test_where_both_changed_the_second_editor_decides(alice: Any, bob: Any, take: str, seconds: int) -> None:
    begun = make(alice)
    change(bob, seconds=7)
    client = sign_in(alice)
    mine = draft(begun, with_timeouts(a=5, b=3))
    shown = client.post(EDIT, mine).context
    assert [row["pointer"] for row in shown["conflicts"]] == ["/nodes/a/timeout_seconds"]
    choice = {"do": "resolve", "pointer-0": "/nodes/a/timeout_seconds", "take-0": take}
    answer = client.post(EDIT, mine | choice | {"version": shown["tag"].version})
    assert answer.status_code == 302
    assert timeouts(alice) == {"a": seconds, "b": 3}


def test_without_a_choice_nothing_is_saved(alice: Any, bob: Any) -> None:
    begun = make(alice)
    change(bob, seconds=7)
    mine = draft(begun, with_timeouts(a=5)) | {"do": "resolve", "pointer-0": "/nodes/a/timeout_seconds"}
    sound(sign_in(alice).post(EDIT, mine | {"version": now(alice).version}), 409)
    assert timeouts(alice) == {"a": 7}


@pytest.mark.parametrize("choice", [("nonsense", "ours"), ("/nodes/a/timeout_seconds", "nobody"), ("/x/y/z", "ours")])
def test_a_choice_that_makes_no_sense_is_refused(alice: Any, bob: Any, choice: tuple[str, str]) -> None:
    begun = make(alice)
    change(bob, seconds=7)
    mine = draft(begun, with_timeouts(a=5)) | {"do": "resolve", "pointer-0": choice[0], "take-0": choice[1]}
    sound(sign_in(alice).post(EDIT, mine | {"version": now(alice).version}), 409)
    assert timeouts(alice) == {"a": 7}


def test_a_third_editor_in_between_is_seen_too(alice: Any, bob: Any) -> None:
    begun = make(alice)
    seen = change(bob, seconds=7)
    change(bob, seconds=8, message="Once more")
    choice = {"do": "resolve", "pointer-0": "/nodes/a/timeout_seconds", "take-0": "ours"}
    answer = sign_in(alice).post(EDIT, draft(begun, with_timeouts(a=5)) | choice | {"version": seen.version})
    assert "Once more" in sound(answer, 409)
    assert timeouts(alice) == {"a": 8}


def test_a_merge_that_is_no_workflow_is_not_offered(alice: Any, bob: Any) -> None:
    begun = make(alice)
    theirs = definition("a", "b")
    theirs["nodes"]["c"] = {"type": "planner", "needs": ["b"]}
    sign_in(bob).post(EDIT, draft(begun, theirs))
    mine = definition("a")
    answer = sign_in(alice).post(EDIT, draft(begun, mine))
    assert answer.context["conflicts"]
    sound(answer, 409)
    assert "c" in definition_of(now(alice).head)["nodes"]


def test_what_went_and_came_back_is_no_conflict(alice: Any, bob: Any) -> None:
    begun = make(alice)
    change(bob)
    tags.undo_tag(actor=bob.actor, name="flow")
    assert sign_in(alice).post(EDIT, draft(begun, with_timeouts(a=5))).status_code == 302
    assert timeouts(alice) == {"a": 5}


def test_a_workflow_that_was_deleted_meanwhile_is_offered_as_a_new_one(alice: Any, bob: Any) -> None:
    begun = make(alice)
    tags.delete_tag(actor=bob.actor, name="flow")
    client = sign_in(alice)
    answer = client.post(EDIT, draft(begun, with_timeouts(a=5), message="Mine"))
    assert "deleted meanwhile by Bob" in sound(answer, 409)
    kept = {name: answer.context["form"][name].value() for name in ("tag", "text", "message")}
    assert client.post(f"{FLOWS}/new", kept).status_code == 302
    assert timeouts(alice) == {"a": 5}


def test_a_protected_workflow_keeps_the_text_of_who_may_not_change_it(alice: Any, bob: Any) -> None:
    make(alice)
    begun = tags.protect_tag(actor=alice.actor, name="flow", protected=True)
    answer = sign_in(bob).post(EDIT, draft(now(alice), with_timeouts(a=5)))
    sound(answer, 403)
    assert '"timeout_seconds": 5' in answer.context["form"]["text"].value()
    assert "only admins change it" in page_at(sign_in(bob), EDIT)
    assert sign_in(alice).post(EDIT, draft(now(alice), with_timeouts(a=5))).status_code == 302
    assert begun.protected


# --- undo, redo, promote, delete --------------------------------------------------------------------------------------


def test_undo_and_redo_walk(alice: Any) -> None:
    make(alice)
    change(alice)
    client = sign_in(alice)
    assert "Undone" in said(client.post(f"{FLOW}/undo", {"version": now(alice).version}))
    assert timeouts(alice) == {}
    assert "Redone" in said(client.post(f"{FLOW}/redo", {"version": now(alice).version}))
    assert timeouts(alice) == {"a": 5}
    assert "nothing to redo" in said(client.post(f"{FLOW}/redo", {"version": now(alice).version}))


@pytest.mark.parametrize("step", ["undo", "redo", "delete"])
def test_a_stale_page_moves_nothing_and_says_who_was_faster(alice: Any, bob: Any, step: str) -> None:
    make(alice)
    stale = change(alice).version
    change(bob, seconds=7)
    before = now(alice)
    told = said(sign_in(alice).post(f"{FLOW}/{step}", {"version": stale}))
    assert "changed meanwhile by Bob" in told
    assert now(alice).version == before.version


@pytest.mark.parametrize("version", ["", "x", "-1"])
def test_a_step_that_names_no_state_moves_nothing(alice: Any, version: str) -> None:
    make(alice)
    before = change(alice).version
    assert "did not say what you saw" in said(sign_in(alice).post(f"{FLOW}/undo", {"version": version}))
    assert now(alice).version == before


def test_delete_takes_the_name_alone(alice: Any) -> None:
    tag = make(alice)
    answer = sign_in(alice).post(f"{FLOW}/delete", {"version": tag.version})
    assert answer["Location"] == FLOWS
    assert TagMove.objects.filter(tag=tag).count() == 2


@pytest.mark.parametrize("name", ["bad name", "", "flow", "a/undo"])
def test_a_branch_needs_a_name_that_is_free(alice: Any, name: str) -> None:
    make(alice)
    answer = sign_in(alice).post(f"{FLOW}/branch", {"name": name})
    assert answer["Location"] == FLOW
    assert said(answer)


def test_promote_shows_what_would_change_and_then_does_it(alice: Any) -> None:
    make(alice)
    make(alice, "production", "x")
    client = sign_in(alice)
    path = f"{FLOW}/promote?into=production"
    assert "added" in page_at(client, path)
    shown = client.get(path).context
    sent = {"into": "production", "at": str(shown["shown"].pk), "version": shown["target"].version, "message": "Go"}
    answer = client.post(f"{FLOW}/promote", sent)
    assert answer["Location"] == f"{FLOWS}/production"
    assert now(alice, "production").head == now(alice).head
    assert "is at this version already" in page_at(client, path)


def test_a_stale_promotion_moves_nothing(alice: Any, bob: Any) -> None:
    make(alice)
    stale = make(alice, "production", "x").version
    change(bob, "production", node="x")
    sent = {"into": "production", "version": stale}
    assert "changed meanwhile by Bob" in said(sign_in(alice).post(f"{FLOW}/promote", sent))
    assert now(alice, "production").head != now(alice).head


def test_only_a_name_that_is_there_is_promoted(alice: Any, mallory: Any) -> None:
    make(alice)
    make(mallory, "theirs")
    assert "There is no workflow" in page_at(sign_in(alice), f"{FLOW}/promote?into=theirs", 422)


def test_members_do_not_move_a_protected_name(alice: Any, bob: Any) -> None:
    make(alice)
    make(alice, "production", "x")
    version = tags.protect_tag(actor=alice.actor, name="production", protected=True).version
    assert "only admins move it" in page_at(sign_in(bob), f"{FLOW}/promote?into=production")
    assert sign_in(bob).post(f"{FLOW}/promote", {"into": "production", "version": version}).status_code == 403
