"""Workers that are killed and put to sleep while they drain the queue: every task is completed once, by who held it."""

import itertools
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.process.conftest import Start
from tests.process.server import API_KEY, PATIENCE, ROOT, Server, eventually

pytestmark = pytest.mark.process
TASKS = 500
LEASE_SECONDS = 1  # the shortest
# A worker as anybody would write it: nothing but the standard library. It tells each answer in a line.
WORKER = """
import http.client, json, os, random, signal, sys, time
port, key, holder, lease_seconds, work_seconds, sleepy = json.loads(sys.argv[1])
connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)

def call(path, body):
    headers = {"X-API-Key": key, "Content-Type": "application/json"}
    connection.request("POST", "/api/v1/collab/leases/" + path, json.dumps(body), headers)
    answer = connection.getresponse()
    text = answer.read()
    return answer.status, json.loads(text) if text else None

def tell(*words):
    print(*words, flush=True)

while True:
    status, lease = call("acquire", {"holder": holder, "ttl_seconds": lease_seconds})
    if status == 204:
        time.sleep(0.1)
        continue
    name = lease["lease_id"]
    tell("holds", name)
    if sleepy:
        sleepy = False
        os.kill(os.getpid(), signal.SIGSTOP)
    time.sleep(random.uniform(0.5, 1.5) * work_seconds)
    if random.random() < 0.1:
        tell("heartbeat", call(name + "/heartbeat", {"token": lease["token"]})[0])
    status, answer = call(name + "/complete", {"token": lease["token"], "result": {"by": holder}})
    tell("completed" if status == 200 else f"refused-{status}", name)
"""


class Crew:
    """Worker processes, and what each of them said."""

    def __init__(self, server: Server, folder: Path, work_seconds: float) -> None:
        self._server, self._folder, self._work_seconds = server, folder, work_seconds
        self._numbers = itertools.count()
        self._processes: list[tuple[subprocess.Popen[bytes], Path]] = []

    def hire(self, sleepy: bool = False) -> None:
        """One more. A ``sleepy`` one stops itself as soon as it holds a lease."""
        name = f"worker-{next(self._numbers)}"
        told = self._folder / f"{name}.log"
        told_it = json.dumps([self._server.port, API_KEY, name, LEASE_SECONDS, self._work_seconds, sleepy])
        with told.open("w") as output:
            process = subprocess.Popen([sys.executable, "-c", WORKER, told_it], stdout=output, stderr=output)
        self._processes.append((process, told))

    def kill_one(self) -> None:
        process, _ = random.choice(self._working())
        process.kill()
        process.wait(PATIENCE)

    def put_one_to_sleep(self, seconds: float) -> None:
        """Stop any worker, and wake it after ``seconds``, and whoever else sleeps."""
        os.kill(random.choice(self._working())[0].pid, signal.SIGSTOP)
        time.sleep(seconds)
        for process, _ in self._working():
            os.kill(process.pid, signal.SIGCONT)

    def size(self) -> int:
        return len(self._working())

    def dismiss(self) -> None:
        for process, _ in self._working():
            process.kill()
            process.wait(PATIENCE)

    def told(self) -> Counter[str]:
        return Counter(line.split()[0] for _, log in self._processes for line in log.read_text().splitlines())

    def _working(self) -> list[tuple[subprocess.Popen[bytes], Path]]:
        return [found for found in self._processes if found[0].poll() is None]


def add_tasks(server: Server) -> None:
    def add(numbers: range) -> None:
        with server.client() as client:
            for number in numbers:
                body = {"title": f"Task {number}", "priority": number % 7, "max_attempts": 100}
                assert client.post("/api/v1/collab/tasks", json=body).status_code == 200

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(add, (range(first, TASKS, 4) for first in range(4))))


def log_of(client: httpx.Client, event: str) -> list[dict[str, Any]]:
    """All such events of the org's log, in its order."""
    found: list[dict[str, Any]] = []
    while True:
        after = found[-1]["seq"] if found else 0
        page = client.get("/api/v1/events", params={"event": event, "after": after, "limit": 1000}).json()["items"]
        found += page
        if len(page) < 1000:
            return found


