"""What tests with servers of their own share."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests import chromium
from tests.process.server import Databases


@pytest.fixture(scope="session")
def databases(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Databases]:
    """One migrated template for all of this process's servers: another one would have the same name."""
    found = Databases(tmp_path_factory.mktemp("databases"))
    yield found
    found.drop()


# Not for the session: as long as it is there, Playwright's event loop runs, in which Django's ORM refuses to work.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=chromium.PATH, args=chromium.ARGUMENTS)
        yield launched
        launched.close()
