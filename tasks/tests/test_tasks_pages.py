"""/dashboard/tasks: the board, the table and the page of a task, for whom and at what cost."""

from typing import Any

import pytest
from django.test import Client

from orchestrator.events.services import head
from orchestrator.web.tests.browser import faults, queries, sign_in
from tasks import services
from tasks.models import Task
from tasks.pages.board import CLOSED_SHOWN, OPEN_SHOWN
from tasks.services.leases import holder_of
from tasks.states import TRANSITIONS, Status

BOARD = "/dashboard/tasks"
TABLE = "/dashboard/tasks?view=table"


def make(person: Any, title: str = "Paint the fence", **fields: Any) -> Task:
    return services.create_task(actor=person.actor, title=title, **fields)


def make_many(person: Any, number: int, status: str = Status.TODO, **fields: Any) -> None:
    """At once, and without events: only to be shown."""
    Task.objects.bulk_create(
        Task(org_id=person.org.id, title=f"{status} {place}", status=status, created_by=str(person.actor), **fields)
        for place in range(number)
    )


def page_at(client: Client, path: str, status: int = 200) -> str:
    """The page, which must be sound."""
    answer = client.get(path)
    html: str = answer.content.decode()
    assert answer.status_code == status, html
    assert faults(html) == []
    return html


def column(client: Client, status: str, path: str = BOARD) -> Any:
    return next(each for each in client.get(path).context["columns"] if each.status == status)


def of(task: Task) -> str:
    return f"/dashboard/tasks/{task.pk}"


# --- the board --------------------------------------------------------------------------------------------------------


def test_an_empty_board_says_how_to_begin(alice: Any, carol: Any) -> None:
    assert "Make the first one" in page_at(sign_in(alice), BOARD)
    assert "Make the first one" not in page_at(sign_in(carol), BOARD)


def test_each_task_stands_in_the_column_of_its_status_the_most_urgent_first(alice: Any) -> None:
    for priority in (1, 9, 5):
        make(alice, f"P{priority}", priority=priority)
    blocked = make(alice, "Stuck")
    services.transition_task(actor=alice.actor, task_id=blocked.pk, to="blocked")
    client = sign_in(alice)
    assert [card.task.title for card in column(client, "todo").cards] == ["P9", "P5", "P1"]
    assert [card.task.title for card in column(client, "blocked").cards] == ["Stuck"]
    assert column(client, "done").cards == []


def test_a_long_column_ends_with_a_link_into_the_table(alice: Any) -> None:
    make_many(alice, OPEN_SHOWN + 1)
    make_many(alice, CLOSED_SHOWN + 1, Status.DONE)
    client = sign_in(alice)
    html = page_at(client, BOARD)
    assert (len(column(client, "todo").cards), len(column(client, "done").cards)) == (OPEN_SHOWN, CLOSED_SHOWN)
    assert html.count(">More</a>") == 2
    assert f"/dashboard/tasks?view=table&amp;status={Status.DONE}" in html


@pytest.mark.parametrize("status", Status.values)
def test_a_card_offers_the_moves_that_the_table_allows(alice: Any, carol: Any, status: str) -> None:
    make_many(alice, 1, status)
    html = page_at(sign_in(alice), BOARD)
    for to in Status.values:
        assert (f'name="status" value="{to}"' in " ".join(html.split())) == (to in TRANSITIONS[status])
    assert ('draggable="true"' in html) == bool(TRANSITIONS[status])
    assert 'name="status"\n' not in page_at(sign_in(carol), BOARD)
    assert 'draggable="true"' not in page_at(sign_in(carol), BOARD)


def test_a_card_tells_labels_priority_assignee_what_it_waits_for_and_who_holds_it(alice: Any) -> None:
    first = make(alice, "First", labels=["garden"], priority=7, assignee="mower")
    make(alice, "Second", depends_on=[first.pk])
    services.acquire_lease(actor=alice.actor, holder="mower", task_id=first.pk)
    html = page_at(sign_in(alice), BOARD)
    for text in ("garden", "Priority 7", "mower", "waits for 1", "data-countdown"):
        assert text in html


def test_holders_have_names_and_agents_have_links(alice: Any, runtime_agent: Any) -> None:
    for holder in (str(alice.actor), holder_of(runtime_agent.pk), "agent:nobody"):
        services.acquire_lease(actor=alice.actor, holder=holder, task_id=make(alice).pk)
    cards = column(sign_in(alice), "in_progress").cards
    assert {(card.held.holder, card.held.url) for card in cards} == {
        ("Alice", ""), (runtime_agent.name, f"/dashboard/agents/{runtime_agent.pk}"), ("agent:nobody", ""),
    }  # fmt: skip


def test_filters_are_in_the_url_and_narrow_the_board(alice: Any) -> None:
    make(alice, "Paint", labels=["garden"], priority=5, assignee="anna")
    make(alice, "Mow", labels=["house"], priority=1)
    client = sign_in(alice)
    for query in ("q=PAIN", "label=garden", "assignee=anna", "priority=5", "q=paint&label=&assignee=&priority="):
        assert [card.task.title for card in column(client, "todo", f"{BOARD}?{query}").cards] == ["Paint"], query
    html = page_at(client, f"{BOARD}?status=todo&status=done&q=x")
    assert html.count('class="column"') == 2
    assert 'data-fragment="/dashboard/tasks/live?status=todo&amp;status=done&amp;q=x"' in html


@pytest.mark.parametrize("query", ["status=lost", "priority=x", "priority=-1", "label=" + 51 * "x", "q=%00"])
def test_filters_that_make_no_sense_are_refused(alice: Any, query: str) -> None:
    for view in ("board", "table"):
        assert page_at(sign_in(alice), f"{BOARD}?view={view}&{query}", 422)


