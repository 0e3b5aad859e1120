"""The application on its few threads: too much, too slow, and gone."""

import asyncio
import threading
from typing import Any

import pytest
from django.conf import LazySettings
from django.http import HttpResponse

from orchestrator import handler as handlers
from orchestrator.handler import PooledHandler
from orchestrator.streams.tests.asgi import Stream, _scope, until


class Caller:
    """One exchange, by hand: ``messages`` to the application, and what it ``sent``."""

    def __init__(self, *messages: dict[str, Any]) -> None:
        self._messages = list(messages)
        self.sent: list[dict[str, Any]] = []

    async def receive(self) -> dict[str, Any]:
        return self._messages.pop(0) if self._messages else {"type": "http.disconnect"}

    async def send(self, message: dict[str, Any]) -> None:
        self.sent.append(message)


@pytest.fixture
def pool(settings: LazySettings) -> Any:
    settings.WEB_THREADS = 2
    found = PooledHandler()
    yield found
    for slot in found._slots:
        slot.executor.shutdown()


async def test_a_body_beyond_the_limit_is_refused_before_it_is_read_whole(
    pool: PooledHandler, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handlers, "MAX_BODY_BYTES", 10)
    piece = {"type": "http.request", "body": b"123456", "more_body": True}
    caller = Caller(*[piece] * 5)
    await pool(_scope("/runs", {}, "POST"), caller.receive, caller.send)
    assert caller.sent[0]["status"] == 413
    assert b"payload_too_large" in caller.sent[1]["body"]
    assert len(caller._messages) == 3, "the rest was not asked for"


async def test_a_caller_who_leaves_while_sending_is_not_answered(pool: PooledHandler) -> None:
    caller = Caller({"type": "http.request", "body": b"{", "more_body": True}, {"type": "http.disconnect"})
    await pool(_scope("/runs", {}, "POST"), caller.receive, caller.send)
    assert caller.sent == []


async def test_what_takes_too_long_is_unavailable_and_its_thread_counts_as_busy(
    pool: PooledHandler, monkeypatch: pytest.MonkeyPatch, settings: LazySettings
) -> None:
    settings.REQUEST_TIMEOUT_SECONDS = 0.05
    go_on = threading.Event()

    def slow(request: Any) -> HttpResponse:
        if request.path == "/slow":
            go_on.wait(10)
        return HttpResponse("done")

    monkeypatch.setattr(pool, "get_response", slow)
    stuck = Stream(pool, "/slow", {}, "GET", 10)
    await stuck.begin()
    assert (stuck.status, stuck.headers["retry-after"]) == (503, "5")
    assert sorted(slot.load for slot in pool._slots) == [0, 1]
    for _ in range(4):
        quick = Stream(pool, "/quick", {}, "GET", 10)
        await quick.begin()
        assert quick.status == 200
    go_on.set()
    await until(lambda: [slot.load for slot in pool._slots] == [0, 0])


async def test_requests_run_side_by_side_and_the_idle_thread_is_taken(
    pool: PooledHandler, monkeypatch: pytest.MonkeyPatch
) -> None:
    both = threading.Barrier(2)

    def meet(request: Any) -> HttpResponse:
        both.wait(10)
        return HttpResponse("met")

    monkeypatch.setattr(pool, "get_response", meet)
    streams = [Stream(pool, "/", {}, "GET", 10) for _ in range(2)]
    await asyncio.gather(*(stream.begin() for stream in streams))
    assert [stream.status for stream in streams] == [200, 200]
