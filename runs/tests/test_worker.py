"""A run from its claim to its end, and what the log says of it."""

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import time_machine
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.db.models import Max, Min, Model

from conftest import Person
from orchestrator.events.models import Event
from runs.engine import worker
from runs.models import RunEvent, RunNode
from runs.nodes.base import NodeContext, NodeFailure, NodeResult
from runs.services import progress, statements
from runs.services.outcomes import Outcome
from runs.tests.steps import (
    ME,
    carry,
    claim,
    everything,
    finish,
    in_order,
    node_type,
    phases,
    start,
    start_graph,
    step,
)


def _both(*nodes: str) -> list[tuple[str, str]]:
    return [(node, phase) for node in nodes for phase in ("started", "completed")]


def test_a_trip_to_paris_has_the_events_of_the_contract(alice: Person) -> None:
    run = carry(start(alice))
    assert run.status == "succeeded"
    assert phases(run) == [
        *_both("intent", "planner", "selector", "tool_exec", "verifier"),
        ("repair", "skipped"),
        *_both("synth", "responder"),
    ]
    in_order(run)


def test_a_trip_that_breaks_its_budget_is_repaired_between_verifier_and_synth(alice: Person) -> None:
    free = carry(start(alice))
    run = carry(start(alice, budget_usd_cents=free.output["itinerary"]["total_usd_cents"] * 9 // 10))
    assert run.status == "succeeded"
    assert phases(run) == _both(
        "intent", "planner", "selector", "tool_exec", "verifier", "repair", "synth", "responder"
    )
    in_order(run)


def test_a_trip_to_paris_has_four_days_of_two_activities(alice: Person) -> None:
    days = carry(start(alice)).output["itinerary"]["days"]
    assert [len(day["activities"]) for day in days] == [2, 2, 2, 2]


def test_the_same_input_gives_the_same_output(alice: Person) -> None:
    assert carry(start(alice)).output == carry(start(alice)).output


def test_a_run_says_when_it_started_and_ended(alice: Person) -> None:
    run = carry(start(alice))
    assert run.created_at <= run.started_at <= run.finished_at
    assert run.finished_at == run.last_event_at


def test_the_orgs_log_tells_of_start_and_end(alice: Person) -> None:
    run = carry(start(alice))
    told = (
        Event.objects.for_org(alice.org.id).filter(kind="runs").order_by("seq").values_list("event", "target", "actor")
    )
    target = f"run:{run.id}"
    assert list(told) == [
        ("run_created", target, str(alice.actor)), ("run_started", target, "system"),
        ("run_succeeded", target, "system"),
    ]  # fmt: skip


def test_an_unknown_city_fails_at_intent_with_words_that_help(alice: Person) -> None:
    run = carry(start(alice, "Plan a trip to Atlantis"))
    assert (run.status, run.output) == ("failed", None)
    assert phases(run) == [("intent", "started"), ("intent", "failed")]
    assert run.error["node"] == "intent"
    assert run.error["code"] != "internal_error"
    assert "Paris" in str(run.error), "it should name cities that there are"
    failed = RunEvent.objects.get(run=run, phase="failed")
    assert failed.payload["error"]["message"] == run.error["message"] == failed.summary
    in_order(run)


def test_what_cannot_be_mended_fails_and_names_the_violations(alice: Person) -> None:
    run = carry(start(alice, budget_usd_cents=1))
    assert run.status == "failed"
    assert "budget" in str(run.error)
    assert phases(run)[-1] == ("repair", "failed")


@pytest.mark.parametrize("stranger", [KeyError("secret-of-the-house"), SystemExit("secret-of-the-house")])
def test_a_strangers_exception_fails_the_node_and_stays_in_the_log(
    alice: Person, caplog: pytest.LogCaptureFixture, stranger: BaseException
) -> None:
    def explode(context: NodeContext) -> NodeResult:
        raise stranger

    with node_type("bomb", explode), caplog.at_level(logging.CRITICAL + 1, "runs.engine.worker"):
        run = carry(start_graph(alice, {"only": {"type": "bomb"}}))
    assert run.status == "failed"
    assert run.error["code"] == "internal_error"
    assert phases(run) == [("only", "started"), ("only", "failed")]
    assert "secret" not in str(everything(run))
    assert "secret" not in str(list(Event.objects.values()))


def test_a_nodes_own_failure_keeps_its_code_and_details(alice: Person) -> None:
    def refuse(context: NodeContext) -> NodeResult:
        raise NodeFailure("no_fuel", "The tank is empty.", {"litres": 0})

    with node_type("engine", refuse):
        run = carry(start_graph(alice, {"only": {"type": "engine"}}))
    assert run.error == {"node": "only", "code": "no_fuel", "message": "The tank is empty.", "details": {"litres": 0}}
    row = RunNode.objects.get(run=run)
    assert (row.status, row.error["code"], row.output) == ("failed", "no_fuel", None)


def _echo(context: NodeContext) -> NodeResult:
    return NodeResult(
        {"attempt": context.attempt, "saw": sorted(context.outputs), "config": dict(context.config)}, "Said."
    )


def test_a_node_sees_the_outputs_of_the_finished_ones_and_its_own_settings(alice: Person) -> None:
    nodes = {
        "b": {"type": "echo", "needs": ["a"], "with": {"loud": True}},
        "a": {"type": "echo"},
        "never": {"type": "echo", "needs": ["a"], "when": "nodes.a.attempt > `1`"},
        "c": {"type": "echo", "needs": ["b", "never"]},
    }
    with node_type("echo", _echo):
        run = carry(start_graph(alice, nodes, output="nodes.c.saw"))
    assert (run.status, run.output) == ("succeeded", ["a", "b"])
    assert RunNode.objects.get(run=run, node="b").output == {"attempt": 1, "saw": ["a"], "config": {"loud": True}}
    assert phases(run) == [*_both("a"), ("never", "skipped"), *_both("b", "c")]
    in_order(run)


@pytest.mark.parametrize(
    ("nodes", "rest"),
    [
        ({"a": {"type": "echo"}, "b": {"type": "echo", "needs": ["a"], "when": "length(nodes.a.nothing) > `0`"}}, {}),
        ({"a": {"type": "echo"}, "b": {"type": "no-such-type", "needs": ["a"]}}, {}),
        ({"b": {"type": "no-such-type"}}, {}),
        ({"a": {"type": "echo"}}, {"output": "length(nodes.a.nothing)"}),
        ({"a": {"type": "echo", "when": "length(inputs.nothing) > `0`"}}, {}),
        ({"a": {"type": "unwritable"}}, {}),
        ({"a": {"type": "nul"}}, {}),
    ],
    ids=["when", "type", "first type", "output", "first when", "unwritable", "nul"],
)
def test_what_cannot_be_planned_or_written_fails_the_run_instead_of_turning_for_ever(
    alice: Person, nodes: dict[str, Any], rest: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    """The sweeper offers a run that raised again and again: it must come to an end."""
    unwritable = node_type("unwritable", lambda _: NodeResult({"a set": {1, 2}}, "Made."))
    nul = node_type("nul", lambda _: NodeResult({"text": "a\x00b"}, "Made."))
    with node_type("echo", _echo), unwritable, nul, caplog.at_level(logging.CRITICAL + 1):
        run = carry(start_graph(alice, nodes, **rest))
    assert run.status == "failed"
    assert {"code", "message"} <= run.error.keys()
    assert phases(run)[-1][1] == ("completed" if rest else "failed")
    in_order(run)


# --- one transaction a step ----------------------------------------------------------------------------------------


_TABLES = {"events": "runs_runevent", "nodes": "runs_runnode", "log": "events_event"}


@contextmanager
def _broken(table: str) -> Iterator[None]:
    """Inserts into the table fail, whatever was written before them."""
    wanted = re.compile(rf'INSERT INTO "?{_TABLES[table]}\b', re.IGNORECASE)

    def execute(run: Any, sql: str, *rest: Any) -> Any:
        if wanted.search(sql):
            raise DatabaseError("the disk is full")
        return run(sql, *rest)

    with connection.execute_wrapper(execute):
        yield


@pytest.mark.parametrize("what", ["events", "nodes"])
def test_a_step_is_written_whole_or_not_at_all(alice: Person, what: str) -> None:
    run = start(alice)
    planner = step(claim(run))
    assert planner is not None
    before = everything(run)
    outcome = worker.run_node(planner)
    with _broken(what), pytest.raises(DatabaseError):
        progress.finish(planner, outcome)
    assert everything(run) == before


@pytest.mark.parametrize("what", ["events", "nodes", "log"])
def test_a_claim_is_written_whole_or_not_at_all(alice: Person, what: str) -> None:
    run = start(alice)
    before = everything(run)
    with _broken(what), pytest.raises(DatabaseError):
        progress.take(run.id, ME)
    assert everything(run) == before
    assert carry(run).status == "succeeded"


def test_the_end_of_a_run_stands_and_falls_with_its_event_in_the_orgs_log(alice: Person) -> None:
    run = start_graph(alice, {"only": {"type": "intent"}})
    attempt = claim(run)
    before = everything(run)
    with _broken("log"), pytest.raises(DatabaseError):
        finish(attempt)
    assert everything(run) == before


def test_the_database_refuses_a_second_event_at_the_same_place(alice: Person) -> None:
    run = carry(start(alice))
    twin = RunEvent.objects.get(run=run, sequence=3)
    twin.pk = None
    with pytest.raises(IntegrityError), transaction.atomic():
        twin.save(force_insert=True)


def test_times_never_go_back_when_the_clock_does(alice: Person) -> None:
    run = start(alice)
    with time_machine.travel("2030-01-01T00:00:00Z", tick=False):
        attempt = claim(run)
    with time_machine.travel("2029-12-31T23:59:00Z", tick=False):
        step(step(attempt))
    in_order(run)
    span = RunEvent.objects.filter(run=run).aggregate(first=Min("timestamp"), last=Max("timestamp"))
    assert (span["last"] - span["first"]).total_seconds() < 1


def test_a_very_long_summary_is_cut_and_not_refused(alice: Person) -> None:
    run = start_graph(alice, {"only": {"type": "intent"}})
    progress.finish(claim(run), Outcome("x" * 5000, output={}))
    assert len(RunEvent.objects.get(run=run, phase="completed").summary) == 500


@pytest.mark.parametrize(
    ("model", "statement"), [(RunNode, statements._UPSERT_NODES), (RunEvent, statements._INSERT_EVENTS)]
)
def test_the_statements_name_every_column_of_their_table(model: type[Model], statement: str) -> None:
    """They are written out; a new column must not be forgotten in them."""
    named = statement.partition("(")[2].partition(")")[0]
    assert {name.strip() for name in named.split(",")} == {field.column for field in model._meta.fields}