def test_the_live_board_has_the_same_columns(alice: Any) -> None:
    make(alice)
    html = sign_in(alice).get(f"{BOARD}/live?after=0&status=todo").content.decode()
    assert 'id="column-todo"' in html
    assert 'id="column-done"' not in html
    assert "Paint the fence" in html
    assert f'data-last="{head(alice.org.id)}"' in html


@pytest.mark.parametrize("path", [BOARD, f"{BOARD}/live", TABLE])
def test_the_number_of_queries_does_not_grow(alice: Any, path: str) -> None:
    client = sign_in(alice)

    def fill() -> None:
        for number in range(3):
            first = make(alice, f"{number}", labels=["a", "b"])
            make(alice, f"after {number}", depends_on=[first.pk])
            services.acquire_lease(actor=alice.actor, holder=str(alice.actor), task_id=first.pk)

    fill()
    few = queries(lambda: client.get(path))
    fill()
    assert queries(lambda: client.get(path)) == few <= 25


# --- the table --------------------------------------------------------------------------------------------------------


def test_the_table_shows_every_task_once_newest_first(alice: Any) -> None:
    make_many(alice, 60)
    client, seen, path = sign_in(alice), [], TABLE
    for _ in range(3):
        page_at(client, path)
        page = client.get(path).context["page"]
        seen += [task.pk for task in page.rows]
        path = f"{TABLE}&before={page.older}"
    assert page.older == ""
    assert seen == list(Task.objects.order_by("-pk").values_list("pk", flat=True))


def test_the_table_is_narrowed_by_status(alice: Any) -> None:
    make_many(alice, 2, Status.DONE)
    make_many(alice, 2, Status.REVIEW)
    client = sign_in(alice)
    assert len(client.get(f"{TABLE}&status=done").context["cards"]) == 2
    assert "No task goes by these filters" in page_at(client, f"{TABLE}&status=blocked")


# --- one task ---------------------------------------------------------------------------------------------------------


def test_the_page_of_a_task_tells_all_of_it(alice: Any) -> None:
    first = make(alice, "Buy paint")
    task = make(alice, description="Green.\nTwice.", labels=["garden"], depends_on=[first.pk], assignee="anna")
    last = make(alice, "Celebrate", depends_on=[task.pk])
    html = page_at(sign_in(alice), of(task))
    for text in ("Green.\nTwice.", "garden", "anna", "Buy paint", "Celebrate", "0 of 3", "Alice made it", of(last)):
        assert text in html


def test_the_history_goes_on_page_by_page(alice: Any) -> None:
    task = make(alice)
    for number in range(35):
        services.update_task(actor=alice.actor, task_id=task.pk, version=None, priority=number)
    client = sign_in(alice)
    older = client.get(of(task)).context["older"]
    assert "Alice made it" not in page_at(client, of(task))
    assert "Alice made it" in page_at(client, f"{of(task)}?before={older}")
    assert client.get(f"{of(task)}?before=x").status_code == 404


def test_a_parked_task_says_so_and_shows_what_went_wrong(alice: Any) -> None:
    task = make(alice, max_attempts=1)
    lease = services.acquire_lease(actor=alice.actor, holder="h", task_id=task.pk)
    assert lease
    services.fail_lease(actor=alice.actor, lease_id=lease.pk, token=lease.token, error="The brush broke.")
    html = page_at(sign_in(alice), of(task))
    assert "Parked" in html
    assert "The brush broke." in html


def test_a_viewer_sees_the_task_and_no_buttons(alice: Any, carol: Any) -> None:
    task = make(alice)
    services.acquire_lease(actor=alice.actor, holder="h", task_id=task.pk)
    html = page_at(sign_in(carol), of(task)).partition("<main")[2].partition("</main")[0]
    assert "<button" not in html
    assert "/edit" not in html


def test_the_live_parts_are_those_of_the_page(alice: Any) -> None:
    task = make(alice)
    client = sign_in(alice)
    page, part = page_at(client, of(task)), client.get(f"{of(task)}/live?after=0").content.decode()
    for region in ("title", "facts", "description", "history", "links", "leases", "delete"):
        assert f'id="task-{region}"' in page, region
        assert f'id="task-{region}"' in part, region


def test_the_page_of_a_task_has_a_fixed_number_of_queries(alice: Any) -> None:
    client, lonely, busy = sign_in(alice), make(alice), make(alice, depends_on=[make(alice).pk for _ in range(5)])
    for _ in range(5):
        make(alice, depends_on=[busy.pk])
        services.update_task(actor=alice.actor, task_id=busy.pk, version=None, priority=_)
    assert queries(lambda: client.get(of(busy))) == queries(lambda: client.get(of(lonely))) <= 18


def test_another_orgs_tasks_are_not_there(alice: Any, mallory: Any) -> None:
    task, client = make(alice), sign_in(mallory)
    assert "Paint the fence" not in page_at(client, BOARD) + page_at(client, TABLE)
    for path in ("", "/live", "/edit"):
        assert client.get(of(task) + path).status_code == 404
    for path in ("/edit", "/move?version=1", "/revoke", "/delete?version=1"):
        assert client.post(of(task) + path, {"status": "blocked"}).status_code == 404
    task.refresh_from_db()
    assert task.version == 1


@pytest.mark.parametrize("path", [f"{BOARD}/nonsense", f"{BOARD}/01900000-0000-7000-8000-000000000000"])
def test_what_is_not_there_is_a_page_of_its_own(alice: Any, path: str) -> None:
    assert "no such task" in page_at(sign_in(alice), path, 404)
