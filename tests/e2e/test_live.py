"""A run that is watched, while it goes on and over the end of its server. By the keyboard alone."""

from playwright.sync_api import Locator, Page, expect

from tests.e2e.conftest import Enter, Start
from tests.e2e.keys import Keys
from tests.e2e.marks import BROWSED, ONCE
from tests.e2e.people import problems

RUN_ENDS = 60_000  # milliseconds; a machine that is busy with other things may be slow

pytestmark = BROWSED


def start_run(page: Page, prompt: str) -> None:
    keys = Keys(page)
    keys.write(page.get_by_label("What should be planned?"), prompt)
    keys.press(page.get_by_role("button", name="Start the run"))
    expect(page.get_by_role("heading", level=1)).to_have_text(prompt)


def badge(page: Page) -> Locator:
    return page.locator("[data-badge]")


def state(page: Page) -> Locator:
    return page.locator("#run-facts .pill")


def sequences(page: Page) -> list[int]:
    return [int(text) for text in page.locator("#timeline .sequence").all_inner_texts()]


@ONCE
def test_a_trip_is_planned_before_ones_eyes(serve: Start, enter: Enter) -> None:
    visitor = enter(serve())
    page = visitor.open("/dashboard")
    start_run(page, "Four days in Lisbon in May for food")
    expect(badge(page)).to_have_text("Live")
    keys = Keys(page)
    keys.to(page.get_by_role("button", name="Cancel the run"))
    expect(page.locator(".node[data-state=running]")).to_have_count(1)
    expect(page.locator("#event-3")).to_be_visible()
    expect(page.get_by_role("button", name="Cancel the run")).to_be_focused()  # not taken away by what is new
    keys.press(page.locator("summary", has_text="Inputs"))
    expect(badge(page)).to_have_text("Ended", timeout=RUN_ENDS)
    expect(state(page)).to_have_text("succeeded")
    expect(page).to_have_title("Succeeded: Four days in Lisbon in May for food · Orchestrator")
    expect(page.get_by_role("heading", name="4 days in Lisbon, Portugal")).to_be_visible()
    expect(page.locator("details[open] summary")).to_have_text("Inputs")  # what a reader opened stays open
    live = sequences(page)
    page.reload()
    assert sequences(page) == live == list(range(len(live)))
    assert problems(visitor) == []


def test_the_page_goes_on_by_itself_after_a_crash(serve: Start, enter: Enter) -> None:
    server = serve()
    visitor = enter(server)
    page = visitor.open("/dashboard/runs/new")
    start_run(page, "Three days in Rome")
    expect(page.locator("#event-3")).to_be_visible()
    server.kill()
    expect(badge(page)).to_have_text("Reconnecting…")
    serve(port=server.port)
    expect(badge(page)).to_have_text("Ended", timeout=RUN_ENDS)
    expect(state(page)).to_have_text("succeeded")
    expect(page.locator("#run-facts")).to_contain_text("after a worker was lost")
    assert sequences(page) == list(range(len(sequences(page))))
    assert problems(visitor) == []
