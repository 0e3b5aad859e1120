"""/dashboard/runs: list, start, watch, cancel, for whom and at what cost."""

import re
from typing import Any

import pytest
from django.test import Client

from orchestrator.core import clock
from orchestrator.core.errors import Unavailable
from orchestrator.web.paging import PAGE_SIZE
from orchestrator.web.tests.browser import faults, queries, sign_in
from runs.engine import worker
from runs.models import Run, RunEvent
from runs.pages.detail import EVENTS_A_PAGE, TAIL
from runs.services import cancellation, submission
from runs.services.cancellation import cancel_run
from runs.states import Phase, RunStatus

TRIP = {"prompt": "Five days in Lisbon in May for food", "max_days": 3, "budget_usd_cents": 70_050}


def start(person: Any, inputs: dict[str, Any] | None = None) -> Run:
    return submission.start_run(actor=person.actor, inputs=inputs or TRIP)


def finish(run: Run) -> Run:
    worker.execute(run.id, "test")
    run.refresh_from_db()
    return run


def add_runs(run: Run, number: int, **fields: Any) -> None:
    """Copies of ``run``, newer than it."""
    Run.objects.bulk_create(
        Run(org_id=run.org_id, workflow=run.workflow, artifact_id=run.artifact_id, snapshot_id=run.snapshot_id,
            inputs=run.inputs, created_by=run.created_by, **fields)
        for _ in range(number)
    )  # fmt: skip


def add_events(run: Run, number: int) -> None:
    first = RunEvent.objects.filter(run=run).count()
    RunEvent.objects.bulk_create(
        RunEvent(run=run, org_id=run.org_id, timestamp=clock.now(), sequence=first + more, node="intent",
                 phase=Phase.RETRYING, summary=f"Once more, {more}")
        for more in range(number)
    )  # fmt: skip


def page_at(client: Client, path: str) -> str:
    """The page, which must be there and be sound."""
    answer = client.get(path)
    html: str = answer.content.decode()
    assert answer.status_code == 200, html
    assert faults(html) == []
    return html


# --- the list ---------------------------------------------------------------------------------------------------------


def test_an_empty_list_says_how_to_begin(alice: Any, carol: Any) -> None:
    assert "Start the first one" in page_at(sign_in(alice), "/dashboard/runs")
    assert "Start the first one" not in page_at(sign_in(carol), "/dashboard/runs")


def test_the_list_is_narrowed_by_state(alice: Any) -> None:
    first = finish(start(alice, {"prompt": "Two days in Rome"}))
    start(alice, {"prompt": "Three days in Oslo"})
    client = sign_in(alice)
    assert first.status == RunStatus.SUCCEEDED
    everything, succeeded = (page_at(client, f"/dashboard/runs{query}") for query in ("", "?status=succeeded"))
    assert "Rome" in everything
    assert "Oslo" in everything
    assert "Rome" in succeeded
    assert "Oslo" not in succeeded
    assert "No run is failed now" in page_at(client, "/dashboard/runs?status=failed")
    assert client.get("/dashboard/runs?status=lost").status_code == 422


@pytest.mark.parametrize("query", ["", "status=queued"])
def test_pages_of_the_list_hold_every_run_once_newest_first(alice: Any, query: str) -> None:
    add_runs(start(alice), 2 * PAGE_SIZE)
    client, seen, path = sign_in(alice), [], f"/dashboard/runs?{query}"
    for _ in range(3):
        page_at(client, path)
        page = client.get(path).context["page"]
        seen += [run.pk for run in page.rows]
        path = f"/dashboard/runs?{query}&before={page.older}"
    assert page.older == ""
    assert seen == list(Run.objects.order_by("-pk").values_list("pk", flat=True))
    assert "There are no older runs" in page_at(client, f"/dashboard/runs?{query}&before={seen[-1]}")
    assert client.get("/dashboard/runs?before=nonsense").status_code == 404


# --- starting ---------------------------------------------------------------------------------------------------------


