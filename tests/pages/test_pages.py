"""Every page of the inventory in a real browser: accessible in light and dark, valid, narrow enough, and quiet."""

import os
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page as Tab

from tests import chromium
from tests.chromium import Visitor
from tests.pages import checks
from tests.pages.exceptions import KNOWN, Fault, met, unknown
from tests.pages.inventory import NO_ROWS, PAGES
from tests.pages.page import Page
from tests.pages.site import Site, demo_site

WIDE, PHONE = {"width": 1440, "height": 900}, {"width": 390, "height": 844}
MOST_TOLD = 20
SHOWN = [page for page in PAGES if page.name not in NO_ROWS]

pytestmark = [
    pytest.mark.process,
    pytest.mark.browser,
    chromium.needed,
    pytest.mark.skipif(
        bool(os.environ.get("DATABASE_URL")),
        reason="pages are the same on every database: the pass on SQLite looks at them",
    ),
]
seen: set[str] = set()  # the pages looked at so far


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with demo_site(tmp_path_factory.mktemp("pages")) as found:
        yield found


@pytest.fixture(scope="module")
def owner(browser: Browser, site: Site) -> Visitor:
    return site.visitor(browser, signed_in=True)


@pytest.fixture(scope="module")
def stranger(browser: Browser, site: Site) -> Visitor:
    return site.visitor(browser, signed_in=False)


@pytest.fixture(scope="module")
def validator(browser: Browser) -> checks.Validator:
    return checks.Validator(browser.new_page())


def test_the_demo_shows_all_but_what_it_is_known_to_lack(site: Site) -> None:
    assert {page.name for page in PAGES} - set(site.paths) == NO_ROWS


@pytest.mark.parametrize("page", SHOWN, ids=lambda page: page.name)
def test_a_page_is_sound(
    page: Page, site: Site, owner: Visitor, stranger: Visitor, validator: checks.Validator
) -> None:
    seen.add(page.name)
    visitor = owner if page.signed_in else stranger
    visitor.problems.clear()
    with visitor.context.new_page() as tab:
        answer = site.open(tab, page)
        faults = [*looks(tab, page), *validator.faults(answer.text())]
        told(unknown(page.name, faults))
        assert tab.locator("h1").count() == 1
        told(quiet(visitor, page))


def looks(tab: Tab, page: Page) -> list[Fault]:
    """Light and wide, then dark and on a phone."""
    tab.set_viewport_size(WIDE)
    tab.emulate_media(color_scheme="light")
    found = checks.accessibility(tab)
    tab.set_viewport_size(PHONE)
    tab.emulate_media(color_scheme="dark")
    if not page.huge:
        found += checks.accessibility(tab)
    return found + checks.width(tab)


def told(problems: list[str]) -> None:
    """pytest would cut the list short."""
    assert not problems, "\n".join([f"{len(problems)} faults", *problems[:MOST_TOLD]])


def quiet(visitor: Visitor, page: Page) -> list[str]:
    """What the console said and who else was asked, without the browser's own word about an error page."""
    refused = f"Failed to load resource: the server responded with a status of {page.status}"
    return [problem for problem in visitor.problems if page.status == 200 or not problem.startswith(refused)]


def test_no_exception_outlives_its_fault() -> None:
    """The last test of this file, so that all pages have been looked at."""
    if len(seen) < len(SHOWN):
        pytest.skip("only some of the pages were looked at")
    assert all(known.reason for known in KNOWN)
    stale = [known for known in KNOWN if known not in met]
    assert not stale, "\n".join(map(str, stale))
