"""A run as it happens, through the whole application: what a reader gets, and gets exactly once."""

import asyncio
import threading
from typing import Any

import pytest
from django.conf import LazySettings

from conftest import Person
from orchestrator.core import clock
from orchestrator.identity.models import Membership
from orchestrator.streams import hub, nudges
from orchestrator.streams.tests.asgi import Client, Frame, Stream, until
from orchestrator.streams.tests.fixtures import InThread
from runs.models import Run, RunEvent
from runs.services import cancellation
from runs.streams import RunSource
from runs.tests.steps import carry, carry_on, claim, start, step

DONE = Frame("done", {"status": "succeeded"})


def path(run: Run, query: str = "") -> str:
    return f"/runs/{run.id}/events/stream{query}"


def expected(run: Run) -> list[Frame]:
    """The log as the contract wants it on the stream."""
    return [
        Frame(
            "run_event",
            {
                "run_id": str(run.id), "timestamp": clock.rfc3339(event.timestamp), "sequence": event.sequence,
                "node": event.node, "phase": event.phase, "summary": event.summary,
            },
            event.sequence,
        )
        for event in RunEvent.objects.filter(run=run).order_by("sequence")
    ]  # fmt: skip


@pytest.fixture
def run(transactional_db: None, alice: Person) -> Run:
    return start(alice)


@pytest.fixture
def finished(run: Run) -> tuple[Run, list[Frame]]:
    carry(run)
    return run, expected(run)


async def test_the_first_byte_comes_at_once_also_when_there_is_nothing(client: Client, alice: Person, run: Run) -> None:
    stream = await client.open(path(run), alice.access_token)
    assert (stream.status, stream.headers["content-type"]) == (200, "text/event-stream")
    assert stream.headers["cache-control"] == "no-cache"
    assert stream.headers["x-accel-buffering"] == "no"
    assert stream.headers["x-request-id"]
    assert "content-length" not in stream.headers
    assert (await stream.text()).startswith(":")


@pytest.mark.parametrize("base", ["/runs", "/api/v1/runs"])
async def test_a_finished_run_is_told_whole_and_then_done(
    client: Client, alice: Person, finished: tuple[Run, list[Frame]], base: str
) -> None:
    run, log = finished
    stream = await client.open(f"{base}/{run.id}/events/stream", alice.access_token)
    assert await stream.frames() == [*log, DONE]
    assert stream.ended


async def test_a_run_is_followed_as_it_happens(client: Client, alice: Person, run: Run, in_thread: InThread) -> None:
    """Each commit reaches the reader by its nudge: the tick is switched off."""
    stream = await client.open(path(run), alice.access_token)
    assert await stream.text()
    hub.hub()._ticker.cancel()
    attempt = await in_thread(claim, run)
    [first] = await stream.frames(1)
    assert (first.id, first.data["node"], first.data["phase"]) == (0, "intent", "started")
    seen = [first]
    while attempt is not None:
        attempt = await in_thread(step, attempt)
        log = await in_thread(expected, run)
        seen += await stream.frames(len(log) - len(seen))
        assert seen == log
    assert await stream.frames() == [DONE]


@pytest.mark.parametrize(("end", "status"), [("fail", "failed"), ("cancel", "cancelled")])
async def test_done_names_how_the_run_ended(
    client: Client, alice: Person, run: Run, in_thread: InThread, end: str, status: str
) -> None:
    if end == "fail":
        run = await in_thread(start, alice, "Plan a trip to Atlantis")
    stream = await client.open(path(run), alice.access_token)
    if end == "fail":
        await in_thread(carry, run)
    else:
        await in_thread(cancellation.cancel_run, actor=alice.actor, run_id=run.id)
    assert await stream.frames() == [*await in_thread(expected, run), Frame("done", {"status": status})]


async def test_a_stream_cut_at_any_event_and_joined_again_is_exact(
    client: Client, alice: Person, finished: tuple[Run, list[Frame]]
) -> None:
    run, log = finished
    for cut in range(len(log) + 1):
        stream = await client.open(path(run), alice.access_token)
        before = await stream.frames(cut)
        await stream.leave()
        last = before[-1] if before else None
        ways: list[tuple[str, dict[str, str]]] = [
            ("", {"Last_Event_ID": str(last.id)} if last else {}),
            (f"?after={last.id}" if last else "?after=-1", {}),
            (f"?last_ts={last.data['timestamp']}" if last else "?last_ts=2000-01-01T00:00:00Z", {}),
            (
                "?after=0" if last else "",
                {"Last_Event_ID": str(last.id)} if last else {},
            ),  # the header is the newer one
        ]
        for query, headers in ways:
            rest = await (await client.open(path(run, query), alice.access_token, **headers)).frames()
            assert [*before, *rest] == [*log, DONE], (cut, query, headers)


