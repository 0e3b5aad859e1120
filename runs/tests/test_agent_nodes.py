"""Nodes that an agent answers: handed out once, answered once, asked anew when an agent is lost."""

import uuid
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.test import Client

from agents import work
from agents.models import Prompt, RuntimeAgent, SystemLog
from agents.services import definitions, instances, prompt_leases, prompts
from agents.work import Wanted
from conftest import Person
from orchestrator.core import nudges
from orchestrator.core.errors import Conflict
from orchestrator.identity import services
from runs.models import Run, RunNode
from runs.nodes.base import NodeContext, NodeResult, Waiting
from runs.services import asking, cancellation
from runs.tests.steps import carry, node_type, phases, race, start_graph

NOON = "2030-01-01T12:00:00Z"


@pytest.fixture(autouse=True)
def types() -> Iterator[None]:
    def ask(ctx: NodeContext) -> Waiting:
        return Waiting({"kind": "agent", "prompt_type": "command", **ctx.config}, "Waiting for an agent.")

    with node_type("ask", ask), node_type("end", lambda ctx: NodeResult(dict(ctx.outputs["ask"]), "done")):
        yield


def _agent(person: Person, name: str = "writer") -> RuntimeAgent:
    found = person.client.get(f"/api/v1/agents?q={name}").json()["items"]
    agent_id = uuid.UUID(found[0]["id"]) if found else definitions.create_agent(actor=person.actor, name=name).id
    made = instances.create_instance(actor=person.actor, agent_id=agent_id, session_id="s")
    return instances.set_status(actor=person.actor, instance_id=made.id, status="idle")


def _waiting(person: Person, **config: Any) -> Run:
    nodes = {
        "ask": {"type": "ask", "with": {"agent": "writer", "prompt": "Write.", **config}},
        "end": {"type": "end", "needs": ["ask"]},
    }
    run = carry(start_graph(person, nodes, output="nodes.end.text"))
    assert run.status == "waiting"
    return run


def _next(person: Person, agent: RuntimeAgent, **body: Any) -> Any:
    url = f"/api/v1/runtime/agents/{agent.id}/next"
    return person.client.post(url, {"wait_seconds": 0, **body}, content_type="application/json")


def _answer(person: Person, prompt_id: str, **body: Any) -> Any:
    url = f"/api/v1/runtime/prompts/{prompt_id}"
    return person.client.patch(url, {"status": "completed", **body}, content_type="application/json")


def _node(run: Run) -> RunNode:
    return RunNode.objects.get(run=run, node="ask")


def test_the_run_says_for_whom_it_waits(alice: Person) -> None:
    run = _waiting(alice)
    assert run.waiting_on == [{"node": "ask", "kind": "agent", "agent": "writer", "prompt_type": "command"}]


def test_an_agent_pulls_the_prompt_and_its_answer_finishes_the_node(alice: Person) -> None:
    agent, run = _agent(alice), _waiting(alice)
    answer = _next(alice, agent)
    assert answer.status_code == 200
    body = answer.json()
    assert (body["kind"], body["prompt"]["prompt_text"]) == ("prompt", "Write.")
    assert _node(run).waiting_on["runtime_agent_id"] == str(agent.id)
    assert _next(alice, agent).status_code == 204, "it is handed out once"
    said = _answer(alice, body["prompt"]["id"], response_text="Written.", input_tokens=3, cost_usd=0.5)
    assert said.status_code == 200, said.content
    run = carry(run)
    assert (run.status, run.output) == ("succeeded", "Written.")
    assert _node(run).output["cost_usd"] == 0.5
    assert phases(run)[:4] == [("ask", "started"), ("ask", "waiting"), ("ask", "waiting"), ("ask", "completed")]


def test_only_agents_of_that_definition_are_handed_it(alice: Person, mallory: Person) -> None:
    _waiting(alice)
    assert _next(alice, _agent(alice, "painter")).status_code == 204
    assert _next(mallory, _agent(mallory, "writer")).status_code == 204
    assert _next(alice, _agent(alice), kinds=["task"]).status_code == 204


