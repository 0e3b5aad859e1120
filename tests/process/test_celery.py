"""Real workers of Celery over PostgreSQL and Redis: whatever becomes of the messages, the runs come to their end."""

import importlib.util
import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from redis import Redis

from tests import rabbitmq, servers
from tests.cluster import ROOT, Cluster, Part
from tests.process.disturbed import Client, environment_of
from tests.process.server import Databases, eventually, free_port

pytestmark = [
    pytest.mark.process,
    pytest.mark.skipif(
        not os.environ.get("DATABASE_URL"), reason="needs PostgreSQL and Redis (pytest -p tests.servers)"
    ),
]
LEASE_SECONDS = 2
FAN_OUT: dict[str, Any] = {
    "begin": {"type": "test_effect"},
    **{name: {"type": "test_effect", "needs": ["begin"]} for name in ("a", "b", "c", "d")},
    "end": {"type": "test_effect", "needs": ["a", "b", "c", "d"]},
}


@pytest.fixture(scope="module")
def redis_url() -> Iterator[str]:
    """A Redis of our own: messages of other tests would be carried out, too."""
    with servers.redis() as url:
        yield url


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("celery")


@pytest.fixture(scope="module")
def cluster(databases: Databases, redis_url: str, folder: Path) -> Iterator[Cluster]:
    env = environment_of(databases.make(), folder, LEASE_SECONDS, ENGINE="celery", REDIS_URL=redis_url)
    found = Cluster(env, folder)
    yield found
    found.close()


@pytest.fixture(scope="module")
def client(cluster: Cluster) -> Iterator[Client]:
    port = free_port()
    cluster.web(port)
    cluster.worker(concurrency=2)
    cluster.scheduler()
    found = Client([port])
    found.wait_until_it_answers()
    found.put_workflow("fan-out", {"nodes": FAN_OUT})
    yield found
    found.close()


@pytest.fixture(scope="module")
def the_gpu(cluster: Cluster, client: Client) -> Part:
    return cluster.worker("runs.gpu", concurrency=1)


@pytest.fixture
def gpu(the_gpu: Part) -> Part:
    """One more worker, which serves the queue ``gpu`` alone."""
    if not the_gpu.alive():
        the_gpu.start()
    return the_gpu


def on_gpu(**settings: Any) -> dict[str, Any]:
    return {"type": "test_effect", "queue": "gpu", **settings}


def test_runs_are_carried_out_by_workers_elsewhere(client: Client) -> None:
    runs = [client.start("fan-out") for _ in range(10)]
    client.wait_for(runs)
    for run_id in runs:
        assert client.counts(run_id) == {"started": 6, "completed": 6}


def test_a_node_with_a_queue_is_for_the_workers_of_that_queue(client: Client, gpu: Part) -> None:
    client.put_workflow("train", {"nodes": {
        "read": {"type": "test_effect"},
        "train": on_gpu(needs=["read"]),
        "tell": {"type": "test_effect", "needs": ["train"]},
    }})  # fmt: skip
    runs = [client.start("train") for _ in range(3)]
    client.wait_for(runs)
    for run_id in runs:
        workers = {node["node"]: node["output"]["worker"] for node in client.nodes(run_id)}
        assert workers["train"] == gpu.pid
        assert gpu.pid not in (workers["read"], workers["tell"])


def test_messages_may_be_lost_doubled_and_shuffled(client: Client, cluster: Cluster, redis_url: str) -> None:
    chance, workers = random.Random(7), [part for part in cluster.parts if part.kind == "worker" and part.alive()]
    redis = Redis.from_url(redis_url)
    runs = []
    for _ in range(3):
        for worker in workers:
            worker.send(signal.SIGSTOP)  # so that the messages pile up
        runs += [client.start("fan-out") for _ in range(8)]
        eventually(lambda: tampered(redis, chance) >= 4)
        for worker in workers:
            worker.send(signal.SIGCONT)
        client.wait_for(runs[-1:])
    client.wait_for(runs)
    for run_id in runs:
        assert client.sequences(run_id) == list(range(len(client.sequences(run_id))))
        assert client.counts(run_id)["completed"] == 6


