"""The engine on workers of Celery, over PostgreSQL and Redis from their wheels, and beside it, on the same Redis and
with as many processes, Celery's bare chain of tasks that do nothing and keep no log.

Run by bench.__main__ in processes of their own; prints JSON.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import django
from celery import Celery, chain
from redis import Redis

from bench import engine
from bench.server import ROOT, settings_for
from tests import cluster, servers

PROCESSES: Final = (1, 2, 4)
_QUEUE: Final = "bench"
_DONE: Final = "bench:done"
_SECONDS: Final = 120.0

app = Celery("bench", broker=os.environ.get("REDIS_URL", "memory://"))
app.conf.update(task_default_queue=_QUEUE, task_ignore_result=True, broker_connection_retry_on_startup=True)


def measured() -> Iterator[tuple[int, dict[str, float]]]:
    """Each number of worker processes with its figures."""
    with tempfile.TemporaryDirectory(prefix="orchestrator-bench-") as folder, servers.redis() as redis:
        for count in PROCESSES:
            yield count, _with(count, redis, Path(folder))


def _with(count: int, redis: str, folder: Path) -> dict[str, float]:
    with servers.postgres() as database:  # empty each time
        env = settings_for(str(folder), DATABASE_URL=database, REDIS_URL=redis, BROKER_URL=redis, ENGINE="celery")
        del env["DATABASE_PATH"]
        engine.migrate(env)
        parts = cluster.Cluster(env, folder)
        try:
            parts.worker(concurrency=count)
            parts.scheduler()
            ours = engine.asked("bench.brokered", env, "ours")
        finally:
            parts.close()
    with _bare_worker(count, env):
        return {**ours, **engine.asked("bench.brokered", env, "bare")}


@contextmanager
def _bare_worker(count: int, env: dict[str, str]) -> Iterator[None]:
    command = [sys.executable, "-m", "celery", "-A", "bench.brokered", "worker", "--queues", _QUEUE]
    command += ["--concurrency", str(count), "--without-gossip", "--without-mingle", "--loglevel", "ERROR"]
    worker = subprocess.Popen(command, env=env, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        worker.terminate()
        worker.wait(20)


# --- Celery alone --------------------------------------------------------------------------------------------------


@app.task(name="bench.nothing")
def nothing() -> None:
    """A step."""


@app.task(name="bench.last")
def last() -> None:
    """The last step, which says so."""
    _redis().incr(_DONE)


def _redis() -> Any:
    return Redis(connection_pool=_POOL)


_POOL: Final = Redis.from_url(os.environ.get("REDIS_URL", "redis://")).connection_pool


def _bare() -> dict[str, float]:
    _chains(10)
    return {"bare_chains_per_second": engine.RUNS / _chains(engine.RUNS)}


def _chains(count: int) -> float:
    """Seconds for so many chains of as many tasks as our runs have nodes."""
    _redis().delete(_DONE)
    began = time.perf_counter()
    for _ in range(count):
        chain(*(nothing.si() for _ in range(engine.NODES - 1)), last.si()).apply_async()
    while int(_redis().get(_DONE) or 0) < count:
        if time.perf_counter() - began > _SECONDS:
            sys.exit("Celery's chains did not end in time.")
        time.sleep(0.01)
    return time.perf_counter() - began


# --- ours ----------------------------------------------------------------------------------------------------------


def _ours() -> dict[str, float]:
    from runs.engine import brokered

    actor = engine.prepared()
    brokered.start()
    try:
        return {"chains_per_second": engine.chains_per_second(actor), **engine.fan_outs(actor)}
    finally:
        brokered.stop()


if __name__ == "__main__":
    django.setup()
    print(json.dumps(_ours() if sys.argv[1:] == ["ours"] else _bare()))
