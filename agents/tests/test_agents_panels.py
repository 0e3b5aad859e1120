"""What agents give to the shell: finders, targets of events, and what needs a person."""

from typing import Any

from agents.pages import needs
from agents.panels import find
from agents.services import instances
from agents.tests.test_agents_pages import define, register
from orchestrator.web.tests.browser import queries, sign_in


def test_agents_are_found_by_name_and_id_in_ones_own_org(alice: Any, mallory: Any) -> None:
    agent = register(alice, "Builder one")
    define(alice, "Builder of walls")
    found = find(alice.actor, "BUILDER", 6)
    assert [(hit.label, hit.detail) for hit in found] == [
        ("Builder one", "initializing"), ("Builder", "definition"), ("Builder of walls", "definition"),
    ]  # fmt: skip
    assert [hit.url for hit in find(alice.actor, str(agent.pk), 6)] == [f"/dashboard/agents/{agent.pk}"]
    assert len(find(alice.actor, "builder", 2)) == 2
    assert find(mallory.actor, "builder", 6) == find(mallory.actor, str(agent.pk), 6) == []
    assert queries(lambda: find(alice.actor, "builder", 6)) <= 2


def test_events_of_agents_lead_to_their_pages(alice: Any) -> None:
    agent = register(alice)
    html = sign_in(alice).get("/dashboard").content.decode()
    assert f'href="/dashboard/agents/{agent.pk}"' in html
    assert f'href="/dashboard/agents/definitions/{agent.agent_id}"' in html


def test_lost_and_live_agents_are_told_in_one_query_each(alice: Any, mallory: Any) -> None:
    lost, live = register(alice, "Silent"), register(alice, "Busy")
    instances.mark_lost(actor=alice.actor, instance_id=lost.pk)
    [found] = needs.lost(alice.actor, 5)
    assert (found.label, found.url) == ("Silent", f"/dashboard/agents/{lost.pk}")
    assert needs.live(alice.actor) == {"counts": [(live.status, 1)], "more": False}
    assert needs.live(mallory.actor)["counts"] == []
    assert needs.lost(alice.actor, 0) == needs.lost(mallory.actor, 5) == []
    assert queries(lambda: needs.lost(alice.actor, 5)) == queries(lambda: needs.live(alice.actor)) == 1
