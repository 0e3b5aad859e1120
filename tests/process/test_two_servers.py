"""Two server processes over one database: what one does is seen at once on the other."""

import os
from collections.abc import Iterator
from datetime import datetime

import pytest

from tests.process.server import Databases, Reader, Server, serving

pytestmark = pytest.mark.process


@pytest.fixture(scope="module")
def pair(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Server]]:
    with serving(databases.make(), tmp_path_factory.mktemp("pair"), RUN_PACE_SECONDS=0.3) as start:
        yield [start(), start()]


def test_a_run_of_one_server_is_watched_live_on_the_other(pair: list[Server]) -> None:
    working, watching = pair
    run_id = working.start_run()
    reader = Reader(run_id)
    reader.read(watching, count=1)
    assert working.get(f"/runs/{run_id}").json()["status"] == "running", "it is seen while it happens"
    reader.read(watching)
    assert reader.done == [{"status": "succeeded"}]
    assert reader.sequences == list(range(len(reader.events)))


@pytest.mark.skipif(not os.environ.get("REDIS_URL"), reason="needs REDIS_URL (pytest -p tests.servers)")
def test_with_redis_the_other_server_hears_by_push(pair: list[Server]) -> None:
    """Without it a reader there looks once a second: nodes with a pause of 0.3 s each would come in lumps."""
    working, watching = pair
    reader = Reader(working.start_run())
    reader.read(watching)
    lags = [
        seen - datetime.fromisoformat(event["timestamp"]).timestamp()
        for seen, event in zip(reader.seen_at, reader.events, strict=True)
    ]
    # Looking once a second, some of 15 events would come 0.6 s late and more; one may be unlucky on a busy machine.
    assert sorted(lags)[-2] < 0.6


def test_both_servers_share_the_work_and_no_run_is_done_twice(pair: list[Server]) -> None:
    runs = [pair[number % 2].start_run() for number in range(4)]
    for number, run_id in enumerate(runs):
        reader = Reader(run_id)
        reader.read(pair[(number + 1) % 2])
        assert reader.done == [{"status": "succeeded"}]
        assert reader.sequences == list(range(len(reader.events)))
        assert not [event for event in reader.events if event["phase"] == "retrying"]
