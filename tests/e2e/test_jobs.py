"""A job on a schedule, for somebody in another time zone. By the keyboard alone."""

import re
from datetime import datetime
from zoneinfo import ZoneInfo

from playwright.sync_api import expect

from tests.e2e import workflows
from tests.e2e.conftest import Enter
from tests.e2e.keys import Keys
from tests.e2e.marks import BROWSED, ONCE
from tests.e2e.people import problems
from tests.process.server import Server

NEW_YORK = "America/New_York"

pytestmark = [*BROWSED, ONCE]


def test_a_job_is_made_fired_and_paused(server: Server, enter: Enter) -> None:
    workflows.make(server, "mornings", workflows.GREET)
    visitor = enter(server, timezone_id=NEW_YORK)
    page = visitor.open("/dashboard/jobs")
    keys = Keys(page)
    keys.press(page.get_by_role("link", name="Make a job"))
    keys.write(page.get_by_label("Name", exact=True), "Good morning")
    keys.write(page.get_by_role("combobox", name="Workflow"), "mornings")
    keys.write(page.get_by_label("Inputs"), '{"name": "Ada"}')
    keys.pick(page.get_by_label("Again and again", exact=True))
    keys.write(page.get_by_label("Schedule"), "30 6 * * *")
    keys.press(page.get_by_role("button", name="Make the job"))
    expect(page.get_by_role("heading", level=1)).to_have_text("Good morning")

    time = page.get_by_role("table").filter(has_text="Your time").locator("time[data-here]").first
    expect(time).to_have_attribute("title", re.compile(" 06:30 UTC$"))
    at = datetime.fromisoformat(time.get_attribute("datetime") or "")
    expect(time).to_have_text(f"{at.astimezone(ZoneInfo(NEW_YORK)):%a %Y-%m-%d %H:%M}")
    expect(page.locator("[data-here-name]").last).to_have_text(NEW_YORK)

    keys.press(page.get_by_role("button", name="Fire now"))
    expect(page.locator(".notice")).to_have_text("Good morning has started this run.")
    expect(page.locator("#run-facts .pill")).to_have_text("succeeded")
    expect(page.locator("#run-output")).to_contain_text("Good day Ada. Farewell")

    run = page.url.removeprefix(visitor.home)
    keys.press(page.get_by_role("navigation", name="Main").get_by_role("link", name="Jobs"))
    keys.press(page.get_by_role("link", name="Good morning"))
    fires = page.get_by_role("table", name="Times of the job, the latest first")
    expect(fires.get_by_role("link")).to_have_attribute("href", run)
    keys.press(page.get_by_role("button", name="Pause"))
    expect(page.locator(".title .pill")).to_have_text("paused")
    expect(page.get_by_text("None: the job is paused.")).to_be_visible()
    keys.press(page.get_by_role("button", name="Resume"))
    expect(page.locator(".title .pill")).to_have_text("scheduled")
    assert problems(visitor) == []
