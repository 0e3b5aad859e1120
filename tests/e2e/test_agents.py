"""The grid of agents and the page of one, while an agent works and its server is lost. By the keyboard alone."""

from typing import Any

from playwright.sync_api import Page, expect

from tests.e2e.conftest import Enter, Start
from tests.e2e.keys import Keys
from tests.e2e.marks import BROWSED, ONCE
from tests.e2e.people import problems
from tests.process.server import Server

pytestmark = [*BROWSED, ONCE]


def register(server: Server, name: str) -> str:
    """The id of a runtime agent of a new definition."""
    definition = server.post("/api/v1/agents", {"name": name, "agent_type": "utility"})
    return str(server.post("/api/v1/runtime/agents", {"agent_id": definition["id"], "session_id": "morning"})["id"])


def becomes(server: Server, agent: str, status: str) -> None:
    with server.client() as client:
        client.patch(f"/api/v1/runtime/agents/{agent}", json={"status": status}).raise_for_status()


def logs(server: Server, agent: str, message: str) -> Any:
    return server.post("/api/v1/runtime/logs", {"runtime_agent_id": agent, "level": "INFO", "message": message})


def says(page: Page, badge: str) -> None:
    expect(page.locator("[data-badge]")).to_have_text(badge)


def test_an_agent_is_watched_from_its_first_sign_of_life(serve: Start, enter: Enter) -> None:
    server = serve()
    visitor = enter(server)
    page = visitor.open("/dashboard/agents")
    says(page, "Live")
    agent = register(server, "gardener")
    card = page.locator(f"#agent-{agent}")
    expect(card.locator(".pill")).to_have_text("initializing")
    for status in ("idle", "executing"):
        becomes(server, agent, status)
        expect(card.locator(".pill")).to_have_text(status)

    Keys(page).press(card.get_by_role("link", name="gardener"))
    says(page, "Live")
    logs(server, agent, "Watered the roses.")
    expect(page.get_by_role("log")).to_contain_text("Watered the roses.")

    server.kill()
    says(page, "Reconnecting…")
    server = serve(port=server.port)
    says(page, "Live")
    logs(server, agent, "Pruned the hedge.")
    becomes(server, agent, "completed")
    expect(page.locator("#lines li")).to_contain_text(["Watered the roses.", "Pruned the hedge."])
    expect(page.locator("#agent-facts .pill").first).to_have_text("completed")
    says(page, "Ended")
    assert problems(visitor) == []
