"""Reads the environment (CONTRACT §6) and refuses what makes no sense with one line that names the variable."""

import ipaddress
import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NoReturn, TypeVar
from urllib.parse import urlsplit

import environ
import redis.connection

BASE_DIR = Path(__file__).resolve().parent.parent
T = TypeVar("T")
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
_RATE = re.compile(r"[1-9]\d{0,8}/([1-9]\d{0,5})?[smhd]")
_LABELS = r"[a-z0-9_-]+(?:\.[a-z0-9_-]+)*"
_HOST = re.compile(rf"(?:\*|(?:\*\.)?{_LABELS}|\[[0-9a-f:.]+\])(?::(?:[1-9]\d{{0,4}}|\*))?")
_URL = re.compile(r"(https?://[^/?#@\s]+)(/[^?#\s]*)?")
_SECRET = "NODE_SECRET_"  # noqa: S105 - how their names begin
_SHORTEST_SECRET = 8


class Environment:
    """Typed access to variables. Every refusal ends the process: a half-configured server is worse than none."""

    def __init__(self, dotenv: Path | None = BASE_DIR / ".env"):
        if dotenv is not None and dotenv.exists():
            environ.Env.read_env(dotenv)
        self._env = environ.Env()

    def refuse(self, name: str, why: str) -> NoReturn:
        raise SystemExit(f"orchestrator: {name} {why}")

    def text(self, *names: str, default: str = "") -> str:
        """The first of ``names`` that is set and not empty, else ``default``."""
        values = (str(self._env(name, default="")).strip() for name in names)
        return next((value for value in values if value), default)

    def has(self, *names: str) -> bool:
        return bool(self.text(*names))

    def _parsed(self, name: str, default: T, parse: Callable[[str], T], expected: str) -> T:
        raw = self.text(name)
        if not raw:
            return default
        try:
            return parse(raw)
        except (ValueError, KeyError):
            self.refuse(name, f"must be {expected}, not {raw!r}.")

    def flag(self, name: str, default: bool) -> bool:
        words = {
            "1": True,
            "true": True,
            "yes": True,
            "on": True,
            "0": False,
            "false": False,
            "no": False,
            "off": False,
        }
        return self._parsed(name, default, lambda raw: words[raw.lower()], "true or false")

    def integer(self, *names: str, default: int, low: int, high: int) -> int:
        name = next((n for n in names if self.has(n)), names[0])
        value = self._parsed(name, default, int, f"a whole number from {low} to {high}")
        if not low <= value <= high:
            self.refuse(name, f"must be a whole number from {low} to {high}, not {value}.")
        return value

    def seconds(self, name: str, default: float, low: float, high: float) -> float:
        value = self._parsed(name, default, float, f"a number of seconds from {low:g} to {high:g}")
        if not low <= value <= high:
            self.refuse(name, f"must be a number of seconds from {low:g} to {high:g}, not {value:g}.")
        return value

    def choice(self, name: str, default: str, allowed: tuple[str, ...]) -> str:
        value = self.text(name, default=default)
        if value not in allowed:
            self.refuse(name, f"must be one of {', '.join(allowed)}, not {value!r}.")
        return value

    def words(self, name: str, default: str = "") -> list[str]:
        return [word for word in (part.strip() for part in self.text(name, default=default).split(",")) if word]

    def origins(self, name: str, default: str) -> list[str]:
        for origin in (found := self.words(name, default)):
            if not _is_origin(origin):
                self.refuse(name, f"must list origins such as https://example.org, not {origin!r}.")
        return found

    def rate(self, name: str, default: str) -> str:
        """``60/m``: how many in how long (django-ratelimit's form)."""
        raw = self.text(name, default=default)
        if not _RATE.fullmatch(raw):
            self.refuse(name, f"must be a rate such as 60/m, not {raw!r}.")
        return raw

    def hosts(self, name: str) -> list[str]:
        """Hosts that may be called, in small letters: ``example.org``, ``*.example.org:8443``, ``[::1]:*``, ``*``."""
        found = [word.lower() for word in self.words(name)]
        for host in found:
            if not _HOST.fullmatch(host):
                self.refuse(
                    name, f"must list hosts such as api.example.org, *.example.org or a.org:8443, not {host!r}."
                )
        return found

    def networks(self, name: str) -> list[Network]:
        """Networks in CIDR notation."""
        try:
            return [ipaddress.ip_network(word) for word in self.words(name)]
        except ValueError as error:
            self.refuse(name, f"must list networks such as 10.1.2.0/24: {error}.")

    def programs(self, name: str) -> list[str]:
        """Absolute paths. Whether they are there is not asked: it may be another machine that starts them."""
        for path in (found := self.words(name)):
            if not Path(path).is_absolute() or ".." in Path(path).parts:
                self.refuse(name, f"must list absolute paths such as /usr/bin/git, not {path!r}.")
        return found

    def url(self, name: str) -> str:
        """An address of HTTP, which may have a path, without a slash at its end; empty when it is not set."""
        url = self.text(name).rstrip("/")
        match = _URL.fullmatch(url)
        if url and not (match and _is_origin(match[1])):
            self.refuse(name, "must look like https://example.org/v1.")
        return url

    def secrets(self) -> dict[str, str]:
        """Every variable whose name begins with NODE_SECRET_: what the settings of nodes may refer to."""
        found = {
            name: value.strip() for name, value in os.environ.items() if name.startswith(_SECRET) and value.strip()
        }
        for name, value in found.items():
            # They are blotted out wherever they come back, and short ones would be found in everything.
            if len(value) < _SHORTEST_SECRET or not value.isascii() or not value.isprintable():
                self.refuse(name, f"must have {_SHORTEST_SECRET} characters or more, all of ASCII and printable.")
        return found


