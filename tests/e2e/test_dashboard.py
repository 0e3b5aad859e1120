"""The dashboard in a real browser, against a real server process with a database of its own."""

import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect, sync_playwright

from tests.process.server import ROOT, Databases, Server, environment, serving

NAMES = ("chromium", "chromium-browser", "google-chrome")
CHROMIUM = next((found for name in NAMES if (found := shutil.which(name))), None)
EMAIL, PASSWORD = "visitor@example.com", "a password for the browser"
SETTINGS = {"SECURE_COOKIES": "false", "RUN_PACE_SECONDS": "0.7"}
MAKE_A_MEMBER = """
import sys, django; django.setup()
from orchestrator.identity.models import Membership, Organization, User
user = User.objects.create_user(*sys.argv[1:])
Membership.objects.create(org=Organization.objects.get(slug="default"), user=user)
"""
RUN_ENDS = 60_000  # milliseconds; a machine that is busy with other things may be slow

pytestmark = [
    pytest.mark.process,
    pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium here: apt-get install chromium"),
]

Start = Callable[..., Server]


@pytest.fixture
def serve(databases: Databases, tmp_path: Path) -> Iterator[Start]:
    """Starts servers over one fresh database, in whose org the visitor is a member."""
    url = databases.make()
    command = [sys.executable, "-c", MAKE_A_MEMBER, EMAIL, PASSWORD]
    subprocess.run(command, env=environment(url), cwd=ROOT, check=True)
    with serving(url, tmp_path, **SETTINGS) as start:
        yield start


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield launched
        launched.close()


class Visitor:
    """Somebody signed in, and all that went wrong in their pages or was asked of another host."""

    def __init__(self, context: BrowserContext, home: str) -> None:
        self.context, self.home, self.problems = context, home, list[str]()
        context.on("console", lambda line: self._note(line.text) if line.type in ("error", "warning") else None)
        context.on("weberror", lambda error: self._note(str(error.error)))
        context.on("request", lambda sent: None if sent.url.startswith(home) else self._note(sent.url))
        context.set_default_timeout(30_000)
        self._sign_in(context.new_page())

    def open(self, path: str) -> Page:
        page = self.context.new_page()
        page.goto(self.home + path)
        return page

    def _sign_in(self, page: Page) -> None:
        page.goto(f"{self.home}/dashboard/runs")
        page.get_by_label("E-mail address").fill(EMAIL)
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Sign in").click()
        expect(page).to_have_url(f"{self.home}/dashboard/runs")  # where they wanted to go
        page.close()

    def _note(self, problem: str) -> None:
        # A browser reports its own lost connections, and losing them is what one of the tests is about.
        if not re.search(r"ERR_(INCOMPLETE_CHUNKED_ENCODING|EMPTY_RESPONSE|CONNECTION_(REFUSED|RESET))", problem):
            self.problems.append(problem)


@pytest.fixture
def enter(browser: Browser) -> Iterator[Callable[..., Visitor]]:
    contexts: list[BrowserContext] = []

    def enter(server: Server, *, javascript: bool = True) -> Visitor:
        contexts.append(browser.new_context(java_script_enabled=javascript))
        return Visitor(contexts[-1], f"http://127.0.0.1:{server.port}")

    yield enter
    for context in contexts:
        context.close()


def start_run(page: Page, prompt: str) -> None:
    page.get_by_label("What should be planned?").fill(prompt)
    page.get_by_label("Budget").fill("700")
    page.get_by_role("button", name="Start the run").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(prompt)


def badge(page: Page) -> Locator:
    return page.locator("[data-badge]")


def state(page: Page) -> Locator:
    return page.locator("#run-facts .pill")


def sequences(page: Page) -> list[int]:
    return [int(text) for text in page.locator("#timeline .sequence").all_inner_texts()]


def test_a_run_fills_its_page_until_it_is_done(serve: Start, enter: Callable[..., Visitor]) -> None:
    visitor = enter(serve())
    page = visitor.open("/dashboard")
    start_run(page, "Four days in Lisbon in May for food")
    expect(badge(page)).to_have_text("Live")
    page.get_by_text("Inputs", exact=True).click()
    page.get_by_role("button", name="Cancel the run").focus()
    expect(page.locator(".node[data-state=running]")).to_have_count(1)
    expect(page.locator("#event-3")).to_be_visible()
    expect(page.get_by_role("button", name="Cancel the run")).to_be_focused()  # not taken away by what is new
    expect(badge(page)).to_have_text("Ended", timeout=RUN_ENDS)
    expect(state(page)).to_have_text("succeeded")
    expect(page).to_have_title("Succeeded: Four days in Lisbon in May for food · Orchestrator")
    expect(page.get_by_role("heading", name="days in Lisbon, Portugal")).to_be_visible()
    expect(page.locator("details[open] summary")).to_have_text("Inputs")  # what a reader opened stays open
    live = sequences(page)
    page.reload()
    assert sequences(page) == live == list(range(len(live)))
    assert visitor.problems == []


def test_the_page_goes_on_by_itself_after_a_crash(serve: Start, enter: Callable[..., Visitor]) -> None:
    server = serve()
    visitor = enter(server)
    page = visitor.open("/dashboard")
    start_run(page, "Three days in Rome")
    expect(page.locator("#event-3")).to_be_visible()
    server.kill()
    expect(badge(page)).to_have_text("Reconnecting…")
    serve(port=server.port)
    expect(badge(page)).to_have_text("Ended", timeout=RUN_ENDS)
    expect(state(page)).to_have_text("succeeded")
    expect(page.locator("#run-facts")).to_contain_text("after a worker was lost")
    assert sequences(page) == list(range(len(sequences(page))))
    assert visitor.problems == []


def test_the_home_page_follows_and_leaves_the_form_alone(serve: Start, enter: Callable[..., Visitor]) -> None:
    visitor = enter(serve(ENGINE="off"))
    home, page = visitor.open("/dashboard"), visitor.open("/dashboard/runs/new")
    expect(badge(home)).to_have_text("Live")
    home.get_by_label("What should be planned?").fill("half a thought")
    start_run(page, "Two days in Rome")
    newest = home.locator("#panel-latest-runs .row").first
    expect(newest).to_contain_text("Two days in Rome")
    expect(newest.locator(".pill")).to_have_text("queued")
    page.get_by_role("button", name="Cancel the run").click()
    expect(page.get_by_text("The run is cancelled.")).to_be_visible()
    expect(newest.locator(".pill")).to_have_text("cancelled")
    expect(home.get_by_label("What should be planned?")).to_have_value("half a thought")
    assert visitor.problems == []


def test_without_javascript_the_page_reloads_itself(serve: Start, enter: Callable[..., Visitor]) -> None:
    server = serve(ENGINE="off")
    page = enter(server, javascript=False).open("/dashboard")
    start_run(page, "Two days in Vienna")
    expect(page.locator("noscript .live")).to_have_text("Reloads every 3 s")
    expect(state(page)).to_have_text("queued")
    serve(RUN_PACE_SECONDS="0")  # another server over the same database, with an engine
    expect(state(page)).to_have_text("succeeded", timeout=RUN_ENDS)
