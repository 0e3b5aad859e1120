"""examples/agent.py against the application, in this process: prompts, tasks, failures, and a key of its own."""

import functools
import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from django.core.handlers.wsgi import WSGIHandler

from agents.models import Prompt
from agents.tests.calls import LOGS, items, register
from agents.tests.test_work import Questions, add_task, questions  # noqa: F401
from conftest import Person
from orchestrator.identity import services
from tasks.models import TaskLease

pytestmark = pytest.mark.django_db(transaction=True)
EXAMPLE = Path(__file__).parent.parent.parent / "examples" / "agent.py"


@pytest.fixture
def start(alice: Person, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Makes the example's agent, which has not begun to work."""

    def make(*, bound_to: Any = None, answer: Any = str.upper, work: Any = dict) -> Any:
        _, secret = services.create_api_key(
            actor=alice.actor, name="k", scopes=["read", "write"], runtime_agent_id=bound_to
        )
        monkeypatch.setenv("ORCHESTRATOR_API_KEY", secret)
        transport = httpx.WSGITransport(app=WSGIHandler())
        monkeypatch.setattr(httpx, "Client", functools.partial(httpx.Client, transport=transport))
        return runpy.run_path(str(EXAMPLE))["Agent"](work, answer)

    return make


def one_turn(agent: Any) -> None:
    """It takes and does one piece of work."""
    carry_out = agent._carry_out

    def last(handed: Any) -> None:
        carry_out(handed)
        agent.stopping.set()

    agent._carry_out = last
    agent.run()


def test_it_answers_a_prompt_and_then_does_a_task(
    start: Callable[..., Any], alice: Person, questions: Questions  # noqa: F811
) -> None:  # fmt: skip
    questions.waiting.append("why")
    add_task(alice)
    agent = start()
    one_turn(agent)
    prompt = Prompt.objects.get()
    assert (prompt.status, prompt.response_text) == ("completed", "WHY")
    assert str(prompt.runtime_agent_id) == agent.id
    agent.stopping.clear()
    one_turn(agent)
    assert TaskLease.objects.get().outcome == "completed"
    assert [item["message"] for item in items(alice.client.get(LOGS))] == ["Ended a task: 200", "Ended a prompt: 200"]


def test_what_it_cannot_do_it_says(
    start: Callable[..., Any], alice: Person, questions: Questions  # noqa: F811
) -> None:  # fmt: skip
    def fail(_: Any) -> Any:
        raise LookupError("no such word")

    questions.waiting.append("why")
    add_task(alice)
    agent = start(answer=fail, work=fail)
    one_turn(agent)
    agent.stopping.clear()
    one_turn(agent)
    assert Prompt.objects.values_list("status", "error").get() == ("failed", "no such word")
    assert TaskLease.objects.values_list("outcome", "error").get() == ("failed", "no such word")


def test_with_a_key_of_its_own_it_is_that_agent(
    start: Callable[..., Any], alice: Person, questions: Questions  # noqa: F811
) -> None:  # fmt: skip
    mine = register(alice)
    questions.waiting.append("why")
    agent = start(bound_to=mine["id"])
    one_turn(agent)
    assert agent.id == mine["id"]
    assert Prompt.objects.values_list("status", "created_by").get() == ("completed", f"agent:{mine['id']}")
    add_task(alice)
    agent.stopping.clear()
    one_turn(agent)
    assert TaskLease.objects.values_list("outcome", "holder").get() == ("completed", f"agent:{mine['id']}")
