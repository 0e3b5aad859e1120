"""200 readers of one stream: how late each event reaches each of them."""

import asyncio
import json
import re
import time
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from bench.load import Connection, percentiles, raw_request
from bench.server import Server

_MADE_AT: Final = re.compile(rb'"created_at":"([^"]+)"')


@dataclass(frozen=True)
class Delay:
    readers: int
    events: int
    p50: float  # milliseconds from the event's own time to the reader
    p99: float
    lost: int
    core_percent: float


def delay(server: Server, readers: int = 200, per_second: int = 50, seconds: int = 5) -> Delay:
    return asyncio.run(_delay(server, readers, per_second, seconds))


async def _delay(server: Server, count: int, per_second: int, seconds: int) -> Delay:
    expected, late = per_second * seconds, []
    readers = await _open(server, count, late, expected)
    cpu, began = server.cpu_seconds(), time.perf_counter()
    async with Connection(server.port) as connection:
        for number in range(expected):
            await asyncio.sleep(max(0.0, began + number / per_second - time.perf_counter()))
            body = json.dumps({"event": "bench", "target": "bench", "details": {"n": number}}).encode()
            await connection.request(
                raw_request("POST", "/api/v1/events", {"Authorization": f"Bearer {server.token}"}, body)
            )
    used = (server.cpu_seconds() - cpu) / (time.perf_counter() - began)
    await asyncio.wait([reader.complete for reader in readers], timeout=20)
    lost = sum(expected - reader.seen for reader in readers)
    return Delay(count, expected, *percentiles(late), lost, used * 100)


async def _open(server: Server, count: int, late: list[float], expected: int) -> list["Reader"]:
    path = f"/api/v1/events/tail?event=bench&after={await _head(server)}"
    request = raw_request("GET", path, {"Authorization": f"Bearer {server.token}"})
    readers = []
    for _ in range(count):
        _, reader = await asyncio.get_running_loop().create_connection(
            lambda: Reader(request, late, expected), "127.0.0.1", server.port
        )
        await reader.opened
        readers.append(reader)
    return readers


async def _head(server: Server) -> int:
    """The seq of an event that is appended now: what comes behind it is this measurement's own."""
    async with Connection(server.port) as connection:
        body = json.dumps({"event": "begin", "target": "bench"}).encode()
        raw = raw_request("POST", "/api/v1/events", {"Authorization": f"Bearer {server.token}"}, body)
        return int(json.loads((await connection.request(raw))[2])["seq"])


class Reader(asyncio.Protocol):
    """One open stream. It takes the delay of each frame from the frame's own time, with as little work as can be."""

    def __init__(self, request: bytes, late: list[float], expected: int) -> None:
        self._request, self._late, self._expected = request, late, expected
        self._rest = b""
        self.seen = 0
        self.opened = asyncio.get_running_loop().create_future()
        self.complete = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        transport.write(self._request)  # type: ignore[attr-defined]

    def data_received(self, data: bytes) -> None:
        now = time.time()
        if not self.opened.done() and b": stream" in data:
            self.opened.set_result(None)
        whole, _, self._rest = (self._rest + data).rpartition(b"\n\n")
        for made in _MADE_AT.findall(whole):
            self._late.append(now - datetime.fromisoformat(made.decode()).timestamp())
            self.seen += 1
        if self.seen >= self._expected and not self.complete.done():
            self.complete.set_result(None)
            self._transport.close()
