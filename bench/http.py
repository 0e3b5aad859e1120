"""Tasks over HTTP: creates, lists of 100, 304s."""

import asyncio
import itertools
import json

from bench.load import Connection, Result, hammer, raw_request
from bench.server import Server

LIST = "/api/v1/collab/state/tasks?limit=100"


def creates(server: Server) -> Result:
    headers = {"Authorization": f"Bearer {server.token}"}

    def make(number: int) -> bytes:
        body = json.dumps({"title": f"Task {number}", "description": "made by the benchmark"}).encode()
        return raw_request("POST", "/api/v1/collab/tasks", headers, body)

    return asyncio.run(hammer(server.port, make))


def lists(server: Server) -> Result:
    raw = raw_request("GET", LIST, {"Authorization": f"Bearer {server.token}"})
    return asyncio.run(hammer(server.port, lambda _: raw))


def not_modified(server: Server) -> Result:
    etag = asyncio.run(_etag(server))
    raw = raw_request("GET", LIST, {"Authorization": f"Bearer {server.token}", "If-None-Match": etag})
    return asyncio.run(hammer(server.port, lambda _: raw))


def built_lists(server: Server) -> Result:
    """Lists that no kept bytes can answer: each asks for the same 100 rows by a filter that was not used before."""
    headers = {"Authorization": f"Bearer {server.token}"}
    # All tasks are to do; each order of the other statuses is another query for the same rows.
    others = ("review", "approved", "merging", "done", "cancelled", "blocked", "in_progress")
    orders = list(itertools.permutations(others))

    def make(number: int) -> bytes:
        rest = "".join(f"&status={status}" for status in orders[number % len(orders)])
        return raw_request("GET", f"{LIST}&status=todo{rest}", headers)

    return asyncio.run(hammer(server.port, make))


async def _etag(server: Server) -> str:
    async with Connection(server.port) as connection:
        _, head, _ = await connection.request(raw_request("GET", LIST, {"Authorization": f"Bearer {server.token}"}))
    line = next(line for line in head.decode().split("\r\n") if line.lower().startswith("etag:"))
    return line.partition(":")[2].strip()
