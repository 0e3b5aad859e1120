"""A real browser for the tests of pages: where it is, who sits at it, and what went wrong in front of them."""

import re
import shutil
from typing import Final

import pytest
from playwright.sync_api import BrowserContext, ConsoleMessage, Page, expect

_NAMES: Final = ("chromium", "chromium-browser", "google-chrome")
PATH: Final = next((found for name in _NAMES if (found := shutil.which(name))), None)
ARGUMENTS: Final = ["--no-sandbox"]
needed: Final = pytest.mark.skipif(PATH is None, reason="there is no Chromium here: apt-get install chromium")
# A browser reports its own lost connections, and losing them is what one of the tests is about.
_LOST: Final = re.compile(r"ERR_(INCOMPLETE_CHUNKED_ENCODING|EMPTY_RESPONSE|CONNECTION_(REFUSED|RESET))")


class Visitor:
    """Somebody in front of a browser, and all that went wrong in their pages or was asked of another host."""

    def __init__(self, context: BrowserContext, home: str) -> None:
        self.context, self.home, self.problems = context, home, list[str]()
        context.on("console", self._read)
        context.on("weberror", lambda error: self._note(str(error.error)))
        context.on("request", lambda sent: None if self._is_ours(sent.url) else self._note(f"asked {sent.url}"))
        context.set_default_timeout(30_000)

    def sign_in(self, email: str, password: str) -> None:
        page = self.context.new_page()
        page.goto(f"{self.home}/dashboard/runs")
        page.get_by_label("E-mail address").fill(email)
        page.get_by_label("Password").fill(password)
        page.get_by_role("button", name="Sign in").click()
        expect(page).to_have_url(f"{self.home}/dashboard/runs")  # where they wanted to go
        page.close()

    def open(self, path: str) -> Page:
        page = self.context.new_page()
        page.goto(self.home + path)
        return page

    def _read(self, line: ConsoleMessage) -> None:
        if line.type in ("error", "warning"):
            self._note(f"{line.text} [{line.location['url']}]")

    def _is_ours(self, url: str) -> bool:
        return url.removeprefix("blob:").startswith(self.home)  # a blob was made by a page of that host

    def _note(self, problem: str) -> None:
        if not _LOST.search(problem):
            self.problems.append(problem)
