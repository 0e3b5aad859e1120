"""``manage.py seed --demo``, planted once for all of these tests."""

from collections import Counter
from collections.abc import Iterator
from io import StringIO
from itertools import pairwise
from typing import Any

import pytest
from django.core.management import call_command
from django.db import transaction
from django.test import override_settings

from agents.models import Agent, AgentLog, RuntimeAgent
from agents.states import AgentType, RuntimeStatus
from orchestrator.events.models import Event, EventHead
from orchestrator.identity.models import ApiKey, Membership, Organization, User
from orchestrator.identity.services import DEVELOPMENT_ORG
from runs.jobs.models import Job
from runs.models import Run, RunEvent, RunPatch, Slot
from runs.states import RunStatus
from tasks.models import Task, TaskLease
from tasks.states import Status
from versioning.models import MoveKind, Tag, TagMove


def seed(**options: Any) -> str:
    out = StringIO()
    with override_settings(DEBUG=True):
        call_command("seed", stdout=out, **options)
    return out.getvalue()


@pytest.fixture(scope="module")
def _planted(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    with django_db_blocker.unblock(), transaction.atomic():
        seed(demo=True)
        yield
        transaction.set_rollback(True)


@pytest.fixture(autouse=True)
def _demo(_planted: None, db: None) -> None:
    """The order: what is planted first is there for every test."""


def of_org(model: Any) -> Any:
    return model.objects.filter(org_id=DEVELOPMENT_ORG)


def test_a_second_time_it_adds_nothing_and_says_so() -> None:
    before = [model.objects.count() for model in (Event, Run, Task, RuntimeAgent, Tag, Membership)]
    assert "There already: the demonstration" in seed(demo=True)
    assert [model.objects.count() for model in (Event, Run, Task, RuntimeAgent, Tag, Membership)] == before


def test_people_have_all_roles_and_the_development_password() -> None:
    assert Counter(of_org(Membership).values_list("role", flat=True)) == Counter(("owner", "admin", "member", "viewer"))
    with override_settings(DEBUG=True):
        assert all(user.check_password("password") for user in User.objects.all())


def test_the_owner_has_a_second_org() -> None:
    owner = of_org(Membership).get(role="owner").user
    assert Organization.objects.filter(memberships__user=owner).count() == 2


def test_one_of_two_keys_is_an_agents() -> None:
    assert [key.runtime_agent_id is None for key in of_org(ApiKey).order_by("name")] == [False, True]


def test_runs_are_in_every_state() -> None:
    found = set(of_org(Run).values_list("status", flat=True))
    assert found == set(RunStatus.values)


def test_runs_wait_for_a_person_an_agent_a_time_and_a_slot() -> None:
    runs = of_org(Run).filter(status__in=("queued", "waiting"), waiting_on__isnull=False)
    assert {reason["kind"] for run in runs for reason in run.waiting_on} == {"approval", "agent", "timer", "limit"}


def test_runs_failed_for_reasons_of_all_kinds() -> None:
    codes = {run.error["code"] for run in of_org(Run).filter(status="failed")}
    assert codes >= {"unmendable_plan", "worker_lost", "rejected", "unreachable", "http_status"}


def test_some_runs_come_from_others() -> None:
    assert of_org(Run).filter(forked_from__isnull=False).count() >= 4
    assert of_org(Run).filter(parent__isnull=False).exists()
    assert set(of_org(RunPatch).values_list("state", flat=True)) == {"accepted", "reverted", "proposed"}
    assert of_org(Slot).filter(number__isnull=True).exists()


def test_agents_are_of_every_type_and_in_every_status() -> None:
    assert set(of_org(Agent).values_list("agent_type", flat=True)) == set(AgentType.values)
    assert set(of_org(RuntimeAgent).values_list("status", flat=True)) == set(RuntimeStatus.values)
    assert of_org(RuntimeAgent).filter(parent__parent__isnull=False).exists(), "a tree"
    assert set(of_org(AgentLog).values_list("level", flat=True)) == {0, 1, 2, 3, 4}


def test_tasks_are_in_every_status() -> None:
    assert set(of_org(Task).values_list("status", flat=True)) == set(Status.values)
    assert of_org(TaskLease).filter(ended_at=None).count() == 2
    assert of_org(Task).filter(attempts=3).count() == 1, "parked"


def test_tags_went_all_ways() -> None:
    found = set(of_org(TagMove).values_list("kind", flat=True))
    assert found == set(MoveKind.values) - {"delete"}
    assert of_org(Tag).order_by("-artifact__node_count").values_list("artifact__node_count", flat=True)[0] >= 12


def test_jobs_are_on_two_clocks_and_one_is_paused() -> None:
    assert len(set(of_org(Job).exclude(cron="").values_list("timezone", flat=True))) == 2
    assert set(of_org(Job).values_list("status", flat=True)) == {"scheduled", "paused", "completed"}


def test_the_log_has_no_gap_and_goes_forward_in_time_over_two_days() -> None:
    events = list(of_org(Event).order_by("seq"))
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    assert EventHead.objects.get(org_id=DEVELOPMENT_ORG).seq == len(events)
    assert all(one.created_at <= other.created_at for one, other in pairwise(events))
    assert (events[-1].created_at - events[0].created_at).total_seconds() > 47 * 3600


def test_newer_runs_have_greater_ids() -> None:
    moments = list(of_org(Run).order_by("pk").values_list("created_at", flat=True))
    assert moments == sorted(moments)


def test_every_runs_log_is_whole() -> None:
    for run in of_org(Run):
        sequences = list(RunEvent.objects.filter(run=run).order_by("sequence").values_list("sequence", flat=True))
        assert sequences == list(range(run.next_sequence)), run
