"""Brings wake-ups to every process: to this one's hub directly, to the others through the channel layer.

The layer delivers at most once, which is enough: a nudge carries nothing but "look again", and a lost one costs a
second. What is said in passing takes the same way, and may be lost on it.
"""

import asyncio
import logging
import threading
from collections.abc import Callable
from typing import Any, Final

from channels.layers import get_channel_layer
from django.conf import settings

from orchestrator.core import nudges as core_nudges

log = logging.getLogger(__name__)

_MOST_SAID: Final = 1000  # of what waits to be sent: passing words are not worth the memory

_local: Callable[[str, bytes], None] | None = None


def listen(wake: Callable[[str, bytes], None] | None) -> None:
    """Wake-ups of this process, and what is said in it, go to ``wake`` from now on."""
    global _local
    _local = wake


def send(topic: str, said: bytes = b"") -> None:
    """Wake the readers of ``topic`` here and in every other process, or show them what is said in passing."""
    if _local is not None:
        _local(topic, said)
    if settings.REDIS_URL:
        _publisher.publish(topic, said)


class Publisher:
    """A thread with an event loop of its own, because writers are threads and the layer is asyncio.

    Doubled topics are sent once.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._topics: dict[tuple[str, int], bytes] = {}  # what is said, each for itself
        self._count = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ready: asyncio.Event | None = None

    def publish(self, topic: str, said: bytes = b"") -> None:
        with self._lock:
            self._count += bool(said)
            if not said or len(self._topics) < _MOST_SAID:
                self._topics[topic, self._count if said else 0] = said
            if self._loop is None:
                self._loop, self._ready = asyncio.new_event_loop(), asyncio.Event()
                threading.Thread(target=self._run, args=(self._loop,), name="nudges", daemon=True).start()
            loop, ready = self._loop, self._ready
        assert ready is not None, "made with the loop"
        loop.call_soon_threadsafe(ready.set)

    def _run(self, loop: asyncio.AbstractEventLoop) -> None:
        asyncio.set_event_loop(loop)
        loop.run_until_complete(self._send_for_ever())

    async def _send_for_ever(self) -> None:
        assert self._ready is not None, "made before the thread"
        while True:
            await self._ready.wait()
            self._ready.clear()
            with self._lock:
                topics, self._topics = self._topics, {}
            try:
                layer: Any = get_channel_layer()
                for (topic, _), said in topics.items():
                    await layer.group_send(topic, {"type": "nudge", "topic": topic, **({"said": said} if said else {})})
            except Exception:
                log.warning(
                    "Wake-ups for other processes were lost; their readers look again within a second.", exc_info=True
                )


_publisher = Publisher()


class Bridge:
    """Hears the other processes: one channel of the layer, in the group of every topic that somebody reads here."""

    def __init__(self, wake: Callable[[str, bytes], None]) -> None:
        self._wake = wake
        self._changes: asyncio.Queue[tuple[str, str]] = asyncio.Queue()
        self._topics: set[str] = set()
        self._closing = False
        self._followers: set[asyncio.Task[None]] = set()
        self._task = asyncio.create_task(self._listen_for_ever()) if settings.REDIS_URL else None

    def subscribe(self, topic: str) -> None:
        self._topics.add(topic)
        if self._task is not None:
            self._changes.put_nowait(("add", topic))

    def unsubscribe(self, topic: str) -> None:
        self._topics.discard(topic)
        if self._task is not None:
            self._changes.put_nowait(("discard", topic))

    async def close(self) -> None:
        self._closing = True
        for _ in range(4):  # the layer may swallow a cancellation, or turn it into an error, while it connects
            alive = [task for task in (self._task, *self._followers) if task is not None and not task.done()]
            for task in alive:
                task.cancel()
            if alive:
                await asyncio.wait(alive, timeout=0.5)

    async def _listen_for_ever(self) -> None:
        while not self._closing:
            try:
                await self._listen()
            except Exception:
                if self._closing:
                    return
                log.warning("The channel layer does not answer; readers are fed by polling.", exc_info=True)
                await asyncio.sleep(1)

    async def _listen(self) -> None:
        layer: Any = get_channel_layer()
        channel = await layer.new_channel()
        for topic in list(self._topics):
            await layer.group_add(topic, channel)
        both = [asyncio.create_task(follow(layer, channel)) for follow in (self._follow_changes, self._follow_nudges)]
        self._followers.update(both)
        try:
            ended, _ = await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
            for task in ended:
                task.result()  # when either fails, both begin anew
        finally:
            for task in both:
                task.add_done_callback(self._forget)
                task.cancel()

    def _forget(self, follower: asyncio.Task[None]) -> None:
        self._followers.discard(follower)
        if not follower.cancelled():
            follower.exception()  # seen, and of no interest any more

    async def _follow_nudges(self, layer: Any, channel: str) -> None:
        while True:
            message = await layer.receive(channel)
            self._wake(message["topic"], message.get("said", b""))

    async def _follow_changes(self, layer: Any, channel: str) -> None:
        while True:
            change, topic = await self._changes.get()
            await (layer.group_add if change == "add" else layer.group_discard)(topic, channel)
            if change == "add":
                self._wake(topic, b"")  # what was written before the subscription took hold


def install() -> None:
    """Hear what this process's writers say (called when the app is ready)."""
    core_nudges.listen(send)
