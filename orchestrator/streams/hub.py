"""One read feeds many readers.

Each process has one hub on its event loop. A feed belongs to one source (one run's log, one org's log) while somebody
reads it: it reads new frames once, keeps the latest in a bounded ring, and wakes its readers, who take slices of the
ring at their own pace. Nothing is queued per reader: a slow one falls out of the ring and reads on from the database,
in pages, until it is back in it; one whose socket takes nothing for STUCK_SECONDS is closed, and resumes.

The database is the truth and wake-ups are hints: a tick asks for the heads of all feeds in one query a source type, so
a lost one costs at most a second. While it waits, a reader is one suspended coroutine: no thread, no connection, no
timer.
"""

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Hashable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Final, NamedTuple, Protocol, TypeVar

from django.conf import settings
from django.db import connection

from orchestrator.core import metrics
from orchestrator.streams import nudges

log = logging.getLogger(__name__)

T = TypeVar("T")

RING_FRAMES: Final = 4096
READ_FRAMES: Final = 1000
KEPT_SLICES: Final = 32
SAID_FRAMES: Final = 256
STUCK_SECONDS: Final = 30.0


class Frame(NamedTuple):
    cursor: int
    data: bytes


class Batch(NamedTuple):
    """Frames in order of their cursors; ``end`` is the closing frame when the source has come to its end after them."""

    frames: list[Frame]
    end: bytes | None = None


class Source(Protocol):
    """What a feed reads. All methods but ``heartbeat`` run on the hub's own database thread."""

    key: Hashable
    topic: str

    def read(self, after: int, limit: int) -> Batch:
        """The frames behind cursor ``after``, ``limit`` at the most; ``end`` only when there are no more."""

    @staticmethod
    def heads(keys: Iterable[Hashable]) -> Mapping[Hashable, Hashable]:
        """For each key something that changes whenever ``read`` would find more. One query."""

    def heartbeat(self) -> bytes:
        """What to send into a silence."""


class Reader:
    """One open stream: where it is, what it waits for, and what the tick must know of it."""

    def __init__(self, cursor: int, recheck: Callable[[], bool], now: float) -> None:
        self.cursor = cursor
        self.recheck = recheck
        self.checked_at = now
        self.sent_at = now
        self.sending_since: float | None = None
        self.closed = False
        self.heartbeat_due = False
        self.heard = 0
        self.waiter: asyncio.Future[None] | None = None
        self.task = asyncio.current_task()

    def wake(self) -> None:
        if self.waiter is not None and not self.waiter.done():
            self.waiter.set_result(None)

    def close(self) -> None:
        self.closed = True
        self.wake()


class Feed:
    """The frames behind ``base`` of one source, up to ``tail``, without a hole."""

    def __init__(self, source: Source, base: int) -> None:
        self.source = source
        self.base = self.tail = base
        self.ring: deque[Frame] = deque()
        self.end: bytes | None = None
        self.said: deque[bytes] = deque(maxlen=SAID_FRAMES)
        self.said_count = 0
        self.head: Hashable = None
        self.dirty = True
        self.pump: asyncio.Task[None] | None = None
        self.readers: set[Reader] = set()
        self._slices: dict[int, bytes] = {}  # readers at the same place get the same bytes

    def extend(self, batch: Batch) -> None:
        self.ring.extend(batch.frames)
        self._slices.clear()
        if batch.frames:
            self.tail = batch.frames[-1].cursor
        while len(self.ring) > RING_FRAMES:
            self.base = self.ring.popleft().cursor
        self.end = batch.end
        if batch.frames or batch.end is not None:
            for reader in self.readers:
                reader.wake()

    def say(self, frame: bytes) -> None:
        """Show a frame to those who are here: it has no place in the order, and nobody who comes later sees it."""
        self.said.append(frame)
        self.said_count += 1
        for reader in self.readers:
            reader.wake()

    def heard(self, reader: Reader) -> bytes:
        """What has been said since the reader last listened, or the end of it."""
        missed, reader.heard = self.said_count - reader.heard, self.said_count
        return b"".join(list(self.said)[-missed:])

    def slice(self, cursor: int) -> bytes:
        """All that lies behind ``cursor``, as one piece."""
        if cursor not in self._slices:
            if len(self._slices) == KEPT_SLICES:
                self._slices.clear()
            self._slices[cursor] = b"".join(frame.data for frame in self.ring if frame.cursor > cursor)
        return self._slices[cursor]


