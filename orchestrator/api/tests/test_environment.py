"""A value that makes no sense stops the start with one line that names the variable (CONTRACT §6)."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from orchestrator.environment import BASE_DIR, Environment, broker_url, database, redis_url

Read = Callable[[Environment], Any]


@pytest.fixture
def env(monkeypatch: pytest.MonkeyPatch) -> Environment:
    for name in ("DATABASE_URL", "DATABASE_PATH", "DB_HOST", "REDIS_URL", "REDIS_ADDR", "BROKER_URL"):
        monkeypatch.delenv(name, raising=False)
    return Environment(dotenv=None)


def origins(env: Environment) -> list[str]:
    return env.origins("V", "")


REFUSED: list[tuple[str, str, Read]] = [
    ("V", "maybe", lambda env: env.flag("V", False)),
    ("V", "x", lambda env: env.integer("V", default=1, low=1, high=9)),
    ("V", "0", lambda env: env.integer("V", default=1, low=1, high=9)),
    ("V", "1.5", lambda env: env.integer("V", default=1, low=1, high=9)),
    ("V", "nan", lambda env: env.seconds("V", 1, 0, 9)),
    ("V", "inf", lambda env: env.seconds("V", 1, 0, 9)),
    ("V", "-1", lambda env: env.seconds("V", 1, 0, 9)),
    ("V", "c", lambda env: env.choice("V", "a", ("a", "b"))),
    *[("V", value, lambda env: env.rate("V", "1/m")) for value in ("60", "0/m", "5/0s", "x/m", "5/w", "5/m\nx")],
    *[
        ("V", value, origins)
        for value in ("example.org", "ftp://a", "https://", "https://a/b", "http://[", "http://a:b")
    ],
    *[
        ("V", value, lambda env: env.hosts("V"))
        for value in (
            "https://a.org",
            "a.org/x",
            "a.*",
            "*a.org",
            "a.org:0",
            "a.org:x",
            "[::1",
            "b\u00fccher.de",
            "a b",
        )
    ],
    *[
        ("V", value, lambda env: env.networks("V"))
        for value in ("10.0.0.1/8", "10.0.0.0/33", "a.org", "10.0.0.0/8 ::1/1")
    ],
    *[("V", value, lambda env: env.programs("V")) for value in ("git", "./git", "/usr/bin/../git", "/bin/a,b")],
    *[
        ("V", value, lambda env: env.url("V"))
        for value in (
            "a.org",
            "ftp://a.org",
            "https://",
            "https://u:p@a.org",
            "https://a.org?x",
            "http://a:b",
            "http://[",
        )
    ],
    ("NODE_SECRET_A", "short", Environment.secrets),
    ("NODE_SECRET_A", "two\nlines of it", Environment.secrets),
    ("DATABASE_URL", "mysql://h/d", database),
    ("DATABASE_URL", "postgresql://", database),
    ("DATABASE_URL", "postgresql://u:p@h:port/d", database),
    ("DATABASE_URL", "sqlite:///", database),
    ("DATABASE_PATH", "/dev/null/x.db", database),
    ("DATABASE_PATH", "/tmp", database),
    ("REDIS_URL", "http://h", redis_url),
    ("REDIS_URL", "redis://h:port", redis_url),
    ("REDIS_ADDR", "h:99999", redis_url),
    *[("BROKER_URL", value, lambda env: broker_url(env, "")) for value in ("kafka://h", "localhost:5672", "amqp://")],
]


@pytest.mark.parametrize(("name", "value", "read"), REFUSED, ids=lambda part: part if isinstance(part, str) else "")
def test_senseless_values_are_refused_in_one_line(
    env: Environment, monkeypatch: pytest.MonkeyPatch, name: str, value: str, read: Read
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit) as refused:
        read(env)
    line = str(refused.value)
    assert line.startswith("orchestrator: ")
    assert name in line
    assert "\n" not in line


@pytest.mark.parametrize(
    ("variables", "engine", "name"),
    [
        ({"DATABASE_URL": "postgresql+asyncpg://u:p@h:5433/d"}, "django.db.backends.postgresql", "d"),
        ({"DATABASE_URL": "sqlite+aiosqlite:////tmp/x.db"}, "orchestrator.core.sqlite", "/tmp/x.db"),
        ({"DATABASE_URL": "sqlite:///./data/x.db"}, "orchestrator.core.sqlite", str(BASE_DIR / "data/x.db")),
        ({"DATABASE_PATH": "/tmp/y.db"}, "orchestrator.core.sqlite", "/tmp/y.db"),
        ({"DB_HOST": "h", "DB_NAME": "n"}, "django.db.backends.postgresql", "n"),
        ({}, "orchestrator.core.sqlite", str(BASE_DIR / "data/orchestrator.db")),
    ],
)
def test_every_spelling_of_the_seeds_names_its_database(
    env: Environment, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], engine: str, name: str
) -> None:
    for variable, value in variables.items():
        monkeypatch.setenv(variable, value)
    found = database(env)
    assert (found["ENGINE"], found["NAME"]) == (engine, name)


def test_redis_is_found_by_url_or_address_and_memory_is_none(env: Environment, monkeypatch: pytest.MonkeyPatch) -> None:
    assert redis_url(env) == ""
    monkeypatch.setenv("REDIS_ADDR", "h:6379")
    assert redis_url(env) == "redis://h:6379/0"
    monkeypatch.setenv("REDIS_URL", "memory://")
    assert redis_url(env) == ""


def test_what_nodes_may_reach_is_read(env: Environment, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("V", "API.example.org, *.example.org:8443,[::1]:*,*")
    assert env.hosts("V") == ["api.example.org", "*.example.org:8443", "[::1]:*", "*"]
    monkeypatch.setenv("V", "10.1.2.0/24,fd00::/8")
    assert [str(network) for network in env.networks("V")] == ["10.1.2.0/24", "fd00::/8"]
    monkeypatch.setenv("V", "http://localhost:11434/v1/")
    assert env.url("V") == "http://localhost:11434/v1"
    monkeypatch.setenv("NODE_SECRET_A", "a-secret-value")
    monkeypatch.setenv("NODE_SECRET_B", "")
    assert env.secrets() == {"NODE_SECRET_A": "a-secret-value"}


@pytest.mark.process
@pytest.mark.parametrize(
    ("name", "variables"),
    [
        ("SECRET_KEY", {"SECRET_KEY": ""}),
        ("STUB_AUTH", {"STUB_AUTH": "true"}),
        ("API_KEYS", {"API_KEYS": "a-long-enough-api-key,short"}),
        ("PORT", {"SERVICE_PORT": "70000"}),
        ("BROKER_URL", {"ENGINE": "celery"}),
        ("DEV_USER_EMAIL", {"DEV_USER_EMAIL": "dev"}),
        ("HTTP_NODE_ALLOW", {"HTTP_NODE_ALLOW": "https://example.org"}),
        ("NODE_SECRET_X", {"NODE_SECRET_X": "short"}),
        ("", {}),
    ],
)
def test_the_process_does_not_start(tmp_path: Path, name: str, variables: dict[str, str]) -> None:
    safe = {
        "SECRET_KEY": "x" * 50,
        "DEBUG": "false",
        "DATABASE_PATH": str(tmp_path / "x.db"),
        "PATH": os.environ["PATH"],
    }
    ended = subprocess.run(
        [sys.executable, "manage.py", "check"],
        cwd=BASE_DIR,
        env=safe | variables,
        capture_output=True,
        text=True,
        check=False,
    )
    if not name:
        assert ended.returncode == 0
        return
    assert ended.returncode == 1
    assert ended.stderr.count("\n") == 1
    assert ended.stderr.startswith("orchestrator: ")
    assert name in ended.stderr
