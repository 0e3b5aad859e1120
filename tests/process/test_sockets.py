"""Two hundred WebSocket clients, of a library that is not ours, watch agents: every one sees every change in order."""

import asyncio
import itertools
import json
import random
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import websockets

from tests.process.server import API_KEY, PATIENCE, Databases, Server, serving

pytestmark = pytest.mark.process

CLIENTS, CHANGES, A_SECOND = 200, 100, 20
HEADERS = {"X-API-Key": API_KEY}


@pytest.fixture
def server(databases: Databases, tmp_path: Path) -> Iterator[Server]:
    with serving(databases.make(), tmp_path, ENGINE="off") as start:
        yield start()


class Watcher:
    """Reads from where it is, and may be cut off at any frame to come back behind it."""

    def __init__(self, port: int, since: int, cuts: set[int]) -> None:
        self.url = f"ws://127.0.0.1:{port}/ws/agent-status"
        self.since, self.cuts = since, cuts
        self.seqs: list[int] = []

    async def watch(self) -> None:
        while len(self.seqs) < CHANGES:
            address = f"{self.url}?since={self.seqs[-1] if self.seqs else self.since}"
            async with websockets.connect(address, additional_headers=HEADERS, open_timeout=PATIENCE) as socket:
                await self._read(socket)

    async def _read(self, socket: websockets.ClientConnection) -> None:
        async for text in socket:
            frame = json.loads(text)
            if frame["type"] == "agent_status_changed":
                self.seqs.append(frame["seq"])
            if len(self.seqs) == CHANGES or len(self.seqs) in self.cuts:
                self.cuts.discard(len(self.seqs))
                return


def made(server: Server) -> list[str]:
    agent = server.post("/api/v1/agents", {"name": "watched", "agent_type": "builder"})["id"]
    body = {"agent_id": agent, "session_id": "s"}
    return [server.post("/api/v1/runtime/agents", body)["id"] for _ in range(10)]


async def change(port: int, agents: list[str]) -> None:
    statuses = itertools.cycle(["planning"] * len(agents) + ["executing"] * len(agents))
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", headers=HEADERS, timeout=PATIENCE) as client:
        for agent, status in itertools.islice(zip(itertools.cycle(agents), statuses, strict=False), CHANGES):
            answer = await client.patch(f"/api/v1/runtime/agents/{agent}", json={"status": status})
            assert answer.status_code == 200, answer.text
            await asyncio.sleep(1 / A_SECOND)  # the pace is what is asked for


async def watched(port: int, since: int, agents: list[str]) -> list[Watcher]:
    chance = random.Random(7)
    # Every other one is cut off, up to three times, anywhere.
    cuts = [set(chance.sample(range(1, CHANGES), number % 2 * chance.randint(1, 3))) for number in range(CLIENTS)]
    watchers = [Watcher(port, since, cut) for cut in cuts]
    async with asyncio.timeout(60):
        await asyncio.gather(change(port, agents), *(watcher.watch() for watcher in watchers))
    return watchers


def test_every_client_sees_every_change_once_and_in_order(server: Server) -> None:
    agents = made(server)
    since = server.get("/api/v1/events?limit=1").json()["items"][0]["seq"]
    watchers = asyncio.run(watched(server.port, since, agents))
    assert not any(watcher.cuts for watcher in watchers), "all were cut where they should be"
    found = server.get(f"/api/v1/events?after={since}&event=agent_status_changed&limit=1000").json()["items"]
    expected = sorted(event["seq"] for event in found)
    assert len(expected) == CHANGES
    assert [watcher.seqs for watcher in watchers] == [expected] * CLIENTS