class Hub:
    """Runs on one event loop; ``wake`` may be called from any thread."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._feeds: dict[Hashable, Feed] = {}
        self._topics: dict[str, set[Feed]] = {}
        self._waiters: dict[str, set[asyncio.Future[None]]] = {}
        self._threads = ThreadPoolExecutor(1, thread_name_prefix="stream-reads")
        self._closing = False
        self._bridge = nudges.Bridge(self._wake_here)
        self._ticker = self._loop.create_task(self._tick_for_ever())

    @property
    def closing(self) -> bool:
        """Whether the process is going away."""
        return self._closing

    def wake(self, topic: str, said: bytes = b"") -> None:
        """Look at ``topic`` again, or show its readers what is said. Thread-safe and cheap when nobody reads it."""
        if topic in self._topics or topic in self._waiters:
            with contextlib.suppress(
                RuntimeError
            ):  # the loop is gone, and with it whoever read: no reason to fail a writer
                self._loop.call_soon_threadsafe(self._wake_here, topic, said)

    async def stream(self, source: Source, after: int, recheck: Callable[[], bool]) -> AsyncGenerator[bytes]:
        """Chunks of frames behind ``after``, each frame once and in order, until the source ends or access does.

        ``after`` must not lie beyond the source's head. ``recheck`` runs on the database thread and says whether the
        reader may still see the source.
        """
        feed = self._join(source, after)
        reader = Reader(after, recheck, self._loop.time())
        reader.heard = feed.said_count
        feed.readers.add(reader)
        metrics.stream_readers.inc()
        try:
            async for chunk in self._chunks(feed, reader):
                reader.sending_since = self._loop.time()
                yield chunk
                reader.sending_since, reader.sent_at = None, self._loop.time()
        finally:
            metrics.stream_readers.dec()
            feed.readers.discard(reader)
            self._leave(feed)

    async def changed(self, topic: str, seconds: float) -> bool:
        """Wait until ``topic`` is woken, ``seconds`` at the most; whether it was. False at once when the hub closes.

        A hint like every wake-up: look before, and look again now and then.
        """
        waiter = self._loop.create_future()
        waiters = self._waiters.setdefault(topic, set())
        waiters.add(waiter)
        self._bridge.subscribe(topic)
        try:
            async with asyncio.timeout(0 if self._closing else seconds):
                await waiter
            return not self._closing
        except TimeoutError:
            return False
        finally:
            waiters.discard(waiter)
            if not waiters:
                del self._waiters[topic]
            self._unsubscribe(topic)

    def close_streams(self) -> None:
        """End every open stream now: the process is going away, and the readers will resume elsewhere."""
        self._closing = True
        for topic in list(self._waiters):
            self._wake_waiters(topic)
        for feed in self._feeds.values():
            for reader in feed.readers:
                reader.close()

    async def close(self) -> None:
        self.close_streams()
        own = [self._ticker, *(feed.pump for feed in self._feeds.values() if feed.pump is not None)]
        for task in own:
            task.cancel()
        await asyncio.gather(*own, return_exceptions=True)
        await self._bridge.close()
        await self.in_thread(_disconnect)
        self._threads.shutdown(wait=False)

    async def _chunks(self, feed: Feed, reader: Reader) -> AsyncIterator[bytes]:
        while not (reader.closed or self._closing):
            if reader.cursor < feed.base:
                base = feed.base
                frames = (await self.in_thread(feed.source.read, reader.cursor, READ_FRAMES)).frames
                reader.cursor = frames[-1].cursor if frames else base
                if frames:
                    yield b"".join(frame.data for frame in frames)
            elif reader.cursor < feed.tail:
                chunk, reader.cursor = feed.slice(reader.cursor), feed.tail
                yield chunk
            elif reader.heard < feed.said_count:
                yield feed.heard(reader)
            elif feed.end is not None:
                yield feed.end
                return
            elif reader.heartbeat_due:
                reader.heartbeat_due = False
                yield feed.source.heartbeat()
            else:
                reader.waiter = self._loop.create_future()
                await reader.waiter

    def _join(self, source: Source, after: int) -> Feed:
        name = _name(source)
        feed = self._feeds.get(name)
        if feed is None:
            feed = self._feeds[name] = Feed(source, after)
            self._topics.setdefault(source.topic, set()).add(feed)
            self._bridge.subscribe(source.topic)
            self._pump(feed)
        return feed

    def _leave(self, feed: Feed) -> None:
        name = _name(feed.source)
        if feed.readers or self._feeds.get(name) is not feed:
            return
        del self._feeds[name]
        feeds = self._topics[feed.source.topic]
        feeds.discard(feed)
        if not feeds:
            del self._topics[feed.source.topic]
            self._unsubscribe(feed.source.topic)

    def _unsubscribe(self, topic: str) -> None:
        if topic not in self._topics and topic not in self._waiters:
            self._bridge.unsubscribe(topic)

    def _wake_waiters(self, topic: str) -> None:
        for waiter in self._waiters.get(topic, ()):
            if not waiter.done():
                waiter.set_result(None)

    def _wake_here(self, topic: str, said: bytes = b"") -> None:
        if said:
            for feed in self._topics.get(topic, ()):
                feed.say(said)
            return
        self._wake_waiters(topic)
        for feed in self._topics.get(topic, ()):
            feed.dirty = True
            self._pump(feed)

    def _pump(self, feed: Feed) -> None:
        if feed.pump is None or feed.pump.done():
            feed.pump = self._loop.create_task(self._read_while_dirty(feed))

    async def _read_while_dirty(self, feed: Feed) -> None:
        while feed.dirty and feed.end is None:
            feed.dirty = False
            try:
                batch = await self.in_thread(feed.source.read, feed.tail, READ_FRAMES)
            except Exception:
                log.warning("A stream could not be read; trying again within a second.", exc_info=True)
                feed.head = None  # the next tick finds it changed
                return
            feed.dirty = feed.dirty or len(batch.frames) == READ_FRAMES
            feed.extend(batch)

    async def _tick_for_ever(self) -> None:
        heartbeat: float = settings.SSE_HEARTBEAT_SECONDS
        while True:
            await asyncio.sleep(min(1.0, heartbeat / 2, settings.STREAM_RECHECK_SECONDS / 2))
            try:
                await self._tick(self._loop.time(), heartbeat)
            except Exception:
                log.warning("The streams could not be looked after; trying again.", exc_info=True)

    async def _tick(self, now: float, heartbeat: float) -> None:
        for feed in list(self._feeds.values()):
            for reader in list(feed.readers):
                self._look_after(reader, now, heartbeat)
        await self._find_lost_nudges()
        for feed in list(self._feeds.values()):
            for reader in list(feed.readers):
                if now - reader.checked_at >= settings.STREAM_RECHECK_SECONDS:
                    await self._check_access(reader, now)

    def _look_after(self, reader: Reader, now: float, heartbeat: float) -> None:
        if reader.sending_since is not None:
            if now - reader.sending_since > STUCK_SECONDS and reader.task is not None:
                reader.task.cancel()  # its socket takes nothing any more
        elif now - reader.sent_at >= heartbeat:
            reader.heartbeat_due = True
            reader.wake()

    async def _find_lost_nudges(self) -> None:
        by_type: dict[type, list[Feed]] = {}
        for feed in self._feeds.values():
            if feed.end is None:
                by_type.setdefault(type(feed.source), []).append(feed)
        for feeds in by_type.values():
            heads = await self.in_thread(feeds[0].source.heads, [feed.source.key for feed in feeds])
            for feed in feeds:
                head = heads.get(feed.source.key)
                if head != feed.head:
                    feed.head, feed.dirty = head, True
                    self._pump(feed)

    async def _check_access(self, reader: Reader, now: float) -> None:
        reader.checked_at = now
        if not await self.in_thread(reader.recheck):
            reader.close()

    async def in_thread(self, work: Callable[..., T], *arguments: object) -> T:
        """Run ``work`` on the hub's own database thread."""
        return await self._loop.run_in_executor(self._threads, _reconnecting, work, *arguments)


def _name(source: Source) -> Hashable:
    """Two types of source may look at the same thing under the same key, and tell it differently."""
    return type(source), source.key


def _reconnecting(work: Callable[..., T], *arguments: object) -> T:
    """After an error the connection may be dead, and this thread outlives every request that would have closed it."""
    try:
        return work(*arguments)
    except Exception:
        connection.close()
        raise


def _disconnect() -> None:
    connection.close()  # a proxy: the name must be resolved on the thread that owns the connection


_hub: Hub | None = None


def hub() -> Hub:
    """The hub of the running loop, made on first use."""
    global _hub
    loop = asyncio.get_running_loop()
    if _hub is None or _hub._loop is not loop:
        _hub = Hub()
        nudges.listen(_hub.wake)
    return _hub


async def close() -> None:
    """Close the process's hub, if there is one."""
    global _hub
    if _hub is not None:
        nudges.listen(None)
        closing, _hub = _hub, None
        await closing.close()


def close_streams() -> None:
    """End every open stream of this process (called from a signal handler on the loop's thread)."""
    if _hub is not None:
        _hub._loop.call_soon_threadsafe(_hub.close_streams)
