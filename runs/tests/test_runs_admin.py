"""Operators see all runs and act on them through the services, in their own name."""

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from conftest import Person
from orchestrator.events.models import Event
from orchestrator.identity.models import User
from runs.models import Run, RunNode
from runs.tests.steps import carry, start, start_graph

BASE = "/admin/runs/"


def _page(client: Client, path: str) -> str:
    answer = client.get(BASE + path)
    assert answer.status_code == 200, answer.status_code
    return answer.content.decode()


def _act(client: Client, action: str, run: Run) -> str:
    sent = {"action": action, "_selected_action": [run.id], "confirmed": "yes"}
    return client.post(f"{BASE}run/", sent, follow=True).content.decode()


def test_lists_and_pages(alice: Person, desk: Client) -> None:
    run = carry(start(alice))
    for path in ("run/", "run/?q=agent-graph", f"runnode/?q={run.id}", f"runevent/?q={run.id}"):
        assert str(run.id) in _page(desk, path) or "agent-graph" in _page(desk, path), path
    node = RunNode.objects.filter(run=run).first()
    assert node is not None
    assert "agent-graph" in _page(desk, f"run/{run.id}/change/")
    assert node.node in _page(desk, f"runnode/{node.id}/change/")


@pytest.mark.parametrize("kind", ["run", "runnode", "runevent"])
def test_nothing_can_be_added_changed_or_deleted(desk: Client, kind: str) -> None:
    assert desk.get(f"{BASE}{kind}/add/").status_code == 403
    assert "delete_selected" not in _page(desk, f"{kind}/")


def test_a_list_costs_the_same_however_long(alice: Person, desk: Client) -> None:
    def cost(path: str) -> int:
        with CaptureQueriesContext(connection) as queries:
            _page(desk, path)
        return len(queries)

    carry(start(alice))
    before = {path: cost(path) for path in ("run/", "runnode/", "runevent/")}
    for _ in range(3):
        carry(start(alice))
    assert {path: cost(path) for path in before} == before


def test_an_operator_cancels_and_retries(alice: Person, desk: Client, operator: User) -> None:
    run = start(alice)
    assert "Cancelled: 1." in _act(desk, "cancel_selected", run)
    run.refresh_from_db()
    assert (run.status, run.cancelled_by) == ("cancelled", f"user:{operator.pk}")
    assert "Started again: 1." in _act(desk, "retry_selected", run)
    assert Run.objects.get(forked_from=run).created_by == f"user:{operator.pk}"
    assert Event.objects.filter(event="run_cancelled", actor=f"user:{operator.pk}").exists()
    done = carry(start_graph(alice, {"only": {"type": "transform", "with": {"expression": "`1`"}}}))
    assert "has already succeeded" in _act(desk, "cancel_selected", done)
