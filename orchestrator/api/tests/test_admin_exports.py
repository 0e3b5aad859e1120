"""Exports: streamed, safe in a spreadsheet, without secrets."""

import asyncio
import csv
import io
import json
import threading
from typing import Any

import pytest
from django.test import Client

from conftest import Person
from orchestrator.api.admin import changelist, exports
from orchestrator.events import services as events
from orchestrator.events.models import Event
from orchestrator.identity import services
from orchestrator.identity.models import User

pytestmark = pytest.mark.django_db(transaction=True)


async def read(answer: Any) -> str:
    return b"".join([piece async for piece in answer.streaming_content]).decode()


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def append(person: Person, *names: str) -> None:
    for name in names:
        events.append(actor=person.actor, event=name, target="t", details={"n": 1})


@pytest.fixture
def staff(alice: Person) -> Client:
    User.objects.filter(pk=alice.user.pk).update(is_staff=True, is_superuser=True)
    client = Client()
    client.force_login(alice.user)
    return client


def exported(client: Client, path: str) -> str:
    return exports_of(client.get(path))


def exports_of(answer: Any) -> str:
    return asyncio.run(read(answer))


def test_all_that_match_in_either_form(alice: Person, mallory: Person, staff: Client) -> None:
    append(alice, "one", "two")
    append(mallory, "theirs")
    path = f"/admin/events/event/export/{{}}/?org={alice.org.slug}"
    found = rows(exported(staff, path.format("csv")))
    assert {"one", "two"} <= {row["event"] for row in found}
    assert "theirs" not in {row["event"] for row in found}
    lines = [json.loads(line) for line in exported(staff, path.format("jsonl")).splitlines()]
    assert {line["event"] for line in lines} == {row["event"] for row in found}
    assert next(line for line in lines if line["event"] == "one")["details"] == {"n": 1}


def test_it_is_not_bounded_as_the_page_is(alice: Person, staff: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MOST", "WINDOW"):
        monkeypatch.setattr(changelist, name, 1)
    monkeypatch.setattr(exports, "CHUNK", 2)
    append(alice, *(f"many_{number}" for number in range(5)))
    assert len(rows(exported(staff, "/admin/events/event/export/csv/?q=many"))) == 5


def test_the_selected_ones(alice: Person, staff: Client) -> None:
    append(alice, "one", "two")
    one = Event.objects.get(event="one")
    body = {"action": "export_csv", "_selected_action": [str(one.pk)]}
    assert [row["event"] for row in rows(exports_of(staff.post("/admin/events/event/", body)))] == ["one"]


def test_a_formula_is_text(alice: Person, staff: Client) -> None:
    append(alice, "=1+1", "+1", "-1", "@x")
    found = {row["event"] for row in rows(exported(staff, "/admin/events/event/export/csv/"))}
    assert {"'=1+1", "'+1", "'-1", "'@x"} <= found


def test_no_secret_leaves(alice: Person, staff: Client) -> None:
    key, _ = services.create_api_key(actor=alice.actor, name="k", scopes=["read"])
    assert key.hashed_secret not in exported(staff, "/admin/identity/apikey/export/csv/")
    users = exported(staff, "/admin/identity/user/export/jsonl/")
    assert alice.user.email in users
    assert alice.user.password not in users


def test_who_leaves_early_leaves_no_cursor_behind(alice: Person, staff: Client, monkeypatch: Any) -> None:
    end, ended = exports._end, threading.Event()
    monkeypatch.setattr(exports, "_end", lambda pieces: (end(pieces), ended.set()))
    answer: Any = staff.get("/admin/events/event/export/csv/")

    async def leave() -> None:
        stream = answer.streaming_content
        await anext(stream)
        await stream.aclose()

    asyncio.run(leave())
    assert ended.wait(10)
