"""The built-in graph: submit → done, and how many at once."""

import asyncio
import json
import time
from dataclasses import dataclass

from bench.load import Connection, percentiles, raw_request
from bench.server import Server

PROMPT = json.dumps({"prompt": "Plan a trip to Paris"}).encode()


@dataclass(frozen=True)
class Throughput:
    runs: int
    per_second: float
    submitted_per_second: float
    failed: int


def submit_to_done(server: Server, times: int = 100) -> tuple[float, float]:
    """p50 and p99, in milliseconds, from sending the POST to reading ``done`` on the run's stream, one run after the other."""
    return percentiles(asyncio.run(_one_by_one(server, times))[10:])


async def _one_by_one(server: Server, times: int) -> list[float]:
    async with Connection(server.port) as connection:
        return [await _submit_and_watch(server, connection) for _ in range(times + 10)]


async def _submit_and_watch(server: Server, connection: Connection) -> float:
    began = time.perf_counter()
    run_id = await submit(server, connection)
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    headers = {"Authorization": f"Bearer {server.token}"}
    writer.write(raw_request("GET", f"/api/v1/runs/{run_id}/events/stream", headers))
    await reader.readuntil(b"event: done\n")
    taken = time.perf_counter() - began
    writer.close()
    return taken


async def submit(server: Server, connection: Connection) -> str:
    raw = raw_request("POST", "/api/v1/runs", {"Authorization": f"Bearer {server.token}"}, PROMPT)
    status, _, body = await connection.request(raw)
    assert status == 202, body
    return str(json.loads(body)["run_id"])


def many_at_once(server: Server, runs: int = 200) -> Throughput:
    """Submit ``runs`` over 16 connections as fast as they are taken, and wait until all have ended."""
    return asyncio.run(_many(server, runs))


async def _many(server: Server, runs: int) -> Throughput:
    began, left = time.perf_counter(), iter(range(runs))
    ids: list[str] = []

    async def one() -> None:
        async with Connection(server.port) as connection:
            for _ in left:
                ids.append(await submit(server, connection))

    await asyncio.gather(*(one() for _ in range(16)))
    submitted = time.perf_counter() - began
    async with Connection(server.port) as connection:
        while await _unfinished(server, connection):
            await asyncio.sleep(0.02)
        ended = time.perf_counter() - began
        failed = runs - await _count(server, connection, "succeeded", set(ids))
    return Throughput(runs, runs / ended, runs / submitted, failed)


async def _unfinished(server: Server, connection: Connection) -> bool:
    return any([await _listed(server, connection, status, 1) for status in ("queued", "running")])


async def _count(server: Server, connection: Connection, status: str, ids: set[str]) -> int:
    return len(ids & {item["id"] for item in await _listed(server, connection, status, 1000)})


async def _listed(server: Server, connection: Connection, status: str, limit: int) -> list[dict[str, str]]:
    path = f"/api/v1/runs?status={status}&limit={limit}"
    _, _, body = await connection.request(raw_request("GET", path, {"Authorization": f"Bearer {server.token}"}))
    items: list[dict[str, str]] = json.loads(body)["items"]
    return items


