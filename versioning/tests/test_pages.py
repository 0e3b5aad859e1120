"""/dashboard/workflows: list, new, page of one, history, differences: for whom, and at what cost."""

from typing import Any

import pytest

from orchestrator.web import palette
from orchestrator.web.paging import PAGE_SIZE
from orchestrator.web.tests.browser import queries, sign_in
from versioning import refs
from versioning.models import Artifact, Tag, TagMove
from versioning.pages.addresses import page_url
from versioning.pages.lineages import OTHERS_DRAWN, OWN_DRAWN, history_of
from versioning.services import merges, tags
from versioning.tests.calls import definition
from versioning.tests.pages import FLOW, FLOWS, branch, change, make, now, page_at, said, sound

PAGES = ("", "/history", "/diff", "/download", "/page")
WRITERS = ("/edit", "/merge", "/promote")


# --- the list ---------------------------------------------------------------------------------------------------------


def test_an_empty_list_says_how_to_begin(alice: Any, carol: Any) -> None:
    assert "Write the first one" in page_at(sign_in(alice), FLOWS)
    assert "Write the first one" not in page_at(sign_in(carol), FLOWS)


def test_the_list_tells_the_last_change(alice: Any) -> None:
    make(alice)
    change(alice, message="Wait longer for the slow one")
    html = page_at(sign_in(alice), FLOWS)
    assert "Wait longer for the slow one" in html
    assert "changed by Alice" in html


def test_the_list_is_narrowed_by_the_beginning_of_the_name(alice: Any) -> None:
    make(alice, "team/one")
    make(alice, "Team/two")
    html = page_at(sign_in(alice), f"{FLOWS}?name=team/")
    assert "team/one" in html
    assert "Team/two" not in html
    assert "begins like this" in page_at(sign_in(alice), f"{FLOWS}?name=nobody")


def test_pages_of_the_list_hold_every_workflow_once(alice: Any) -> None:
    make(alice, "flow-000")
    for number in range(1, PAGE_SIZE + 3):
        branch(alice, f"flow-{number:03}", "flow-000")
    client = sign_in(alice)
    first = client.get(FLOWS)
    second = client.get(f"{FLOWS}?after={first.context['next']}")
    names = [row["tag"].name for answer in (first, second) for row in answer.context["rows"]]
    assert names == sorted(Tag.objects.values_list("name", flat=True))
    assert second.context["next"] == ""


def test_a_deleted_name_is_not_listed(alice: Any) -> None:
    make(alice)
    tags.delete_tag(actor=alice.actor, name="flow")
    assert f'href="{FLOW}"' not in page_at(sign_in(alice), FLOWS)
    assert sign_in(alice).get(FLOW).status_code == 404


# --- a new one --------------------------------------------------------------------------------------------------------


def test_the_example_of_the_form_makes_a_workflow(alice: Any) -> None:
    client = sign_in(alice)
    form = client.get(f"{FLOWS}/new").context["form"]
    page_at(client, f"{FLOWS}/new")
    answer = client.post(f"{FLOWS}/new", {"tag": "team/mine", "text": form["text"].value(), "message": "Mine"})
    assert (answer.status_code, answer["Location"]) == (302, f"{FLOWS}/team/mine")
    assert now(alice, "team/mine").head.message == "Mine"


def test_faults_of_the_graph_stand_at_their_lines_and_the_text_stays(alice: Any) -> None:
    text = '{\n  "nodes": {\n    "a": {"type": "planner", "needs": ["gone"]}\n  }\n}'
    answer = sign_in(alice).post(f"{FLOWS}/new", {"tag": "mine", "text": text})
    html = sound(answer, 422)
    assert [fault.line for fault in answer.context["faults"]] == [3]
    assert 'id="line-3" value="3" data-faulty' in " ".join(html.split())
    assert answer.context["form"]["text"].value() == text
    assert not Tag.objects.exists()


@pytest.mark.parametrize(
    ("fields", "told"),
    [({"text": "{nodes}"}, "This is not JSON"), ({"tag": "bad name"}, "Use 1 to 200"), ({"tag": ""}, "required"),
     ({"tag": "flow"}, "exists already"), ({"text": "[]"}, "is a JSON object"), ({"text": "  "}, "not JSON"),
     ({"text": ""}, "required"), ({"message": "x" * 1001}, "at most 1000")],
)  # fmt: skip
def test_what_is_wrong_is_said_in_the_form(alice: Any, fields: dict[str, str], told: str) -> None:
    make(alice)
    typed = {"tag": "mine", "text": '{"nodes": {"a": {"type": "planner"}}}', "message": ""} | fields
    assert told in sound(sign_in(alice).post(f"{FLOWS}/new", typed), 422)
    assert Tag.objects.count() == 1


