"""The list of runs: what the address asks for, and one act on many."""

from datetime import timedelta
from typing import Any

import pytest

from orchestrator.core import clock
from orchestrator.web.tests.browser import queries, sign_in
from runs.models import Run
from runs.pages import sieve
from runs.services import submission
from runs.services.cancellation import cancel_run
from runs.tests.pages import asking, page_at, sent
from runs.tests.steps import carry


def start(person: Any, prompt: str, **how: Any) -> Run:
    return submission.start_run(actor=person.actor, inputs={"prompt": prompt}, **how)


@pytest.fixture
def three(alice: Any, bob: Any) -> list[Run]:
    """Alice's from the day before yesterday, Bob's from now, which is urgent, and one of another workflow's name."""
    runs = [start(alice, "Rome in May"), start(bob, "Oslo in June", priority=9), start(alice, "Bern in July")]
    Run.objects.filter(pk=runs[0].pk).update(created_at=clock.now() - timedelta(days=2))
    Run.objects.filter(pk=runs[2].pk).update(workflow="night-shift")
    return runs


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ("q=rome", ["Rome"]),
        ("workflow=night-shift", ["Bern"]),
        ("by=me", ["Rome", "Bern"]),
        ("by=user", ["Rome", "Oslo", "Bern"]),
        ("by=api_key", []),
        ("priority=5", ["Oslo"]),
        ("created_before={day}", ["Rome"]),
        ("created_after={day}", ["Oslo", "Bern"]),
        ("q=in&workflow=night-shift&status=queued", ["Bern"]),
        ("q=", ["Rome", "Oslo", "Bern"]),
    ],
)
def test_filters_stand_in_the_address(alice: Any, three: list[Run], query: str, wanted: list[str]) -> None:
    day = (clock.now() - timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%S")
    html = page_at(sign_in(alice), f"/dashboard/runs?{query.format(day=day)}")
    assert [city for city in ("Rome", "Oslo", "Bern") if f"{city} in" in html] == wanted


@pytest.mark.parametrize(
    "query",
    [
        "by=nobody", "priority=x", "created_after=yesterday", "created_before=9999-12-31T23:59:59-23:59",
        "forked_from=x", "q=%00",
    ],
)  # fmt: skip
def test_a_filter_that_makes_no_sense_is_said_so(alice: Any, three: list[Run], query: str) -> None:
    html = page_at(sign_in(alice), f"/dashboard/runs?{query}", status=422)
    assert "Something in the filters makes no sense" in html
    assert "Rome" not in html


def test_what_is_searched_without_an_index_is_searched_in_parts(
    alice: Any, three: list[Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sieve, "SEARCHED", 2)
    client = sign_in(alice)
    html = page_at(client, "/dashboard/runs?q=Rome")
    assert "Older ones have not been searched yet" in html
    assert "Search older runs" in html
    assert "Rome in May" in page_at(client, f"/dashboard/runs?q=Rome&before={three[1].pk}")


def test_links_keep_the_filters(alice: Any, three: list[Run]) -> None:
    html = page_at(sign_in(alice), "/dashboard/runs?by=me&q=in")
    assert 'href="?by=me&amp;q=in&amp;status=failed"' in html
    assert "/dashboard/runs/live?by=me&amp;q=in" in html


def test_nothing_matches_and_the_page_says_what_to_do(alice: Any, three: list[Run]) -> None:
    assert "Take a filter away" in page_at(sign_in(alice), "/dashboard/runs?q=Atlantis")


def test_a_row_says_what_the_run_waits_for(alice: Any) -> None:
    asking(alice)
    assert "Waits for review: somebody&#x27;s decision" in page_at(sign_in(alice), "/dashboard/runs")


def test_the_live_rows_are_those_of_the_page(alice: Any, mallory: Any, three: list[Run]) -> None:
    client = sign_in(alice)
    page, fragment = (
        client.get(path).content.decode() for path in ("/dashboard/runs?q=in", "/dashboard/runs/live?q=in")
    )
    rows = page[page.index('<table class="stacked">') : page.index("</table>")]
    assert rows in fragment
    assert "<form" not in fragment
    assert "Rome" not in sign_in(mallory).get("/dashboard/runs/live").content.decode()


# --- many at once -----------------------------------------------------------------------------------------------------


def test_what_was_ticked_is_counted_first_and_cancelled_then(alice: Any, three: list[Run]) -> None:
    client = sign_in(alice)
    cancel_run(actor=alice.actor, run_id=three[2].pk)
    path = f"/dashboard/runs/bulk?chosen=1&act=cancel&run={three[0].pk}&run={three[2].pk}"
    html = page_at(client, path)
    assert "Cancel 1 run?" in html
    assert "You ticked 2." in html
    assert Run.objects.filter(status="queued").count() == 2
    assert "2 runs cancelled." in sent(client, path)  # cancelling again changes nothing
    assert list(Run.objects.filter(status="queued")) == [three[1]]


def test_what_cannot_be_done_is_told_with_the_reason(alice: Any, three: list[Run]) -> None:
    carry(three[0])
    path = f"/dashboard/runs/bulk?chosen=1&act=cancel&run={three[0].pk}&run={three[1].pk}"
    html = sent(sign_in(alice), path)
    assert "1 run cancelled. One not: The run has already succeeded." in html


def test_all_that_match_are_counted_first_and_cancelled_then(alice: Any, three: list[Run]) -> None:
    client = sign_in(alice)
    assert "act=cancel" in page_at(client, "/dashboard/runs?by=me")
    html = page_at(client, "/dashboard/runs/bulk?by=me&act=cancel")
    assert "Cancel 2 runs?" in html
    assert "Oslo" not in html
    assert "2 runs cancelled." in sent(client, "/dashboard/runs/bulk?by=me&act=cancel")
    assert list(Run.objects.filter(status="queued")) == [three[1]]


@pytest.mark.parametrize("query", ["q=rome", "created_before={day}", "status=queued&q=Rome"])
def test_the_selection_is_that_of_the_list(alice: Any, three: list[Run], query: str) -> None:
    day = (clock.now() - timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%S")
    html = page_at(sign_in(alice), f"/dashboard/runs/bulk?act=cancel&{query.format(day=day)}")
    assert "Cancel 1 run?" in html
    assert "Rome" in html


def test_failed_runs_are_retried(alice: Any) -> None:
    failed = carry(start(alice, "A trip to Atlantis"))
    client = sign_in(alice)
    assert "Retry 1 run?" in page_at(client, "/dashboard/runs/bulk?act=retry&status=failed")
    assert "1 run retried." in sent(client, "/dashboard/runs/bulk?act=retry&status=failed")
    assert Run.objects.filter(forked_from=failed).count() == 1
    assert "Nothing to retry" in page_at(client, "/dashboard/runs/bulk?act=retry&status=failed")


def test_nothing_ticked_is_said_so(alice: Any) -> None:
    html = page_at(sign_in(alice), "/dashboard/runs/bulk?chosen=1&act=cancel")
    assert "Tick some runs in the list first." in html


def test_viewers_have_no_boxes_and_are_refused(alice: Any, carol: Any, three: list[Run]) -> None:
    client = sign_in(carol)
    assert "checkbox" not in page_at(client, "/dashboard/runs")
    for method in (client.get, client.post):
        assert method("/dashboard/runs/bulk?act=cancel").status_code == 403
    assert Run.objects.filter(status="queued").count() == 3


def test_another_orgs_runs_are_never_among_them(alice: Any, mallory: Any, three: list[Run]) -> None:
    client = sign_in(mallory)
    path = f"/dashboard/runs/bulk?chosen=1&act=cancel&run={three[0].pk}"
    assert "Nothing to cancel" in page_at(client, path)
    sent(client, path)
    sent(client, "/dashboard/runs/bulk?act=cancel")
    assert Run.objects.filter(status="queued").count() == 3


def test_an_act_that_is_none(alice: Any) -> None:
    assert sign_in(alice).get("/dashboard/runs/bulk?act=delete").status_code == 404
    assert sign_in(alice).get("/dashboard/runs/bulk?act=cancel&status=odd").status_code == 422


def test_the_count_costs_the_same_for_many(alice: Any, three: list[Run]) -> None:
    client = sign_in(alice)
    few = queries(lambda: client.get("/dashboard/runs/bulk?act=cancel"))
    for number in range(20):
        start(alice, f"Rome, {number}")
    assert queries(lambda: client.get("/dashboard/runs/bulk?act=cancel")) == few


# --- found by the palette ---------------------------------------------------------------------------------------------


def test_the_palette_finds_runs_by_words_and_ids(alice: Any, mallory: Any, three: list[Run]) -> None:
    client, url = sign_in(alice), f"/dashboard/runs/{three[0].pk}"
    for text in ("rome", str(three[0].pk), str(three[0].pk)[-8:], "Rome in May"):
        assert url in client.get("/dashboard/find", {"q": text, "part": "1"}).content.decode()
        assert url not in sign_in(mallory).get("/dashboard/find", {"q": text, "part": "1"}).content.decode()
    assert url not in client.get("/dashboard/find", {"q": "Oslo", "part": "1"}).content.decode()
