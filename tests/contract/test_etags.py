"""Conditional requests on every resource and list (RFC 9110 §8.8.3, §13.1)."""

import hashlib
import threading
from collections.abc import Callable
from typing import Any

import pytest
import rfc8785
from django.db import connection
from django.test import Client

from conftest import Person, make_person
from tests.contract.conftest import MARK
from tests.contract.routes import Route, api_calls, api_routes
from tests.contract.shape import assert_error

PathOf = Callable[[Route], str]

READABLE = [route for route in api_routes() if route.viewset is not None and "get" in route.actions]
# The resources whose writes need If-Match, by the parameter that names them.
GUARDED = {"task_id", "agent_id", "tag", "name"}
GUARDED_WRITES = [
    (route, method)
    for route, method in api_calls()
    if method in ("put", "patch", "delete") and route.parameters and route.parameters[-1] in GUARDED
]
TASK = b'{"title": "written"}'
AGENT = b'{"name": "written"}'
BODIES = {
    "task_id": {"put": TASK, "patch": TASK},
    "agent_id": {"put": AGENT, "patch": AGENT},
    "tag": {"put": f'{{"tag": "team/{MARK}~1"}}'.encode(), "patch": b'{"protected": true}'},
}
STALE = f'"{"0" * 64}"'


def send(client: Client, method: str, path: str, **headers: str) -> Any:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    bodies = BODIES["tag" if "/tags/" in path else "agent_id" if "/agents/" in path else "task_id"]
    return client.generic(method.upper(), path, bodies.get(method, b""), content_type="application/json", headers=named)


@pytest.mark.parametrize("route", READABLE, ids=str)
def test_a_tag_is_the_hash_of_the_body(route: Route, alice: Person, path_of: PathOf) -> None:
    response = alice.client.get(path_of(route))
    assert response.status_code == 200
    assert response["ETag"] == f'"{hashlib.sha256(response.content).hexdigest()}"'
    if not route.is_list and route.actions["get"] != "nodes":
        assert response.content == rfc8785.dumps(response.json()), "A resource's body is its canonical JSON."
    assert alice.client.get(path_of(route))["ETag"] == response["ETag"]


@pytest.mark.parametrize("route", READABLE, ids=str)
def test_a_known_tag_gets_a_304_without_a_body(route: Route, alice: Person, path_of: PathOf) -> None:
    path = path_of(route)
    full = alice.client.get(path)
    tag = full["ETag"]
    for sent in (tag, f"W/{tag}", f'"other", {tag}', f'W/"other",{tag} , "more"', "*", f'"a,b", W/{tag}'):
        response = alice.client.get(path, headers={"If-None-Match": sent})
        assert response.status_code == 304, sent
        assert response.content == b""
        for name in ("ETag", "Vary", "Cache-Control"):
            assert response[name] == full[name], (sent, name)
    for sent in (STALE, f'"{tag[1:-2]}"', tag.strip('"'), "", "garbage", f'"{tag[1:-1].upper()}"'):
        assert alice.client.get(path, headers={"If-None-Match": sent}).content == full.content, sent


@pytest.mark.parametrize(("route", "method"), GUARDED_WRITES, ids=str)
def test_a_write_needs_the_tag_that_its_writer_read(route: Route, method: str, alice: Person, path_of: PathOf) -> None:
    path = path_of(route)
    before = alice.client.get(path)
    assert_error(send(alice.client, method, path), 428, "precondition_required")
    for stale in (STALE, f"W/{before['ETag']}", "garbage", before["ETag"].strip('"'), f'{STALE}, "other"'):
        assert_error(send(alice.client, method, path, If_Match=stale), 412, "precondition_failed")
    assert alice.client.get(path).content == before.content
    written = send(alice.client, method, path, If_Match=f"{STALE}, {before['ETag']}")
    assert written.status_code in (200, 204), written.content
    again = send(alice.client, method, path, If_Match=before["ETag"])
    assert_error(again, *((404, "not_found") if method == "delete" else (412, "precondition_failed")))
    if method != "delete":
        assert written["ETag"] != before["ETag"]
        assert written.json()["version"] == before.json()["version"] + 1
        assert alice.client.get(path)["ETag"] == written["ETag"]


@pytest.mark.parametrize(("route", "method"), GUARDED_WRITES, ids=str)
def test_a_star_writes_over_whatever_is_there(route: Route, method: str, alice: Person, path_of: PathOf) -> None:
    assert send(alice.client, method, path_of(route), If_Match="*").status_code in (200, 204)


@pytest.mark.parametrize("route", [route for route in READABLE if route.is_list], ids=str)
def test_a_lists_tag_covers_its_query(route: Route, alice: Person, path_of: PathOf) -> None:
    """Two pages with equal tags would be one page to a cache."""
    path = path_of(route)
    whole = alice.client.get(path)
    one = alice.client.get(f"{path}?limit=1")
    assert (whole["ETag"] == one["ETag"]) == (whole.content == one.content)
    assert alice.client.get(f"{path}?limit=1", headers={"If-None-Match": one["ETag"]}).status_code == 304


def test_a_lists_tag_changes_with_every_write(alice: Person) -> None:
    tasks = "/api/v1/collab/state/tasks"
    tags = [alice.client.get(tasks)["ETag"]]
    made = alice.client.post("/api/v1/collab/tasks", {"title": "one"}, content_type="application/json")
    path = made["Location"]
    tags.append(alice.client.get(tasks)["ETag"])
    for method in ("put", "patch", "delete"):
        current = alice.client.get(path)["ETag"]
        assert send(alice.client, method, path, If_Match=current).status_code in (200, 204)
        tags.append(alice.client.get(tasks)["ETag"])
    assert len(set(tags[:4])) == 4
    assert tags[4] == tags[0], "The list is what it was before."


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("method", ["put", "patch", "delete"])
def test_of_twenty_racing_writers_one_wins(method: str) -> None:
    alice = make_person("alice")
    made = alice.client.post("/api/v1/collab/tasks", {"title": "one"}, content_type="application/json")
    start, statuses = threading.Barrier(20), []

    def write() -> None:
        client = Client(headers={"Authorization": f"Bearer {alice.access_token}"})
        start.wait()
        try:
            statuses.append(send(client, method, made["Location"], If_Match=made["ETag"]).status_code)
        finally:
            connection.close()

    writers = [threading.Thread(target=write) for _ in range(20)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    lost = {404, 412} if method == "delete" else {412}
    assert sorted(statuses)[0] in (200, 204)
    assert len(statuses) == 20
    assert set(sorted(statuses)[1:]) <= lost
    events = alice.client.get("/api/v1/events", {"target": f"task:{made.json()['id']}"}).json()["items"]
    assert len(events) == 2, "The making, and the one write that won."
