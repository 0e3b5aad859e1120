"""kill -9 in the middle of a run (CONTRACT §4, §5): nothing is lost, nothing is done twice."""

from collections import Counter

import pytest

from tests.process.conftest import Start
from tests.process.server import Reader

pytestmark = pytest.mark.process


def test_a_run_survives_the_death_of_its_server(serve: Start) -> None:
    first = serve()
    run_id = first.start_run()
    reader = Reader(run_id)
    reader.read(first, count=5)
    first.kill()
    before = list(reader.events)
    second = serve()
    reader.read(second)
    assert reader.done == [{"status": "succeeded"}]
    assert reader.events[: len(before)] == before
    assert reader.sequences == list(range(len(reader.events)))
    times = [event["timestamp"] for event in reader.events]
    assert times == sorted(set(times))
    phases = Counter((event["node"], event["phase"]) for event in reader.events)
    assert max(count for (_, phase), count in phases.items() if phase == "completed") == 1
    assert sum(phase == "retrying" for _, phase in phases.elements()) == 1, "only the node in hand is tried again"

    log = second.get(f"/runs/{run_id}/events").json()["items"]
    shown = ("run_id", "timestamp", "sequence", "node", "phase", "summary")
    assert [{name: event[name] for name in shown} for event in log] == reader.events

    attempts = {node["node"]: node["attempts"] for node in second.get(f"/runs/{run_id}/nodes").json()["items"]}
    assert sum(attempts.values()) == sum(phase == "started" for _, phase in phases.elements())
    run = second.get(f"/runs/{run_id}").json()
    assert (run["status"], run["recoveries"]) == ("succeeded", 1)
    undisturbed = second.start_run()
    Reader(undisturbed).read(second)
    assert run["output"] == second.get(f"/runs/{undisturbed}").json()["output"]


def test_a_run_is_durable_once_accepted_and_outlives_any_number_of_servers(serve: Start) -> None:
    """The first server has no engine at all; each of the following commits a node or two before it is killed."""
    server = serve(ENGINE="off")
    reader = Reader(server.start_run())
    server.kill()
    for _ in range(2):
        server = serve(RUN_PACE_SECONDS=0.05)
        reader.read(server, count=len(reader.events) + 3)
        server.kill()
    reader.read(serve(RUN_PACE_SECONDS=0.05))
    assert reader.done == [{"status": "succeeded"}]
    assert reader.sequences == list(range(len(reader.events)))
