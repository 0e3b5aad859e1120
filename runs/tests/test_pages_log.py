"""The log of a run: in pages, searched, and as a file."""

import json
from collections.abc import AsyncIterator
from typing import Any, cast

import pytest
from asgiref.sync import async_to_sync
from django.test import Client

from orchestrator.core import clock
from orchestrator.web.tests.browser import queries, sign_in
from runs.models import Run, RunEvent
from runs.pages import log
from runs.pages.detail import EVENTS_A_PAGE
from runs.states import Phase
from runs.tests.pages import page_at
from runs.tests.steps import carry, start


def long(person: Any, number: int) -> Run:
    """A run with that many events."""
    run = start(person)
    RunEvent.objects.bulk_create(
        RunEvent(run=run, org_id=run.org_id, timestamp=clock.now(), sequence=sequence, node="intent",
                 phase=Phase.RETRYING, summary=f"Once more, {sequence}")
        for sequence in range(number)
    )  # fmt: skip
    Run.objects.filter(pk=run.pk).update(next_sequence=number)
    return run


def lines(client: Client, run: Run, form: str) -> bytes:
    """The file, as it is sent in parts."""
    answer = client.get(f"/dashboard/runs/{run.pk}/log.{form}")
    assert answer.status_code == 200
    assert "attachment" in answer["Content-Disposition"]

    async def read() -> bytes:
        return b"".join([part async for part in cast(AsyncIterator[bytes], answer.streaming_content)])

    return bytes(async_to_sync(read)())


def test_a_long_log_comes_in_pages(alice: Any) -> None:
    run, client = long(alice, EVENTS_A_PAGE + 3), sign_in(alice)
    first = page_at(client, f"/dashboard/runs/{run.pk}/log")
    assert first.count('<li id="event-') == EVENTS_A_PAGE
    assert f'href="?after={EVENTS_A_PAGE - 1}"' in first
    second = page_at(client, f"/dashboard/runs/{run.pk}/log?after={EVENTS_A_PAGE - 1}")
    assert second.count('<li id="event-') == 3
    assert "Later events" not in second


@pytest.mark.parametrize(
    ("query", "number"),
    [("find=LAYING", 1), ("phase=started", 7), ("node=intent", 2), ("node=intent&phase=completed", 1), ("find=xyz", 0)],
)
def test_the_log_is_searched(alice: Any, query: str, number: int) -> None:
    run = carry(start(alice, "Four days in Lisbon"))
    html = page_at(sign_in(alice), f"/dashboard/runs/{run.pk}/log?{query}")
    assert html.count('<li id="event-') == number
    assert ("No event matches" in html) is (number == 0)


def test_a_search_looks_at_a_part_and_says_where_to_go_on(alice: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log, "SEARCHED", 10)
    run, client = long(alice, 25), sign_in(alice)
    html = page_at(client, f"/dashboard/runs/{run.pk}/log?find=more, 23")
    assert "has not been searched yet" in html
    assert "find=more%2C+23&amp;after=9" in html
    assert "Once more, 23" in page_at(client, f"/dashboard/runs/{run.pk}/log?find=more, 23&after=19")


@pytest.mark.parametrize(("query", "status"), [("phase=odd", 422), ("after=x", 404), ("after=-2", 404)])
def test_a_question_that_makes_no_sense(alice: Any, query: str, status: int) -> None:
    assert sign_in(alice).get(f"/dashboard/runs/{start(alice).pk}/log?{query}").status_code == status


def test_the_log_costs_the_same_for_many_events(alice: Any) -> None:
    client, short, tall = sign_in(alice), long(alice, 2), long(alice, 200)
    few, many = (queries(lambda run=run: client.get(f"/dashboard/runs/{run.pk}/log")) for run in (short, tall))
    assert few == many


def test_the_whole_log_is_a_file(alice: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log, "_BATCH", 7)
    run, client = carry(start(alice)), sign_in(alice)
    sequences = list(range(run.next_sequence))
    written = lines(client, run, "ndjson").splitlines()
    assert [json.loads(line)["sequence"] for line in written] == sequences
    assert [event["sequence"] for event in json.loads(lines(client, run, "json"))] == sequences


def test_an_empty_log_is_a_file_too(alice: Any) -> None:
    run = start(alice)
    assert json.loads(lines(sign_in(alice), run, "json")) == []


@pytest.mark.parametrize("what", ["log", "log.json", "log.ndjson"])
def test_another_orgs_log_is_not_there(alice: Any, mallory: Any, what: str) -> None:
    assert sign_in(mallory).get(f"/dashboard/runs/{start(alice).pk}/{what}").status_code == 404
    assert sign_in(alice).get(f"/dashboard/runs/{start(alice).pk}/log.xml").status_code == 404