@pytest.mark.django_db(transaction=True)
def test_of_many_agents_one_is_handed_it(alice: Person) -> None:
    _waiting(alice)
    agents = [_agent(alice) for _ in range(4)]
    taken = race(
        *(lambda agent=agent: asking.take_prompt(actor=alice.actor, instance=agent, ttl_seconds=60) for agent in agents)
    )
    assert sum(isinstance(found, Prompt) for found in taken) == 1
    assert all(found is None or isinstance(found, Prompt) for found in taken), taken


def test_the_highest_priority_goes_first_then_the_oldest(alice: Person) -> None:
    agent = _agent(alice)
    old, young, urgent = _waiting(alice), _waiting(alice), _waiting(alice)
    Run.objects.filter(pk=urgent.pk).update(priority=5)
    handed = [_next(alice, agent).json()["prompt"]["source"].split(":")[1] for _ in range(3)]
    assert handed == [str(urgent.id), str(old.id), str(young.id)]


def test_a_lost_agents_prompt_is_asked_anew(noon: time_machine.Traveller, alice: Person) -> None:
    agent, run = _agent(alice), _waiting(alice)
    first = _next(alice, agent, ttl_seconds=30).json()["prompt"]["id"]
    noon.shift(timedelta(seconds=61))
    instances.lose_silent()
    prompt_leases.sweep()
    assert (_node(run).status, _node(run).asks) == ("waiting", "writer")
    assert phases(run)[-1] == ("ask", "retrying")
    late = _answer(alice, first, response_text="Too late.")
    assert late.status_code == 409
    second = _next(alice, _agent(alice)).json()["prompt"]["id"]
    assert _node(run).attempts == 2
    assert _answer(alice, second, response_text="In time.").status_code == 200
    assert carry(run).output == "In time."


def test_a_poison_prompt_is_given_up_after_max_attempts(noon: time_machine.Traveller, alice: Person) -> None:
    run = _waiting(alice, max_attempts=2)
    for _ in range(2):
        assert _next(alice, _agent(alice), ttl_seconds=30).status_code == 200
        noon.shift(timedelta(seconds=31))
        prompt_leases.sweep()
    run.refresh_from_db()
    assert (run.status, run.error["code"]) == ("failed", "agent_lost")
    assert _next(alice, _agent(alice)).status_code == 204
    assert SystemLog.objects.for_org(alice.org.id).filter(message__contains="lapsed").count() == 2


def test_an_agent_that_fails_is_followed_by_another_one(alice: Person) -> None:
    agent, run = _agent(alice), _waiting(alice, max_attempts=2)
    for left in (True, False):
        prompt_id = _next(alice, agent).json()["prompt"]["id"]
        assert _answer(alice, prompt_id, status="failed", error="No idea.").status_code == 200
        assert (_node(run).status == "waiting") is left
    run.refresh_from_db()
    assert (run.status, run.error["code"]) == ("failed", "agent_failed")
    assert "No idea." in run.error["message"]


def test_an_answer_that_breaks_the_schema_is_refused_and_may_be_mended(alice: Person) -> None:
    run = _waiting(alice, schema={"type": "object", "required": ["days"]})
    prompt_id = _next(alice, _agent(alice)).json()["prompt"]["id"]
    for text in ("no json", "{}"):
        assert _answer(alice, prompt_id, response_text=text).status_code == 409
        assert Prompt.objects.get(pk=prompt_id).status == "pending"
    assert _answer(alice, prompt_id, response_text='{"days": 2}').status_code == 200
    assert _node(run).output["json"] == {"days": 2}


def test_a_cancelled_run_takes_its_prompt_back(noon: time_machine.Traveller, alice: Person) -> None:
    run = _waiting(alice)
    prompt_id = _next(alice, _agent(alice)).json()["prompt"]["id"]
    cancellation.cancel_run(actor=alice.actor, run_id=run.id)
    run.refresh_from_db()
    assert run.status == "cancelled"
    assert _answer(alice, prompt_id, response_text="Late.").status_code == 409
    assert Prompt.objects.get(pk=prompt_id).status == "pending"


@pytest.mark.django_db(transaction=True)
def test_a_cancelled_runs_prompt_lapses_at_once(alice: Person) -> None:
    run = _waiting(alice)
    prompt_id = _next(alice, _agent(alice)).json()["prompt"]["id"]
    cancellation.cancel_run(actor=alice.actor, run_id=run.id)
    prompt_leases.sweep()
    assert Prompt.objects.get(pk=prompt_id).status == "cancelled"
    assert _next(alice, _agent(alice)).status_code == 204


