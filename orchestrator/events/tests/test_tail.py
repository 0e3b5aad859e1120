"""The org's log as it grows, through the whole application."""

from typing import Any

import pytest
from django.conf import LazySettings
from django.contrib.sessions.models import Session
from django.db import transaction
from django.test import Client as Browser

from conftest import Person
from orchestrator.core import clock
from orchestrator.events import services
from orchestrator.events.models import Event
from orchestrator.identity.services import create_api_key, revoke_api_key
from orchestrator.streams import hub
from orchestrator.streams.tests.asgi import Client, Frame
from orchestrator.streams.tests.fixtures import InThread

TAIL = "/api/v1/events/tail"


def write(person: Person, count: int = 1, event: str = "demo", target: str = "x") -> None:
    for number in range(count):
        services.append(actor=person.actor, event=event, target=target, details={"number": number})


def expected(person: Person, **filters: Any) -> list[Frame]:
    return [
        Frame(
            "event",
            {
                "seq": row.seq, "event": row.event, "target": row.target, "details": row.details, "actor": row.actor,
                "created_at": clock.rfc3339(row.created_at),
            },
            row.seq,
        )
        for row in Event.objects.for_org(person.org.id).filter(**filters).order_by("seq")
    ]  # fmt: skip


@pytest.fixture
def log(transactional_db: None, alice: Person) -> list[Frame]:
    write(alice, 3)
    write(alice, 2, event="other", target="y")
    return expected(alice)


async def test_once_ends_after_what_is_there(client: Client, alice: Person, log: list[Frame]) -> None:
    stream = await client.open(f"{TAIL}?once=1", alice.access_token)
    assert (stream.status, stream.headers["content-type"]) == (200, "text/event-stream")
    assert stream.headers["cache-control"] == "no-cache"
    assert await stream.frames() == log
    assert stream.ended


async def test_once_of_an_empty_rest_is_an_empty_stream(client: Client, alice: Person, log: list[Frame]) -> None:
    stream = await client.open(f"{TAIL}?once=1&after={log[-1].id}", alice.access_token)
    assert (await stream.text()).startswith(":")
    assert await stream.frames() == []


async def test_once_gives_more_than_a_page(
    client: Client, alice: Person, log: list[Frame], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orchestrator.events.views.READ_FRAMES", 2)
    assert await (await client.open(f"{TAIL}?once=1", alice.access_token)).frames() == log


async def test_the_log_is_followed_as_it_grows(
    client: Client, alice: Person, log: list[Frame], in_thread: InThread
) -> None:
    stream = await client.open(TAIL, alice.access_token)
    assert await stream.frames(len(log)) == log
    hub.hub()._ticker.cancel()
    await in_thread(write, alice, 2)
    assert await stream.frames(2) == (await in_thread(expected, alice))[-2:]


async def test_a_tail_cut_at_any_event_and_joined_again_is_exact(
    client: Client, alice: Person, log: list[Frame]
) -> None:
    for cut in range(1, len(log) + 1):
        last = str(log[cut - 1].id)
        for query, headers in ((f"?after={last}&once=1", {}), ("?after=0&once=1", {"Last_Event_ID": last})):
            rest = await (await client.open(f"{TAIL}{query}", alice.access_token, **headers)).frames()
            assert rest == log[cut:]


async def test_a_cursor_beyond_the_head_loses_nothing_that_follows(
    client: Client, alice: Person, log: list[Frame], in_thread: InThread
) -> None:
    stream = await client.open(f"{TAIL}?after=99999999999", alice.access_token)
    await stream.text()
    await in_thread(write, alice)
    [frame] = await stream.frames(1)
    assert frame.id == (log[-1].id or 0) + 1


@pytest.mark.parametrize(
    "filters", [{"event": "other"}, {"target": "y"}, {"event": "demo", "target": "x"}, {"event": "none"}]
)
async def test_filters_narrow_the_tail(
    client: Client, alice: Person, log: list[Frame], in_thread: InThread, filters: dict[str, str]
) -> None:
    query = "&".join(f"{name}={value}" for name, value in filters.items())
    once = await client.open(f"{TAIL}?once=1&{query}", alice.access_token)
    assert await once.frames() == await in_thread(expected, alice, **filters)
    live = await client.open(f"{TAIL}?{query}", alice.access_token)
    await live.text()
    await in_thread(write, alice, 1, "unrelated", "z")
    await in_thread(write, alice, 1, filters.get("event", "e"), filters.get("target", "t"))
    wanted = await in_thread(expected, alice, **filters)
    assert await live.frames(len(wanted)) == wanted


async def test_the_actor_is_a_filter_too(client: Client, alice: Person, bob: Person, in_thread: InThread) -> None:
    await in_thread(write, bob)
    stream = await client.open(f"{TAIL}?once=1&actor={bob.actor}", alice.access_token)
    assert [frame.data["actor"] for frame in await stream.frames()] == [str(bob.actor)]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("?after=--1", "after"), ("?after=x", "after"), ("?once=2", "once"), ("?once=", "once"), ("?kind=runs", "kind"),
        ("?limit=5", "limit"), ("?target=a%00b", "target"), ("?once=1&event=%00", "event"),
    ],
)  # fmt: skip
async def test_bad_parameters_are_refused_by_name(client: Client, alice: Person, query: str, field: str) -> None:
    stream = await client.open(TAIL + query, alice.access_token)
    body = await stream.json()
    assert (stream.status, body["type"], list(body["details"])) == (422, "validation_error", [field])


