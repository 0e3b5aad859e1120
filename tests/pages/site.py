"""A server with the demo org.

The org is made by a process of its own: where a browser is driven Playwright's event loop runs, in which Django's ORM
refuses to work.
"""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from playwright.sync_api import Browser, Page as Tab, Response, expect

from tests.chromium import Visitor
from tests.pages.page import Page
from tests.process.server import ROOT, environment, serving

EMAIL: Final = "dev@example.com"
PASSWORD: Final = "a password for the demo"
# Nothing moves: what waits in the demo is still waiting when its page is opened.
_SETTINGS: Final[Mapping[str, Any]] = {
    "DEV_USER_EMAIL": EMAIL, "DEV_USER_PASSWORD": PASSWORD, "ENGINE": "off", "SECURE_COOKIES": "false",
}  # fmt: skip
_MAKE = "import django; django.setup(); from tests.pages import demo; demo.main()"


@dataclass(frozen=True)
class Site:
    """``pages`` are those of the inventory; ``paths`` where they are, by name."""

    home: str
    pages: Sequence[Page]
    paths: Mapping[str, str]

    def visitor(self, browser: Browser, *, signed_in: bool) -> Visitor:
        """Somebody with a browser of their own, in which nothing moves: a picture must not catch half a movement."""
        visitor = Visitor(browser.new_context(reduced_motion="reduce"), self.home)
        if signed_in:
            visitor.sign_in(EMAIL, PASSWORD)
        return visitor

    def open(self, tab: Tab, page: Page) -> Response:
        """The answer, after the page's scripts have done what they do first."""
        answer = tab.goto(self.home + self.paths[page.name])
        assert answer is not None
        assert answer.status == page.status, f"{answer.url} answers {answer.status}"
        if page.shows:
            tab.locator(page.shows).first.wait_for()
        badge = tab.locator("[data-badge]")
        if badge.count():
            expect(badge.first).not_to_have_text("Connecting…")
        return answer


@contextmanager
def demo_site(folder: Path) -> Iterator[Site]:
    """One server over a demo org on SQLite, which are both gone in the end."""
    url = f"sqlite:///{folder / 'demo.db'}"
    command = [sys.executable, "-c", _MAKE]
    made = subprocess.run(command, env=environment(url, **_SETTINGS), cwd=ROOT, check=True, stdout=subprocess.PIPE)
    with serving(url, folder, **_SETTINGS) as start:
        told = json.loads(made.stdout)
        pages = [Page(**each) for each in told["pages"]]
        yield Site(f"http://127.0.0.1:{start().port}", pages, told["paths"])