# --- the page ---------------------------------------------------------------------------------------------------------


def test_the_page_shows_the_graph_the_nodes_and_the_definition(alice: Any) -> None:
    make(alice, "flow", "first", "second")
    html = page_at(sign_in(alice), FLOW)
    assert 'href="#node-second"' in html
    assert 'id="node-second"' in html
    assert "No run of this workflow yet" in html


def test_a_node_may_be_called_like_a_method(alice: Any) -> None:
    make(alice, "flow", "items", "keys", "values")
    change(alice, node="items")
    client = sign_in(alice)
    assert 'id="node-items"' in page_at(client, FLOW)
    assert "timeout_seconds" in page_at(client, f"{FLOW}/diff")


@pytest.mark.parametrize("at", ["1", "flow~1", "flow@{1}"])
def test_an_older_version_says_that_it_is_one(alice: Any, at: str) -> None:
    make(alice)
    change(alice)
    html = page_at(sign_in(alice), f"{FLOW}?at={at}")
    assert "You are looking at an older version" in html
    assert f'action="{FLOW}/undo"' not in html
    assert "You are looking at an older version" not in page_at(sign_in(alice), FLOW)


@pytest.mark.parametrize(("at", "status"), [("9", 404), ("nobody", 404), ("!", 422), ("flow~9", 404)])
def test_a_version_that_is_not_there_is_an_error_page(alice: Any, at: str, status: int) -> None:
    make(alice)
    assert sign_in(alice).get(FLOW, {"at": at}).status_code == status


def test_buttons_that_would_do_nothing_say_why(alice: Any) -> None:
    make(alice)
    html = page_at(sign_in(alice), FLOW)
    assert "Nothing to undo" in html
    assert "Nothing to redo" in html
    change(alice)
    assert "Nothing to undo" not in page_at(sign_in(alice), FLOW)


@pytest.mark.parametrize("name", ["edit", "a/edit", "new", "team/history/page", "1"])
def test_a_workflow_may_be_called_like_a_page(alice: Any, name: str) -> None:
    if name == "team/history/page":
        make(alice, "team")
    make(alice, name)
    client = sign_in(alice)
    answer = client.get(page_url(name))
    sound(answer)
    assert answer.context["tag"].name == name
    assert client.get(f"{FLOWS}/{name}/edit").context["tag"].name == name


def test_an_id_leads_to_the_page(alice: Any, mallory: Any) -> None:
    tag = make(alice)
    answer = sign_in(alice).get(f"{FLOWS}/{tag.pk}")
    assert (answer.status_code, answer["Location"]) == (302, FLOW)
    assert sign_in(mallory).get(f"{FLOWS}/{tag.pk}").status_code == 404
    assert f"{FLOWS}/{tag.pk}" in page_at(sign_in(alice), "/dashboard")


def test_a_version_has_a_page_of_its_own(alice: Any, mallory: Any) -> None:
    make(alice)
    old = now(alice).head.pk
    change(alice)
    assert "No tag stands on this version now" in page_at(sign_in(alice), f"/dashboard/versions/{old}")
    assert "Known by" in page_at(sign_in(alice), f"/dashboard/versions/{now(alice).head.pk}")
    assert sign_in(mallory).get(f"/dashboard/versions/{old}").status_code == 404
    assert sign_in(alice).get("/dashboard/versions/nonsense").status_code == 404


def test_the_definition_is_a_file(alice: Any) -> None:
    make(alice, "team/flow")
    answer = sign_in(alice).get(f"{FLOWS}/team/flow/download")
    assert answer.json() == definition("a", "b")
    assert 'filename="team-flow-' in answer["Content-Disposition"]


# --- history ----------------------------------------------------------------------------------------------------------


