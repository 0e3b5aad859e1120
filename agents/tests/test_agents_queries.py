"""How often the database is asked: never once a row, and a 304 not for the rows at all."""

from typing import Any

import pytest

from agents.models import Agent, Prompt, RuntimeAgent
from agents.tests.calls import AGENTS, PROMPTS, RUNTIME, ask, define, register, statements
from conftest import Person
from orchestrator.api import lists

STATE = "/api/v1/collab/state/agents"


def fill(person: Person, count: int) -> None:
    made: dict[str, Any] = {"org": person.org, "created_by": "test"}
    taken = Agent.objects.count()
    agents = Agent.objects.bulk_create(Agent(name=f"{taken + n}", **made) for n in range(count))
    rows = RuntimeAgent.objects.bulk_create(RuntimeAgent(agent=agent, session_id="s", **made) for agent in agents)
    Prompt.objects.bulk_create(Prompt(runtime_agent=row, prompt_type="adw", prompt_text="x", **made) for row in rows)


@pytest.mark.parametrize("path", [AGENTS, RUNTIME, f"{RUNTIME}?session_id=s&status=initializing", PROMPTS, STATE])
def test_two_hundred_rows_cost_as_many_queries_as_two(alice: Person, path: str) -> None:
    counts = []
    for more in (2, 198):
        fill(alice, more)
        lists.forget()
        asked = f"{path}{'&' if '?' in path else '?'}limit=1000"
        counts.append(len(statements(lambda asked=asked: alice.client.get(asked))))
        assert len(alice.client.get(asked).json()["items"]) == Agent.objects.count()
    # Who asks, the revision, the rows; of prompts also the last renewal.
    assert counts[0] == counts[1] <= 3 + (path == PROMPTS)


@pytest.mark.parametrize("path", [AGENTS, RUNTIME, PROMPTS, STATE])
@pytest.mark.parametrize("known", [False, True], ids=["200", "304"])
def test_an_unchanged_list_is_not_read_again(alice: Person, path: str, known: bool) -> None:
    fill(alice, 3)
    etag = alice.client.get(path)["ETag"]
    headers = {"If-None-Match": etag} if known else {}
    asked = statements(lambda: alice.client.get(path, headers=headers))
    renewals = [sql for sql in asked if 'MAX("agents_prompt"."leased_at")' in sql]
    assert (len(asked), len(renewals)) == ((3, 1) if path == PROMPTS else (2, 0))
    assert not [sql for sql in asked if 'FROM "agents_' in sql and sql not in renewals]


def test_one_of_each_costs_two(alice: Person) -> None:
    agent = register(alice, define(alice))
    prompt = ask(alice, agent)
    for path in (f"{AGENTS}/{agent['agent_id']}", f"{RUNTIME}/{agent['id']}", f"{PROMPTS}/{prompt['id']}"):
        assert len(statements(lambda path=path: alice.client.get(path))) == 2, path