def test_the_form_starts_a_run_with_the_budget_in_dollars(alice: Any) -> None:
    client = sign_in(alice)
    answer = client.post("/dashboard/runs/new", {"prompt": " Two days in Rome ", "max_days": "2", "budget": "700.50"})
    run = Run.objects.get()
    assert (answer.status_code, answer["Location"]) == (302, f"/dashboard/runs/{run.pk}")
    assert run.inputs == {"prompt": "Two days in Rome", "max_days": 2, "budget_usd_cents": 70_050}
    assert (run.org_id, run.created_by) == (alice.org.id, str(alice.actor))


def test_what_is_left_empty_is_not_sent(alice: Any) -> None:
    sign_in(alice).post("/dashboard/runs/new", {"prompt": "Rome", "max_days": "", "budget": ""})
    assert Run.objects.get().inputs == {"prompt": "Rome"}


@pytest.mark.parametrize(
    ("field", "value"),
    [("prompt", ""), ("prompt", "   "), ("prompt", "Rome\x00"), ("prompt", "x" * 4001), ("max_days", "0"),
     ("max_days", "31"), ("max_days", "two"), ("budget", "-1"), ("budget", "NaN"), ("budget", "1.005"),
     ("budget", "1e9")],
)  # fmt: skip
def test_a_faulty_field_is_named_and_what_was_typed_stays(alice: Any, field: str, value: str) -> None:
    typed = {"prompt": "Two days in Rome", "max_days": "2", "budget": "100"} | {field: value}
    answer = sign_in(alice).post("/dashboard/runs/new", typed)
    html = answer.content.decode()
    assert answer.status_code == 422
    assert f'id="id_{field}_error"' in html
    assert faults(html) == []
    assert 'value="2"' in html or field == "max_days"
    assert not Run.objects.exists()


def test_what_the_service_refuses_is_shown_at_its_field(alice: Any, monkeypatch: Any) -> None:
    def refuse(*_: Any) -> None:
        raise submission.definitions.ValidationFailed(
            details={"budget_usd_cents": ["Too dear."], "tone": ["Unheard of."]}
        )

    monkeypatch.setattr(submission.definitions, "check_inputs", refuse)
    answer = sign_in(alice).post("/dashboard/runs/new", {"prompt": "Rome"})
    form = answer.context["form"]
    assert (answer.status_code, form.errors["budget"], form.non_field_errors()) == (422, ["Too dear."], ["Unheard of."])


def test_a_run_can_be_started_again_with_changes(alice: Any, mallory: Any) -> None:
    run = start(alice)
    html = page_at(sign_in(alice), f"/dashboard/runs/new?from={run.pk}")
    assert TRIP["prompt"] in html
    assert 'value="700.50"' in html
    assert sign_in(mallory).get(f"/dashboard/runs/new?from={run.pk}").status_code == 404


def test_viewers_start_and_cancel_nothing(alice: Any, carol: Any) -> None:
    run, client = start(alice), sign_in(carol)
    assert client.get("/dashboard/runs/new").status_code == 403
    assert client.post("/dashboard/runs/new", {"prompt": "Rome"}).status_code == 403
    assert client.post(f"/dashboard/runs/{run.pk}/cancel").status_code == 403
    html = page_at(client, f"/dashboard/runs/{run.pk}")
    assert "Cancel the run" not in html
    assert (Run.objects.count(), Run.objects.get().status) == (1, RunStatus.QUEUED)


# --- one run ----------------------------------------------------------------------------------------------------------


def test_a_waiting_run_is_live_and_may_be_cancelled(alice: Any) -> None:
    run = start(alice)
    html = page_at(sign_in(alice), f"/dashboard/runs/{run.pk}")
    assert f'data-live="/api/v1/runs/{run.pk}/events/stream"' in html
    assert "live.js" in html
    assert 'data-last="-1"' in html
    assert "Cancel the run" in html
    assert "0 of 8" in html
    assert re.search(r'<noscript>\s*<meta http-equiv="refresh" content="3">\s*</noscript>', html)


def test_a_finished_run_shows_its_itinerary_and_is_not_live(alice: Any) -> None:
    run = finish(start(alice))
    html = page_at(sign_in(alice), f"/dashboard/runs/{run.pk}")
    trip = run.output["itinerary"]
    assert "live.js" not in html
    assert 'http-equiv="refresh"' not in html
    assert "8 of 8" in html
    assert "Cancel the run" not in html
    for day in trip["days"]:
        assert f"Day {day['day']}" in html
        for visit in day["activities"]:
            assert visit["name"].replace("'", "&#x27;") in html
    assert f"${trip['total_usd_cents'] / 100:,.2f}" in html
    assert f"${trip['left_usd_cents'] / 100:,.2f} left" in html
    assert "Changed to keep the rules" in html
    assert html.count('<li id="event-') == RunEvent.objects.filter(run=run).count() == 16


