"""Everything that can die does, in the middle of many runs: each comes to its right end, each effect counts once.

The storm: more runs than workers, all kinds of faults. Every run succeeds; every node is completed once, and by an
execution that took place; no log has a gap; no lease and no slot of the limit is left, and the limit was never passed;
while something is ready or lost, somebody gets on within the time of a lease, a sweep, a fault and a start.

The calm: one run at a time, so that there is always a worker with nothing to do, while faults strike whoever is at
work. Whatever is ready is started, and whatever is lost is found, within a lease and a sweep.

The faults and their order follow from CHAOS_SEED, which is told when the test fails. CHAOS_RUNS (60 in the suite, 300
for a release) and CHAOS_FAULTS say how much.
"""

import os
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from itertools import chain
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests import servers
from tests.cluster import Cluster
from tests.process import aftermath
from tests.process.chaos import EVERYWHERE, ON_SQLITE, Chaos, Fault, faults
from tests.process.disturbed import Client, environment_of
from tests.process.server import Databases, free_port, prepare

pytestmark = [pytest.mark.process, pytest.mark.chaos, pytest.mark.timeout(1800)]
RUNS = int(os.environ.get("CHAOS_RUNS") or 60)
FAULTS = int(os.environ.get("CHAOS_FAULTS") or max(12, RUNS // 5))
SEED = int(os.environ.get("CHAOS_SEED") or random.randrange(10**6))
LEASE_SECONDS, SWEEP_SECONDS = 3, 0.3
LONGEST_FAULT = LEASE_SECONDS + 1.0
START_SECONDS = 5.0  # of a killed worker's successor, on a machine that does other things as well
STANDSTILL_SECONDS = LEASE_SECONDS + SWEEP_SECONDS + LONGEST_FAULT + START_SECONDS
QUEUE_SECONDS = RUNS / 4  # a node's turn in the storm: at the worst the other runs are before it
MOST_AT_ONCE = 8
QUICK = {"seconds": 0.1}
TRIED_AGAIN = {"max_attempts": 9, "delay_seconds": 0.2}
# Ten nodes: a fan-out, one of whose branches has to be tried again, a timer, and a decision.
STORM: dict[str, Any] = {
    "begin": {"type": "test_effect"},
    "left": {"type": "test_effect", "needs": ["begin"], "with": QUICK},
    "right": {"type": "test_effect", "needs": ["begin"], "with": QUICK},
    "flaky": {"type": "test_effect", "needs": ["begin"], "with": {"fails": 1}, "retry": TRIED_AGAIN},
    "timer": {"type": "wait", "needs": ["begin"], "with": {"seconds": 0.5}},
    "join": {"type": "test_effect", "needs": ["left", "right", "flaky"]},
    "ask": {"type": "approval", "needs": ["join"]},
    "decided": {"type": "test_effect", "needs": ["ask"], "with": QUICK},
    "timed": {"type": "test_effect", "needs": ["timer"]},
    "end": {"type": "test_effect", "needs": ["decided", "timed"]},
}
# One after the other, so that it never waits for a worker's other work.
LONG = {"seconds": 0.4}
CALM: dict[str, Any] = {
    "first": {"type": "test_effect", "with": LONG},
    "timer": {"type": "wait", "needs": ["first"], "with": {"seconds": 0.2}},
    "second": {"type": "test_effect", "needs": ["timer"], "with": LONG},
    "ask": {"type": "approval", "needs": ["second"]},
    "third": {"type": "test_effect", "needs": ["ask"], "with": LONG},
}
CALM_ON_SQLITE = ("kill worker", "stop worker", "kill web")
CALM_EVERYWHERE = (*CALM_ON_SQLITE, "kill child", "kill scheduler", "flush redis")
CALM_PAUSE = 2.0  # long enough for one of three workers to be there at any time
BUSY_SECONDS = 2.0  # what the machine may take for a sweep and for what follows from it
# A worker may take a message with it when it stops: the scheduler's next one comes a lease after the sweep that saw it.
CALM_WAIT_SECONDS = LEASE_SECONDS + 2 * SWEEP_SECONDS + BUSY_SECONDS


@pytest.fixture(scope="module")
def effects(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("chaos") / "effects"


@pytest.fixture(scope="module")
def chaos(databases: Databases, effects: Path) -> Iterator[Chaos]:
    """On SQLite two webs and three engines over one file; else all that there may be, over servers of its own."""
    with ExitStack() as stack:
        postgres = redis = None
        if os.environ.get("DATABASE_URL"):
            postgres, redis = stack.enter_context(servers.postgres()), stack.enter_context(servers.redis())
            with psycopg.connect(postgres, autocommit=True) as connection:
                # What was committed must outlive the crash of this server.
                connection.execute("ALTER ROLE orchestrator SET synchronous_commit = on")
            prepare(postgres)
        database_url, engine = postgres or databases.make(), "celery" if redis else "off"
        env = environment_of(database_url, effects.parent, LEASE_SECONDS, ENGINE=engine, REDIS_URL=redis or "")
        cluster, ports = Cluster({**env, "LOG_LEVEL": "WARNING"}, effects.parent), [free_port(), free_port()]
        stack.callback(cluster.close)
        for port in ports:
            cluster.web(port)
        for _ in range(3):
            cluster.worker(concurrency=1) if redis else cluster.engine()
        for _ in range(2 if redis else 0):
            cluster.scheduler()
        with closing(Client(ports)) as client:
            client.wait_until_it_answers()
            limit = {"limit": MOST_AT_ONCE}
            client.put_workflow("storm", {"nodes": STORM, "output": "nodes.end", "concurrency": limit})
            client.put_workflow("calm", {"nodes": CALM, "output": "nodes.third"})
        yield Chaos(cluster, ports, database_url, postgres, redis)


def test_the_same_seed_is_the_same_order_of_faults() -> None:
    first, again, other = (faults(seed, EVERYWHERE, 30, 4.0) for seed in (1, 1, 2))
    assert first == again != other
    assert {fault.kind for fault in first} == set(EVERYWHERE)


# --- the storm --------------------------------------------------------------------------------------------------------


def test_every_run_comes_to_its_right_end(chaos: Chaos, effects: Path) -> None:
    print(f"CHAOS_SEED={SEED} CHAOS_RUNS={RUNS} CHAOS_FAULTS={FAULTS}")
    try:
        disturb(chaos)
    finally:
        print("\n".join(chaos.struck))
    url = chaos.database_url
    assert aftermath.ends(url, "storm") == {"succeeded": RUNS}
    assert not aftermath.held(url), "nobody holds anything any more"
    check_logs(aftermath.logs(url, "storm"))
    assert aftermath.most_at_once(url, "storm") <= MOST_AT_ONCE
    nodes = [name for name, node in STORM.items() if node["type"] == "test_effect"]
    assert aftermath.check_effects(url, effects) == RUNS * len(nodes)


def disturb(chaos: Chaos) -> None:
    planned = faults(SEED, EVERYWHERE if chaos.redis else ON_SQLITE, FAULTS, LONGEST_FAULT)
    with ThreadPoolExecutor(2) as people:
        starting = people.submit(chaos.start_runs, "storm", RUNS, sum(fault.pause + 0.5 for fault in planned))
        approving = people.submit(chaos.approve, starting.done)
        for fault in planned:
            time.sleep(fault.pause)
            chaos.strike(fault)
        starting.result(600)
        began = time.monotonic()
        approving.result(600)
    print(f"The last run ended {time.monotonic() - began:.1f} s after the last fault and the last start.")


def check_logs(logs: dict[str, aftermath.Log]) -> None:
    assert len(logs) == RUNS
    for log in logs.values():
        assert [sequence for sequence, *_ in log] == list(range(len(log))), "no gap"
        counts = Counter((node, phase) for _, node, phase, _ in log)
        assert {node: counts[node, "completed"] for node in STORM} == dict.fromkeys(STORM, 1)
        assert counts["flaky", "retrying"] >= 1
    waits = list(chain.from_iterable(aftermath.waits(log, STORM) for log in logs.values()))
    longest, standstill = max(waits), aftermath.standstill(logs, waits)
    print(f"No node waited longer than {longest.seconds:.1f} s; all stood still for {standstill:.1f} s at the most.")
    assert standstill <= STANDSTILL_SECONDS
    assert longest.seconds <= STANDSTILL_SECONDS + QUEUE_SECONDS, longest.what


# --- the calm ---------------------------------------------------------------------------------------------------------


def test_nothing_waits_longer_than_a_lease_and_a_sweep(chaos: Chaos) -> None:
    kinds = CALM_EVERYWHERE if chaos.redis else CALM_ON_SQLITE
    planned = faults(SEED, kinds, len(kinds), LONGEST_FAULT, CALM_PAUSE)
    print(f"CHAOS_SEED={SEED}")
    chaos.struck.clear()
    over = threading.Event()
    with ThreadPoolExecutor(2) as people:
        running = people.submit(chaos.run_one_after_the_other, "calm", over)
        approving = people.submit(chaos.approve, running.done)
        try:
            for fault in planned:
                time.sleep(fault.pause)
                chaos.strike(Fault(fault.kind, fault.part, fault.pause, LONGEST_FAULT), at_work=True)
        finally:
            over.set()
            print("\n".join(chaos.struck))
        running.result(60)
        approving.result(60)
    check_waits(chaos.database_url)


def check_waits(database_url: str) -> None:
    logs = aftermath.logs(database_url, "calm")
    assert aftermath.ends(database_url, "calm") == {"succeeded": len(logs)}
    tried_again = sum(phase == "retrying" for log in logs.values() for _, _, phase, _ in log)
    assert tried_again, "whoever was at work was struck"
    waits = list(chain.from_iterable(aftermath.waits(log, CALM) for log in logs.values()))
    found = [*waits, *aftermath.first_waits(database_url, "calm")]
    longest = [f"{wait.seconds:.1f} s: {wait.what}" for wait in sorted(found, reverse=True)[:5]]
    print(f"{len(logs)} runs, {tried_again} attempts lost; the longest waits:", *longest, sep="\n")
    late = [wait for wait in found if wait.seconds > CALM_WAIT_SECONDS + LONG["seconds"]]
    assert not late
