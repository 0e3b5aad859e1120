"""/ws/agent-status: who may open it, what it tells first, what it tells then."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from channels.testing import WebsocketCommunicator
from django.conf import LazySettings
from django.test import Client

from agents.models import RuntimeAgent
from agents.routing import sockets
from agents.services import definitions, instances, logs
from conftest import Person, make_person
from orchestrator.events.streams import LogSource
from orchestrator.identity import tickets
from orchestrator.identity.models import Membership
from orchestrator.identity.services import create_api_key
from orchestrator.streams import hub, sockets as base
from orchestrator.streams.tests.fixtures import in_thread  # noqa: F401

InThread = Callable[..., Awaitable[Any]]
Connect = Callable[..., Awaitable[Any]]
PATH = "/ws/agent-status"


class Socket(WebsocketCommunicator):  # type: ignore[misc]  # channels has no types
    async def frame(self) -> Any:
        return await self.receive_json_from(timeout=10)


@pytest.fixture
async def connect(transactional_db: None) -> AsyncIterator[Connect]:
    opened: list[Socket] = []

    async def open_socket(
        path: str = PATH, token: str = "", *, headers: dict[str, str] | None = None, protocols: Any = None
    ) -> Any:
        named = {"Host": "localhost", **(headers or {}), **({"Authorization": f"Bearer {token}"} if token else {})}
        raw = [(name.lower().encode(), value.encode()) for name, value in named.items()]
        socket = Socket(sockets, path, headers=raw, subprotocols=protocols)
        socket.accepted, socket.said = await socket.connect(timeout=10)
        opened.append(socket)
        return socket

    yield open_socket
    for socket in opened:
        await socket.disconnect()
    await hub.close()


@pytest.fixture
async def alice(in_thread: InThread) -> Person:  # noqa: F811
    return await in_thread(make_person, "alice")


def made(person: Person, session_id: str = "s", name: str = "") -> RuntimeAgent:
    agent = definitions.create_agent(actor=person.actor, name=f"{name}{session_id}-{RuntimeAgent.objects.count()}")
    return instances.create_instance(actor=person.actor, agent_id=agent.id, session_id=session_id)


def moved(person: Person, instance: RuntimeAgent, *statuses: str) -> None:
    for status in statuses:
        instances.set_status(actor=person.actor, instance_id=instance.id, status=status)


# --- who may ---------------------------------------------------------------------------------------------------------


async def test_nobody_gets_in_without_good_credentials(connect: Connect, alice: Person) -> None:
    forged = alice.access_token[:-2] + "xx"
    for refused in (
        await connect(),
        await connect(token=forged),
        await connect(f"{PATH}?token={alice.access_token}"),
        await connect(f"{PATH}?access_token={alice.access_token}"),
        await connect(f"{PATH}?ticket=none"),
        await connect(protocols=["bearer", forged]),
        await connect(headers={"X-API-Key": "none"}),
        await connect(headers={"Cookie": "sessionid=none", "Origin": "http://localhost"}),
    ):
        assert not refused.accepted


async def test_a_token_comes_as_header_or_subprotocol(connect: Connect, alice: Person) -> None:
    assert (await connect(token=alice.access_token)).accepted
    socket = await connect(protocols=["bearer", alice.access_token])
    assert (socket.accepted, socket.said) == (True, "bearer")


async def test_a_ticket_opens_one_socket(connect: Connect, alice: Person, in_thread: InThread) -> None:  # noqa: F811
    secret, seconds = await in_thread(tickets.issue, actor=alice.actor)
    assert 0 < seconds <= 60
    assert (await connect(f"{PATH}?ticket={secret}")).accepted
    assert not (await connect(f"{PATH}?ticket={secret}")).accepted


async def test_a_session_needs_a_page_of_ours(
    connect: Connect, alice: Person, in_thread: InThread, settings: LazySettings  # noqa: F811
) -> None:  # fmt: skip
    settings.CORS_ALLOWED_ORIGINS = ["https://friend.example"]
    browser = Client()
    await in_thread(browser.force_login, alice.user)
    cookie = {"Cookie": f"sessionid={browser.cookies['sessionid'].value}"}
    assert not (await connect(headers=cookie)).accepted
    assert not (await connect(headers={**cookie, "Origin": "https://evil.example"})).accepted
    assert not (await connect(headers={**cookie, "Origin": "null"})).accepted
    assert (await connect(headers={**cookie, "Origin": "http://localhost"})).accepted
    assert (await connect(headers={**cookie, "Origin": "https://friend.example"})).accepted


async def test_a_refusal_is_an_http_error_where_the_server_can(alice: Person, transactional_db: None) -> None:
    socket = WebsocketCommunicator(sockets, PATH)
    socket.scope["extensions"] = {"websocket.http.response": {}}
    await socket.send_input({"type": "websocket.connect"})
    start, body = await socket.receive_output(10), await socket.receive_output(10)
    assert start["status"] == 401
    assert (b"www-authenticate", b"Bearer") in start["headers"]
    assert b'"type":"not_authenticated"' in body["body"]
    await hub.close()


@pytest.mark.parametrize("query", ["since=-1", "since=x", "agent_id=x", "nothing=1", "session_id=%00"])
async def test_a_senseless_query_is_refused(connect: Connect, alice: Person, query: str) -> None:
    assert not (await connect(f"{PATH}?{query}", alice.access_token)).accepted


async def test_who_is_removed_hears_no_more(
    connect: Connect, alice: Person, in_thread: InThread, settings: LazySettings  # noqa: F811
) -> None:  # fmt: skip
    settings.STREAM_RECHECK_SECONDS = 0.1
    socket = await connect(token=alice.access_token)
    await socket.frame()
    await in_thread(lambda: Membership.objects.filter(user=alice.user).delete())
    await socket.frame()
    assert (await socket.receive_output(10))["type"] == "websocket.close"


# --- what it tells ---------------------------------------------------------------------------------------------------


async def test_an_empty_snapshot_is_sent_too(connect: Connect, alice: Person) -> None:
    socket = await connect(token=alice.access_token)
    hello, snapshot = await socket.frame(), await socket.frame()
    assert hello["type"] == "connection_established"
    assert (snapshot["type"], snapshot["data"]["agents"]) == ("agent_update", [])
    assert snapshot["seq"] == hello["seq"]


async def test_changes_come_in_order_with_their_seq(
    connect: Connect, alice: Person, in_thread: InThread  # noqa: F811
) -> None:  # fmt: skip
    socket = await connect(token=alice.access_token)
    _, snapshot = await socket.frame(), await socket.frame()
    instance = await in_thread(made, alice)
    await in_thread(moved, alice, instance, "planning", "executing", "completed")
    frames = [await socket.frame() for _ in range(4)]
    assert [frame["type"] for frame in frames] == ["agent_created", *["agent_status_changed"] * 3]
    assert [(frame["old_status"], frame["new_status"]) for frame in frames[1:]] == [
        ("initializing", "planning"), ("planning", "executing"), ("executing", "completed"),
    ]  # fmt: skip
    seqs = [frame["seq"] for frame in frames]
    assert seqs == sorted(set(seqs))
    assert seqs[0] > snapshot["seq"]
    assert {frame["agent_id"] for frame in frames} == {str(instance.id)}


async def test_since_goes_on_behind_a_frame(
    connect: Connect, alice: Person, in_thread: InThread  # noqa: F811
) -> None:  # fmt: skip
    instance = await in_thread(made, alice)
    await in_thread(moved, alice, instance, "planning", "executing", "idle")
    whole = await connect(f"{PATH}?since=0", alice.access_token)
    assert (await whole.frame())["type"] == "connection_established"
    frames = [await whole.frame() for _ in range(4)]
    for place, frame in enumerate(frames[:-1]):
        resumed = await connect(f"{PATH}?since={frame['seq']}", alice.access_token)
        assert (await resumed.frame())["type"] == "connection_established"
        assert [await resumed.frame() for _ in frames[place + 1 :]] == frames[place + 1 :]


async def test_filters_narrow_both_snapshot_and_changes(
    connect: Connect, alice: Person, in_thread: InThread  # noqa: F811
) -> None:  # fmt: skip
    one, other = await in_thread(made, alice, "one"), await in_thread(made, alice, "other")
    by_session = await connect(f"{PATH}?session_id=one", alice.access_token)
    by_agent = await connect(f"{PATH}?agent_id={other.id}", alice.access_token)
    for socket, expected in ((by_session, one), (by_agent, other)):
        await socket.frame()
        assert [agent["agent_id"] for agent in (await socket.frame())["data"]["agents"]] == [str(expected.id)]
    await in_thread(moved, alice, one, "planning")
    await in_thread(moved, alice, other, "executing")
    assert (await by_session.frame())["new_status"] == "planning"
    assert (await by_agent.frame())["new_status"] == "executing"
    assert await by_session.receive_nothing(0.05)


async def test_log_lines_come_whole(connect: Connect, alice: Person, in_thread: InThread) -> None:  # noqa: F811
    instance = await in_thread(made, alice)
    socket = await connect(f"{PATH}?agent_id={instance.id}", alice.access_token)
    _, _ = await socket.frame(), await socket.frame()
    lines: list[logs.Line] = [
        {"runtime_agent_id": instance.id, "level": "WARNING", "message": f"line {number}\nof two"} for number in (1, 2)
    ]
    await in_thread(logs.append_logs, actor=alice.actor, lines=lines)
    frame = await socket.frame()
    assert frame["type"] == "agent_log"
    assert [(line["level"], line["message"]) for line in frame["logs"]] == [
        ("WARNING", "line 1\nof two"), ("WARNING", "line 2\nof two"),
    ]  # fmt: skip


async def test_another_orgs_agents_are_not_told_of(
    connect: Connect, alice: Person, in_thread: InThread  # noqa: F811
) -> None:  # fmt: skip
    mallory = await in_thread(make_person, "mallory")
    instance = await in_thread(made, alice)
    socket = await connect(token=mallory.access_token)
    _, snapshot = await socket.frame(), await socket.frame()
    assert snapshot["data"]["agents"] == []
    await in_thread(moved, alice, instance, "planning")
    theirs = await in_thread(made, mallory)
    assert (await socket.frame())["agent_id"] == str(theirs.id)
    hidden = await connect(f"{PATH}?agent_id={instance.id}", mallory.access_token)
    assert [(await hidden.frame())["type"], (await hidden.frame())["data"]["agents"]] == ["connection_established", []]


async def test_silence_is_filled(connect: Connect, alice: Person, settings: LazySettings) -> None:
    settings.SSE_HEARTBEAT_SECONDS = 0.1
    socket = await connect(token=alice.access_token)
    _, _ = await socket.frame(), await socket.frame()
    assert (await socket.frame())["type"] == "heartbeat"


async def test_the_tail_of_the_same_log_is_another_stream(
    connect: Connect, alice: Person, in_thread: InThread  # noqa: F811
) -> None:  # fmt: skip
    tail = hub.hub().stream(LogSource(alice.org.id, {}), 0, lambda: True)
    first = asyncio.ensure_future(anext(tail))
    socket = await connect(token=alice.access_token)
    _, _ = await socket.frame(), await socket.frame()
    await in_thread(made, alice)
    assert (await socket.frame())["type"] == "agent_created"
    assert (await first).startswith(b"event: event")
    await tail.aclose()


# --- what it is told -------------------------------------------------------------------------------------------------


async def test_it_answers_a_ping_and_complains_of_the_rest(connect: Connect, alice: Person) -> None:
    socket = await connect(token=alice.access_token)
    _, _ = await socket.frame(), await socket.frame()
    await socket.send_to(text_data='{"type": "ping"}')
    assert await socket.frame() == {"type": "pong"}
    for sent in ('{"type": "subscribe"}', "nonsense", "[]"):
        await socket.send_to(text_data=sent)
        frame = await socket.frame()
        assert (frame["type"], frame["error"]["type"]) == ("error", "malformed_request")
    closed = await socket.receive_output(10)
    assert (closed["type"], closed["code"]) == ("websocket.close", base.POLICY_VIOLATION)


async def test_a_huge_frame_is_complained_of(connect: Connect, alice: Person) -> None:
    socket = await connect(token=alice.access_token)
    _, _ = await socket.frame(), await socket.frame()
    await socket.send_to(text_data="x" * (base.MAX_FRAME_BYTES + 1))
    assert (await socket.frame())["error"]["type"] == "payload_too_large"


async def test_a_client_that_takes_nothing_is_told_to_resync(
    alice: Person, in_thread: InThread, monkeypatch: pytest.MonkeyPatch  # noqa: F811
) -> None:  # fmt: skip
    """The server's socket is full: nothing that is sent to it returns, until it is told to go."""
    monkeypatch.setattr(base, "SLOW_SECONDS", 0.05)
    monkeypatch.setattr(base.StreamConsumer._line, "__defaults__", (0.05,))
    sent: list[dict[str, Any]] = []
    inbox: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    closed = asyncio.Event()

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)
        if message["type"] == "websocket.close":
            closed.set()
        elif message["type"] == "websocket.send" and len(sent) > 3:
            await asyncio.sleep(3600)

    scope = {
        "type": "websocket", "path": PATH, "query_string": b"", "subprotocols": [],
        "headers": [(b"host", b"localhost"), (b"authorization", f"Bearer {alice.access_token}".encode())],
    }  # fmt: skip
    await inbox.put({"type": "websocket.connect"})
    served = asyncio.create_task(sockets(scope, inbox.get, send))
    while len(sent) < 3:
        await asyncio.sleep(0.005)
    await in_thread(made, alice)
    async with asyncio.timeout(10):
        await closed.wait()
    assert [message.get("text") for message in sent[-2:-1]] == ['{"type":"resync"}']
    assert sent[-1]["code"] == base.TRY_AGAIN_LATER
    await inbox.put({"type": "websocket.disconnect", "code": 1006})
    await served
    await hub.close()


async def test_a_runtime_agents_own_key_opens_none(
    connect: Connect, alice: Person, in_thread: InThread  # noqa: F811
) -> None:  # fmt: skip
    agent = await in_thread(made, alice)
    _, secret = await in_thread(
        create_api_key, actor=alice.actor, name="own", scopes=["read", "write"], runtime_agent_id=agent.id
    )
    socket = await connect(headers={"X-API-Key": secret})
    assert not socket.accepted
