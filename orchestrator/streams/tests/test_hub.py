"""The hub alone, over a source in memory: sharing, slow and stuck readers, silence, loss, and the end."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Hashable, Iterable, Mapping
from contextlib import aclosing
from typing import Any

import pytest
from django.conf import LazySettings

from orchestrator.streams import hub as hubs, nudges
from orchestrator.streams.hub import Batch, Frame, Hub
from orchestrator.streams.tests.asgi import PATIENCE, until

ALWAYS = lambda: True  # noqa: E731


class Tape:
    """A source that a test writes to: frames 0, 1, 2, … each its number and a space."""

    def __init__(self, key: Hashable = "tape") -> None:
        self.key = key
        self.topic = f"topic-of-{key}"
        self.length = 0
        self.ended = False
        self.reads: list[tuple[int, int]] = []
        self.fail: Exception | None = None
        self.held = threading.Event()
        self.held.set()
        _tapes[key] = self

    def write(self, count: int = 1, *, end: bool = False) -> None:
        self.length += count
        self.ended = self.ended or end

    def read(self, after: int, limit: int) -> Batch:
        self.held.wait(10)
        self.reads.append((after, limit))
        if self.fail:
            raise self.fail
        ended = self.ended
        frames = [Frame(n, b"%d " % n) for n in range(after + 1, min(self.length, after + 1 + limit))]
        return Batch(frames, b"end" if ended and len(frames) < limit else None)

    @staticmethod
    def heads(keys: Iterable[Hashable]) -> Mapping[Hashable, Hashable]:
        _asked.append(list(keys))
        return {key: (_tapes[key].length, _tapes[key].ended) for key in keys}

    def heartbeat(self) -> bytes:
        return b"beat "


_tapes: dict[Hashable, Tape] = {}
_asked: list[list[Hashable]] = []


@pytest.fixture
async def hub(settings: LazySettings) -> AsyncIterator[Hub]:
    settings.REDIS_URL = ""
    found = Hub()
    _asked.clear()
    yield found
    for tape in _tapes.values():
        tape.held.set()
    _tapes.clear()
    await found.close()


class Listener:
    """A reader that is read as fast as it can, into ``heard``."""

    def __init__(self, hub: Hub, tape: Tape, after: int = -1, recheck: Callable[[], bool] = ALWAYS) -> None:
        self.heard: list[bytes] = []
        self.task = asyncio.create_task(self._listen(hub, tape, after, recheck))

    async def _listen(self, hub: Hub, tape: Tape, after: int, recheck: Callable[[], bool]) -> None:
        async with aclosing(hub.stream(tape, after, recheck)) as stream:
            async for chunk in stream:
                self.heard.append(chunk)

    @property
    def words(self) -> list[str]:
        return b"".join(self.heard).decode().split()

    async def hears(self, *words: Any) -> None:
        await until(lambda: self.words == [str(word) for word in words])


def counted(last: int, first: int = 0) -> list[str]:
    return [str(n) for n in range(first, last + 1)]


async def collect(hub: Hub, tape: Tape, after: int = -1) -> list[str]:
    listener = Listener(hub, tape, after)
    await asyncio.wait_for(listener.task, 10)
    return listener.words


async def test_what_is_there_comes_in_one_piece(hub: Hub) -> None:
    tape = Tape()
    tape.write(5)
    listener = Listener(hub, tape)
    await listener.hears(0, 1, 2, 3, 4)
    assert len(listener.heard) == 1


async def test_a_nudge_brings_what_is_new_to_all_with_one_read(hub: Hub) -> None:
    tape = Tape()
    listeners = [Listener(hub, tape) for _ in range(50)]
    await until(lambda: tape.reads)
    hub._ticker.cancel()
    before = len(tape.reads)
    tape.write(3)
    hub.wake(tape.topic)
    for listener in listeners:
        await listener.hears(0, 1, 2)
    assert tape.reads[before:] == [(-1, hubs.READ_FRAMES)]


async def test_what_is_said_in_passing_is_heard_by_those_who_are_there(hub: Hub) -> None:
    tape = Tape()
    tape.write(1)
    early = Listener(hub, tape)
    await early.hears(0)
    hub.wake(tape.topic, b"psst ")
    await early.hears(0, "psst")
    late = Listener(hub, tape)
    await late.hears(0)
    tape.write(1, end=True)
    hub.wake(tape.topic)
    await early.hears(0, "psst", 1, "end")
    await late.hears(0, 1, "end")


async def test_who_does_not_keep_up_misses_what_was_said(hub: Hub) -> None:
    tape = Tape()
    listener = Listener(hub, tape)
    await until(lambda: tape.reads)
    for number in range(hubs.SAID_FRAMES + 10):
        hub._wake_here(tape.topic, b"s%d " % number)
    await until(lambda: listener.words)
    assert listener.words == [f"s{number}" for number in range(10, hubs.SAID_FRAMES + 10)]


async def test_nudges_that_come_during_a_read_cost_one_more_read(hub: Hub) -> None:
    tape = Tape()
    listener = Listener(hub, tape)
    await until(lambda: tape.reads)
    hub._ticker.cancel()
    tape.held.clear()
    hub.wake(tape.topic)
    await asyncio.sleep(0)
    for _ in range(100):
        tape.write()
        hub.wake(tape.topic)
    await asyncio.sleep(0)
    tape.held.set()
    await listener.hears(*range(100))
    assert len(tape.reads) <= 4


async def test_a_nudge_may_come_from_any_thread(hub: Hub) -> None:
    tape = Tape()
    listener = Listener(hub, tape)
    await until(lambda: tape.reads)
    hub._ticker.cancel()
    tape.write()
    await asyncio.to_thread(hub.wake, tape.topic)
    await listener.hears(0)


async def test_a_nudge_of_an_unread_topic_reads_nothing(hub: Hub) -> None:
    tape = Tape()
    tape.write()
    hub.wake(tape.topic)
    await asyncio.sleep(0)
    assert tape.reads == []


async def test_a_lost_nudge_is_found_by_one_question_for_all(hub: Hub, settings: LazySettings) -> None:
    tapes = [Tape(n) for n in range(10)]
    listeners = [Listener(hub, tape) for tape in tapes]
    await until(lambda: all(tape.reads for tape in tapes))
    tapes[7].write(2)
    await listeners[7].hears(0, 1)
    assert sorted(_asked[-1]) == list(range(10))


async def test_a_tick_without_news_reads_nothing(hub: Hub) -> None:
    tape = Tape()
    tape.write(2)
    listener = Listener(hub, tape)
    await listener.hears(0, 1)
    await hub._tick(0, 15)
    await until(lambda: hub._feeds[Tape, "tape"].pump.done())
    reads = len(tape.reads)
    await hub._tick(1, 15)
    await hub._tick(2, 15)
    assert len(tape.reads) == reads


async def test_the_end_is_told_once_to_everybody_also_to_latecomers(hub: Hub) -> None:
    tape = Tape()
    early = Listener(hub, tape)
    tape.write(3, end=True)
    hub.wake(tape.topic)
    await asyncio.wait_for(early.task, 10)
    assert early.words == [*counted(2), "end"]
    assert await collect(hub, tape) == [*counted(2), "end"]
    assert await collect(hub, tape, after=2) == ["end"]


async def test_a_latecomer_shares_the_feed_that_has_ended(hub: Hub) -> None:
    tape = Tape()
    tape.write(3)
    early = hub.stream(tape, -1, ALWAYS)
    assert await anext(early) == b"0 1 2 "
    tape.write(1, end=True)
    hub.wake(tape.topic)
    await until(lambda: hub._feeds[Tape, "tape"].end is not None)
    reads = len(tape.reads)
    assert await collect(hub, tape, after=1) == ["2", "3", "end"]
    assert len(tape.reads) == reads
    assert [chunk async for chunk in early] == [b"3 ", b"end"]


async def test_a_long_backlog_comes_whole_in_pages(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hubs, "READ_FRAMES", 7)
    monkeypatch.setattr(hubs, "RING_FRAMES", 20)
    tape = Tape()
    tape.write(100, end=True)
    assert await collect(hub, tape) == [*counted(99), "end"]
    tape.write(5)  # a whole number of pages, too
    assert await collect(hub, tape) == [*counted(104), "end"]


async def test_readers_who_begin_before_and_behind_a_feed_get_their_own(hub: Hub) -> None:
    tape = Tape()
    tape.write(50)
    middle = Listener(hub, tape, after=29)
    await middle.hears(*range(30, 50))
    listeners = {after: Listener(hub, tape, after) for after in (-1, 10, 29, 40, 49)}
    tape.write(10, end=True)
    hub.wake(tape.topic)
    for after, listener in listeners.items():
        await asyncio.wait_for(listener.task, 10)
        assert listener.words == [*counted(59, after + 1), "end"]


async def test_a_slow_reader_falls_out_of_the_ring_and_still_gets_everything_once(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hubs, "RING_FRAMES", 10)
    monkeypatch.setattr(hubs, "READ_FRAMES", 4)
    tape = Tape()
    quick = Listener(hub, tape)
    slow = hub.stream(tape, -1, ALWAYS)
    heard = b""
    for written in range(60):
        tape.write(3, end=written == 59)
        hub.wake(tape.topic)
        await until(lambda written=written: len([w for w in quick.words if w != "end"]) == (written + 1) * 3)
        if written % 15 == 0:
            heard += await anext(slow)
    assert len(hub._feeds[Tape, "tape"].ring) <= 10, "nothing is buffered for the slow one"
    async for chunk in slow:
        heard += chunk
    assert heard.decode().split() == quick.words == [*counted(179), "end"]


async def test_places_that_many_readers_had_are_not_kept(hub: Hub) -> None:
    """A finished log is read at any number of places: the joined pieces must not pile up."""
    tape = Tape()
    tape.write(500, end=True)
    stays = hub.stream(tape, -1, ALWAYS)
    await anext(stays)
    for after in range(200):
        assert (await collect(hub, tape, after))[-1] == "end"
    assert len(hub._feeds[Tape, "tape"]._slices) <= 32
    await stays.aclose()


async def test_a_reader_whose_socket_takes_nothing_is_closed(hub: Hub) -> None:
    tape = Tape()
    tape.write()
    stuck = asyncio.Event()

    async def serve() -> None:
        async with aclosing(hub.stream(tape, -1, ALWAYS)) as stream:
            async for _ in stream:
                stuck.set()
                await asyncio.Event().wait()  # a send that never ends

    serving = asyncio.create_task(serve())
    lively = Listener(hub, tape)
    await stuck.wait()
    await lively.hears(0)
    now = asyncio.get_running_loop().time()
    await hub._tick(now + hubs.STUCK_SECONDS - 1, 1000)
    assert not serving.done()
    await hub._tick(now + hubs.STUCK_SECONDS + 1, 1000)
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(serving, 10)
    assert len(hub._feeds[Tape, "tape"].readers) == 1
    tape.write()
    hub.wake(tape.topic)
    await lively.hears(0, 1)


async def test_a_silence_is_filled_and_a_lively_stream_is_not(hub: Hub) -> None:
    tape = Tape()
    listener = Listener(hub, tape)
    await until(lambda: tape.reads)
    now = asyncio.get_running_loop().time()
    await hub._tick(now + 14, 15)
    await hub._tick(now + 16, 15)
    await listener.hears("beat")
    tape.write()
    hub.wake(tape.topic)
    await listener.hears("beat", 0)
    await hub._tick(asyncio.get_running_loop().time() + 14, 15)
    await asyncio.sleep(0)
    assert listener.words == ["beat", "0"]


async def test_access_is_asked_for_again_and_only_the_one_without_is_closed(hub: Hub, settings: LazySettings) -> None:
    settings.STREAM_RECHECK_SECONDS = 30
    tape, allowed = Tape(), {"goes": True}
    stays, goes = Listener(hub, tape), Listener(hub, tape, recheck=lambda: allowed["goes"])
    await until(lambda: tape.reads)
    now = asyncio.get_running_loop().time()
    await hub._tick(now + 31, 1000)
    assert not goes.task.done()
    allowed["goes"] = False
    await hub._tick(now + 32, 1000)
    assert not goes.task.done(), "not at every tick"
    await hub._tick(now + 62, 1000)
    await asyncio.wait_for(goes.task, 10)
    assert (goes.words, stays.task.done()) == ([], False)


async def test_a_question_that_cannot_be_answered_closes_nobody(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    """The database is away: that says nothing of access, and the next reader is asked for all the same."""

    def away() -> bool:
        raise OSError("no route to the database")

    monkeypatch.setattr(hubs.log, "warning", lambda *_, **__: None)
    tape = Tape()
    unsure, goes = Listener(hub, tape, recheck=away), Listener(hub, tape, recheck=lambda: False)
    await until(lambda: tape.reads)
    now = asyncio.get_running_loop().time()
    for later in (31, 32, 33):
        try:
            await hub._tick(now + later, 1000)
        except OSError:
            continue
    await asyncio.wait_for(goes.task, 10)
    assert not unsure.task.done()


async def test_a_read_that_fails_is_tried_again_and_nothing_is_lost(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    warnings: list[str] = []
    monkeypatch.setattr(hubs.log, "warning", lambda text, *_, **__: warnings.append(text))
    tape = Tape()
    listener = Listener(hub, tape)
    await until(lambda: tape.reads)
    tape.fail = OSError("no route to the database")
    tape.write(3)
    hub.wake(tape.topic)
    await until(lambda: warnings)
    tape.fail = None
    await listener.hears(0, 1, 2)


async def test_the_hub_closes_all_streams_when_the_server_goes(hub: Hub) -> None:
    tapes = [Tape(n) for n in range(3)]
    listeners = [Listener(hub, tape) for tape in tapes for _ in range(3)]
    await until(lambda: all(tape.reads for tape in tapes))
    hub.close_streams()
    await asyncio.wait_for(asyncio.gather(*(listener.task for listener in listeners)), 10)
    assert [listener.words for listener in listeners] == [[]] * 9
    assert (hub._feeds, hub._topics) == ({}, {})
    assert await collect(hub, tapes[0]) == [], "nor are new ones begun"


async def test_nothing_is_kept_of_streams_that_are_gone(hub: Hub) -> None:
    tape = Tape()
    tape.write()
    for _ in range(20):
        stream = hub.stream(tape, -1, ALWAYS)
        await anext(stream)
        await stream.aclose()
    assert (hub._feeds, hub._topics) == ({}, {})
    assert hub._bridge._changes.qsize() == 0, "without a channel layer nobody takes these away"


async def test_a_nudge_to_a_loop_that_is_gone_does_no_harm(settings: LazySettings) -> None:
    """It comes on a writer's thread, after its commit: an error there would look as if the write had failed."""
    settings.REDIS_URL = ""
    stale: list[Hub] = []

    def another_loop() -> None:
        async def leave_a_hub_behind() -> None:
            found = Hub()
            found._topics["left"] = set()
            stale.append(found)

        asyncio.run(leave_a_hub_behind())

    await asyncio.to_thread(another_loop)
    stale[0].wake("left")
    stale[0]._threads.shutdown()