async def test_a_stream_cut_while_the_run_goes_on_is_exact(
    client: Client, alice: Person, run: Run, in_thread: InThread
) -> None:
    """A reader that takes one event and comes back, all along; events are written the while."""
    writing = asyncio.ensure_future(in_thread(carry, run))
    seen: list[Frame] = []
    while not seen or seen[-1].event != "done":
        headers = {"Last_Event_ID": str(seen[-1].id)} if seen else {}
        stream = await client.open(path(run), alice.access_token, **headers)
        seen += await stream.frames(1)
        await stream.leave()
    await writing
    assert seen == [*await in_thread(expected, run), DONE]


@pytest.mark.parametrize("offset", ["%2B00:00", "+00:00", "Z"])
async def test_last_ts_may_be_spelt_in_all_the_ways_of_iso_8601(
    client: Client, alice: Person, finished: tuple[Run, list[Frame]], offset: str
) -> None:
    run, log = finished
    moment = log[4].data["timestamp"].removesuffix("Z")
    stream = await client.open(path(run, f"?last_ts={moment}{offset}"), alice.access_token)
    assert await stream.frames() == [*log[5:], DONE]


async def test_a_coarser_last_ts_repeats_but_loses_nothing(
    client: Client, alice: Person, finished: tuple[Run, list[Frame]]
) -> None:
    run, log = finished
    second = log[4].data["timestamp"][:19] + "Z"
    got = await (await client.open(path(run, f"?last_ts={second}"), alice.access_token)).frames()
    assert got[-len(log[5:]) - 1 :] == [*log[5:], DONE]


async def test_a_cursor_beyond_the_end_waits_for_the_end_only(
    client: Client, alice: Person, run: Run, in_thread: InThread
) -> None:
    """Of a run that has not come so far, it is taken as its present head: nothing that follows is lost."""
    attempt = await in_thread(claim, run)
    stream = await client.open(path(run, "?after=999999999999"), alice.access_token)
    attempt = await in_thread(step, attempt)
    assert [frame.id for frame in await stream.frames(2)] == [1, 2]
    await in_thread(carry_on, attempt)
    await stream.frames()
    late = await client.open(path(run, "?after=999999999999"), alice.access_token)
    assert await late.frames() == [DONE]


@pytest.mark.parametrize(
    ("query", "headers", "field"),
    [
        ("?after=x", {}, "after"),
        ("?after=--5", {}, "after"),
        ("?after=-2", {}, "after"),
        ("?after=1.5", {}, "after"),
        ("?after=%D9%A1", {}, "after"),
        ("?after=" + "9" * 30, {}, "after"),
        ("", {"Last_Event_ID": "abc"}, "Last-Event-ID"),
        ("", {"Last_Event_ID": "--1"}, "Last-Event-ID"),
        ("?last_ts=yesterday", {}, "last_ts"),
        ("?last_ts=", {}, "last_ts"),
        ("?last_ts=9999-12-31T23:59:59-14:00", {}, "last_ts"),
        ("?last_ts=2026-01-01%00", {}, "last_ts"),
        ("?since=1", {}, "since"),
    ],
)
async def test_a_bad_cursor_is_refused_by_name(
    client: Client, alice: Person, run: Run, query: str, headers: dict[str, str], field: str
) -> None:
    stream = await client.open(path(run, query), alice.access_token, **headers)
    body = await stream.json()
    assert (stream.status, body["type"]) == (422, "validation_error"), body
    assert list(body["details"]) == [field]


async def test_a_silence_is_filled_with_heartbeats(
    client: Client, alice: Person, run: Run, in_thread: InThread, settings: LazySettings
) -> None:
    settings.SSE_HEARTBEAT_SECONDS = 0.05
    stream = await client.open(path(run), alice.access_token)
    beats = await stream.frames(2)
    assert [beat.event for beat in beats] == ["heartbeat", "heartbeat"]
    assert [list(beat.data) for beat in beats] == [["ts"], ["ts"]]
    assert beats[0].data["ts"] < beats[1].data["ts"]
    assert beats[0].id is None, "a heartbeat must not move the cursor"
    await in_thread(carry, run)
    events = [frame for frame in await stream.frames() if frame.event != "heartbeat"]
    assert events == [*await in_thread(expected, run), DONE]


