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
    """p50 and p99, in milliseconds, from sending the POST to reading ``done`` on the run's stream, one run after the
    other.
    """
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
    watcher, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(raw_request("GET", "/api/v1/events/tail?after=999999999", {"Authorization": f"Bearer {server.token}"}))
    await watcher.readuntil(b": stream")
    left = iter(range(runs))
    began = time.perf_counter()
    ending = asyncio.create_task(_endings(watcher, runs))

    async def one() -> None:
        async with Connection(server.port) as connection:
            for _ in left:
                await submit(server, connection)

    await asyncio.gather(*(one() for _ in range(16)))
    submitted = time.perf_counter() - began
    succeeded = await asyncio.wait_for(ending, 120)
    ended = time.perf_counter() - began
    writer.close()
    return Throughput(runs, runs / ended, runs / submitted, runs - succeeded)


async def _endings(watcher: asyncio.StreamReader, runs: int) -> int:
    """Wait on the org's log until ``runs`` runs have ended; how many of them succeeded."""
    ended = succeeded = 0
    while ended < runs:
        line = await watcher.readline()
        if line.startswith(b"data: "):
            event = json.loads(line[6:])["event"]
            succeeded += event == "run_succeeded"
            ended += event in ("run_succeeded", "run_failed", "run_cancelled")
    return succeeded
