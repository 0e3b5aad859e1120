"""The engine alone, without HTTP: chains of 8 nodes, fan-outs, the log, and what a long history costs.

Run by bench.__main__ in a process of its own, on a SQLite file or on the database of DATABASE_URL; prints JSON.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

import django

from bench.load import percentiles
from bench.server import ROOT, settings_for

RUNS: Final = 200
NODES: Final = 8
WIDE: Final = 1000
SHORT_LOG: Final = 1_000
LONG_LOG: Final = 1_000_000
_APPENDS: Final = 1_000
_ONE_BY_ONE: Final = 100
_NOTHING: Final = {"type": "transform", "with": {"output": {"value": 1}}}


def measured() -> dict[str, float]:
    """The figures of a server process's own engine, on SQLite."""
    with tempfile.TemporaryDirectory(prefix="orchestrator-bench-") as folder:
        env = settings_for(folder, ENGINE="off")  # the engine is started by hand
        migrate(env)
        return asked("bench.engine", env)


def migrate(env: Mapping[str, str]) -> None:
    subprocess.run([sys.executable, str(ROOT / "manage.py"), "migrate", "-v0"], env=env, check=True)


def asked(module: str, env: Mapping[str, str], *arguments: str) -> dict[str, float]:
    """What the module prints as JSON when it runs in a process of its own."""
    command = [sys.executable, "-m", module, *arguments]
    done = subprocess.run(command, env=env, check=True, stdout=subprocess.PIPE, cwd=ROOT)
    found: dict[str, float] = json.loads(done.stdout)
    return found


# --- the workflows -------------------------------------------------------------------------------------------------


def chain() -> dict[str, Any]:
    """NODES nodes, each after the last."""
    names = [f"node-{number}" for number in range(NODES)]
    nodes = {name: {**_NOTHING, "needs": names[max(0, place - 1) : place]} for place, name in enumerate(names)}
    return {"name": "chain", "nodes": nodes}


