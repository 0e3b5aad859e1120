"""A runtime agent's own key and the queue: it takes tasks in its own name, and sees what it has in hand."""

import uuid
from typing import Any

from django.test import Client

from agents.models import RuntimeAgent
from conftest import Person
from orchestrator.identity import services
from tasks.tests.calls import LEASE_STATE, LEASES, TASKS, acquire, add, of, refused, send
from tasks.tests.test_next import agent_of, path


def bound(person: Person, agent: RuntimeAgent) -> Client:
    _, secret = services.create_api_key(
        actor=person.actor, name="own", scopes=["read", "write"], runtime_agent_id=agent.id
    )
    return Client(headers={"X-API-Key": secret})


def holders(client: Client, query: str = "") -> list[str]:
    return [item["holder"] for item in client.get(f"{LEASE_STATE}{query}").json()["items"]]


def test_what_next_hands_it_is_its_own_to_see_and_to_end(alice: Person) -> None:
    agent = agent_of(alice)
    client, task = bound(alice, agent), add(alice)
    refused(client.get(of(task)), 404, "not_found")
    told = send(client, "POST", path(agent), {}).json()
    assert (told["kind"], told["holder"], told["task"]["id"]) == ("task", f"agent:{agent.id}", task["id"])
    assert client.get(of(task)).json()["status"] == "in_progress"
    lease = f"{LEASES}/{told['lease_id']}"
    assert client.get(lease).json()["created_by"] == f"agent:{agent.id}"
    assert send(client, "POST", f"{lease}/heartbeat", {"token": told["token"]}).status_code == 200
    assert send(client, "POST", f"{lease}/complete", {"token": told["token"]}).status_code == 200
    refused(client.get(of(task)), 404, "not_found")
    assert client.get(lease).json()["outcome"] == "completed"


def test_it_acquires_in_its_own_name_alone(alice: Person) -> None:
    agent, task = agent_of(alice), add(alice)
    client = bound(alice, agent)
    for holder in ("me", f"agent:{uuid.uuid4()}", f"agent:{agent.id} "):
        answer = send(client, "POST", f"{LEASES}/acquire", {"holder": holder, "task_id": task["id"]})
        assert answer.status_code == 403 or answer.json()["holder"] == f"agent:{agent.id}", "Spaces are trimmed."
    assert holders(alice.client) == [f"agent:{agent.id}"]


def test_leases_of_others_are_not_there(alice: Person) -> None:
    first, second = agent_of(alice), agent_of(alice)
    for _ in range(3):
        add(alice)
    clients = {agent: bound(alice, agent) for agent in (first, second)}
    told = {agent: send(client, "POST", path(agent), {}).json() for agent, client in clients.items()}
    people = acquire(alice)
    assert len(holders(alice.client)) == 3
    for agent, client in clients.items():
        assert holders(client) == holders(client, "?active=any") == [f"agent:{agent.id}"]
        assert holders(client, "?holder=h") == []
        for other in (people, *(lease for holder, lease in told.items() if holder != agent)):
            named: Any = {"token": other["token"]}
            refused(client.get(f"{LEASES}/{other['lease_id']}"), 404, "not_found")
            for action in ("heartbeat", "release", "complete"):
                refused(send(client, "POST", f"{LEASES}/{other['lease_id']}/{action}", named), 404, "not_found")
            refused(client.get(f"{TASKS}/{other['task']['id']}"), 404, "not_found")


def test_a_renewed_lease_shows_to_its_holder_and_the_kept_list_to_nobody_else(alice: Person) -> None:
    first, second = agent_of(alice), agent_of(alice)
    add(alice)
    mine, theirs = bound(alice, first), bound(alice, second)
    told = send(mine, "POST", path(first), {"ttl_seconds": 5}).json()
    before, nothing = mine.get(LEASE_STATE), theirs.get(LEASE_STATE)
    assert nothing.json()["items"] == []
    send(mine, "POST", f"{LEASES}/{told['lease_id']}/heartbeat", {"token": told["token"], "ttl_seconds": 90})
    after = mine.get(LEASE_STATE, headers={"If-None-Match": before["ETag"]})
    assert after.json()["items"][0]["ttl_seconds"] == 90
    assert theirs.get(LEASE_STATE, headers={"If-None-Match": nothing["ETag"]}).status_code == 304