async def test_a_silence_is_filled_with_comments(
    client: Client, alice: Person, log: list[Frame], settings: LazySettings
) -> None:
    settings.SSE_HEARTBEAT_SECONDS = 0.05
    stream = await client.open(f"{TAIL}?after={log[-1].id}", alice.access_token)
    texts = [frame.data for frame in await stream.frames(3, comments=True)]
    assert texts[1:] == ["keep-alive", "keep-alive"]


async def test_nobody_sees_another_orgs_log(
    client: Client, alice: Person, mallory: Person, log: list[Frame], in_thread: InThread
) -> None:
    theirs = await client.open(f"{TAIL}?once=1", mallory.access_token)
    assert {frame.data["actor"] for frame in await theirs.frames()} <= {str(mallory.actor), "system"}
    live = await client.open(f"{TAIL}?after=9999", mallory.access_token)
    await live.text()
    await in_thread(write, alice)
    await in_thread(write, mallory, 1, "hers")
    assert [frame.data["event"] for frame in await live.frames(1)] == ["hers"]


async def test_without_credentials_there_is_no_tail(client: Client, transactional_db: None) -> None:
    stream = await client.open(f"{TAIL}?once=1")
    assert (stream.status, (await stream.json())["type"]) == (401, "not_authenticated")


@pytest.mark.parametrize("method", ["POST", "HEAD", "PUT"])
async def test_a_tail_is_only_read(client: Client, alice: Person, method: str) -> None:
    stream = await client.open(TAIL, alice.access_token, method=method)
    assert (stream.status, stream.headers["allow"]) == (405, "GET")


async def test_a_key_needs_the_scope_read_and_loses_the_stream_with_it(
    client: Client, alice: Person, in_thread: InThread, settings: LazySettings
) -> None:
    settings.STREAM_RECHECK_SECONDS = 0.05
    _, write_only = await in_thread(create_api_key, actor=alice.actor, name="w", scopes=["write"])
    key, secret = await in_thread(create_api_key, actor=alice.actor, name="r", scopes=["read"])
    refused = await client.open(TAIL, X_API_Key=write_only)
    assert (refused.status, (await refused.json())["type"]) == (403, "permission_denied")
    stream = await client.open(TAIL, X_API_Key=secret)
    await stream.frames(1)
    await in_thread(revoke_api_key, actor=alice.actor, key_id=key.id)
    await stream.frames()
    assert stream.ended


def _sign_in(person: Person) -> str:
    browser = Browser()
    browser.force_login(person.user)
    return browser.cookies["sessionid"].value


@pytest.mark.parametrize("how", ["deactivated", "signed out", "another password"])
async def test_a_session_that_ends_ends_its_streams(
    client: Client, alice: Person, in_thread: InThread, settings: LazySettings, how: str
) -> None:
    def end() -> None:
        if how == "signed out":
            Session.objects.all().delete()
        else:
            fields = {"is_active": False} if how == "deactivated" else {"password": "!another"}
            type(alice.user).objects.filter(pk=alice.user.pk).update(**fields)

    settings.STREAM_RECHECK_SECONDS = 0.05
    cookie = f"sessionid={await in_thread(_sign_in, alice)}"
    stream = await client.open(TAIL, Cookie=cookie)
    await stream.frames(1)
    await in_thread(end)
    await stream.frames()
    assert stream.ended


async def test_the_log_has_no_gap_when_a_writer_rolls_back(
    client: Client, alice: Person, log: list[Frame], in_thread: InThread
) -> None:
    def rolled_back() -> None:
        with transaction.atomic():
            services.record(actor=alice.actor, event="never", target="x")
            transaction.set_rollback(True)

    await in_thread(rolled_back)
    await in_thread(write, alice)
    got = await (await client.open(f"{TAIL}?once=1", alice.access_token)).frames()
    assert [frame.id for frame in got] == list(range(1, len(log) + 2))
