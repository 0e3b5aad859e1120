"""Servers for the journeys, and browsers in which somebody is signed in."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, expect

from tests.chromium import Visitor
from tests.e2e.people import OLIVIA, move_in, sign_in
from tests.process.server import Databases, Server, serving

Start = Callable[..., Server]
Enter = Callable[..., Visitor]
expect.set_options(timeout=15_000)  # milliseconds; a machine that is busy with other things may be slow
SETTINGS = {"SECURE_COOKIES": "false", "RATE_LIMIT_LOGIN": "1000/m"}


@pytest.fixture(scope="session")
def inhabited(databases: Databases) -> str:
    """A database with the people in it, to be copied."""
    url = databases.make()
    move_in(url)
    return url


@pytest.fixture
def serve(databases: Databases, inhabited: str, tmp_path: Path) -> Iterator[Start]:
    """Starts servers over one fresh database, for a journey on which a server ends, or has a pace to be watched."""
    with serving(databases.make(inhabited), tmp_path, RUN_PACE_SECONDS="0.5", **SETTINGS) as start:
        yield start


@pytest.fixture(scope="package")
def server(databases: Databases, inhabited: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One for all journeys that need none of their own, with an engine that does not dawdle. They share the org: each
    gives what it makes names of its own.
    """
    folder = tmp_path_factory.mktemp("journeys")
    with serving(databases.make(inhabited), folder, RUN_PACE_SECONDS="0", **SETTINGS) as start:
        yield start()


@pytest.fixture
def enter(browser: Browser) -> Iterator[Enter]:
    """Signs somebody in, in a browser of their own."""
    contexts: list[BrowserContext] = []

    def enter(server: Server, who: str = OLIVIA, **options: Any) -> Visitor:
        contexts.append(browser.new_context(**options))
        visitor = Visitor(contexts[-1], f"http://127.0.0.1:{server.port}")
        sign_in(visitor, who)
        return visitor

    yield enter
    for context in contexts:
        context.close()
