"""What lives as long as the process: the engine's threads and the streams' hub."""

import asyncio
from collections.abc import Callable

from orchestrator.streams import hub

_start: list[Callable[[], None]] = []
_stop: list[Callable[[], None]] = []
_running = False


def register(*, start: Callable[[], None], stop: Callable[[], None]) -> None:
    """Run ``start`` when a server process begins and ``stop`` when it ends, the last one first."""
    _start.append(start)
    _stop.insert(0, stop)


def startup() -> None:
    global _running
    if not _running:
        _running = True
        for start in _start:
            start()


def shutdown() -> None:
    global _running
    if _running:
        _running = False
        for stop in _stop:
            stop()


async def application(scope: object, receive: Callable, send: Callable) -> None:
    """The ASGI lifespan protocol."""
    while True:
        message = await receive()
        if message["type"] == "lifespan.startup":
            await asyncio.to_thread(startup)
            await send({"type": "lifespan.startup.complete"})
        elif message["type"] == "lifespan.shutdown":
            await hub.close()
            await asyncio.to_thread(shutdown)
            await send({"type": "lifespan.shutdown.complete"})
            return