def test_a_failed_run_shows_why_and_what_would_help(alice: Any) -> None:
    run = finish(start(alice, {"prompt": "A trip to Atlantis"}))
    html = page_at(sign_in(alice), f"/dashboard/runs/{run.pk}")
    assert run.status == RunStatus.FAILED
    assert "cities to choose from" in html
    assert "Reykjavik" in html
    assert f"/dashboard/runs/new?from={run.pk}" in html
    assert "unreached" in html


def test_a_budget_that_pays_for_nothing_is_a_named_violation(alice: Any) -> None:
    run = finish(start(alice, {"prompt": "Two days in Rome", "budget_usd_cents": 100}))
    html = page_at(sign_in(alice), f"/dashboard/runs/{run.pk}")
    assert run.error["details"]["violations"][0]["message"] in html


def test_a_cancelled_run_names_who_did_it(alice: Any, bob: Any) -> None:
    run = start(alice)
    answer = sign_in(bob).post(f"/dashboard/runs/{run.pk}/cancel", follow=True)
    html = answer.content.decode()
    assert "The run is cancelled." in html
    assert "Cancelled by Bob." in html
    assert faults(html) == []
    assert str(bob.user.id) not in html
    run.refresh_from_db()
    assert run.status == RunStatus.CANCELLED


def test_a_finished_run_cannot_be_cancelled(alice: Any) -> None:
    run = finish(start(alice))
    html = sign_in(alice).post(f"/dashboard/runs/{run.pk}/cancel", follow=True).content.decode()
    assert "The run has already succeeded." in html
    run.refresh_from_db()
    assert run.status == RunStatus.SUCCEEDED


def test_cancelling_needs_a_post(alice: Any) -> None:
    run = start(alice)
    assert sign_in(alice).get(f"/dashboard/runs/{run.pk}/cancel").status_code == 405


@pytest.mark.parametrize("run_id", ["nonsense", "01a1fd5e-7df8-73d0-b8c6-66902c01383e"])
def test_no_such_run(alice: Any, run_id: str) -> None:
    client = sign_in(alice)
    for path in ("", "/live"):
        assert client.get(f"/dashboard/runs/{run_id}{path}").status_code == 404
    assert client.post(f"/dashboard/runs/{run_id}/cancel").status_code == 404


def test_another_orgs_run_is_not_there(alice: Any, mallory: Any) -> None:
    run, client = start(alice), sign_in(mallory)
    for path in ("", "/live"):
        answer = client.get(f"/dashboard/runs/{run.pk}{path}")
        assert answer.status_code == 404
        assert "Lisbon" not in answer.content.decode()
    assert client.post(f"/dashboard/runs/{run.pk}/cancel").status_code == 404
    assert "Lisbon" not in page_at(client, "/dashboard/runs")
    run.refresh_from_db()
    assert run.status == RunStatus.QUEUED


@pytest.mark.parametrize(
    "path",
    ["", "/live", "/bulk", "/new", "/{id}", "/{id}/live", "/{id}/cancel", "/{id}/retry", "/{id}/replay", "/{id}/rerun",
     "/{id}/fork", "/{id}/patches", "/{id}/patches/1/accept", "/{id}/log", "/{id}/log.json", "/{id}/workflow",
     "/{id}/nodes/intent", "/{id}/nodes/intent/output", "/{id}/nodes/intent/approve", "/{id}/nodes/intent/reject"],
)  # fmt: skip
def test_strangers_are_sent_to_sign_in(alice: Any, path: str) -> None:
    path = f"/dashboard/runs{path.format(id=start(alice).pk)}"
    writes = path.endswith(("cancel", "retry", "replay", "rerun", "accept", "approve", "reject"))
    answer = Client().post(path) if writes else Client().get(path)
    assert answer.status_code == 302
    assert answer["Location"].startswith("/login?next=%2Fdashboard")