def tampered(redis: "Redis[bytes]", chance: random.Random) -> int:
    """How many messages there were: a third is gone now, the others are there twice, and in another order."""
    count = 0
    for key in redis.keys("runs*"):
        messages = redis.lrange(key, 0, -1)
        count += len(messages)
        redis.delete(key)
        kept = [message for message in messages if chance.random() > 1 / 3] * 2
        chance.shuffle(kept)
        if kept:
            redis.rpush(key, *kept)
    return count


def test_sigterm_lets_the_node_in_hand_finish_and_leaves_the_rest_to_others(client: Client, gpu: Part) -> None:
    long = {"seconds": 1.5}
    client.put_workflow("long", {"nodes": {"first": on_gpu(**{"with": long}), "then": on_gpu(needs=["first"])}})
    run_id = client.start("long")
    eventually(lambda: client.counts(run_id).get("started"))
    gpu.terminate()
    assert gpu.process is not None
    assert gpu.process.wait(20) == 0
    assert client.counts(run_id) == {"started": 1, "completed": 1}, "what nobody serves waits"
    gpu.start()
    client.wait_for([run_id])
    assert client.counts(run_id) == {"started": 2, "completed": 2}, "nothing was done twice"


def test_the_late_write_of_a_worker_that_slept_past_its_lease_does_not_count(
    client: Client, cluster: Cluster, gpu: Part
) -> None:
    client.put_workflow("slept", {"nodes": {"only": on_gpu(**{"with": {"seconds": 0.5}})}})
    run_id = client.start("slept")
    eventually(lambda: client.counts(run_id).get("started"))
    gpu.send(signal.SIGSTOP)
    other = cluster.worker("runs.gpu", concurrency=1)
    client.wait_for([run_id])
    before = client.get(f"/runs/{run_id}/events")["items"]
    gpu.send(signal.SIGCONT)
    eventually(lambda: gpu.log and "does not count" in gpu.log.read_text())
    assert client.get(f"/runs/{run_id}/events")["items"] == before
    assert client.nodes(run_id)[0]["output"]["worker"] == other.pid
    other.end()


@pytest.mark.skipif(not rabbitmq.installed(), reason="needs rabbitmq-server (Debian's package of that name)")
def test_rabbitmq_carries_the_messages_as_well(databases: Databases, redis_url: str, tmp_path: Path) -> None:
    with rabbitmq.running() as broker_url:
        env = environment_of(
            databases.make(), tmp_path, LEASE_SECONDS, ENGINE="celery", REDIS_URL=redis_url, BROKER_URL=broker_url
        )
        cluster, port = Cluster(env, tmp_path), free_port()
        client = Client([port])
        try:
            cluster.web(port)
            killed = cluster.worker(concurrency=1)
            cluster.scheduler()
            client.wait_until_it_answers()
            client.put_workflow("fan-out", {"nodes": FAN_OUT})
            client.wait_for([client.start("fan-out") for _ in range(5)])
            killed.end()
            client.put_workflow("urgent", {"nodes": FAN_OUT, "priority": 100})
            late = [client.start(workflow) for workflow in ("fan-out", "urgent")]
            cluster.worker(concurrency=1)
            client.wait_for(late)
        finally:
            client.close()
            cluster.close()


@pytest.mark.skipif(importlib.util.find_spec("flower") is None, reason="needs flower")
def test_flower_shows_the_workers(cluster: Cluster, client: Client, folder: Path) -> None:
    port = free_port()
    command = [
        sys.executable, "-m", "celery", "-A", "orchestrator", "flower", "--address=127.0.0.1", f"--port={port}",
    ]  # fmt: skip
    with (folder / "flower.log").open("w") as log:
        flower = subprocess.Popen(command, env=cluster.env, cwd=ROOT, stdout=log, stderr=log)

    def shown() -> bool:
        try:
            return "worker-1@" in httpx.get(f"http://127.0.0.1:{port}/workers?refresh=1", timeout=5).text
        except httpx.TransportError:
            return False

    try:
        eventually(shown)
    finally:
        flower.kill()
        flower.wait()
