"""Django under ASGI on a few long-lived threads.

Django's own handler opens a new thread, and with it a new database connection, for every request, and hops between the
loop and that thread for every middleware. Here a request takes one hop: the whole sync chain runs on one of WEB_THREADS
threads, which keep their connections; streams are then iterated on the loop and hold no thread. Measured in
docs/performance.md.
"""

import asyncio
import io
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Final

from django.conf import settings
from django.core import signals
from django.core.exceptions import RequestAborted
from django.core.handlers.asgi import ASGIHandler, get_script_prefix
from django.core.handlers.base import BaseHandler
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.urls import set_script_prefix

from orchestrator.api import waiting
from orchestrator.api.errors import error_response
from orchestrator.core import clock
from orchestrator.core.errors import PayloadTooLarge, Unavailable
from orchestrator.streams.hub import hub

_LOOK_SECONDS: Final = 1.0  # a wake-up that is lost costs no more
MAX_BODY_BYTES: Final = 4 * 1024 * 1024 + 1024


class Slot:
    """One thread and the number of requests that wait for it or run on it."""

    def __init__(self, number: int) -> None:
        self.executor = ThreadPoolExecutor(1, thread_name_prefix=f"web-{number}")
        self.load = 0

    def submit(self, work: Any, *arguments: Any) -> "Future[Any]":
        self.load += 1
        return self.executor.submit(work, *arguments)


class PooledHandler(ASGIHandler):
    """An ASGI application for ``http`` scopes."""

    def __init__(self) -> None:
        BaseHandler.__init__(self)
        self.load_middleware(is_async=False)
        self._slots = [Slot(number) for number in range(settings.WEB_THREADS)]

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        try:
            body = await self._read(receive)
        except RequestAborted:
            return
        except PayloadTooLarge as error:
            await self.send_response(error_response(error), send)
            return
        scope[waiting.BEGAN] = clock.monotonic()
        response = await self._run(self._respond, scope, io.BytesIO(body))
        if hasattr(response, "again"):
            response = await self._ask_again(response, scope, body, receive)
        if response.streaming:
            await self._stream(response, receive, send)
        else:
            await self.send_response(response, send)

    async def _read(self, receive: Any) -> bytes:
        """The whole body.

        Raises PayloadTooLarge before it fills the memory, and RequestAborted when the caller left.
        """
        pieces, size = [], 0
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise RequestAborted
            piece = message.get("body", b"")
            size += len(piece)
            if size > MAX_BODY_BYTES:
                raise PayloadTooLarge
            pieces.append(piece)
            if not message.get("more_body", False):
                return b"".join(pieces)

    async def _ask_again(self, response: Any, scope: Any, body: bytes, receive: Any) -> HttpResponseBase:
        """Put the request again while its view wants that and its caller is there; it holds no thread meanwhile."""
        leaving = asyncio.ensure_future(receive())
        try:
            while (again := getattr(response, "again", None)) is not None and again.seconds > 0:
                changed = asyncio.ensure_future(hub().changed(again.topic, min(again.seconds, _LOOK_SECONDS)))
                await asyncio.wait({changed, leaving}, return_when=asyncio.FIRST_COMPLETED)
                changed.cancel()
                if leaving.done() or hub().closing:
                    break
                response = await self._run(self._respond, {**scope, waiting.AGAIN: True}, io.BytesIO(body))
            return response
        finally:
            leaving.cancel()

    async def _run(self, work: Any, *arguments: Any) -> HttpResponseBase:
        """Run on the least busy thread; 503 when it takes too long.

        The thread goes on, and its slot stays busy until it is done.
        """
        loop, slot = asyncio.get_running_loop(), min(self._slots, key=lambda slot: slot.load)
        future = slot.submit(work, *arguments)

        def done(_: Any) -> None:
            slot.load -= 1

        waiter = asyncio.wrap_future(future, loop=loop)
        waiter.add_done_callback(done)
        finished, _ = await asyncio.wait({waiter}, timeout=settings.REQUEST_TIMEOUT_SECONDS)
        return waiter.result() if finished else error_response(Unavailable())

    def _respond(self, scope: Any, body: io.BytesIO) -> HttpResponseBase:
        set_script_prefix(get_script_prefix(scope))
        signals.request_started.send(sender=self.__class__, scope=scope)
        request, refusal = self.create_request(scope, body)
        response: Any = refusal if request is None else self.get_response(request)
        if response.streaming and not response.is_async:
            response = _collected(response)
        # Nothing that follows needs the database: the connection is given back to this thread, not pinned by a stream.
        response.close()
        return response

    async def _stream(self, response: Any, receive: Any, send: Any) -> None:
        """Send until the stream or the caller ends, whichever is first."""
        sending = asyncio.create_task(self.send_response(response, send))
        leaving = asyncio.ensure_future(receive())  # granian's is an awaitable, but no coroutine
        try:
            await asyncio.wait({sending, leaving}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (sending, leaving):
                task.cancel()
            await asyncio.gather(sending, leaving, return_exceptions=True)
            # A caller who left in the middle of a send leaves the generator suspended: close it now, not when it is
            # collected.
            await response._iterator.aclose()


def _collected(response: Any) -> HttpResponse:
    """A file or another sync iterator, as a whole: ours are small static files."""
    whole = HttpResponse(b"".join(response.streaming_content), status=response.status_code)
    whole.headers = response.headers
    whole.cookies = response.cookies
    response.close()
    return whole
