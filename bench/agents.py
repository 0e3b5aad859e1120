"""Agents at work: heartbeats, log lines, claims of tasks, and changes of status on their way to 200 WebSockets."""

import asyncio
import base64
import itertools
import json
import os
import re
import time
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from bench import http
from bench.load import Connection, Result, hammer, percentiles, raw_request
from bench.server import Server

_CHANGE: Final = re.compile(rb'"type":"agent_status_changed","timestamp":"([^"]+)"')
LINES: Final = 100


@dataclass(frozen=True)
class Delay:
    p50: float  # milliseconds from the change's own time to the client
    p99: float
    lost: int
    core_percent: float


def heartbeats(server: Server) -> Result:
    agents = asyncio.run(_instances(server, 20))
    return asyncio.run(
        hammer(server.port, lambda n: _post(server, f"/api/v1/runtime/agents/{agents[n % 20]}/heartbeat", {}))
    )


def log_batches(server: Server) -> Result:
    """Batches of LINES lines."""
    agent = asyncio.run(_instances(server, 1))[0]
    line = {
        "runtime_agent_id": agent,
        "level": "INFO",
        "message": "a line as an agent writes them",
        "details": {"n": 1},
    }
    raw = _post(server, "/api/v1/runtime/logs", {"logs": [line] * LINES})
    return asyncio.run(hammer(server.port, lambda _: raw))


def claims(server: Server) -> Result:
    """20 agents that take one task after the other."""
    http.creates(server)
    ask = [
        _post(server, "/api/v1/collab/leases/acquire", {"holder": f"agent-{n}", "ttl_seconds": 60}) for n in range(20)
    ]
    return asyncio.run(hammer(server.port, lambda n: ask[n % 20], connections=20, seconds=2.0, warm=0.5))


def status_delay(server: Server, clients: int = 200, per_second: int = 20, seconds: int = 10) -> Delay:
    return asyncio.run(_status_delay(server, clients, per_second, seconds))


async def _status_delay(server: Server, count: int, per_second: int, seconds: int) -> Delay:
    expected, late = per_second * seconds, []
    agents = await _instances(server, 10)
    sockets = [await _socket(server, late) for _ in range(count)]
    statuses = itertools.cycle(["planning"] * len(agents) + ["executing"] * len(agents))
    cpu, began = server.cpu_seconds(), time.perf_counter()
    async with Connection(server.port) as connection:
        for number, status in zip(range(expected), statuses, strict=False):
            await asyncio.sleep(max(0.0, began + number / per_second - time.perf_counter()))
            path = f"/api/v1/runtime/agents/{agents[number % len(agents)]}"
            await connection.request(_post(server, path, {"status": status}, "PATCH"))
    used = (server.cpu_seconds() - cpu) / (time.perf_counter() - began)
    await asyncio.sleep(1)
    lost = sum(expected - socket.seen for socket in sockets)
    return Delay(*percentiles(late), lost, used * 100)


async def _instances(server: Server, count: int) -> list[str]:
    async with Connection(server.port) as connection:

        async def made(path: str, body: Any) -> str:
            return str(json.loads((await connection.request(_post(server, path, body)))[2])["id"])

        agent = await made("/api/v1/agents", {"name": f"bench-{os.urandom(4).hex()}"})
        body = {"agent_id": agent, "session_id": "bench"}
        return [await made("/api/v1/runtime/agents", body) for _ in range(count)]


def _post(server: Server, path: str, body: Any, method: str = "POST") -> bytes:
    return raw_request(method, path, {"Authorization": f"Bearer {server.token}"}, json.dumps(body).encode())


async def _socket(server: Server, late: list[float]) -> "Socket":
    key = base64.b64encode(os.urandom(16)).decode()
    upgrade = {
        "Authorization": f"Bearer {server.token}", "Connection": "Upgrade", "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": key,
    }  # fmt: skip
    raw = raw_request("GET", "/ws/agent-status", upgrade)
    loop = asyncio.get_running_loop()
    _, socket = await loop.create_connection(lambda: Socket(raw, late), "127.0.0.1", server.port)
    await asyncio.wait_for(socket.opened, 10)
    return socket


class Socket(asyncio.Protocol):
    """One client. It takes the delay of each change from the frame's own time, with as little work as can be."""

    def __init__(self, request: bytes, late: list[float]) -> None:
        self._request, self._late, self._rest = request, late, b""
        self.seen = 0
        self.opened = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        transport.write(self._request)  # type: ignore[attr-defined]

    def data_received(self, data: bytes) -> None:
        now, data = time.time(), self._rest + data
        if not self.opened.done() and b'"agent_update"' in data:
            self.opened.set_result(None)
        end = 0
        for match in _CHANGE.finditer(data):
            self._late.append(now - datetime.fromisoformat(match[1].decode()).timestamp())
            self.seen, end = self.seen + 1, match.end()
        self._rest = data[max(end, len(data) - 200) :]