def test_history_draws_branches_merges_and_what_was_undone(alice: Any) -> None:
    make(alice)
    branch(alice, "side")
    change(alice, "side", node="b", message="On the side")
    change(alice, message="On the main line")
    merges.merge_tag(actor=alice.actor, into="flow", theirs=now(alice, "side").head, message="Together")
    change(alice, seconds=9, message="Too much")
    tags.undo_tag(actor=alice.actor, name="flow")
    rows = {row.version.message: row for row in history_of(now(alice)).rows}
    assert {message: row.kind for message, row in rows.items()} == {
        "Too much": "patch", "Together": "merge", "On the side": "patch", "On the main line": "patch", "Begun": "root",
    }  # fmt: skip
    assert [message for message, row in rows.items() if row.is_undone] == ["Too much"]
    assert [message for message, row in rows.items() if row.is_here] == ["Together"]
    assert rows["On the side"].tags == ["side"]
    assert rows["On the side"].place.lane != rows["On the main line"].place.lane


def test_history_draws_a_branch_that_went_its_own_way(alice: Any) -> None:
    make(alice)
    branch(alice, "side")
    change(alice, "side", message="On the side")
    change(alice, "side", seconds=6, message="Further")
    assert {"On the side", "Further"} <= {row.version.message for row in history_of(now(alice)).rows}


def test_a_branch_that_grew_far_does_not_hide_the_workflow(alice: Any) -> None:
    make(alice)
    branch(alice, "side")
    for seconds in range(1, OWN_DRAWN + 10):
        change(alice, "side", seconds=seconds)
    [here] = [row for row in history_of(now(alice)).rows if row.is_here]
    assert here.version.message == "Begun"


def test_much_that_was_undone_does_not_hide_where_the_workflow_is(alice: Any) -> None:
    make(alice)
    for seconds in range(1, OWN_DRAWN + 5):
        change(alice, seconds=seconds)
    for _ in range(OWN_DRAWN + 4):
        tags.undo_tag(actor=alice.actor, name="flow")
    history = history_of(now(alice))
    assert [row.version.message for row in history.rows if row.is_here] == ["Begun"]
    assert len(history.rows) <= OWN_DRAWN + OTHERS_DRAWN


def test_history_says_where_undo_and_redo_lead(alice: Any) -> None:
    make(alice)
    for seconds in (1, 2, 3):
        change(alice, seconds=seconds, message=f"{seconds} s")
    tags.undo_tag(actor=alice.actor, name="flow")
    tags.undo_tag(actor=alice.actor, name="flow")
    change(alice, seconds=9, message="Another way")
    tags.undo_tag(actor=alice.actor, name="flow")
    answer = sign_in(alice).get(f"{FLOW}/history")
    sound(answer)
    standing = {row["move"].message: row["standing"] for row in answer.context["moves"] if row["move"].kind != "undo"}
    assert standing == {"Another way": "undone", "3 s": "cut off", "2 s": "cut off", "1 s": "here", "Begun": ""}


def test_pages_of_the_history_hold_every_move_once(alice: Any) -> None:
    make(alice)
    for seconds in range(1, PAGE_SIZE + 3):
        change(alice, seconds=seconds)
    client = sign_in(alice)
    first = client.get(f"{FLOW}/history")
    sound(first)
    second = client.get(f"{FLOW}/history?before={first.context['older']}")
    sound(second)
    numbers = [row["move"].number for answer in (first, second) for row in answer.context["moves"]]
    assert numbers == list(range(PAGE_SIZE + 3, 0, -1))
    assert client.get(f"{FLOW}/history?before=nonsense").status_code == 404


# --- differences ------------------------------------------------------------------------------------------------------


def test_two_versions_are_compared_as_graph_list_and_text(alice: Any) -> None:
    make(alice, "flow", "a", "b")
    make(alice, "other", "b", "c")
    answer = sign_in(alice).get(f"{FLOW}/diff?from=flow&to=other")
    html = sound(answer)
    assert {box.name: box.state for box in answer.context["drawing"].boxes} == {
        "a": "removed", "b": "changed", "c": "added",
    }  # fmt: skip
    assert {"removed: planner", "added: planner"} <= {box.note for box in answer.context["drawing"].boxes}
    assert [(row["state"], row["pointer"]) for row in answer.context["rows"]] == [
        ("added", "/nodes/c"), ("removed", "/nodes/a"), ("changed", "/nodes/b"),
    ]  # fmt: skip
    assert 'data-mark="+"' in html
    assert 'data-mark="-"' in html


def test_without_a_choice_the_head_is_compared_with_the_version_before(alice: Any) -> None:
    make(alice)
    before = now(alice).head
    change(alice)
    answer = sign_in(alice).get(f"{FLOW}/diff")
    assert (answer.context["old"].pk, answer.context["new"].pk) == (before.pk, now(alice).head.pk)


