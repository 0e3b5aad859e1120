"""A cluster in trouble: who starts runs and approves, what strikes whom, and what is left in the database."""

import json
import os
import random
import signal
import sqlite3
import threading
import time
import uuid
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import psycopg
from redis import Redis

from tests import servers
from tests.cluster import Cluster, Part
from tests.process.disturbed import Client
from tests.process.server import PATIENCE, eventually

ON_SQLITE = ("kill web", "kill worker", "stop web", "stop worker")
EVERYWHERE = (*ON_SQLITE, "kill child", "kill scheduler", "flush redis", "restart redis", "restart postgres")


@dataclass(frozen=True)
class Fault:
    """``pause`` is how long after the one before, ``part`` which of those that it may strike, ``seconds`` how long."""

    kind: str
    part: int
    pause: float
    seconds: float


def faults(seed: int, kinds: tuple[str, ...], count: int, longest: float, pause: float = 0.3) -> list[Fault]:
    """Each kind once at least, in an order that the seed alone decides; between two of them ``pause`` and up to 1.2 s
    more.
    """
    chance = random.Random(seed)
    chosen = [*kinds, *chance.choices(kinds, k=max(count - len(kinds), 0))]
    chance.shuffle(chosen)
    return [
        Fault(kind, chance.randrange(100), pause + chance.uniform(0, 1.2), chance.choice((0.5, longest)))
        for kind in chosen
    ]


@dataclass
class Chaos:
    """``struck`` is what has happened so far."""

    cluster: Cluster
    ports: list[int]
    database_url: str
    postgres: servers.Url | None = None
    redis: servers.Url | None = None
    struck: list[str] = field(default_factory=list)

    def strike(self, fault: Fault, at_work: bool = False) -> None:
        """Strike a part that the fault names, or of the workers the one that is ``at_work``."""
        self.struck.append(f"{fault.kind} (part {fault.part}, {fault.seconds:g} s)")
        action, _, target = fault.kind.partition(" ")
        if target == "postgres" and self.postgres:
            self.postgres.restart()
        elif target == "redis" and self.redis:
            self._strike_redis(action, self.redis)
        else:
            kind = "worker" if target == "child" else target
            parts = [part for part in self.cluster.parts if part.kind == kind]
            part = self._worker_at_work() if at_work and kind == "worker" else parts[fault.part % len(parts)]
            _strike_part(fault, action, target, part)

    def start_runs(self, workflow: str, count: int, seconds: float) -> None:
        """So many, spread over so long."""
        began = time.monotonic()
        with closing(Client(self.ports)) as client:
            for number in range(1, count + 1):
                client.start(workflow)
                time.sleep(max(0, began + seconds * number / count - time.monotonic()))

    def run_one_after_the_other(self, workflow: str, over: threading.Event) -> None:
        """Start a run whenever the one before has ended, until it is ``over``."""
        with closing(Client(self.ports)) as client:
            while not over.is_set():
                client.wait_for([client.start(workflow)])

    def approve(self, over: Callable[[], bool]) -> None:
        """Whatever waits for a decision, until it is ``over`` and all runs have ended."""
        with closing(Client(self.ports)) as client:
            while not over() or self._unfinished():
                asking = "SELECT run_id FROM runs_runnode WHERE node = 'ask' AND status = 'waiting'"
                for (run_id,) in rows(self.database_url, asking):
                    path = f"/api/v1/runs/{uuid.UUID(str(run_id))}/nodes/ask/approve"
                    answer = client.ask("POST", path, {})
                    # 429: with many runs the approver is too quick for its limit; it asks again.
                    assert answer.status_code in (200, 202, 409, 429), answer.text
                time.sleep(0.1)

    def _unfinished(self) -> int:
        return int(rows(self.database_url, "SELECT count(*) FROM runs_run WHERE finished_at IS NULL")[0][0])

    def _worker_at_work(self) -> Part:
        """The one that executes a node now, or as soon as there is one."""
        held = "SELECT lease_holder FROM runs_runnode WHERE status = 'running' AND lease_holder <> ''"
        workers = [part for part in self.cluster.parts if part.kind == "worker"]

        def find() -> Part | None:
            pids = {int(holder.split(":")[-2]) for (holder,) in rows(self.database_url, held)}
            return next((part for part in workers if pids & {part.pid, *_children_of(part.pid)}), None)

        found: Part = eventually(find)
        return found

    def _strike_redis(self, action: str, url: servers.Url) -> None:
        if action == "restart":
            url.restart()
            return
        with closing(Redis.from_url(url)) as client:
            client.flushall()


def _strike_part(fault: Fault, action: str, target: str, part: Part) -> None:
    if action == "stop":
        part.send(signal.SIGSTOP)
        time.sleep(fault.seconds)
        part.send(signal.SIGCONT)
    elif target == "child":
        for child in _children_of(part.pid)[:1]:
            os.kill(child, signal.SIGKILL)
    else:
        part.end()
        part.start()


def _children_of(pid: int) -> list[int]:
    found = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(child) for child in found.read_text().split()] if found.exists() else []


def rows(database_url: str, statement: str) -> list[Any]:
    """Asked of the database itself: the webs are being killed. An outage is waited out."""
    if database_url.startswith("sqlite"):
        with closing(sqlite3.connect(database_url.removeprefix("sqlite:///"), timeout=PATIENCE)) as connection:
            return connection.execute(statement).fetchall()
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            with psycopg.connect(database_url, connect_timeout=5) as connection:
                return connection.execute(statement.encode()).fetchall()
        except psycopg.OperationalError:
            assert time.monotonic() < deadline, "the database did not come back"
            time.sleep(0.05)


def json_of(found: Any) -> Any:
    """A JSON column's value: SQLite has it as text."""
    return json.loads(found) if isinstance(found, str) else found


def moment_of(found: Any) -> float:
    """A time column's value: SQLite has it as text."""
    return (datetime.fromisoformat(found) if isinstance(found, str) else found).timestamp()
