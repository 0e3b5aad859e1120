"""A runtime agent asks for its next task: at once, after a while, or never; and loses it with its life."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from agents.models import RuntimeAgent
from agents.services import definitions, instances
from agents.states import RuntimeStatus
from conftest import Person, make_person
from orchestrator.streams.tests.asgi import Client, until
from orchestrator.streams.tests.fixtures import client, in_thread  # noqa: F401
from tasks import services
from tasks.models import Task, TaskLease
from tasks.states import Status

InThread = Callable[..., Awaitable[Any]]


def agent_of(person: Person) -> RuntimeAgent:
    agent = definitions.create_agent(actor=person.actor, name=f"worker-{RuntimeAgent.objects.count()}")
    return instances.create_instance(actor=person.actor, agent_id=agent.id, session_id="s")


def path(agent: RuntimeAgent, base: str = "/api/v1") -> str:
    return f"{base}/runtime/agents/{agent.id}/next"


def ask(person: Person, agent: RuntimeAgent, base: str = "/api/v1", **body: Any) -> Any:
    return person.client.post(path(agent, base), body, content_type="application/json")


def add(person: Person, title: str = "work", **fields: Any) -> Task:
    return services.create_task(actor=person.actor, title=title, **fields)


@pytest.mark.parametrize("base", ["/api/v1", "/api"])
def test_the_best_task_comes_under_a_lease_of_the_agents_own(alice: Person, base: str) -> None:
    agent = agent_of(alice)
    add(alice, "later")
    best = add(alice, "first", priority=9)
    answer = ask(alice, agent, base, ttl_seconds=5)
    told = answer.json()
    assert answer.status_code == 200
    assert (told["task"]["id"], told["task"]["status"]) == (str(best.id), "in_progress")
    assert told["holder"] == f"agent:{agent.id}"
    done = alice.client.post(
        f"/api/v1/collab/leases/{told['lease_id']}/complete", {"token": told["token"]}, content_type="application/json"
    )
    assert done.status_code == 200


def test_labels_narrow_what_comes(alice: Person) -> None:
    agent = agent_of(alice)
    add(alice, "other")
    wanted = add(alice, "wanted", labels=["gpu"])
    assert ask(alice, agent, labels=["gpu"]).json()["task"]["id"] == str(wanted.id)
    assert ask(alice, agent, labels=["gpu"], wait_seconds=0).status_code == 204


def test_an_agent_that_has_ended_gets_nothing(alice: Person) -> None:
    agent = agent_of(alice)
    instances.stop_instance(actor=alice.actor, instance_id=agent.id, status=RuntimeStatus.CANCELLED)
    add(alice)
    assert ask(alice, agent).status_code == 409
    assert not TaskLease.objects.exists()


def test_another_orgs_agent_is_not_there(alice: Person, mallory: Person) -> None:
    assert ask(mallory, agent_of(alice)).status_code == 404


@pytest.mark.parametrize("body", [{"wait_seconds": 31}, {"wait_seconds": -1}, {"ttl_seconds": 0}, {"holder": "me"}])
def test_a_senseless_question_is_refused(alice: Person, body: dict[str, Any]) -> None:
    assert ask(alice, agent_of(alice), **body).status_code == 422


@pytest.mark.parametrize("gone", ["lost", "stopped"])
def test_what_it_had_goes_back_with_its_life(alice: Person, gone: str) -> None:
    agent, task = agent_of(alice), add(alice)
    told = ask(alice, agent).json()
    if gone == "lost":
        instances.mark_lost(actor=alice.actor, instance_id=agent.id)
    else:
        instances.stop_instance(actor=alice.actor, instance_id=agent.id, status=RuntimeStatus.CANCELLED)
    task.refresh_from_db()
    assert (task.status, task.attempts) == (Status.TODO, 1)
    late = alice.client.post(
        f"/api/v1/collab/leases/{told['lease_id']}/complete", {"token": told["token"]}, content_type="application/json"
    )
    assert late.status_code == 409
    assert TaskLease.objects.get().outcome == "reclaimed"


# --- waiting ---------------------------------------------------------------------------------------------------------


async def test_it_waits_for_work_and_holds_no_thread(client: Client, in_thread: InThread) -> None:  # noqa: F811
    """One web thread, three who wait: the work that comes is given to each once, and others are answered meanwhile."""
    alice = await in_thread(make_person, "alice")
    agents = [await in_thread(agent_of, alice) for _ in range(3)]
    waiting = [asyncio.create_task(client.open(path(agent), alice.access_token, method="POST")) for agent in agents]
    await asyncio.sleep(0.1)
    assert (await client.open("/api/v1/auth/me", alice.access_token)).status == 200
    tasks = [await in_thread(add, alice, f"task {number}") for number in range(3)]
    answers = [await answer for answer in waiting]
    assert [answer.status for answer in answers] == [200] * 3
    given = [(await answer.json())["task"]["id"] for answer in answers]
    assert sorted(given) == sorted(str(task.id) for task in tasks)


async def test_who_leaves_is_given_nothing(client: Client, in_thread: InThread) -> None:  # noqa: F811
    alice = await in_thread(make_person, "alice")
    agent = await in_thread(agent_of, alice)
    opening = asyncio.create_task(client.open(path(agent), alice.access_token, method="POST"))
    await until(lambda: client._open)
    await asyncio.sleep(0.05)
    await client._open[0].leave()
    await in_thread(add, alice)
    await asyncio.sleep(0.05)
    assert await in_thread(lambda: TaskLease.objects.count()) == 0
    opening.cancel()
    await asyncio.gather(opening, return_exceptions=True)


async def test_nothing_comes_in_time(
    client: Client, in_thread: InThread, monkeypatch: pytest.MonkeyPatch  # noqa: F811
) -> None:  # fmt: skip
    monkeypatch.setattr("agents.api.serializers.Next.get_fields", _brief)
    alice = await in_thread(make_person, "alice")
    agent = await in_thread(agent_of, alice)
    assert (await client.open(path(agent), alice.access_token, method="POST")).status == 204


def _brief(self: Any) -> dict[str, Any]:
    fields = super(type(self), self).get_fields()
    fields["wait_seconds"].default = 0.2
    return fields
