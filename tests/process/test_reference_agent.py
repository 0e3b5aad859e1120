"""examples/agent.py against a live server that is killed and comes back: every task is done, and once."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.process.server import API_KEY, ROOT, Databases, Server, eventually, serving

pytestmark = pytest.mark.process

TASKS = 12


@pytest.fixture
def start(databases: Databases, tmp_path: Path) -> Iterator[Any]:
    with serving(databases.make(), tmp_path, ENGINE="thread") as found:
        yield found


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[Any]:
    """Starts the example; killed when the test ends."""
    started: list[subprocess.Popen[str]] = []

    def run(server: Server) -> subprocess.Popen[str]:
        env = {
            **os.environ, "ORCHESTRATOR_URL": f"http://127.0.0.1:{server.port}", "ORCHESTRATOR_API_KEY": API_KEY,
            "AGENT_BEAT_SECONDS": "0.2",
        }  # fmt: skip
        with (tmp_path / "agent.log").open("w") as log:
            process = subprocess.Popen(
                [sys.executable, str(ROOT / "examples/agent.py")], env=env, stdout=log, stderr=log, text=True
            )
        started.append(process)
        return process

    yield run
    for process in started:
        process.kill()
        process.wait()


def reviewed(server: Server) -> int:
    return len(server.get("/api/v1/collab/state/tasks?status=review&limit=1000").json()["items"])


def test_it_works_on_through_a_restart_of_the_server(start: Any, agent: Any) -> None:
    server = start()
    for number in range(TASKS):
        server.post("/api/v1/collab/tasks", {"title": f"Count these {number} words"})
    process = agent(server)
    eventually(lambda: reviewed(server) >= 3)
    server.kill()
    server = start(port=server.port)
    for number in range(3):
        server.post("/api/v1/collab/tasks", {"title": f"After the restart {number}"})
    eventually(lambda: reviewed(server) == TASKS + 3)
    assert process.poll() is None, "the agent lives on"
    done = server.get("/api/v1/events?event=lease_completed&limit=1000").json()["items"]
    tasks = [event["details"]["task_id"] for event in done]
    assert len(tasks) == len(set(tasks)) == TASKS + 3
    leases = server.get("/api/v1/collab/state/leases?active=any&limit=1000").json()["items"]
    assert all(lease["holder"].startswith("agent:") for lease in leases)
    [runtime] = server.get("/api/v1/runtime/agents").json()["items"]
    assert runtime["status"] in ("idle", "executing")
    assert server.get("/api/v1/runtime/logs").json()["items"], "it said what it did"
    eventually(lambda: len(server.get("/api/v1/runtime/system-logs?component=server").json()["items"]) == 1)
