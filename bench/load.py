"""A small HTTP/1.1 client for load: raw sockets on asyncio, kept alive, so that the client is not the bottleneck."""

import asyncio
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Result:
    """Answers a second and latencies in milliseconds."""

    per_second: float
    p50: float
    p99: float
    statuses: dict[int, int]


class Connection:
    def __init__(self, port: int) -> None:
        self._port = port

    async def __aenter__(self) -> "Connection":
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self._port, limit=2**22)
        return self

    async def __aexit__(self, *_: object) -> None:
        self.writer.close()

    async def request(self, raw: bytes) -> tuple[int, bytes, bytes]:
        """Send one request, read one answer: status, head, body."""
        self.writer.write(raw)
        head = await self.reader.readuntil(b"\r\n\r\n")
        status = int(head[9:12])
        lower = head.lower()
        position = lower.find(b"content-length:")
        length = int(lower[position + 15 : lower.find(b"\r\n", position)]) if position >= 0 and status != 304 else 0
        return status, head, await self.reader.readexactly(length) if length else b""


def raw_request(method: str, path: str, headers: dict[str, str], body: bytes = b"") -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", *(f"{name}: {value}" for name, value in headers.items())]
    if body:
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    return "\r\n".join([*lines, "", ""]).encode() + body


async def hammer(
    port: int, make: Callable[[int], bytes], *, connections: int = 16, seconds: float = 4.0, warm: float = 1.0
) -> Result:
    """Send ``make(n)`` over all connections, each waiting for its answer, for ``seconds`` after a warm-up."""
    latencies: list[float] = []
    statuses: dict[int, int] = {}
    counter = iter(range(10**9))
    measure_from = time.perf_counter() + warm
    end = measure_from + seconds

    async def one() -> None:
        async with Connection(port) as connection:
            while (now := time.perf_counter()) < end:
                status, _, _ = await connection.request(make(next(counter)))
                if now >= measure_from:
                    latencies.append(time.perf_counter() - now)
                    statuses[status] = statuses.get(status, 0) + 1

    await asyncio.gather(*(one() for _ in range(connections)))
    return Result(len(latencies) / seconds, *percentiles(latencies), statuses)


def percentiles(seconds: list[float]) -> tuple[float, float]:
    """p50 and p99 in milliseconds."""
    cuts = statistics.quantiles(seconds, n=100, method="inclusive")
    return cuts[49] * 1000, cuts[98] * 1000