def fan_out() -> dict[str, Any]:
    """One node, WIDE behind it side by side, and joins: one has at most 500 needs."""
    side = [f"node-{number:04}" for number in range(WIDE)]
    halves = {"left": side[: WIDE // 2], "right": side[WIDE // 2 :]}
    nodes: dict[str, Any] = {"first": _NOTHING}
    nodes |= {name: {**_NOTHING, "needs": ["first"]} for name in side}
    nodes |= {name: {**_NOTHING, "needs": needs} for name, needs in halves.items()}
    return {"name": "fan-out", "nodes": {**nodes, "last": {**_NOTHING, "needs": [*halves]}}}


def mapped() -> dict[str, Any]:
    """One node, mapped over what ``items`` holds, 100 at a time."""
    node = {"type": "transform", "map": {"over": "inputs.items", "concurrency": 100}, "with": {"output": "${item}"}}
    return {"name": "mapped", "nodes": {"each": node}}


INPUTS: Final = {"mapped": {"items": list(range(WIDE))}}


# --- in the process with the service -------------------------------------------------------------------------------


def prepared() -> Any:
    """The actor of a fresh database, with the workflows in it."""
    from orchestrator.identity import services as identity
    from orchestrator.identity.actors import Actor
    from versioning.services import workflows

    member, _ = identity.ensure_development_member(staff=False)
    actor = Actor.system(member.org_id)
    for make in (chain, fan_out, mapped):
        definition = make()
        workflows.create_workflow(actor=actor, tag=definition["name"], definition=definition)
    return actor


def seconds_for(actor: Any, workflow: str, runs: int = 1) -> float:
    """From the first submission to the end of the last of ``runs`` runs."""
    from runs.models import Run
    from runs.services.submission import start_run
    from runs.states import ACTIVE_RUN, RunStatus

    began = time.perf_counter()
    started = [start_run(actor=actor, workflow=workflow, inputs=INPUTS.get(workflow, {})) for _ in range(runs)]
    while Run.objects.filter(status__in=ACTIVE_RUN).exists():
        time.sleep(0.01)
    taken = time.perf_counter() - began
    ids = [run.id for run in started]
    assert Run.objects.filter(id__in=ids, status=RunStatus.SUCCEEDED).count() == runs, "all of them succeed"
    return taken


def chains_per_second(actor: Any) -> float:
    """Of RUNS at once, when the first few are through."""
    seconds_for(actor, "chain", 10)
    return RUNS / seconds_for(actor, "chain", RUNS)


def fan_outs(actor: Any) -> dict[str, float]:
    return {f"{workflow}_seconds": seconds_for(actor, workflow) for workflow in ("fan-out", "mapped")}


def one_by_one(actor: Any) -> tuple[float, float]:
    """p50 and p99, in milliseconds, from the submission to the commit that ends the run."""
    from orchestrator.core import nudges
    from runs.models import Run
    from runs.services.submission import start_run
    from runs.states import ACTIVE_RUN

    moved, taken = threading.Event(), []
    nudges.listen(lambda topic, _: moved.set() if topic.startswith("run.") else None)
    for _ in range(_ONE_BY_ONE + 10):
        began = time.perf_counter()
        run = start_run(actor=actor, workflow="chain", inputs={})
        while Run.objects.filter(id=run.id, status__in=ACTIVE_RUN).exists():
            moved.wait(1)
            moved.clear()
        taken.append(time.perf_counter() - began)
    return percentiles(taken[10:])


# --- the log -------------------------------------------------------------------------------------------------------


def appends(actor: Any) -> dict[str, float]:
    """Milliseconds for an event: in the org's log, in a run's, and in both with the nodes' rows, by a run of 8 nodes.
    Each a transaction of its own but for the last, which has nine; the median.
    """
    log, run = _org_append(actor), _run_append(actor)
    return {"org": _median(log, _APPENDS), "run": _median(run, _APPENDS), "chain": _median(_whole_run(actor), 100)}


def _org_append(actor: Any) -> Callable[[], object]:
    from orchestrator.events.services import append

    return lambda: append(actor=actor, event="bench", target="bench:1", details={"n": 1})


def _run_append(actor: Any) -> Callable[[], object]:
    from django.db import transaction

    from runs.services import journal, statements
    from runs.services.submission import start_run
    from runs.states import Phase

    run_id = start_run(actor=actor, workflow="chain", inputs={}).id
    entry = journal.Entry("node-0", Phase.COMPLETED, "Done.", {"value": 1})

    @transaction.atomic
    def append() -> None:
        run = statements.lock_run(run_id)
        assert run is not None, "it has just been started"
        events = journal.prepare(run, [entry])
        statements.move_run(run)
        journal.write(run, events)

    return append


def _whole_run(actor: Any) -> Callable[[], object]:
    from runs.engine import worker
    from runs.services.submission import start_run

    return lambda: worker.execute(start_run(actor=actor, workflow="chain", inputs={}).id, "bench:1:1")


def _median(work: Callable[[], object], times: int) -> float:
    taken = []
    for _ in range(times + times // 10):
        began = time.perf_counter()
        work()
        taken.append(time.perf_counter() - began)
    return statistics.median(taken[times // 10 :]) * 1000


def growth(actor: Any) -> dict[str, float]:
    """What an event and a run cost with SHORT_LOG and with LONG_LOG events in each log, and how many times as much."""
    short = _appends_after(actor, 0, SHORT_LOG)
    long = _appends_after(actor, SHORT_LOG, LONG_LOG)
    return {f"{name}_ms": value for name, value in short.items()} | {
        f"{name}_growth": long[name] / short[name] for name in short
    }


def _appends_after(actor: Any, stored: int, wanted: int) -> dict[str, float]:
    from django.db import connection, transaction

    from runs.models import Run

    if not stored:
        _whole_run(actor)()
    model = Run.objects.filter(workflow="chain", status="succeeded").earliest("id")
    with connection.cursor() as cursor:
        with transaction.atomic():
            for statement in _copies(model, stored // (2 * NODES), wanted // (2 * NODES)):
                cursor.execute(statement)
        cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)" if connection.vendor == "sqlite" else "VACUUM ANALYZE")
    os.sync()  # what was copied is on the disk before anything is measured
    return appends(actor)


def _copies(model: Any, first: int, end: int) -> Iterator[str]:
    """Statements that copy a run with its nodes and its log, and as many events of the org's log. Ids that count up
    stand where real ones would, which grow as well.
    """
    from django.db import connection

    from orchestrator.events.services import head

    def numbered(expression: str) -> str:
        sqlite = connection.vendor == "sqlite"
        return f"printf('%032x', {expression})" if sqlite else f"lpad(to_hex({expression}), 32, '0')::uuid"

    def copy(table: str, changed: dict[str, str], where: str, each: int = 1) -> str:
        with connection.cursor() as cursor:
            names = [column.name for column in connection.introspection.get_table_description(cursor, table)]
        values = ", ".join(changed.get(name, f"t.{name}") for name in names)
        counted = f"SELECT {first * each} UNION ALL SELECT i + 1 FROM n WHERE i < {end * each - 1}"
        rows = f"WITH RECURSIVE n(i) AS ({counted}) SELECT {values} FROM n CROSS JOIN {table} t {where}"
        return f"INSERT INTO {table} ({', '.join(names)}) {rows}"

    of_run = f"WHERE t.run_id = '{model.id.hex}'"
    inner = {"id": numbered("i * 64 + t.sequence"), "run_id": numbered("i")}
    yield copy("runs_run", {"id": numbered("i")}, f"WHERE t.id = '{model.id.hex}'")
    yield copy("runs_runnode", inner, of_run)
    yield copy("runs_runevent", inner, of_run)
    last, each = head(model.org_id), 2 * NODES
    event = {"id": numbered("i"), "seq": f"{last + 1 - first * each} + i"}
    yield copy("events_event", event, f"WHERE t.target = 'run:{model.id}' AND t.event = 'run_succeeded'", each)
    yield f"UPDATE events_eventhead SET seq = {last + (end - first) * each} WHERE org_id = '{model.org_id.hex}'"


@contextmanager
def running() -> Iterator[None]:
    """With the engine of a server process."""
    from runs.engine.pool import Engine

    engine = Engine()
    engine.start()
    try:
        yield
    finally:
        engine.stop(10)


def _in_process() -> dict[str, float]:
    actor = prepared()
    with running():
        found = {"chains_per_second": chains_per_second(actor), **fan_outs(actor)}
        found["p50"], found["p99"] = one_by_one(actor)
    return {**found, **growth(actor)}


if __name__ == "__main__":
    django.setup()
    print(json.dumps(growth(prepared()) if sys.argv[1:] == ["growth"] else _in_process()))
