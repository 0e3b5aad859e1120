"""Fixtures for tests of streams, wherever they are: a client of the whole application, a thread for the database."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.conf import LazySettings
from django.db import connection

from orchestrator.handler import PooledHandler
from orchestrator.streams import hub
from orchestrator.streams.tests.asgi import Client

InThread = Callable[..., Awaitable[Any]]


def _disconnect() -> None:
    connection.close()


@pytest.fixture
async def in_thread(transactional_db: None) -> AsyncIterator[InThread]:
    """``await in_thread(work, …)``: on one thread with a connection of its own, as the writers of the product are."""
    executor = ThreadPoolExecutor(1, thread_name_prefix="test-writer")

    async def run(work: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(executor, lambda: work(*args, **kwargs))

    yield run
    await run(_disconnect)
    executor.shutdown()


@pytest.fixture
async def client(transactional_db: None, settings: LazySettings) -> AsyncIterator[Client]:
    settings.WEB_THREADS = 1
    handler = PooledHandler()
    found = Client(handler)
    yield found
    await found.close()
    await hub.close()
    for slot in handler._slots:
        await asyncio.wrap_future(slot.executor.submit(_disconnect))
        slot.executor.shutdown()
