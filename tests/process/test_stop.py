"""SIGTERM, a taken port, and the three servers."""

import socket
import threading
import time

import pytest

from tests.process.conftest import Start
from tests.process.server import Reader, frames, free_port

pytestmark = pytest.mark.process
SHUTDOWN_SECONDS = 3


def test_sigterm_ends_the_streams_and_leaves_the_run_to_others_at_once(serve: Start) -> None:
    server = serve(SHUTDOWN_SECONDS=SHUTDOWN_SECONDS, RUN_PACE_SECONDS=0.5, LEASE_SECONDS=3600)
    run_id = server.start_run()
    readers = [Reader(run_id) for _ in range(5)]
    threads = [threading.Thread(target=reader.read, args=(server,)) for reader in readers]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + 20
    while not all(reader.events for reader in readers):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    code, seconds = server.stop(SHUTDOWN_SECONDS + 5)
    assert code == 0, server.log.read_text()
    assert seconds < SHUTDOWN_SECONDS + 2
    for thread in threads:
        thread.join(10)
    assert [reader.done for reader in readers] == [[]] * 5, "the run goes on elsewhere"
    assert [reader.broken for reader in readers] == [0] * 5, "they were ended, not cut off"
    assert "Traceback" not in server.log.read_text()

    following = serve(RUN_PACE_SECONDS=0, LEASE_SECONDS=3600)
    reader = readers[0]
    reader.read(following)
    assert reader.done == [{"status": "succeeded"}]
    assert reader.sequences == list(range(len(reader.events)))
    assert not [event for event in reader.events if event["phase"] == "retrying"], "the node in hand was finished first"


def test_a_taken_port_is_one_clear_line(serve: Start) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        server = serve(ready=False, port=port)
        assert server.process.wait(30) == 1
    said = server.log.read_text().strip()
    assert "\n" not in said
    assert f"127.0.0.1:{port}" in said
    assert "PORT" in said


def test_of_two_that_start_on_one_port_the_second_says_so(serve: Start) -> None:
    """Both find the port free, then one takes it."""
    port = free_port()
    servers = [serve(ready=False, port=port, ENGINE="off") for _ in range(2)]
    deadline = time.monotonic() + 30
    while all(server.process.poll() is None for server in servers):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    [loser] = [server for server in servers if server.process.poll() is not None]
    [winner] = [server for server in servers if server is not loser]
    assert loser.process.returncode == 1
    assert "Traceback" not in loser.log.read_text()
    winner.wait_until_it_answers()


@pytest.mark.parametrize("kind", ["granian", "daphne"])
def test_the_other_servers_stream_a_run_and_stop(serve: Start, kind: str) -> None:
    server = serve(SERVER=kind, SHUTDOWN_SECONDS=SHUTDOWN_SECONDS)
    assert server.get("/healthz").json() == {"status": "ok"}
    reader = Reader(server.start_run())
    reader.read(server)
    assert (reader.done, reader.sequences) == ([{"status": "succeeded"}], list(range(len(reader.events))))
    with server.client() as client, client.stream("GET", "/api/v1/events/tail") as open_stream:
        assert next(frames(open_stream))[0] == "event"
        code, seconds = server.stop(SHUTDOWN_SECONDS + 10)
    assert code == 0, server.log.read_text()
    assert seconds < SHUTDOWN_SECONDS + 2
