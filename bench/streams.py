"""200 readers of one stream: how late each event reaches each of them."""

import asyncio
import json
import time
from dataclasses import dataclass
from datetime import UTC, datetime

from bench.load import Connection, percentiles, raw_request
from bench.server import Server


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


async def _delay(server: Server, readers: int, per_second: int, seconds: int) -> Delay:
    expected = per_second * seconds
    late: list[float] = []
    opened = asyncio.Semaphore(0)
    tasks = [asyncio.create_task(_read(server, expected, late, opened)) for _ in range(readers)]
    for _ in range(readers):
        await opened.acquire()
    cpu, began = server.cpu_seconds(), time.perf_counter()
    async with Connection(server.port) as connection:
        for number in range(expected):
            await asyncio.sleep(max(0.0, began + number / per_second - time.perf_counter()))
            body = json.dumps({"event": "bench", "target": "bench", "details": {"n": number}}).encode()
            await connection.request(raw_request("POST", "/api/v1/events", {"Authorization": f"Bearer {server.token}"}, body))
    _, pending = await asyncio.wait(tasks, timeout=10)
    used = (server.cpu_seconds() - cpu) / (time.perf_counter() - began)
    for task in pending:
        task.cancel()
    return Delay(readers, expected, *percentiles(late), readers * expected - len(late), used * 100)


async def _read(server: Server, expected: int, late: list[float], opened: asyncio.Semaphore) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port, limit=2**22)
    headers = {"Authorization": f"Bearer {server.token}"}
    writer.write(raw_request("GET", "/api/v1/events/tail?event=bench&after=0", headers))
    await reader.readuntil(b": stream")
    opened.release()
    seen = 0
    while seen < expected:
        line = await reader.readline()
        if line.startswith(b"data: "):
            now = time.time()
            made = json.loads(line[6:])["created_at"]
            late.append(now - datetime.fromisoformat(made).replace(tzinfo=UTC).timestamp())
            seen += 1
    writer.close()