def left(client: httpx.Client) -> bool:
    """Whether a task waits or is being worked on."""
    asked = client.get("/api/v1/collab/state/tasks?status=todo&status=in_progress&limit=1")
    return bool(asked.json()["items"])


@pytest.mark.parametrize("workers", [2, 20])
def test_every_task_is_completed_once(serve: Start, tmp_path: Path, workers: int) -> None:
    server = serve()
    add_tasks(server)
    crew = Crew(server, tmp_path, work_seconds=0.006 * workers)
    with server.client() as client:
        try:
            crew.hire(sleepy=True)
            eventually(lambda: crew.told()["holds"])
            for _ in range(workers - 1):
                crew.hire()
            disturb(crew)
            eventually(lambda: not left(client))
            leases = "/api/v1/collab/state/leases"
            eventually(lambda: client.get(leases).json()["items"] == [], LEASE_SECONDS + 5)
            time.sleep(0.2)  # whoever still has a late write to send
        finally:
            crew.dismiss()
        check(client, crew)


def disturb(crew: Crew) -> None:
    """Until most is done: one sleeps past its lease, some are killed and replaced, and then they have a moment."""
    crew.put_one_to_sleep(LEASE_SECONDS + 0.2)
    eventually(lambda: crew.told()["refused-409"])  # the sleepy one, awake
    while crew.told()["completed"] < TASKS * 0.7:
        crew.put_one_to_sleep(LEASE_SECONDS + 0.2)
        for _ in range(crew.size() // 5 + 1):
            crew.kill_one()
            crew.hire()
        time.sleep(1)


def check(client: httpx.Client, crew: Crew) -> None:
    assert len(client.get("/api/v1/collab/state/tasks?status=review&limit=1000").json()["items"]) == TASKS
    acquired, completed, reclaimed = (
        {(event["details"]["task_id"], event["details"]["token"]): event["seq"] for event in log_of(client, name)}
        for name in ("lease_acquired", "lease_completed", "lease_reclaimed")
    )
    assert len(completed) == len(log_of(client, "lease_completed")) == TASKS
    assert len({task_id for task_id, _ in completed}) == TASKS, "every task, and each of them once"
    assert set(acquired) == set(completed) | set(reclaimed), "no lease is left"
    assert not set(completed) & set(reclaimed), "nothing was completed under a lease that was lost"
    last_token = {task_id: max(token for found, token in acquired if found == task_id) for task_id, _ in completed}
    assert all(token == last_token[task_id] for task_id, token in completed)
    for (task_id, token), given in acquired.items():
        if token > 1:
            assert reclaimed[task_id, token - 1] < given, "never two holders at once"
    told = crew.told()
    assert told["refused-409"], "a late write was tried, and refused"
    assert set(told) <= {"holds", "heartbeat", "completed", "refused-409"}, told
    assert told["completed"] <= TASKS


@pytest.mark.skipif(shutil.which("curl") is None or shutil.which("jq") is None, reason="needs curl and jq")
def test_the_worker_of_the_docs_drains_the_queue(serve: Start) -> None:
    """docs/tasks.md, as it is written there."""
    server = serve()
    for title in ("first", "second"):
        server.post("/api/v1/collab/tasks", {"title": title})
    _, _, script = (ROOT / "docs/tasks.md").read_text().partition("```bash\n")
    named = {**os.environ, "BASE": f"http://127.0.0.1:{server.port}", "KEY": API_KEY}
    done = subprocess.run(
        ["bash", "-c", script.partition("```")[0]],
        env=named,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert not done.stderr
    leases = server.get("/api/v1/collab/state/leases?active=false").json()["items"]
    assert [lease["outcome"] for lease in leases] == ["completed"] * 2
    results = [server.get(f"/api/v1/collab/leases/{lease['id']}").json()["result"] for lease in leases]
    assert results == [{"text": "SECOND"}, {"text": "FIRST"}]
