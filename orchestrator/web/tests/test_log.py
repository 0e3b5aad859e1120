"""/dashboard/events: the log, narrowed, leafed through, followed, and as a file."""

import json
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.test import Client

from orchestrator.core import clock
from orchestrator.events.models import Event, EventHead
from orchestrator.web.log import search, views
from orchestrator.web.log.search import PAGE_SIZE
from orchestrator.web.tests.browser import faults, queries, sign_in


def write(person: Any, number: int = 1, **fields: Any) -> None:
    """So many events behind those that there are."""
    head = EventHead.objects.get(org=person.org)
    given = {"event": "looked", "target": "x:1", "actor": str(person.actor), "details": {"n": 1}, **fields}
    Event.objects.bulk_create(
        Event(org=person.org, seq=head.seq + each, created_at=clock.now(), **given) for each in range(1, number + 1)
    )
    head.seq += number
    head.save()


def rarely_together(person: Any) -> None:
    """Places 2 to 7: the event and the actor meet in the first alone, which is the only one of its target."""
    write(person, event="met", actor="system", target="y:1")
    for _ in range(2):
        write(person, 1, event="met")
        write(person, 1, actor="system")
    write(person, 1, event="met")


def file_of(client: Client, query: str = "") -> str:
    """The file, as it is sent in parts."""
    answer: Any = client.get(f"/dashboard/events/file{query}")

    async def read() -> bytes:
        return b"".join([part async for part in answer.streaming_content])

    return async_to_sync(read)().decode()


def seqs(client: Client, query: str = "") -> list[int]:
    answer = client.get(f"/dashboard/events{query}")
    assert answer.status_code == 200
    assert faults(answer.content.decode()) == []
    return [item["row"].seq for item in answer.context["items"]]


def test_the_newest_come_first_with_names_and_details(alice: Any) -> None:
    write(alice, details={"text": "<script>"})
    page = sign_in(alice).get("/dashboard/events").content.decode()
    assert seqs(sign_in(alice)) == [2, 1]
    assert "Alice" in page
    assert "&lt;script&gt;" in page
    assert 'data-last="2"' in page


def test_nothing_of_another_org_shows(alice: Any, mallory: Any) -> None:
    write(alice, event="secret_plan")
    client = sign_in(mallory)
    assert "secret_plan" not in client.get("/dashboard/events").content.decode()
    assert "secret_plan" not in client.get("/dashboard/events/rows?after=0").content.decode()
    assert "secret_plan" not in file_of(client)


@pytest.mark.parametrize(
    ("query", "found"),
    [("?event=looked", [2]), ("?target=x:2", [3]), ("?actor=system", [3]), ("?event=looked&actor=system", [])],
)
def test_filters_are_in_the_address(alice: Any, query: str, found: list[int]) -> None:
    write(alice)
    write(alice, event="left", target="x:2", actor="system")
    assert seqs(sign_in(alice), query) == found


def test_me_is_whoever_looks(alice: Any, carol: Any) -> None:
    write(alice)
    assert 2 in seqs(sign_in(alice), "?actor=me")
    assert seqs(sign_in(carol), "?actor=me") == []
    page = sign_in(alice).get("/dashboard/events?actor=me").content.decode()
    assert f'data-query="actor=user%3A{alice.user.pk}"' in page  # the stream knows no me


def test_one_goes_through_the_pages_both_ways(alice: Any) -> None:
    write(alice, 2 * PAGE_SIZE)
    client = sign_in(alice)
    first = client.get("/dashboard/events").context["slice"]
    second = client.get(f"/dashboard/events?before={first.older}").context["slice"]
    third = client.get(f"/dashboard/events?before={second.older}").context["slice"]
    back = client.get(f"/dashboard/events?after={third.newer}").context["slice"]
    every = [row.seq for part in (first, second, third) for row in part.rows]
    assert every == list(range(2 * PAGE_SIZE + 1, 0, -1))
    assert [row.seq for row in back.rows] == [row.seq for row in second.rows]
    assert (first.newer, third.older) == (None, None)


def test_links_to_pages_keep_the_filters(alice: Any) -> None:
    write(alice, PAGE_SIZE + 1)
    page = sign_in(alice).get("/dashboard/events?event=looked").content.decode()
    assert f'href="?event=looked&amp;before={3}"' in page


@pytest.mark.parametrize("query", ["?before=x", "?after=", "?before=-1", "?after=99999999999999999999"])
def test_a_place_that_is_none_is_not_found(alice: Any, query: str) -> None:
    assert sign_in(alice).get(f"/dashboard/events{query}").status_code == 404


