"""Starts ``manage.py serve`` on a free port over a database of its own, and reads what it streams."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import httpx
import psycopg

ROOT = Path(__file__).resolve().parents[2]
API_KEY = "a-key-for-the-process-tests"
PATIENCE = 30.0  # seconds; a machine that is busy with other things may be slow
_PREPARE = """
import django; django.setup()
from django.core.management import call_command
call_command("migrate", verbosity=0)
from orchestrator.identity.models import Organization
Organization.objects.get_or_create(slug="default", defaults={"name": "Default"})
"""


def prepare(database_url: str) -> None:
    """Migrate, and make the org in which the API key acts."""
    subprocess.run([sys.executable, "-c", _PREPARE], env=environment(database_url), cwd=ROOT, check=True, timeout=120)


def environment(database_url: str, **more: Any) -> dict[str, str]:
    """That of a server which nothing else on this machine has a say in."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "REDIS_URL") if name in os.environ}
    own = {
        "DJANGO_SETTINGS_MODULE": "orchestrator.settings",
        "SECRET_KEY": "a-key-for-tests-that-is-long-enough-to-sign-tokens",
        "DATABASE_URL": database_url, "PUBLIC_ORG": "default", "API_KEYS": API_KEY, "RATE_LIMIT": "1000000/m",
        "LOG_LEVEL": "WARNING", "SWEEP_SECONDS": "0.1", "PYTHONUNBUFFERED": "1", "SECURE_COOKIES": "true",
    }  # fmt: skip
    return {**kept, **own, **{name: str(value) for name, value in more.items()}}


class Databases:
    """Makes migrated databases from a template: SQLite files, or PostgreSQL databases when DATABASE_URL is set."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._count = 0
        self._postgres = os.environ.get("DATABASE_URL", "")
        self._made: list[str] = []
        self._template = self._empty("template")
        prepare(self._template)

    def make(self, like: str = "") -> str:
        """A new one's DATABASE_URL; with what is in the one at ``like``, which nobody is connected to."""
        self._count += 1
        name, like = f"process_{os.getpid()}_{self._count}", like or self._template
        if not self._postgres:
            shutil.copy(like.removeprefix("sqlite:///"), self._folder / f"{name}.db")
            return f"sqlite:///{self._folder / name}.db"
        return self._empty(name, f'TEMPLATE "{urlsplit(like).path[1:]}"')

    def drop(self) -> None:
        for name in reversed(self._made):
            self._ask(f'DROP DATABASE "{name}" WITH (FORCE)')

    def _empty(self, name: str, how: str = "") -> str:
        if not self._postgres:
            return f"sqlite:///{self._folder / name}.db"
        name = name if name.startswith("process_") else f"process_{os.getpid()}_{name}"
        self._ask(f'CREATE DATABASE "{name}" {how}')
        self._made.append(name)
        return urlunsplit(urlsplit(self._postgres)._replace(path=f"/{name}"))

    def _ask(self, statement: str) -> None:
        with psycopg.connect(self._postgres, autocommit=True) as connection:
            connection.execute(statement.encode())


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@dataclass
class Server:
    """One process of ``manage.py serve``."""

    process: subprocess.Popen[str]
    port: int
    log: Path

    def client(self) -> httpx.Client:
        return httpx.Client(base_url=f"http://127.0.0.1:{self.port}", headers={"X-API-Key": API_KEY}, timeout=PATIENCE)

    def wait_until_it_answers(self) -> None:
        def answers() -> bool:
            assert self.process.poll() is None, self.log.read_text()
            try:
                return self.get("/api/v1/events?limit=1").status_code == 200
            except httpx.TransportError:
                return False

        eventually(answers)

    def get(self, path: str) -> httpx.Response:
        with self.client() as client:
            return client.get(path)

    def post(self, path: str, body: Any = None) -> Any:
        with self.client() as client:
            answer = client.post(path, json=body)
        assert answer.status_code < 300, answer.text
        return answer.json()

    def start_run(self, prompt: str = "Plan a trip to Paris") -> str:
        return str(self.post("/runs", {"prompt": prompt})["run_id"])

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(PATIENCE)

    def stop(self, seconds: float) -> tuple[int, float]:
        """SIGTERM; the exit code and how long it took."""
        began = time.monotonic()
        self.process.terminate()
        return self.process.wait(seconds), time.monotonic() - began


def eventually(condition: Callable[[], Any], seconds: float = PATIENCE) -> Any:
    """Poll until ``condition`` holds; its value."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, "it did not come about in time"
        time.sleep(0.02)
    return value


class Reader:
    """Follows a run's stream as a browser does: it joins again behind the last event that it has seen."""

    def __init__(self, run_id: str) -> None:
        self.path = f"/runs/{run_id}/events/stream"
        self.events: list[dict[str, Any]] = []
        self.seen_at: list[float] = []
        self.done: list[Any] = []
        self.broken = 0

    def read(self, server: Server, count: int = 10**9) -> None:
        """Until ``count`` events are there, ``done`` has come, or the stream has broken."""
        headers = {"Last-Event-ID": str(self.events[-1]["sequence"])} if self.events else {}
        try:
            with server.client() as client, client.stream("GET", self.path, headers=headers) as answer:
                assert answer.status_code == 200, answer.read()
                for event, data in frames(answer):
                    if event == "run_event":
                        self.events.append(data)
                        self.seen_at.append(time.time())
                    elif event == "done":
                        self.done.append(data)
                    if len(self.events) >= count:
                        return
        except httpx.TransportError:
            self.broken += 1

    @property
    def sequences(self) -> list[int]:
        return [event["sequence"] for event in self.events]


def frames(answer: httpx.Response) -> Iterator[tuple[str, Any]]:
    """Event and data of each frame; of the opening comment, nothing."""
    event = ""
    for line in answer.iter_lines():
        if line.startswith("event: "):
            event = line.removeprefix("event: ")
        elif line.startswith("data: "):
            yield event, json.loads(line.removeprefix("data: "))


@contextmanager
def serving(database_url: str, folder: Path, **settings: Any) -> Iterator[Callable[..., Server]]:
    """Starts servers over one database, and kills those that are left. They write to files: a pipe may fill."""
    servers: list[Server] = []

    def start(*, ready: bool = True, port: int = 0, **more: Any) -> Server:
        port = port or free_port()
        log = folder / f"server-{len(servers)}.log"
        with log.open("w") as output:
            process = subprocess.Popen(
                [sys.executable, "-W", "default", "manage.py", "serve", "--host", "127.0.0.1", "--port", str(port)],
                env=environment(database_url, **{**settings, **more}), cwd=ROOT, stdout=output, stderr=output,
                text=True,
            )  # fmt: skip
        servers.append(Server(process, port, log))
        if ready:
            servers[-1].wait_until_it_answers()
        return servers[-1]

    try:
        yield start
    finally:
        for server in servers:
            if server.process.poll() is None:
                server.kill()
