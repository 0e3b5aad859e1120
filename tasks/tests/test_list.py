"""GET /api/v1/collab/state/tasks and its filters."""

import pytest
from django.test import Client

from conftest import Person
from tasks import services
from tasks.states import Status
from tasks.tests.calls import STATE, TASKS, add, of, refused, send, titles


@pytest.fixture
def board(alice: Person) -> Person:
    """Five tasks, oldest first: Alpha, Beta, Gamma, Delta, Ελληνικά."""
    add(alice, "Alpha", description="first letter", labels=["greek", "short"], assignee="ann")
    beta = add(alice, "Beta", labels=["greek"], assignee="ann")
    add(alice, "Gamma", description="100% of it", labels=["short"], assignee="bert")
    delta = add(alice, "Delta", description="under_score")
    add(alice, "Ελληνικά", description="STRASSE é", assignee="Ann")
    for task, status in ((beta, "in_progress"), (delta, "cancelled")):
        assert send(alice.client, "POST", f"{of(task)}/transition", {"status": status}).status_code == 200
    return alice


def test_newest_first_in_one_envelope(board: Person) -> None:
    body = board.client.get(STATE).json()
    assert (body["kind"], body["next_cursor"]) == ("tasks", None)
    assert [item["title"] for item in body["items"]] == ["Ελληνικά", "Delta", "Gamma", "Beta", "Alpha"]


def test_an_item_is_the_same_as_the_single_resource(board: Person) -> None:
    for item in board.client.get(STATE).json()["items"]:
        assert board.client.get(of(item)).json() == item


@pytest.mark.parametrize("path", [STATE, f"{STATE}/", TASKS, f"{TASKS}/"])
def test_both_names_answer_the_same_list(board: Person, path: str) -> None:
    one, two = board.client.get(STATE), board.client.get(path)
    assert (one.content, one["ETag"]) == (two.content, two["ETag"])


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("status=todo", ["Ελληνικά", "Gamma", "Alpha"]),
        ("status=in_progress", ["Beta"]),
        ("status=in_progress&status=cancelled", ["Delta", "Beta"]),
        ("status=done", []),
        ("label=greek", ["Beta", "Alpha"]),
        ("label=greek&label=short", ["Alpha"]),
        ("label=Greek", []),
        ("assignee=ann", ["Beta", "Alpha"]),
        ("assignee=nobody", []),
        ("q=LETTER", ["Alpha"]),
        ("q=gam", ["Gamma"]),
        ("q=ΕΛΛΗΝ", ["Ελληνικά"]),
        ("q=É", ["Ελληνικά"]),
        ("q=0%25 of", ["Gamma"]),
        ("q=%25", ["Gamma"]),
        ("q=r_s", ["Delta"]),
        ("q=.*", []),
        ("q=(", []),
        ("q=\\", []),
        ("status=todo&label=short&assignee=bert&q=of", ["Gamma"]),
        ("status=todo&label=short&assignee=bert&q=letter", []),
    ],
)
def test_filters(board: Person, query: str, expected: list[str]) -> None:
    assert titles(board.client.get(f"{STATE}?{query}")) == expected


def test_every_status_is_a_filter(board: Person) -> None:
    found = [title for status in Status.values for title in titles(board.client.get(f"{STATE}?status={status}"))]
    assert sorted(found) == sorted(titles(board.client.get(STATE)))


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("status=banana", "status"),
        ("status=todo&status=banana", "status"),
        ("status=", "status"),
        ("label=", "label"),
        (f"label={'x' * 51}", "label"),
        (f"assignee={'x' * 201}", "assignee"),
        (f"q={'x' * 201}", "q"),
        ("priority=1", "priority"),
        ("limit=0", "limit"),
        ("limit=1001", "limit"),
        ("limit=ten", "limit"),
        ("cursor=nonsense", "cursor"),
        ("q=%00", "q"),
    ],
)
def test_unknown_filters_and_bad_values_are_422(alice: Person, query: str, field: str) -> None:
    assert field in refused(alice.client.get(f"{STATE}?{query}"), 422, "validation_error")["details"]


def test_a_bad_status_names_the_allowed_ones(alice: Person) -> None:
    [sentence] = alice.client.get(f"{STATE}?status=banana").json()["details"]["status"]
    assert "banana" in sentence
    assert all(status in sentence for status in Status.values)


def test_pages_meet_every_task_once_and_filters_come_before_limits(alice: Person) -> None:
    for number in range(7):
        services.create_task(actor=alice.actor, title=str(number), labels=["odd"] if number % 2 else [])
    seen, cursor = [], ""
    while cursor is not None:
        body = alice.client.get(f"{STATE}?label=odd&limit=2{cursor and f'&cursor={cursor}'}").json()
        seen.append([item["title"] for item in body["items"]])
        cursor = body["next_cursor"]
    assert seen == [["5", "3"], ["1"]]


def test_anonymous_callers_see_the_public_org(board: Person, settings: object) -> None:
    for name in (board.org.slug, str(board.org.id)):
        settings.PUBLIC_ORG = name  # type: ignore[attr-defined]
        for path in (STATE, TASKS):
            answer = Client().get(path)
            assert (answer.content, answer["ETag"]) == (
                board.client.get(STATE).content,
                board.client.get(STATE)["ETag"],
            )
        assert Client().get(STATE, headers={"If-None-Match": answer["ETag"]}).status_code == 304


@pytest.mark.parametrize("name", ["", "no-such-org"])
def test_without_a_public_org_anonymous_callers_get_401(board: Person, settings: object, name: str) -> None:
    settings.PUBLIC_ORG = name  # type: ignore[attr-defined]
    refused(Client().get(STATE), 401, "not_authenticated")


def test_wrong_credentials_are_401_even_where_anonymous_callers_may_read(board: Person, settings: object) -> None:
    settings.PUBLIC_ORG = board.org.slug  # type: ignore[attr-defined]
    refused(Client().get(STATE, headers={"Authorization": "Bearer wrong"}), 401, "not_authenticated")


def test_only_the_list_is_public(board: Person, settings: object) -> None:
    settings.PUBLIC_ORG = board.org.slug  # type: ignore[attr-defined]
    task = Client().get(STATE).json()["items"][0]
    refused(Client().get(of(task)), 401, "not_authenticated")
    refused(send(Client(), "PATCH", of(task), {}, if_match="*"), 401, "not_authenticated")
    refused(send(Client(), "POST", f"{of(task)}/transition", {"status": "done"}), 401, "not_authenticated")


def test_members_of_another_org_see_their_own_list_not_the_public_one(
    board: Person, mallory: Person, settings: object
) -> None:
    settings.PUBLIC_ORG = board.org.slug  # type: ignore[attr-defined]
    assert titles(mallory.client.get(STATE)) == []