@pytest.mark.parametrize("target", ["run:", "run:a/b", "run", "run:<b>", "member:not-an-id"])
def test_any_target_of_a_caller_can_be_shown(alice: Any, target: str) -> None:
    write(alice, target=target)
    assert seqs(sign_in(alice)) == [2, 1]
    assert sign_in(alice).get("/dashboard").status_code == 200


def test_new_rows_are_given_by_the_same_template(alice: Any) -> None:
    write(alice, 2)
    rows = sign_in(alice).get("/dashboard/events/rows?after=2&event=looked").content.decode()
    assert 'id="event-3"' in rows
    assert 'id="event-2"' not in rows
    assert 'data-last="3"' in rows


def test_more_new_rows_than_fit_are_confessed(alice: Any) -> None:
    write(alice, PAGE_SIZE + 1)
    client = sign_in(alice)
    assert "data-skipped" in client.get("/dashboard/events/rows?after=1").content.decode()
    assert "data-skipped" not in client.get("/dashboard/events/rows?after=2").content.decode()


def test_the_file_has_what_matches_line_by_line(alice: Any, monkeypatch: Any) -> None:
    write(alice, 3)
    monkeypatch.setattr(views, "MOST_IN_A_FILE", 2)
    monkeypatch.setattr(views, "_BATCH", 1)
    client = sign_in(alice)
    answer = client.get("/dashboard/events/file?event=looked")
    assert answer["Content-Type"] == "application/x-ndjson"
    assert "attachment" in answer["Content-Disposition"]
    lines = [json.loads(line) for line in file_of(client, "?event=looked").splitlines()]
    assert [line["seq"] for line in lines] == [4, 3]
    assert lines[0]["details"] == {"n": 1}


def test_a_file_goes_on_where_a_search_would_ask(alice: Any, monkeypatch: Any) -> None:
    rarely_together(alice)
    monkeypatch.setattr(search, "SEARCHED", 2)
    lines = file_of(sign_in(alice), "?event=met&actor=system").splitlines()
    assert [json.loads(line)["seq"] for line in lines] == [2]


def test_a_search_by_two_filters_ends_and_says_where_to_go_on(alice: Any, monkeypatch: Any) -> None:
    rarely_together(alice)
    monkeypatch.setattr(search, "SEARCHED", 2)
    client, query = sign_in(alice), "?event=met&actor=system"
    page = client.get(f"/dashboard/events{query}")
    assert page.context["items"] == []
    assert "Search older events" in page.content.decode()
    assert "have not been searched yet" in page.content.decode()
    found: list[int] = []
    while (older := page.context["slice"].older) is not None:
        page = client.get(f"/dashboard/events{query}&before={older}")
        found += [item["row"].seq for item in page.context["items"]]
    assert found == [2]


def test_a_search_by_two_filters_ends_on_the_way_back_too(alice: Any, monkeypatch: Any) -> None:
    rarely_together(alice)
    write(alice, event="met", actor="system")
    monkeypatch.setattr(search, "SEARCHED", 2)
    client, query = sign_in(alice), "?event=met&actor=system"
    page, after = client.get(f"/dashboard/events{query}&after=2"), 0
    assert page.context["items"] == []
    while not page.context["items"]:
        assert page.context["slice"].newer > after
        after = page.context["slice"].newer
        page = client.get(f"/dashboard/events{query}&after={after}")
    assert [item["row"].seq for item in page.context["items"]] == [8]


def test_the_rarest_filter_leads_so_that_one_page_is_enough(alice: Any, monkeypatch: Any) -> None:
    rarely_together(alice)
    monkeypatch.setattr(search, "SEARCHED", 2)
    page = sign_in(alice).get("/dashboard/events?event=met&target=y:1")
    assert [item["row"].seq for item in page.context["items"]] == [2]
    assert page.context["slice"].older is None


def test_large_details_are_cut_and_left_to_the_api(alice: Any) -> None:
    write(alice, details={"text": "y" * 100_000})
    page = sign_in(alice).get("/dashboard/events").content.decode()
    assert len(page) < 60_000
    assert 'href="/api/v1/events/2"' in page


def test_nothing_that_matches_says_what_to_do(alice: Any) -> None:
    assert "Show all" in sign_in(alice).get("/dashboard/events?event=nothing").content.decode()


def test_older_parts_are_not_live(alice: Any) -> None:
    write(alice)
    client = sign_in(alice)
    assert "js/events.js" in client.get("/dashboard/events").content.decode()
    assert "js/events.js" not in client.get("/dashboard/events?before=2").content.decode()


def test_the_queries_do_not_grow_with_the_rows(alice: Any) -> None:
    write(alice)
    client = sign_in(alice)
    few = queries(lambda: client.get("/dashboard/events"))
    write(alice, 100)
    assert queries(lambda: client.get("/dashboard/events")) == few
    assert few <= 8