async def test_a_lost_nudge_costs_a_tick_and_no_event(
    client: Client, alice: Person, run: Run, in_thread: InThread, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = await client.open(path(run), alice.access_token)
    await stream.text()
    lost: list[str] = []
    monkeypatch.setattr(nudges, "_local", lambda topic, said: lost.append(topic))
    monkeypatch.setattr(nudges._publisher, "publish", lambda topic, said: lost.append(topic))
    await in_thread(carry, run)
    assert f"run.{run.id}" in lost
    assert await stream.frames() == [*await in_thread(expected, run), DONE]


async def test_many_readers_of_a_run_share_its_reads(
    client: Client, alice: Person, run: Run, in_thread: InThread, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads: list[int] = []
    read = RunSource.read

    def counted(self: RunSource, after: int, limit: int) -> Any:
        reads.append(after)
        return read(self, after, limit)

    monkeypatch.setattr(RunSource, "read", counted)
    streams = [await client.open(path(run), alice.access_token) for _ in range(20)]
    await until(lambda: hub.hub()._feeds and all(len(f.readers) == 20 for f in hub.hub()._feeds.values()))
    await in_thread(carry, run)
    log = [*await in_thread(expected, run), DONE]
    assert [await stream.frames() for stream in streams] == [log] * 20
    assert len(reads) < 60, "a few a commit, not one a reader: those were twenty times nine"


async def test_readers_at_different_places_of_one_run_each_get_their_own_rest(
    client: Client, alice: Person, run: Run, in_thread: InThread
) -> None:
    attempt = await in_thread(claim, run)
    for _ in range(3):
        attempt = await in_thread(step, attempt)
    cursors = [5, -1, 3, 0, 6, 2]
    streams = [await client.open(path(run, f"?after={cursor}"), alice.access_token) for cursor in cursors]
    await in_thread(carry_on, attempt)
    log = await in_thread(expected, run)
    for cursor, stream in zip(cursors, streams, strict=True):
        assert await stream.frames() == [*log[cursor + 1 :], DONE]


# --- access --------------------------------------------------------------------------------------------------------


async def test_without_credentials_there_is_no_stream(client: Client, run: Run) -> None:
    for token in ("", "nonsense"):
        stream = await client.open(path(run), token)
        assert (stream.status, (await stream.json())["type"]) == (401, "not_authenticated")
        assert stream.headers["www-authenticate"] == "Bearer"


async def test_another_orgs_run_does_not_exist(client: Client, mallory: Person, run: Run) -> None:
    for wanted in (path(run), path(run).replace(str(run.id), "nonsense"), path(run, "?after=x"), path(run, "?since=1")):
        stream = await client.open(wanted, mallory.access_token)
        assert (stream.status, (await stream.json())["type"]) == (404, "not_found")


@pytest.mark.parametrize("method", ["POST", "HEAD", "DELETE"])
async def test_a_stream_is_only_read(client: Client, alice: Person, run: Run, method: str) -> None:
    stream = await client.open(path(run), alice.access_token, method=method)
    assert (stream.status, stream.headers["allow"]) == (405, "GET")


async def test_a_viewer_may_read(client: Client, carol: Person, finished: tuple[Run, list[Frame]]) -> None:
    run, log = finished
    assert await (await client.open(path(run), carol.access_token)).frames() == [*log, DONE]


async def test_who_loses_access_loses_the_stream_and_nobody_else(
    client: Client, alice: Person, bob: Person, run: Run, in_thread: InThread, settings: LazySettings
) -> None:
    settings.STREAM_RECHECK_SECONDS = 0.05
    stays = await client.open(path(run), alice.access_token)
    goes = await client.open(path(run), bob.access_token)
    await in_thread(lambda: Membership.objects.filter(user=bob.user).delete())
    assert await goes.frames() == []
    await in_thread(carry, run)
    assert (await stays.frames())[-1] == DONE


# --- leaving -------------------------------------------------------------------------------------------------------


async def _nobody_reads(run: Run) -> None:
    await until(lambda: not hub.hub()._feeds and not hub.hub()._topics)


async def test_a_reader_that_leaves_is_forgotten(client: Client, alice: Person, run: Run) -> None:
    stream = await client.open(path(run), alice.access_token)
    await stream.text()
    await until(lambda: hub.hub()._feeds)
    await stream.leave()
    await _nobody_reads(run)


async def test_a_reader_that_leaves_while_it_is_sent_to_is_forgotten(
    client: Client, alice: Person, finished: tuple[Run, list[Frame]]
) -> None:
    run, _ = finished
    stream = await client.open(path(run), alice.access_token, buffer=1)
    await until(lambda: any(r.sending_since for f in hub.hub()._feeds.values() for r in f.readers))
    await stream.leave()
    await _nobody_reads(run)


async def test_a_server_that_goes_away_ends_its_streams_without_done(
    client: Client, alice: Person, run: Run, in_thread: InThread
) -> None:
    streams: list[Stream] = [await client.open(path(run), alice.access_token) for _ in range(3)]
    attempt = await in_thread(claim, run)
    for stream in streams:
        await stream.frames(1)
    hub.close_streams()
    for stream in streams:
        assert await stream.frames() == []
    await in_thread(carry_on, attempt)


async def test_a_waiting_reader_holds_no_connection(
    client: Client, alice: Person, run: Run, in_thread: InThread, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Threads hold connections: however many readers there are, there is the web's and the hub's."""
    before = {thread.name for thread in threading.enumerate()}
    for _ in range(30):
        await (await client.open(path(run), alice.access_token)).text()
    names = sorted({thread.name for thread in threading.enumerate()} - before)
    ours = [name.rsplit("_", 1)[0] for name in names if name.startswith(("web-", "stream-"))]
    assert ours == ["stream-reads", "web-0"]
    assert len(names) <= 3, names  # and the one that publishes nudges, with Redis
