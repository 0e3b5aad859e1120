"""Another org's agents are not there: not in a body, not in a filter. Paths are walked by tests/contract."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from agents.models import AgentLog, Prompt, RuntimeAgent
from agents.tests.calls import AGENTS, LOGS, PROMPTS, RUNTIME, ask, define, items, line, log, refused, register, send
from conftest import Person

MARK = "alices-own"


@pytest.mark.parametrize("field", ["agent_id", "parent_id"])
def test_an_instance_of_theirs(alice: Person, mallory: Person, field: str) -> None:
    theirs = {"agent_id": define(alice, MARK)["id"], "parent_id": register(alice, session=MARK)["id"]}
    body = {"agent_id": define(mallory)["id"], "session_id": "s", field: theirs[field]}
    answer = send(mallory.client, "POST", RUNTIME, body)
    refused(answer, 404, "not_found")
    assert MARK not in answer.content.decode()
    assert not RuntimeAgent.objects.for_org(mallory.org.pk).exists()


def test_a_prompt_for_theirs(alice: Person, mallory: Person) -> None:
    body = {"runtime_agent_id": register(alice)["id"], "prompt_type": "adw", "prompt_text": "x"}
    refused(send(mallory.client, "POST", PROMPTS, body), 404, "not_found")
    assert not Prompt.objects.exists()


def test_a_line_of_theirs(alice: Person, mallory: Person) -> None:
    own, theirs = register(mallory), register(alice)
    refused(send(mallory.client, "POST", LOGS, {"logs": [line(own), line(theirs)]}), 404, "not_found")
    assert not AgentLog.objects.exists()


def test_a_filter_by_theirs(alice: Person, mallory: Person) -> None:
    agent = register(alice)
    log(alice, line(agent))
    ask(alice, agent)
    paths = (
        f"{RUNTIME}?agent_id={agent['agent_id']}", f"{RUNTIME}?parent_id={agent['id']}",
        f"{PROMPTS}?agent={agent['id']}", f"{LOGS}?agent={agent['id']}", f"{LOGS}/agent/{agent['id']}",
        f"/api/v1/collab/state/agents?agent_id={agent['agent_id']}",
    )  # fmt: skip
    for path in paths:
        assert alice.client.get(path).status_code == 200
        refused(mallory.client.get(path), 404, "not_found")


def test_a_line_of_theirs_as_a_place_to_go_on_from(alice: Person, mallory: Person) -> None:
    """It tells nothing: it is a moment, as any id is."""
    after = log(alice, line(register(alice)))["last_id"]
    log(mallory, line(register(mallory), "mine"))
    assert [item["message"] for item in items(mallory.client.get(f"{LOGS}?after={after}"))] == ["mine"]


def test_a_session_is_an_orgs_own(alice: Person, mallory: Person) -> None:
    register(alice, session="shared")
    assert items(mallory.client.get(f"{RUNTIME}?session_id=shared")) == []


@pytest.mark.parametrize(
    ("scopes", "status"), [(("read",), 403), (("read", "write"), 201), (("write",), 201), (("jobs",), 403)]
)
def test_keys_need_their_scope(
    alice: Person, api_client: Callable[..., Client], scopes: tuple[str, ...], status: int
) -> None:
    agent = register(alice)
    client: Any = api_client(*scopes)
    assert send(client, "POST", LOGS, line(agent)).status_code == status
    assert send(client, "POST", AGENTS, {"name": "Mine"}).status_code == status
    assert send(client, "POST", f"{RUNTIME}/{agent['id']}/heartbeat").status_code == (200 if status == 201 else 403)
