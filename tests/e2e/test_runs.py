"""Deciding, mending and cancelling: what people do with runs. By the keyboard alone."""

from playwright.sync_api import Page, expect

from tests.e2e import workflows
from tests.e2e.conftest import Enter
from tests.e2e.keys import Keys
from tests.e2e.marks import BROWSED, ONCE
from tests.e2e.people import problems
from tests.process.server import Server

pytestmark = [*BROWSED, ONCE]


def runs_to(page: Page, state: str) -> None:
    expect(page.locator("#run-facts .pill")).to_have_text(state)


def test_a_run_asks_and_goes_on_with_the_answer(server: Server, enter: Enter) -> None:
    workflows.make(server, "report", workflows.REVIEW)
    visitor = enter(server)
    page = visitor.open("/dashboard")
    keys = Keys(page)
    expect(page.locator("[data-badge]")).to_have_text("Live")
    workflows.start(server, "report")

    keys.press(page.locator(".needs").get_by_role("link", name="Publish the report?"))
    yes = page.locator("form", has=page.get_by_role("button", name="Approve"))
    keys.write(yes.get_by_label("Headline"), "Oh")
    keys.write(yes.get_by_label("Copies"), "3")
    keys.press(yes.get_by_role("button", name="Approve"))
    expect(yes.locator(".faulty", has_text="Headline").locator(".errorlist")).to_be_visible()
    expect(yes.get_by_label("Headline")).to_be_focused()
    expect(yes.get_by_label("Headline")).to_have_value("Oh")
    expect(yes.get_by_label("Copies")).to_have_value("3")

    keys.write(yes.get_by_label("Headline"), "All is well")
    keys.press(yes.get_by_role("button", name="Approve"))
    expect(page.locator(".notice")).to_be_visible()
    runs_to(page, "succeeded")
    expect(page.locator("#run-output")).to_contain_text("All is well")
    keys.press(page.get_by_role("link", name="Home"))
    expect(page.locator(".needs")).not_to_contain_text("Publish the report?")
    assert problems(visitor, 422) == []


def test_a_failed_run_is_understood_and_mended(server: Server, enter: Enter) -> None:
    failed = workflows.start(server, "agent-graph", prompt="Three days in Atlantis")
    visitor = enter(server)
    page = visitor.open("/dashboard")
    keys = Keys(page)
    keys.press(page.locator(".needs").get_by_role("link", name="Three days in Atlantis"))
    expect(page.locator(".failure")).to_contain_text("intent could not do its work")
    expect(page.locator(".failure")).to_contain_text("Atlantis")

    keys.press(page.get_by_role("button", name="Retry"))
    expect(page.get_by_text("This run goes on from where the other one came to.")).to_be_visible()
    runs_to(page, "failed")  # the inputs are what is wrong
    keys.press(page.locator(".origin").get_by_role("link", name=failed[-8:]))
    expect(page).to_have_url(f"{visitor.home}/dashboard/runs/{failed}")

    keys.press(page.locator("#open-intent"))
    keys.press(page.get_by_role("link", name="Fork from here"))
    keys.write(page.get_by_label("Inputs"), '{"prompt": "Three days in Athens"')
    keys.press(page.get_by_role("button", name="Fork"))
    expect(page.locator(".faulty", has_text="Inputs").locator(".errorlist")).to_contain_text("no JSON")
    keys.write(page.get_by_label("Inputs"), '{"prompt": "Three days in Athens"}')
    keys.press(page.get_by_role("button", name="Fork"))
    expect(page.get_by_role("heading", level=1)).to_have_text("Three days in Athens")
    runs_to(page, "succeeded")
    expect(page.locator(".origin")).to_contain_text("from intent on")
    made = page.url.rpartition("/")[2]
    keys.press(page.locator(".origin").get_by_role("link", name=failed[-8:]))
    expect(page.locator(".origin", has_text="Done again as")).to_contain_text(made[-8:])
    assert problems(visitor, 422) == []


def test_all_that_match_are_cancelled_after_a_look_at_how_many(server: Server, enter: Enter) -> None:
    for name in ("sleep/long", "sleep/other"):
        workflows.make(server, name, workflows.PAUSE)
    for _ in range(3):
        workflows.start(server, "sleep/long")
    kept = workflows.start(server, "sleep/other")
    visitor = enter(server)
    page = visitor.open("/dashboard/runs")
    keys = Keys(page)
    keys.press(page.locator("summary", has_text="Search and filter"))
    keys.write(page.get_by_role("combobox", name="Workflow"), "sleep/long")
    keys.press(page.get_by_role("button", name="Search"))
    expect(page.locator("#run-rows tbody tr")).to_have_count(3)

    keys.press(page.get_by_role("link", name="Cancel all that match"))
    expect(page.get_by_role("heading", level=1)).to_have_text("Cancel 3 runs?")
    expect(page.locator(".bulk li")).to_have_count(3)
    keys.press(page.get_by_role("button", name="Cancel 3 runs"))
    expect(page.locator(".notice")).to_have_text("3 runs cancelled.")
    row = page.locator("#run-rows tr", has=page.locator(f"#run-{kept}"))
    expect(row.locator(".pill")).to_have_text("waiting")

    keys.press(row.get_by_role("checkbox"), "Space")
    keys.press(page.get_by_role("button", name="Cancel the ticked"))
    keys.press(page.get_by_role("button", name="Cancel 1 run"))
    expect(row.locator(".pill")).to_have_text("cancelled")
    assert problems(visitor) == []


def test_the_home_page_follows_and_leaves_the_form_alone(server: Server, enter: Enter) -> None:
    workflows.make(server, "nap", workflows.PAUSE)
    visitor = enter(server)
    home, page = visitor.open("/dashboard"), visitor.open("/dashboard/runs/new?workflow=nap")
    expect(home.locator("[data-badge]")).to_have_text("Live")
    thought = home.get_by_label("What should be planned?")
    Keys(home).write(thought, "half a thought")
    Keys(page).press(page.get_by_role("button", name="Start the run"))
    newest = home.locator("#panel-latest-runs .row").first
    expect(newest).to_contain_text("nap")
    expect(newest.locator(".pill")).to_have_text("waiting")
    Keys(page).press(page.get_by_role("button", name="Cancel the run"))
    expect(page.get_by_text("The run is cancelled.")).to_be_visible()
    expect(newest.locator(".pill")).to_have_text("cancelled")
    expect(thought).to_have_value("half a thought")
    expect(thought).to_be_focused()
    assert problems(visitor) == []
