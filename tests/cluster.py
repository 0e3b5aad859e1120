"""Webs, workers and a scheduler as processes of their own, which share PostgreSQL and a broker: ``make run-cluster``.

``python -m tests.cluster`` starts what DATABASE_URL, REDIS_URL and BROKER_URL do not name, PostgreSQL and Redis from
their wheels and RabbitMQ where it is installed, and ends all that it started. Tests kill and stop its parts.
"""

import argparse
import itertools
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests import rabbitmq, servers

ROOT = Path(__file__).resolve().parents[1]
PYTHON = [sys.executable, "-W", "default"]
_SECONDS_TO_STOP = 20


@dataclass
class Part:
    """A process of the cluster. ``name`` is ``web-1``, ``worker-2``, ``scheduler-1``; it stays when it is replaced."""

    name: str
    command: list[str]
    env: dict[str, str]
    log: Path | None = None
    process: subprocess.Popen[bytes] | None = None

    @property
    def kind(self) -> str:
        return self.name.partition("-")[0]

    @property
    def pid(self) -> int:
        assert self.process is not None, "started"
        return self.process.pid

    def alive(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def start(self) -> None:
        output = self.log.open("ab") if self.log else None
        try:
            # A session of its own: Ctrl-C is for us, who end them in order.
            self.process = subprocess.Popen(
                self.command, env=self.env, cwd=ROOT, stdout=output, stderr=output, stdin=subprocess.DEVNULL,
                start_new_session=True,
            )  # fmt: skip
        finally:
            if output is not None:
                output.close()

    def send(self, number: int) -> None:
        """To it and to what it has forked."""
        if self.alive():
            os.killpg(self.pid, number)

    def terminate(self) -> None:
        """SIGTERM to it alone, as an operator's supervisor sends it."""
        if self.alive():
            os.kill(self.pid, signal.SIGTERM)

    def end(self, number: int = signal.SIGKILL) -> None:
        self.send(number)
        if self.process is not None:
            self.process.wait(_SECONDS_TO_STOP)


class Cluster:
    """The parts, over servers that are there already. ``folder`` takes their logs; None leaves them on the terminal."""

    def __init__(self, env: Mapping[str, str], folder: Path | None = None) -> None:
        self.env = dict(env)
        self._folder = folder
        self._numbers = {kind: itertools.count(1) for kind in ("web", "worker", "scheduler")}
        self.parts: list[Part] = []

    def web(self, port: int) -> Part:
        return self._add("web", ["manage.py", "serve", "--host", "127.0.0.1", "--port", str(port)])

    def worker(self, queues: str = "runs", concurrency: int = 2) -> Part:
        # Gossip and mingle are for clusters that look at each other; nothing here needs them.
        return self._add("worker", [
            "-m", "celery", "-A", "orchestrator", "worker", "--queues", queues, "--concurrency", str(concurrency),
            "--without-gossip", "--without-mingle", "--loglevel", "WARNING", "--hostname", "{name}@%h",
        ])  # fmt: skip

    def engine(self) -> Part:
        """A worker without Celery, where ENGINE=off."""
        return self._add("worker", ["manage.py", "work"])

    def scheduler(self) -> Part:
        return self._add("scheduler", ["manage.py", "scheduler"])

    def close(self, number: int = signal.SIGKILL) -> None:
        for part in self.parts:
            part.send(signal.SIGCONT)
            if number == signal.SIGTERM:
                part.terminate()
        for part in self.parts:
            try:
                if number == signal.SIGTERM and part.process is not None:
                    part.process.wait(_SECONDS_TO_STOP)
            except subprocess.TimeoutExpired:
                pass
            part.end()

    def _add(self, kind: str, command: list[str]) -> Part:
        name = f"{kind}-{next(self._numbers[kind])}"
        command = [*PYTHON, *(word.replace("{name}", name) for word in command)]
        log = self._folder / f"{name}.log" if self._folder else None
        part = Part(name, command, self.env, log)
        self.parts.append(part)
        part.start()
        return part


@contextmanager
def _servers() -> Iterator[dict[str, str]]:
    """The addresses of what there is, and of what is started for the time of the context."""
    with ExitStack() as stack:
        found = {name: os.environ.get(name, "") for name in ("DATABASE_URL", "REDIS_URL", "BROKER_URL")}
        found["DATABASE_URL"] = found["DATABASE_URL"] or stack.enter_context(servers.postgres())
        found["REDIS_URL"] = found["REDIS_URL"] or stack.enter_context(servers.redis())
        if not found["BROKER_URL"]:
            found["BROKER_URL"] = (
                stack.enter_context(rabbitmq.running()) if rabbitmq.installed() else found["REDIS_URL"]
            )
        yield found


def _wait_for(port: int, part: Part) -> None:
    while part.alive():
        with socket.socket() as attempt:
            if attempt.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    sys.exit(f"{part.name} did not start.")


def main() -> None:
    parser = argparse.ArgumentParser(description="A whole cluster on this machine, until Ctrl-C.")
    parser.add_argument("--port", type=int, default=int(os.environ.get("PORT") or 8000), help="of the first web")
    for kind, count in (("webs", 2), ("workers", 3), ("schedulers", 1)):
        parser.add_argument(f"--{kind}", type=int, default=count)
    wanted = parser.parse_args()
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    with _servers() as addresses:
        env = {"DEBUG": "true", **os.environ, **addresses, "ENGINE": "celery"}
        for command in (["migrate", "--verbosity", "0"], ["seed"]):
            subprocess.run([*PYTHON, "manage.py", *command], env=env, cwd=ROOT, check=True)
        cluster = Cluster(env)
        try:
            _start(cluster, wanted, addresses)
            ended.wait()
        finally:
            cluster.close(signal.SIGTERM)


def _start(cluster: Cluster, wanted: argparse.Namespace, addresses: Mapping[str, str]) -> None:
    ports = range(wanted.port, wanted.port + wanted.webs)
    webs = [cluster.web(port) for port in ports]
    for _ in range(wanted.workers):
        cluster.worker()
    for _ in range(wanted.schedulers):
        cluster.scheduler()
    for port, web in zip(ports, webs, strict=True):
        _wait_for(port, web)
    for name, address in addresses.items():
        print(f"{name:<14}{re.sub('//.*@', '//', address)}")
    for part in cluster.parts:
        print(f"{part.name:<14}process {part.pid}")
    print(f"\nOpen http://127.0.0.1:{wanted.port}. Ctrl-C ends all of it.", flush=True)


if __name__ == "__main__":
    main()