def _is_origin(text: str) -> bool:
    try:
        parts = urlsplit(text)
        parts.port  # noqa: B018  raises for what is no number
    except ValueError:
        return False
    return (
        parts.scheme in ("http", "https") and bool(parts.hostname) and not (parts.path or parts.query or parts.fragment)
    )


def database(env: Environment) -> dict[str, Any]:
    """Django's DATABASES["default"], from DATABASE_URL, DATABASE_PATH or DB_HOST and its companions, in this order."""
    if env.has("DATABASE_URL"):
        return _from_url(env)
    if env.has("DATABASE_PATH"):
        return _sqlite(env, env.text("DATABASE_PATH"))
    if env.has("DB_HOST"):
        return _postgres(
            {
                "HOST": env.text("DB_HOST"),
                "PORT": env.integer("DB_PORT", default=5432, low=1, high=65535),
                "NAME": env.text("DB_NAME", default="orchestrator"),
                "USER": env.text("DB_USER", default="orchestrator"),
                "PASSWORD": env.text("DB_PASSWORD"),
            }
        )
    return _sqlite(env, str(BASE_DIR / "data" / "orchestrator.db"))


def _from_url(env: Environment) -> dict[str, Any]:
    # The seeds spell async drivers in the scheme; both databases are the same to us.
    url = re.sub(r"^(\w+)\+\w+://", r"\1://", env.text("DATABASE_URL"))
    scheme = url.partition("://")[0]
    if scheme == "sqlite":
        return _sqlite(env, url.removeprefix("sqlite:///"))
    if scheme not in ("postgres", "postgresql", "psql"):
        env.refuse("DATABASE_URL", "must begin with sqlite:/// or postgresql://.")
    try:
        parts = environ.Env.db_url_config(url)
    except (ValueError, KeyError, environ.ImproperlyConfigured):
        parts = {}
    if not parts.get("NAME"):
        env.refuse("DATABASE_URL", "must look like postgresql://user:password@host:5432/name.")
    return _postgres(parts)


def _sqlite(env: Environment, path: str) -> dict[str, Any]:
    if not path or path.endswith("/"):
        env.refuse("DATABASE_URL or DATABASE_PATH", "must name a SQLite file, such as ./data/orchestrator.db.")
    file = Path(path) if path == ":memory:" or Path(path).is_absolute() else (BASE_DIR / path)
    if file.is_dir():
        env.refuse("DATABASE_URL or DATABASE_PATH", f"names a folder, not a SQLite file: {file}.")
    if path != ":memory:":
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
        except OSError:
            env.refuse("DATABASE_URL or DATABASE_PATH", f"names a folder that cannot be made: {file.parent}.")
    synchronous = env.choice("SQLITE_SYNCHRONOUS", "FULL", ("FULL", "NORMAL"))
    return {
        "ENGINE": "orchestrator.core.sqlite",
        "NAME": str(file),
        "CONN_MAX_AGE": None,
        "OPTIONS": {
            "timeout": 5,
            "transaction_mode": "IMMEDIATE",
            "init_command": f"PRAGMA journal_mode=WAL; PRAGMA synchronous={synchronous}; PRAGMA cache_size=-16000;",
        },
        "TEST": {"NAME": None},
    }


def _postgres(parts: Mapping[str, Any]) -> dict[str, Any]:
    options = dict(parts.get("OPTIONS", {}))
    options.setdefault("connect_timeout", 5)
    # The last: a process that is stopped within a transaction must not keep the rows that it has locked (the head of an
    # org's log is one) from everybody for as long as it sleeps. Its late commit finds no connection, as after a crash.
    limits = ("statement_timeout=5000", "lock_timeout=5000", "idle_in_transaction_session_timeout=20000")
    options.setdefault("options", " ".join(f"-c {limit}" for limit in limits))
    # Every thread that asks the database is long-lived and counted, so one kept connection each is the whole pool.
    return {
        **parts,
        "ENGINE": "django.db.backends.postgresql",
        "CONN_MAX_AGE": None,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": options,
    }


def broker_url(env: Environment, default: str) -> str:
    """BROKER_URL, where Celery's messages go; else ``default``."""
    url = env.text("BROKER_URL") or default
    if url and not re.match(r"(amqps?|pyamqp|rediss?|redis\+socket|unix|sentinel)://.|memory://", url):
        env.refuse("BROKER_URL", "must begin with amqp:// (RabbitMQ) or redis://.")
    return url.replace("unix://", "redis+socket://", 1) if url.startswith("unix://") else url


def redis_url(env: Environment) -> str:
    """REDIS_URL, or REDIS_ADDR (``host:port``) as a URL; empty when Redis is not used."""
    url = env.text("REDIS_URL") or (f"redis://{env.text('REDIS_ADDR')}/0" if env.has("REDIS_ADDR") else "")
    if url in ("", "memory://"):
        return ""
    name = "REDIS_URL" if env.has("REDIS_URL") else "REDIS_ADDR"
    try:
        redis.connection.parse_url(url)
    except ValueError:
        env.refuse(name, "must look like redis://host:6379/0, rediss://… or unix://…; REDIS_ADDR like host:6379.")
    return url