def test_markup_in_a_prompt_is_text(alice: Any) -> None:
    run = start(alice, {"prompt": "<script>alert(1)</script> Rome \"' onclick=x"})
    client = sign_in(alice)
    for path in (f"/dashboard/runs/{run.pk}", "/dashboard/runs", f"/dashboard/runs/new?from={run.pk}", "/dashboard"):
        assert "<script>alert" not in page_at(client, path)


@pytest.mark.parametrize(
    "output",
    [{"itinerary": {"city": "Rome"}}, {"itinerary": []}, {"itinerary": None}, {"text": "x"}, {},
     {"itinerary": {"days": [1], "costs": {}}}, {"itinerary": {"days": 1, "costs": 2}}],
)  # fmt: skip
def test_an_output_of_another_shape_is_shown_as_json(alice: Any, output: dict[str, Any]) -> None:
    run = start(alice)
    Run.objects.filter(pk=run.pk).update(status=RunStatus.SUCCEEDED, output=output)
    assert "The output is below, as JSON." in page_at(sign_in(alice), f"/dashboard/runs/{run.pk}")


@pytest.mark.parametrize(
    "error", [{"message": "Broken.", "node": "intent"}, {"details": 3}, {"details": {"violations": 1}}]
)
def test_an_error_of_another_shape_is_shown(alice: Any, error: dict[str, Any]) -> None:
    run = start(alice)
    Run.objects.filter(pk=run.pk).update(status=RunStatus.FAILED, error=error)
    page_at(sign_in(alice), f"/dashboard/runs/{run.pk}")


def test_a_run_of_another_workflow_has_a_page(alice: Any) -> None:
    run = start(alice)
    Run.objects.filter(pk=run.pk).update(workflow="night-shift", inputs={"items": [1, 2]}, status=RunStatus.SUCCEEDED)
    client = sign_in(alice)
    html = page_at(client, f"/dashboard/runs/{run.pk}")
    assert "night-shift" in html
    assert "night-shift" in page_at(client, "/dashboard/runs")


# --- live -------------------------------------------------------------------------------------------------------------


def test_the_fragment_has_the_events_behind_the_last_one(alice: Any) -> None:
    run = finish(start(alice))
    client = sign_in(alice)
    fragment = client.get(f"/dashboard/runs/{run.pk}/live?after=12").content.decode()
    assert [number for number in range(16) if f'id="event-{number}"' in fragment] == [13, 14, 15]
    assert 'data-last="15"' in fragment
    assert "data-final" in fragment
    assert 'data-title="Succeeded: ' in fragment


def test_the_fragment_has_the_regions_of_the_page_as_they_are(alice: Any) -> None:
    """live.js replaces what differs: a region that differed without a change would lose the reader's focus."""
    run = start(alice)
    client = sign_in(alice)
    page, fragment = (client.get(f"/dashboard/runs/{run.pk}{path}").content.decode() for path in ("", "/live"))
    regions = (
        "run-facts", "run-actions", "run-waits", "run-graph", "run-nodes", "run-gantt", "run-result", "run-output"
    )  # fmt: skip
    for region in regions:
        assert content(page, region) == content(fragment, region)
    assert "data-final" not in fragment
    assert "csrf" not in fragment


def content(html: str, region: str) -> str:
    """What is between the region's tags, without the indentation of its page."""
    tag, inside = re.findall(rf'<(\w+)[^>]*id="{region}"[^>]*>(.*)', html, re.DOTALL)[0]
    depth = 0
    for found in re.finditer(rf"<(/?){tag}\b", inside):
        depth += -1 if found[1] else 1
        if depth < 0:
            return str(inside[: found.start()]).strip()
    raise AssertionError(f"{region} is left open")


def test_the_page_begins_with_the_end_of_a_long_log(alice: Any) -> None:
    run = start(alice)
    add_events(run, TAIL + 3)
    html = page_at(sign_in(alice), f"/dashboard/runs/{run.pk}")
    assert html.count('<li id="event-') == TAIL
    assert f'data-last="{TAIL + 2}"' in html
    assert "See it from the start" in html


