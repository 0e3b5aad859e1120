"""What the dashboard does for a browser that runs no scripts. By the keyboard alone."""

from playwright.sync_api import expect

from tests.e2e import workflows
from tests.e2e.conftest import Enter
from tests.e2e.keys import Keys
from tests.e2e.marks import BROWSED, ONCE
from tests.e2e.people import problems
from tests.process.server import Server

RUN_ENDS = 60_000

pytestmark = [*BROWSED, ONCE]


def test_a_days_work(server: Server, enter: Enter) -> None:
    workflows.make(server, "pause", workflows.PAUSE)
    workflows.start(server, "pause")
    server.post("/api/v1/collab/tasks", {"title": "Water the plants"})
    visitor = enter(server, java_script_enabled=False)
    page = visitor.open("/dashboard")
    keys = Keys(page)

    keys.write(page.get_by_label("What should be planned?"), "Two days in Vienna")
    keys.press(page.get_by_role("button", name="Start the run"))
    expect(page.locator("#run-facts .pill")).to_have_text("succeeded", timeout=RUN_ENDS)
    expect(page.get_by_role("heading", name="2 days in Vienna, Austria")).to_be_visible()

    keys.press(page.get_by_role("navigation", name="Main").get_by_role("link", name="Runs"))
    keys.press(page.get_by_role("link", name="waiting", exact=True))
    keys.press(page.get_by_role("link", name="pause", exact=True))
    keys.press(page.get_by_role("button", name="Cancel the run"))
    expect(page.get_by_text("The run is cancelled.")).to_be_visible()
    expect(page.locator("#run-facts .pill")).to_have_text("cancelled")

    keys.press(page.get_by_role("navigation", name="Main").get_by_role("link", name="Tasks"))
    keys.press(page.locator("summary", has_text="Water the plants"))
    keys.press(page.get_by_role("button", name="In progress"))
    expect(page.get_by_text("“Water the plants” is moved to in progress.")).to_be_visible()
    expect(page.locator("#column-in_progress")).to_contain_text("Water the plants")

    keys.press(page.get_by_role("link", name="Find anything"))
    keys.write(page.get_by_role("searchbox", name="Run, task, agent, workflow or page"), "water")
    keys.press(page.get_by_role("button", name="Find"))
    keys.press(page.locator("main").get_by_role("link", name="Water the plants"))
    expect(page.get_by_role("heading", level=1)).to_have_text("Water the plants")
    assert problems(visitor) == []


def test_the_page_of_a_run_reloads_itself(server: Server, enter: Enter) -> None:
    workflows.make(server, "still", workflows.PAUSE)
    run = workflows.start(server, "still")
    visitor = enter(server, java_script_enabled=False)
    page = visitor.open(f"/dashboard/runs/{run}")
    expect(page.locator("noscript .live")).to_have_text("Reloads every 3 s")
    expect(page.locator("#run-facts .pill")).to_have_text("waiting")
    server.post(f"/api/v1/runs/{run}/cancel")
    expect(page.locator("#run-facts .pill")).to_have_text("cancelled", timeout=RUN_ENDS)
    assert problems(visitor) == []
