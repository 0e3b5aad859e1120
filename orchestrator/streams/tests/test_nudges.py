"""How a wake-up gets from a commit to the readers of this process and of the others."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from django.conf import LazySettings, settings as configured
from django.db import transaction

from orchestrator.core import nudges as core_nudges
from orchestrator.events.services import record
from orchestrator.streams import nudges
from orchestrator.streams.nudges import Bridge, Publisher
from orchestrator.streams.tests.asgi import until


class Layer:
    """A channel layer in memory whose ``group_add`` fails as often as it is told to."""

    def __init__(self) -> None:
        self.groups: set[str] = set()
        self.channel: asyncio.Queue[dict[str, str]] = asyncio.Queue()
        self.failures = 0

    async def new_channel(self) -> str:
        return "channel"

    async def group_add(self, group: str, channel: str) -> None:
        if self.failures:
            self.failures -= 1
            raise ConnectionError("no route to Redis")
        self.groups.add(group)

    async def group_discard(self, group: str, channel: str) -> None:
        self.groups.discard(group)

    async def receive(self, channel: str) -> dict[str, str]:
        message = await self.channel.get()
        if "error" in message:
            raise ConnectionError(message["error"])
        return message


@pytest.fixture
def layer(monkeypatch: pytest.MonkeyPatch, settings: LazySettings) -> Layer:
    found = Layer()
    settings.REDIS_URL = "redis://of-a-test"
    monkeypatch.setattr(nudges, "get_channel_layer", lambda: found)
    monkeypatch.setattr(nudges.log, "warning", lambda *_, **__: None)
    return found


@pytest.fixture
async def woken() -> list[str]:
    return []


@pytest.fixture
async def bridge(layer: Layer, woken: list[str]) -> AsyncIterator[Bridge]:
    found = Bridge(lambda topic, said: woken.append(topic))
    yield found
    await found.close()


async def test_the_bridge_hears_what_is_read_here_and_nothing_else(
    layer: Layer, bridge: Bridge, woken: list[str]
) -> None:
    bridge.subscribe("one")
    bridge.subscribe("two")
    bridge.unsubscribe("one")
    await until(lambda: layer.groups == {"two"})
    woken.clear()
    layer.channel.put_nowait({"topic": "two"})
    await until(lambda: woken == ["two"])


async def test_a_new_subscription_looks_once_for_what_it_missed(layer: Layer, bridge: Bridge, woken: list[str]) -> None:
    bridge.subscribe("one")
    await until(lambda: "one" in woken)


@pytest.mark.parametrize("failing", ["subscription", "reception"])
async def test_the_bridge_survives_its_layer(
    layer: Layer, bridge: Bridge, woken: list[str], failing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    bridge.subscribe("before")
    await until(lambda: layer.groups == {"before"})
    slept: list[float] = []
    sleep = asyncio.sleep

    async def at_once(seconds: float) -> None:
        slept.append(seconds)
        await sleep(0)

    monkeypatch.setattr(nudges.asyncio, "sleep", at_once)
    if failing == "subscription":
        layer.failures = 1
    else:
        layer.channel.put_nowait({"error": "gone"})
    bridge.subscribe("after")
    async with asyncio.timeout(10):
        while not slept:
            await sleep(0)
    layer.channel.put_nowait({"topic": "after"})
    async with asyncio.timeout(10):
        while not ({"before", "after"} <= layer.groups and "after" in woken):
            await sleep(0)
    woken.clear()
    bridge.subscribe("later")
    async with asyncio.timeout(10):
        while "later" not in layer.groups:
            await sleep(0)


@pytest.mark.parametrize("cancelled", ["swallowed", "an error"])
async def test_the_bridge_closes_whatever_its_layer_makes_of_a_cancellation(
    layer: Layer, cancelled: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A Redis client that is cancelled while it connects may raise something else, or nothing."""
    connecting = asyncio.Event()

    async def group_add(group: str, channel: str) -> None:
        connecting.set()
        try:
            await asyncio.sleep(10)
        except asyncio.CancelledError:
            if cancelled == "an error":
                raise ConnectionError("cut off") from None

    monkeypatch.setattr(layer, "group_add", group_add)
    found = Bridge(lambda topic, said: None)
    found.subscribe("one")
    await connecting.wait()
    async with asyncio.timeout(10):
        await found.close()
    assert found._task is not None
    assert found._task.done()


async def test_doubled_wake_ups_are_sent_once(layer: Layer) -> None:
    sent: list[str] = []

    async def group_send(group: str, message: dict[str, Any]) -> None:
        sent.append(group)
        assert message == {"type": "nudge", "topic": group}

    layer.group_send = group_send  # type: ignore[attr-defined]
    publisher = Publisher()
    publisher._loop, publisher._ready = asyncio.get_running_loop(), asyncio.Event()
    for _ in range(100):
        publisher.publish("run.1")
    publisher.publish("run.2")
    sending = asyncio.create_task(publisher._send_for_ever())
    await until(lambda: len(sent) == 2)
    assert sorted(sent) == ["run.1", "run.2"]
    sending.cancel()


async def test_what_is_said_is_sent_each_for_itself_and_within_bounds(
    layer: Layer, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[bytes] = []

    async def group_send(group: str, message: dict[str, Any]) -> None:
        sent.append(message.get("said", b"wake"))

    layer.group_send = group_send  # type: ignore[attr-defined]
    monkeypatch.setattr(nudges, "_MOST_SAID", 3)
    publisher = Publisher()
    publisher._loop, publisher._ready = asyncio.get_running_loop(), asyncio.Event()
    for word in (b"one", b"one", b"two", b"too much"):
        publisher.publish("run.1", word)
    publisher.publish("run.1")
    sending = asyncio.create_task(publisher._send_for_ever())
    await until(lambda: len(sent) == 4)
    assert sent == [b"one", b"one", b"two", b"wake"], "a wake-up is never left out"
    sending.cancel()


@pytest.mark.django_db(transaction=True)
def test_a_nudge_goes_out_after_the_commit_and_not_without_it(monkeypatch: pytest.MonkeyPatch, alice: Any) -> None:
    sent: list[str] = []
    monkeypatch.setattr(core_nudges, "_listeners", [lambda topic, said: sent.append(topic)])
    with transaction.atomic():
        record(actor=alice.actor, event="demo", target="x")
        assert sent == []
    assert sent == [f"events.{alice.org.id}"]
    with transaction.atomic():
        record(actor=alice.actor, event="demo", target="x")
        transaction.set_rollback(True)
    assert len(sent) == 1


@pytest.mark.skipif(not configured.REDIS_URL, reason="needs REDIS_URL (pytest -p tests.servers)")
async def test_a_wake_up_comes_through_redis() -> None:
    woken: list[str] = []
    bridge = Bridge(lambda topic, said: woken.append(topic))
    try:
        bridge.subscribe("run.of-a-test")
        await until(lambda: woken)
        woken.clear()
        nudges._publisher.publish("run.nobody-reads")
        nudges._publisher.publish("run.of-a-test")
        await until(lambda: woken == ["run.of-a-test"])
    finally:
        await bridge.close()