def test_who_was_away_for_long_gets_the_log_in_pages(alice: Any) -> None:
    run = start(alice)
    add_events(run, EVENTS_A_PAGE + 3)
    client = sign_in(alice)
    first, second = (
        client.get(f"/dashboard/runs/{run.pk}/live?after={after}").content.decode() for after in (-1, EVENTS_A_PAGE - 1)
    )
    assert (first.count('<li id="event-'), "data-more" in first) == (EVENTS_A_PAGE, True)
    assert (second.count('<li id="event-'), "data-more" in second) == (3, False)


@pytest.mark.parametrize("after", ["x", "-2", "1" * 20, "", "\uff11"])
def test_a_place_that_is_none(alice: Any, after: str) -> None:
    answer = sign_in(alice).get(f"/dashboard/runs/{start(alice).pk}/live", {"after": after})
    assert answer.status_code == 404


# --- cost -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["", "?status=queued", "?before={id}"])
def test_the_queries_of_the_list_do_not_grow(alice: Any, path: str) -> None:
    run = start(alice)
    add_runs(run, 2)
    client, url = sign_in(alice), f"/dashboard/runs{path.format(id=Run.objects.latest('pk').pk)}"
    few = queries(lambda: client.get(url))
    add_runs(run, 200)
    assert queries(lambda: client.get(url)) == few
    assert few <= 8


@pytest.mark.parametrize("path", ["", "/live"])
def test_the_queries_of_a_run_do_not_grow(alice: Any, path: str) -> None:
    run = finish(start(alice))
    client, url = sign_in(alice), f"/dashboard/runs/{run.pk}{path}"
    client.get(url)  # the definition is parsed once a process
    few = queries(lambda: client.get(url))
    add_events(run, 200)
    assert queries(lambda: client.get(url)) == few
    assert few <= 12


def test_a_cancelled_runs_page_costs_the_same_for_every_canceller(alice: Any, bob: Any) -> None:
    run = start(alice)
    client = sign_in(alice)
    client.get(f"/dashboard/runs/{run.pk}")
    few = queries(lambda: client.get(f"/dashboard/runs/{run.pk}"))
    cancel_run(actor=bob.actor, run_id=run.pk)
    assert queries(lambda: client.get(f"/dashboard/runs/{run.pk}")) <= few


# --- what else the page of a run tells --------------------------------------------------------------------------------


def test_each_box_of_the_graph_leads_to_the_row_of_its_node(alice: Any) -> None:
    html = page_at(sign_in(alice), f"/dashboard/runs/{finish(start(alice)).pk}")
    for node in ("intent", "planner", "responder"):
        assert f'<a href="#node-{node}"' in html
        assert f'<tr id="node-{node}"' in html


def test_the_time_of_the_nodes_is_drawn(alice: Any) -> None:
    run = start(alice)
    client = sign_in(alice)
    assert "No node has started yet." in page_at(client, f"/dashboard/runs/{run.pk}")
    assert "intent: attempt 1, completed" in page_at(client, f"/dashboard/runs/{finish(run).pk}")


def test_of_a_very_long_log_the_nodes_own_times_are_drawn(alice: Any) -> None:
    run = finish(start(alice))
    Run.objects.filter(pk=run.pk).update(next_sequence=5000)
    assert "intent: attempt 1, completed" in page_at(sign_in(alice), f"/dashboard/runs/{run.pk}")


def test_runs_within_a_run_and_the_run_around_them_lead_to_each_other(alice: Any) -> None:
    outer, inner = start(alice), start(alice)
    Run.objects.filter(pk=inner.pk).update(parent=outer, parent_node="planner")
    client = sign_in(alice)
    assert f'href="/dashboard/runs/{outer.pk}#node-planner"' in page_at(client, f"/dashboard/runs/{inner.pk}")
    html = page_at(client, f"/dashboard/runs/{outer.pk}")
    assert f'href="/dashboard/runs/{inner.pk}"' in html
    assert str(inner.pk) in page_at(client, f"/dashboard/runs?parent={outer.pk}")


def test_a_refusal_of_the_platform_is_no_message_but_an_error_page(alice: Any, monkeypatch: Any) -> None:
    def fail(**_: Any) -> None:
        raise Unavailable

    monkeypatch.setattr(cancellation, "cancel_run", fail)
    assert sign_in(alice).post(f"/dashboard/runs/{start(alice).pk}/cancel").status_code == 503
