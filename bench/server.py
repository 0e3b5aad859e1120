"""A real server process on its own SQLite file, with a person signed in."""

import contextlib
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

PASSWORD = "a long password for benchmarks"
ROOT = Path(__file__).resolve().parent.parent
_SETTINGS: Final = {
    "DEBUG": "false",
    "SECRET_KEY": "a-key-for-benchmarks-that-is-long-enough",
    "SECURE_COOKIES": "true",
    "DEV_USER_PASSWORD": PASSWORD,
    "LOG_LEVEL": "WARNING",
    "RATE_LIMIT": "100000000/m",
    "RATE_LIMIT_USER": "100000000/m",
    "RATE_LIMIT_LOGIN": "100000000/m",
}


@dataclass(frozen=True)
class Server:
    port: int
    token: str
    pid: int
    start_seconds: float

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def cpu_seconds(self) -> float:
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory_mib(self) -> float:
        status = Path(f"/proc/{self.pid}/status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0]) / 1024


@contextlib.contextmanager
def serving(**environment: str) -> Iterator[Server]:
    """Start ``manage.py serve`` and stop it by its own process id."""
    with tempfile.TemporaryDirectory(prefix="orchestrator-bench-") as folder:
        port = _free_port()
        env = settings_for(folder, PORT=str(port), **environment)
        manage = [sys.executable, str(ROOT / "manage.py")]
        subprocess.run([*manage, "migrate", "-v0"], env=env, check=True)
        subprocess.run([*manage, "seed", "--force"], env=env, check=True, stdout=subprocess.DEVNULL)
        began = time.monotonic()
        process = subprocess.Popen([*manage, "serve"], env=env, stdout=subprocess.DEVNULL)
        try:
            _wait_until_healthy(port)
            started = time.monotonic() - began
            yield Server(port, _log_in(port), process.pid, started)
        finally:
            process.terminate()
            process.wait(timeout=20)


def settings_for(folder: str, **more: str) -> dict[str, str]:
    """The environment of a process on a SQLite file of its own."""
    settings = {"DJANGO_SETTINGS_MODULE": "orchestrator.settings", "DATABASE_PATH": f"{folder}/bench.db"}
    return {**_inherited(), **_SETTINGS, **settings, **more}


def _inherited() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name not in ("DATABASE_PATH", "STUB_AUTH")}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_until_healthy(port: int) -> None:
    deadline = time.monotonic() + 20
    while True:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=2):
                return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)


def _log_in(port: int) -> str:
    body = json.dumps({"email": "dev@example.com", "password": PASSWORD}).encode()
    request = urllib.request.Request(f"http://127.0.0.1:{port}/auth/login", body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        return str(json.load(answer)["access_token"])