@pytest.mark.django_db(transaction=True)
def test_of_an_answer_and_a_cancel_at_once_one_wins(alice: Person) -> None:
    for _ in range(3):
        run = _waiting(alice)
        prompt_id = uuid.UUID(_next(alice, _agent(alice)).json()["prompt"]["id"])
        answered, _ = race(
            lambda prompt_id=prompt_id: prompts.answer_prompt(
                actor=alice.actor, prompt_id=prompt_id, status="completed", response_text="x"
            ),
            lambda run=run: cancellation.cancel_run(actor=alice.actor, run_id=run.id),
        )
        node = _node(run)
        assert isinstance(answered, Prompt | Conflict), answered
        assert node.status == ("completed" if isinstance(answered, Prompt) else "cancelled")


@pytest.mark.django_db(transaction=True)
def test_agents_that_wait_hear_of_a_new_prompt(alice: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    woken: list[str] = []
    monkeypatch.setattr(nudges, "_listeners", [lambda topic, said: woken.append(topic)])
    _waiting(alice)
    assert f"events.{alice.org.id}" in woken
    assert work.answers().keys() == {"prompt", "task"}
    assert Wanted(ttl_seconds=1).ttl_seconds == 1


def test_an_agent_may_propose_a_patch_to_the_run_that_it_works_for(alice: Person) -> None:
    run, other = _waiting(alice), _waiting(alice, agent="painter")
    agent = _agent(alice)
    _, secret = services.create_api_key(
        actor=alice.actor, name="bound", scopes=["read", "write"], runtime_agent_id=agent.id
    )
    client = Client(headers={"X-API-Key": secret})
    body = {"operations": [{"op": "add", "path": "/nodes/more", "value": {"type": "transform", "needs": ["end"],
                                                                      "with": {"expression": "`1`"}}}]}  # fmt: skip
    url = f"/api/v1/runs/{run.id}/patches"
    assert client.post(url, body, content_type="application/json").status_code == 404, "it has nothing in hand yet"
    client.post(f"/api/v1/runtime/agents/{agent.id}/next", {"wait_seconds": 0}, content_type="application/json")
    proposed = client.post(url, body, content_type="application/json")
    assert (proposed.status_code, proposed.json()["state"]) == (201, "proposed"), proposed.content
    assert client.post(f"{url}/1/accept", {}, content_type="application/json").status_code == 403
    assert client.get(f"/api/v1/runs/{other.id}").status_code == 404
    accepted = alice.client.post(f"{url}/1/accept", {}, content_type="application/json")
    assert (accepted.status_code, accepted.json()["created_by"]) == (200, f"agent:{agent.id}")


def _hurried(person: Person) -> Run:
    """It may take a minute, and is tried again half a minute later."""
    node = {"type": "ask", "with": {"agent": "writer", "prompt": "Write."}, "timeout_seconds": 60}
    run = carry(start_graph(person, {"ask": {**node, "retry": {"max_attempts": 2, "delay_seconds": 30}}}))
    assert run.status == "waiting"
    return run


def test_a_node_that_pauses_before_its_next_attempt_asks_nobody(noon: time_machine.Traveller, alice: Person) -> None:
    agent, run = _agent(alice), _hurried(alice)
    noon.shift(timedelta(seconds=60))
    carry(run)
    assert (_node(run).status, _node(run).waiting_on["kind"]) == ("pending", "retry")
    assert _next(alice, agent).status_code == 204
    noon.shift(timedelta(seconds=30))
    carry(run)
    assert _next(alice, agent).status_code == 200


@pytest.mark.django_db(transaction=True)
def test_an_agent_that_was_too_slow_does_not_keep_the_prompt(noon: time_machine.Traveller, alice: Person) -> None:
    agent, run = _agent(alice), _hurried(alice)
    prompt_id = _next(alice, agent, ttl_seconds=600).json()["prompt"]["id"]
    noon.shift(timedelta(seconds=60))
    carry(run)
    prompt_leases.sweep()
    assert Prompt.objects.get(pk=prompt_id).status == "cancelled"
    assert _node(run).status == "pending"