async def test_the_process_has_one_hub_a_loop(settings: LazySettings) -> None:
    settings.REDIS_URL = ""
    one = hubs.hub()
    assert hubs.hub() is one
    assert nudges._local == one.wake
    await hubs.close()
    assert nudges._local is None
    other = hubs.hub()
    assert other is not one
    await hubs.close()
    await hubs.close()


async def test_close_ends_the_hubs_own_tasks(settings: LazySettings) -> None:
    settings.REDIS_URL = ""
    before = asyncio.all_tasks()
    found = Hub()
    tape = Tape()
    listener = Listener(found, tape)
    await until(lambda: tape.reads)
    await found.close()
    await asyncio.wait_for(listener.task, 10)
    await until(lambda: asyncio.all_tasks() == before)


async def test_a_topic_can_be_waited_for(hub: Hub) -> None:
    waiting = [asyncio.create_task(hub.changed("some.topic", PATIENCE)) for _ in range(2)]
    await asyncio.sleep(0)
    await asyncio.to_thread(hub.wake, "another.topic")
    await asyncio.to_thread(hub.wake, "some.topic")
    assert await asyncio.gather(*waiting) == [True, True]
    assert not await hub.changed("some.topic", 0.01), "nothing is left of it"


async def test_who_waits_for_a_topic_is_let_go_when_the_hub_closes(hub: Hub) -> None:
    waiting = asyncio.create_task(hub.changed("some.topic", PATIENCE))
    await asyncio.sleep(0)
    hub.close_streams()
    assert not await waiting
    assert not await hub.changed("some.topic", PATIENCE)
