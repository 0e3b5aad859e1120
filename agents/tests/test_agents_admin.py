"""The admin shows all and changes nothing, but for a few actions through the services, in the operator's name."""

from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from agents.models import Agent, Prompt, RuntimeAgent
from agents.services import logs
from agents.tests.calls import PROMPTS, ask, define, line, log, moved, register, send
from conftest import Person
from orchestrator.events.models import Event
from orchestrator.identity.models import User

BASE = "/admin/agents/"
LISTS = ("agent", "runtimeagent", "prompt", "agentlog", "systemlog")


@pytest.fixture
def estate(alice: Person) -> dict[str, Any]:
    """One of each, and what its page must show."""
    agent = register(alice, define(alice, "Findable"), session="the-session", name="Instance")
    prompt = ask(alice, agent, "Asked.", prompt_name="Question")
    send(alice.client, "PATCH", f"{PROMPTS}/{prompt['id']}", {"response_text": "Answered.", "cost_usd": 0.25})
    line_id = log(alice, line(agent, "Reported.", "ERROR", details={"key": "value-of-it"}))["first_id"]
    logs.report(org_id=alice.org.pk, component="sweeper", level="WARNING", message="Swept.")
    return {"agent": agent["agent_id"], "runtimeagent": agent["id"], "prompt": prompt["id"], "agentlog": line_id}


def page(client: Client, path: str) -> str:
    answer = client.get(BASE + path)
    assert answer.status_code == 200, answer.status_code
    return answer.content.decode()


def act(client: Client, model: str, action: str, *ids: Any) -> Any:
    return client.post(f"{BASE}{model}/", {"action": action, "_selected_action": ids, "confirmed": "yes"}, follow=True)


@pytest.mark.parametrize(
    ("model", "shown", "search", "filters"),
    [
        ("agent", "Findable", "findable", ("agent_type=utility", "archived_at__isempty=1")),
        ("runtimeagent", "Instance", "the-session", ("status=initializing", "agent__agent_type=utility")),
        ("prompt", "Question", "Question", ("status=pending", "prompt_type=command")),
        ("agentlog", "Reported.", "Reported", ("level=3", "log_type=")),
        ("systemlog", "Swept.", "sweeper", ("level=2", "component=sweeper")),
    ],
)
def test_lists_are_searched_and_filtered(
    desk: Client, estate: dict[str, Any], model: str, shown: str, search: str, filters: tuple[str, ...]
) -> None:
    for query in ("", f"?q={search}", *(f"?{found}" for found in filters)):
        assert shown in page(desk, f"{model}/{query}"), query
    assert shown not in page(desk, f"{model}/?q=nothing-of-this-name")


def test_levels_are_filtered_as_in_the_api(desk: Client, estate: dict[str, Any]) -> None:
    assert "Reported." not in page(desk, "agentlog/?level=4")
    assert "Reported." in page(desk, "agentlog/?level=1")
    assert "Swept." not in page(desk, "systemlog/?level=3")


@pytest.mark.parametrize(
    ("model", "shown"),
    [
        ("agent", ["Findable", "utility"]),
        ("runtimeagent", ["Instance", "the-session", "0.25", "Last heartbeat"]),
        ("prompt", ["Asked.", "Answered.", "0.25"]),
        ("agentlog", ["Reported.", "ERROR", "value-of-it"]),
    ],
)
def test_a_page_shows_all_of_it(desk: Client, estate: dict[str, Any], model: str, shown: list[str]) -> None:
    found = page(desk, f"{model}/{estate[model]}/change/")
    assert [text for text in shown if text.lower() not in found.lower()] == []


def test_nothing_can_be_added_changed_or_deleted(desk: Client, estate: dict[str, Any]) -> None:
    for model, key in estate.items():
        for path in ("add/", f"{key}/change/", f"{key}/delete/"):
            assert desk.post(f"{BASE}{model}/{path}", {"name": "Forged", "post": "yes"}).status_code == 403
        assert "delete_selected" not in page(desk, f"{model}/")


def test_cancelling_goes_through_the_service(alice: Person, mallory: Person, operator: User, desk: Client) -> None:
    agents = [register(alice), register(mallory), moved(alice, register(alice, name="Over"), "failed")]
    said = act(desk, "runtimeagent", "cancel_selected", *(agent["id"] for agent in agents)).content.decode()
    assert "Cancelled: 2." in said
    assert "Over: A runtime agent that is failed cannot become cancelled." in said
    assert sorted(RuntimeAgent.objects.values_list("status", flat=True)) == ["cancelled", "cancelled", "failed"]
    recorded = Event.objects.filter(event="agent_status_changed", actor=f"user:{operator.pk}")
    assert {event.org_id for event in recorded} == {alice.org.pk, mallory.org.pk}


def test_marking_lost_goes_through_the_service(alice: Person, operator: User, desk: Client) -> None:
    agent = moved(alice, register(alice), "idle")
    assert "Marked lost: 1." in act(desk, "runtimeagent", "mark_lost_selected", agent["id"]).content.decode()
    said = act(desk, "runtimeagent", "mark_lost_selected", agent["id"]).content.decode()
    assert "Builder: A runtime agent that is lost cannot become lost." in said
    event = Event.objects.filter(event="agent_status_changed").latest("seq")
    assert (event.actor, event.details["new_status"]) == (f"user:{operator.pk}", "lost")
    assert RuntimeAgent.objects.get().status_before_lost == "idle"


def test_prompts_are_cancelled_and_definitions_archived(alice: Person, desk: Client, estate: dict[str, Any]) -> None:
    assert "Cancelled: 1." in act(desk, "prompt", "cancel_selected", estate["prompt"]).content.decode()
    assert Prompt.objects.get().status == "cancelled"
    said = act(desk, "agent", "archive_selected", estate["agent"], define(alice, "Unused")["id"]).content.decode()
    assert "Archived: 1." in said
    assert "Findable: Instances of this agent that are live: 1. Stop them first." in said
    assert Agent.objects.archived().get().name == "Unused"


def test_staff_who_may_only_look_cannot_act(alice: Person) -> None:
    staff = User.objects.create_user("temp@example.com", is_staff=True)
    client = Client()
    client.force_login(staff)
    agent = register(alice)
    assert client.get(f"{BASE}runtimeagent/").status_code == 403
    staff.user_permissions.add(Permission.objects.get(codename="view_runtimeagent"))
    assert "cancel_selected" not in page(client, "runtimeagent/")
    act(client, "runtimeagent", "cancel_selected", agent["id"])
    assert RuntimeAgent.objects.get().status == "initializing"


def test_lists_cost_the_same_with_more_rows(alice: Person, desk: Client) -> None:
    counts = []
    for attempt in range(2):
        for number in range(3):
            agent = register(alice, define(alice, f"{attempt} {number}"))
            ask(alice, agent)
            log(alice, line(agent))
            logs.report(org_id=alice.org.pk, component="c", level="INFO", message="m")
        with CaptureQueriesContext(connection) as captured:
            for model in LISTS:
                page(desk, f"{model}/")
        counts.append(len(captured))
    assert counts[0] == counts[1]
