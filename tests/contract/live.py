"""A server as users start it: ``manage.py serve`` in a process of its own, on a database of its own."""

import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
from django.conf import settings

ROOT = Path(__file__).parent.parent.parent


class Live:
    """A running server. ``curl`` runs the real program, as the specifications write it."""

    def __init__(self, url: str, environment: dict[str, str], process: subprocess.Popen[str]) -> None:
        self.url = url
        self.process = process
        self.environment = environment

    def shell(self, script: str, seconds: float = 30) -> str:
        """What ``script`` prints, run by bash with ``$BASE`` set. Raises CalledProcessError when a line fails."""
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script],
            env={**self.environment, "BASE": self.url},
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
        assert done.returncode == 0, f"{script}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def manage(self, *arguments: str) -> str:
        return _manage(self.environment, *arguments)


@contextmanager
def serving(folder: Path, **settings_given: str) -> Iterator[Live]:
    """A migrated and seeded server on a free port; it must end soon, and as asked, on SIGTERM."""
    with ExitStack() as stack:
        environment = {
            **{name: value for name, value in os.environ.items() if name not in ("ENGINE", "PUBLIC_ORG", "SECRET_KEY")},
            **stack.enter_context(_database(folder)),
            "DEBUG": "true",
            "PORT": str(_free_port()),
            "LOG_LEVEL": "INFO",
            "PYTHONUNBUFFERED": "1",
            **settings_given,
        }
        process = subprocess.Popen(
            [sys.executable, str(ROOT / "manage.py"), "serve", "--prepare"],
            env=environment,
            cwd=folder,
            stdout=(log := (folder / "server.log").open("w+")),
            stderr=subprocess.STDOUT,
            text=True,
        )
        try:
            live = Live(f"http://127.0.0.1:{environment['PORT']}", environment, process)
            _wait(live, folder / "server.log")
            yield live
            process.send_signal(signal.SIGTERM)
            assert process.wait(15) in (0, -signal.SIGTERM), (folder / "server.log").read_text()
        finally:
            process.kill()
            process.wait()
            log.close()


@contextmanager
def _database(folder: Path) -> Iterator[dict[str, str]]:
    """A new database of the kind that the tests run on."""
    if settings.ON_SQLITE:
        yield {"DATABASE_URL": f"sqlite:///{folder}/live.db", "REDIS_URL": ""}
        return
    url, name = urlsplit(os.environ["DATABASE_URL"]), f"live_{secrets.token_hex(6)}"
    with psycopg.connect(url.geturl(), autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
        try:
            yield {"DATABASE_URL": url._replace(path=f"/{name}").geturl()}
        finally:
            connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


def _manage(environment: dict[str, str], *arguments: str) -> str:
    command = [sys.executable, str(ROOT / "manage.py"), *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=60).stdout


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait(live: Live, log: Path, seconds: float = 40) -> None:
    deadline = time.monotonic() + seconds
    while True:
        assert live.process.poll() is None, log.read_text()
        # The port listens from the start; the answer comes when the server does.
        if (
            subprocess.run(
                ["curl", "-sf", "-m", "5", f"{live.url}/healthz"], capture_output=True, check=False
            ).returncode
            == 0
        ):
            return
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.05)
