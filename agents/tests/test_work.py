"""What ``next`` hands an agent: prompts before tasks, of the kinds that it wants."""

import uuid
from dataclasses import dataclass, field
from typing import Any

import orjson
import pytest

from agents import work
from agents.api.serializers import HandedPromptBody, handed_json
from agents.models import RuntimeAgent
from agents.services import prompts
from agents.tests.calls import NOWHERE, PROMPTS, RUNTIME, moved, read, refused, register, send
from agents.work import Wanted, Work
from conftest import Person
from orchestrator.api.schema import document
from orchestrator.identity.actors import Actor
from tasks.models import TaskLease


@dataclass
class Questions:
    """A source of prompts as a room above has one: texts that wait to be asked."""

    waiting: list[str] = field(default_factory=list)
    wanted: list[Wanted] = field(default_factory=list)
    name = "prompt"
    answer = HandedPromptBody

    def take(self, *, actor: Actor, instance: RuntimeAgent, wanted: Wanted) -> Work | None:
        self.wanted.append(wanted)
        if not self.waiting:
            return None
        prompt = prompts.hand_out(
            actor=actor, instance_id=instance.id, prompt_type="command", prompt_text=self.waiting.pop(0),
            ttl_seconds=wanted.ttl_seconds, source="test:1",
        )  # fmt: skip
        return Work("prompt", handed_json(prompt), f"{PROMPTS}/{prompt.id}")


@pytest.fixture
def questions(monkeypatch: pytest.MonkeyPatch) -> Questions:
    source = Questions()
    monkeypatch.setitem(work._sources, "prompt", source)
    return source


def ask_for(person: Person, agent: Any, **body: Any) -> Any:
    return send(person.client, "POST", f"{RUNTIME}/{agent['id']}/next", {"wait_seconds": 0, **body})


def add_task(person: Person, title: str = "work", **fields: Any) -> None:
    answer = send(person.client, "POST", "/api/v1/collab/tasks", {"title": title, **fields})
    assert answer.status_code == 200


def test_a_prompt_goes_before_a_task_and_is_leased(alice: Person, questions: Questions) -> None:
    agent = register(alice)
    add_task(alice)
    questions.waiting.append("Why?")
    answer = ask_for(alice, agent, ttl_seconds=5)
    told = answer.json()
    assert (answer.status_code, told["kind"], told["prompt"]["prompt_text"]) == (200, "prompt", "Why?")
    assert answer["Location"] == f"{PROMPTS}/{told['prompt']['id']}"
    assert told["prompt"] == read(alice, answer["Location"])
    assert (told["prompt"]["status"], told["prompt"]["source"]) == ("pending", "test:1")
    assert told["lease"] == {"expires_at": told["prompt"]["lease_expires_at"], "ttl_seconds": 5}
    second = ask_for(alice, agent)
    assert (second.json()["kind"], second.json()["task"]["title"]) == ("task", "work")
    assert second["Location"] == f"/api/v1/collab/leases/{second.json()['lease_id']}"
    assert ask_for(alice, agent).status_code == 204


def test_an_agent_says_which_kinds_it_takes(alice: Person, questions: Questions) -> None:
    agent = register(alice)
    add_task(alice)
    questions.waiting.append("Why?")
    assert ask_for(alice, agent, kinds=["task"]).json()["kind"] == "task"
    assert ask_for(alice, agent, kinds=["task"]).status_code == 204
    assert not questions.wanted, "Nobody asked it."
    assert ask_for(alice, agent, kinds=["task", "prompt"]).json()["kind"] == "prompt"
    assert ask_for(alice, agent, kinds=["prompt"]).status_code == 204
    assert TaskLease.objects.count() == 1


def test_what_the_agent_wants_reaches_the_source(alice: Person, questions: Questions) -> None:
    ask_for(alice, register(alice), ttl_seconds=7, labels=["gpu"], q="x")
    assert questions.wanted == [Wanted(7, ["gpu"], "x")]


def test_a_lost_agent_that_asks_is_back_and_is_handed_work(alice: Person, questions: Questions) -> None:
    agent = register(alice)
    RuntimeAgent.objects.filter(pk=agent["id"]).update(status="lost", status_before_lost="idle")
    questions.waiting.append("Why?")
    assert ask_for(alice, agent).status_code == 200
    assert read(alice, f"{RUNTIME}/{agent['id']}")["status"] == "idle"


@pytest.mark.parametrize("base", ["/api/v1", "/api"])
def test_one_that_has_ended_or_is_not_there_is_handed_nothing(
    alice: Person, mallory: Person, questions: Questions, base: str
) -> None:
    ended = moved(alice, register(alice), "idle", "completed")
    questions.waiting.append("Why?")
    path = f"{base}/runtime/agents"
    refused(send(alice.client, "POST", f"{path}/{ended['id']}/next", {}), 409, "conflict")
    refused(send(alice.client, "POST", f"{path}/{NOWHERE}/next", {}), 404, "not_found")
    refused(send(mallory.client, "POST", f"{path}/{register(alice)['id']}/next", {}), 404, "not_found")
    assert questions.waiting == ["Why?"]


@pytest.mark.parametrize("kinds", [[], ["run"], "task", ["task", "task", "task"], [1]])
def test_a_kind_that_there_is_not(alice: Person, kinds: Any) -> None:
    told = refused(ask_for(alice, register(alice), kinds=kinds), 422, "validation_error")
    assert list(told["details"]) == ["kinds"]


def test_a_source_of_an_unknown_kind_is_refused(questions: Questions) -> None:
    questions.name = "run"
    with pytest.raises(ValueError, match="'run'"):
        work.register(questions)


def test_both_answers_are_documented() -> None:
    paths: Any = orjson.loads(document()[0])["paths"]
    operation = paths["/api/v1/runtime/agents/{runtime_agent_id}/next"]["post"]
    schema = operation["responses"]["200"]["content"]["application/json"]["schema"]
    found = orjson.loads(document()[0])["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    assert found["discriminator"]["propertyName"] == "kind"
    assert set(found["discriminator"]["mapping"]) == {"prompt", "task"}


def test_nothing_is_handed_to_one_that_is_not_live(alice: Person) -> None:
    agent = register(alice)
    RuntimeAgent.objects.filter(pk=agent["id"]).update(status="lost")
    with pytest.raises(Exception, match="This agent is lost"):
        prompts.hand_out(
            actor=alice.actor, instance_id=uuid.UUID(agent["id"]), prompt_type="adw", prompt_text="x", ttl_seconds=5,
            source="test:1",
        )  # fmt: skip
