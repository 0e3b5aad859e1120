"""What tasks give to the shell: the finder, targets of events, what agents hold, and what needs a person."""

from typing import Any

from orchestrator.web.tests.browser import queries, sign_in
from tasks import services
from tasks.pages import needs
from tasks.panels import find, held_by_agents
from tasks.services.leases import holder_of
from tasks.tests.test_tasks_pages import make, of


def test_tasks_are_found_by_title_and_id_in_ones_own_org(alice: Any, mallory: Any) -> None:
    make(alice, "Mow the lawn")
    task = make(alice)
    assert [(hit.label, hit.url, hit.detail) for hit in find(alice.actor, "FENCE", 6)] == [
        ("Paint the fence", of(task), "todo")
    ]
    assert [hit.url for hit in find(alice.actor, str(task.pk), 6)] == [of(task)]
    assert find(mallory.actor, "fence", 6) == find(mallory.actor, str(task.pk), 6) == []
    assert queries(lambda: find(alice.actor, "fence", 6)) == 1


def test_events_of_tasks_lead_to_their_pages(alice: Any) -> None:
    task = make(alice)
    assert f'href="{of(task)}"' in sign_in(alice).get("/dashboard").content.decode()


def test_agents_show_the_tasks_that_they_hold(alice: Any, runtime_agent: Any) -> None:
    client, task = sign_in(alice), make(alice)
    make(alice, "Another's")
    services.acquire_lease(actor=alice.actor, holder=holder_of(runtime_agent.pk), task_id=task.pk)
    for path in ("", f"/{runtime_agent.pk}"):
        assert f'href="{of(task)}"' in client.get(f"/dashboard/agents{path}").content.decode()
    [held] = held_by_agents(alice.org.id, [runtime_agent.pk])[runtime_agent.pk]
    assert (held.label, held.url) == (task.title, of(task))
    assert queries(lambda: held_by_agents(alice.org.id, [runtime_agent.pk])) == 1


def test_parked_tasks_need_a_person(alice: Any, mallory: Any) -> None:
    parked, blocked = make(alice, max_attempts=1), make(alice, "By hand")
    services.transition_task(actor=alice.actor, task_id=blocked.pk, to="blocked")
    lease = services.acquire_lease(actor=alice.actor, holder="h", task_id=parked.pk)
    assert lease
    services.fail_lease(actor=alice.actor, lease_id=lease.pk, token=lease.token, error="No.")
    [found] = needs.parked(alice.actor, 5)
    assert (found.label, found.url) == (parked.title, of(parked))
    assert "1 of 1" in found.detail
    assert needs.parked(alice.actor, 0) == needs.parked(mallory.actor, 5) == []
    assert queries(lambda: needs.parked(alice.actor, 5)) == 1