def test_the_first_version_compares_to_itself(alice: Any) -> None:
    make(alice)
    assert "say the same" in page_at(sign_in(alice), f"{FLOW}/diff")


def test_an_edge_that_was_turned_around_is_drawn(alice: Any) -> None:
    make(alice, "flow", "a", "b")
    make(alice, "other", "b", "a")
    drawing = sign_in(alice).get(f"{FLOW}/diff?from=flow&to=other").context["drawing"]
    assert [(edge.source, edge.target, edge.state) for edge in drawing.layout.edges] == [("b", "a", "added")]


@pytest.mark.parametrize(("query", "status"), [("from=nobody", 404), ("to=!", 422)])
def test_a_version_that_nobody_has_is_said_in_the_form(alice: Any, query: str, status: int) -> None:
    make(alice)
    assert "notice" in page_at(sign_in(alice), f"{FLOW}/diff?{query}", status)


def test_another_orgs_version_cannot_be_compared(alice: Any, mallory: Any) -> None:
    make(alice)
    theirs = make(mallory, "theirs").head.pk
    assert sign_in(alice).get(f"{FLOW}/diff?from={theirs}").status_code == 404


# --- who, and what it costs -------------------------------------------------------------------------------------------


def test_strangers_find_nothing(alice: Any, mallory: Any) -> None:
    make(alice)
    client = sign_in(mallory)
    assert [client.get(FLOW + page).status_code for page in (*PAGES, *WRITERS)] == [404] * 8
    posts = ("/edit", "/merge", "/promote", "/undo", "/redo", "/delete", "/branch")
    assert [client.post(FLOW + page, {"version": 1}).status_code for page in posts] == [404] * 7
    assert f'href="{FLOW}"' not in page_at(client, FLOWS)


def test_viewers_look_and_see_no_button(alice: Any, carol: Any) -> None:
    make(alice)
    change(alice)
    client = sign_in(carol)
    for path in ("", "/history", "/diff"):
        html = page_at(client, FLOW + path)
        assert f"{FLOW}/undo" not in html
        assert f"{FLOW}/promote" not in html
    assert [client.get(FLOW + page).status_code for page in WRITERS] == [403] * 3
    assert client.get(f"{FLOWS}/new").status_code == 403
    assert client.post(f"{FLOW}/undo", {"version": now(alice).version}).status_code == 403


@pytest.mark.parametrize("path", ["", "/history", "/diff", "/edit", "/merge?into=side", "/promote?into=side"])
def test_no_page_asks_more_of_a_longer_history(alice: Any, path: str) -> None:
    make(alice)
    branch(alice, "side")
    change(alice, message="One")
    change(alice, "side", node="b", message="Another")
    client = sign_in(alice)
    page_at(client, FLOW + path)
    few = queries(lambda: client.get(FLOW + path))
    for seconds in range(10, 18):
        branch(alice, f"side-{seconds}")
        change(alice, seconds=seconds)
    page_at(client, FLOW + path)
    assert queries(lambda: client.get(FLOW + path)) == few


def test_the_list_asks_the_same_whatever_its_length(alice: Any) -> None:
    make(alice)
    client = sign_in(alice)
    few = queries(lambda: client.get(FLOWS))
    for number in range(8):
        branch(alice, f"other-{number}")
    assert queries(lambda: client.get(FLOWS)) == few


def test_the_palette_finds_workflows_by_any_part_of_the_name(alice: Any, mallory: Any) -> None:
    for name in ("team/nightly", "nightly", "other"):
        make(alice, name)
    found = dict(palette.found(alice.actor, "night"))["Workflows"]
    assert [hit.label for hit in found] == ["nightly", "team/nightly"]
    assert "Workflows" not in dict(palette.found(mallory.actor, "night"))


def test_no_version_is_lost_to_the_page_of_a_branch(alice: Any) -> None:
    make(alice)
    answer = sign_in(alice).post(f"{FLOW}/branch", {"name": "side", "at": str(now(alice).head.pk)})
    assert (answer.status_code, answer["Location"]) == (302, f"{FLOWS}/side")
    assert now(alice, "side").head == now(alice).head
    assert "new branch" in said(answer)
    assert TagMove.objects.filter(tag__name="side").get().message == "Branch of flow"
    assert Artifact.objects.count() == 1
    assert refs.find_tag(alice.org.id, "side")
