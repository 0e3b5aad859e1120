"""``manage.py seed --load N``: what it writes is as the services would have written it, and they go on from there."""

import json
from collections.abc import Iterator
from io import StringIO
from itertools import groupby
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.db.models import Count, F, Sum
from django.test import Client, override_settings

from agents.models import AgentLog, Prompt, RuntimeAgent
from agents.states import LIVE
from orchestrator.events import services as events
from orchestrator.events.models import Event, EventHead
from orchestrator.identity import tokens
from orchestrator.identity.actors import ROLE_SCOPES, Actor
from orchestrator.identity.models import Organization, User
from runs.definitions import BUILT_IN
from runs.engine import worker
from runs.models import Run, RunEvent, RunNode
from runs.services.submission import start_run
from runs.states import ACTIVE_RUN
from tasks.models import Task, TaskLabel, TaskLease

EVENTS = 2_000
SAID: list[str] = []


def load(count: int = EVENTS, org: str = "load") -> str:
    out = StringIO()
    with override_settings(DEBUG=True):
        call_command("seed", load=count, org=org, stdout=out)
    return out.getvalue()


@pytest.fixture(scope="module")
def _loaded(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    with django_db_blocker.unblock(), transaction.atomic():
        SAID[:] = [load()]
        yield
        transaction.set_rollback(True)


@pytest.fixture
def org(_loaded: None, db: None) -> Organization:
    return Organization.objects.get(slug="load")


def owner_of(org: Organization) -> Actor:
    return Actor("user", User.objects.get().id, org.id, ROLE_SCOPES["owner"], "owner")


@pytest.mark.usefixtures("org")
def test_it_says_how_far_it_has_come() -> None:
    assert "2,000 of 2,000 events" in SAID[0]


@pytest.mark.usefixtures("org")
def test_it_refuses_to_fill_the_same_org_again() -> None:
    with pytest.raises(CommandError, match="is there already"):
        load()


@pytest.mark.django_db
def test_too_few_events_make_no_sense() -> None:
    with pytest.raises(CommandError, match="at the least"):
        load(10, "few")
    assert not Organization.objects.filter(slug="few").exists()


def test_the_log_has_no_gap_and_the_head_is_its_end(org: Organization) -> None:
    found = list(Event.objects.for_org(org.id).order_by("seq").values_list("seq", "created_at", "pk"))
    assert [seq for seq, *_ in found] == list(range(1, len(found) + 1))
    assert EventHead.objects.get(org=org).seq == len(found) >= EVENTS
    moments = [moment for _, moment, _ in found]
    assert moments == sorted(moments)


def test_every_runs_log_is_whole_and_its_row_says_so(org: Organization) -> None:
    rows = RunEvent.objects.for_org(org.id).order_by("run", "sequence").values_list("run", "sequence", "timestamp")
    logs = {run: [(place, moment) for _, place, moment in each] for run, each in groupby(rows, lambda row: row[0])}
    for run in Run.objects.for_org(org.id):
        log = logs[run.pk]
        assert [place for place, _ in log] == list(range(run.next_sequence))
        assert run.last_event_at == log[-1][1]
        assert run.created_at <= (run.started_at or run.created_at) <= log[-1][1]


def test_runs_and_nodes_are_of_their_org_and_few_are_active(org: Organization) -> None:
    assert Run.objects.for_org(org.id).count() > EVENTS / 10 * 0.4
    assert not RunNode.objects.for_org(org.id).exclude(run__org=org).exists()
    active = Run.objects.for_org(org.id).filter(status__in=ACTIVE_RUN)
    assert set(active.values_list("status", flat=True)) == {"waiting"}
    assert active.count() == 5
    assert not RunNode.objects.filter(
        run__in=Run.objects.exclude(pk__in=active), status__in=("pending", "running")
    ).exists()


def test_runs_are_of_workflows_that_are_there(org: Organization) -> None:
    assert Run.objects.for_org(org.id).values("workflow").distinct().count() >= 10
    assert not Run.objects.for_org(org.id).exclude(artifact__org=org, snapshot__org=org).exists()
    assert not Run.objects.for_org(org.id).exclude(snapshot__kind="run_snapshot").exists()


def test_tasks_have_their_labels_and_leases_that_have_ended(org: Organization) -> None:
    tasks = Task.objects.for_org(org.id).annotate(count=Count("labels"))
    assert tasks.exists()
    assert set(tasks.values_list("count", flat=True)) == {2}
    assert TaskLabel.objects.for_org(org.id).count() == 2 * tasks.count()
    assert not TaskLease.objects.for_org(org.id).filter(ended_at=None).exists()


def test_agents_have_the_sums_of_their_prompts_and_none_is_live(org: Organization) -> None:
    agents = RuntimeAgent.objects.for_org(org.id)
    summed = agents.annotate(tokens=Sum("prompts__input_tokens")).exclude(tokens=F("input_tokens"))
    assert agents.exists()
    assert not summed.exists()
    assert not agents.filter(status__in=LIVE).exists()
    assert Prompt.objects.for_org(org.id).exists()
    assert AgentLog.objects.for_org(org.id).exists()


def test_events_name_rows_that_are_there(org: Organization) -> None:
    targets = set(Event.objects.for_org(org.id).filter(kind="runs").values_list("target", flat=True))
    assert targets == {f"run:{pk}" for pk in Run.objects.for_org(org.id).values_list("pk", flat=True)}


def test_what_comes_next_goes_on_from_there(org: Organization) -> None:
    actor, head = owner_of(org), events.head(org.id)
    assert events.append(actor=actor, event="hello", target="me:1", details={}).seq == head + 1
    newest = Run.objects.for_org(org.id).latest("pk")
    run = start_run(actor=actor, workflow="load/report-0001", inputs={})
    assert run.pk > newest.pk
    worker.execute(run.id, "elsewhere:1:me")
    run.refresh_from_db()
    assert run.status == "succeeded"
    assert run.workflow != BUILT_IN


def test_the_api_lists_it(org: Organization) -> None:
    pair = tokens.start_family(user=User.objects.get(), org_id=org.id)
    client = Client(headers={"Authorization": f"Bearer {pair.access_token}"})
    for path in (
        "runs",
        "events",
        "collab/tasks",
        "collab/state/agents",
        "runtime/agents",
        "workflows",
        "runtime/logs",
    ):
        answer = client.get(f"/api/v1/{path}?limit=20")
        assert answer.status_code == 200, path
        assert len(json.loads(answer.content)["items"]) >= 10, path
    run = Run.objects.for_org(org.id).filter(status="failed").latest("pk")
    assert client.get(f"/api/v1/runs/{run.pk}/events").json()["items"][-1]["phase"] == "failed"


@pytest.mark.usefixtures("org")
def test_every_reference_holds() -> None:
    connection.check_constraints()
