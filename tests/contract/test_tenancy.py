"""Another org's rows do not exist for you: 404 on every route and method, never 403, never a byte of theirs."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.test import Client

from conftest import Person
from tests.contract.conftest import MARK
from tests.contract.routes import METHODS, Route, every_route

WITH_IDS = [route for route in every_route() if route.parameters]
WITHOUT_IDS = [route for route in every_route() if not route.parameters and "get" in route.actions]
PathOf = Callable[[Route], str]


def visitor(person: Person, route: Route) -> Client:
    """Pages know people by their session."""
    if not route.is_page:
        return person.client
    client = Client()
    client.force_login(person.user)
    return client


def read(client: Client, route: Route, path: str) -> tuple[int, bytes]:
    """Status and body; of an endless stream, and of a page with its fresh CSRF token, the status alone."""
    response: Any = client.get(path)
    return response.status_code, b"" if response.streaming or route.is_page else response.content


# Numbers, names of nodes and words.
EVERYBODYS = ("seq", "number", "node", "decision", "form")


def whole(response: Any) -> str:
    """Its body, also where it is sent in parts while it is read."""

    async def read() -> bytes:
        return b"".join([part async for part in response.streaming_content])

    sent: bytes = async_to_sync(read)() if response.streaming else response.content
    return sent.decode()


def telling(estate: Mapping[str, str]) -> list[str]:
    """What only alice's rows have."""
    return [MARK, *(value for name, value in estate.items() if name not in EVERYBODYS)]


@pytest.mark.parametrize("route", WITH_IDS, ids=str)
def test_a_stranger_finds_nothing(route: Route, alice: Person, mallory: Person, path_of: PathOf) -> None:
    path, owner, stranger = path_of(route), visitor(alice, route), visitor(mallory, route)
    before = read(owner, route, path) if "get" in route.actions else None
    assert before is None or before[0] == 200, "The walk must knock on doors that exist."
    for method in (*METHODS, "head"):
        response = stranger.generic(
            method.upper(), path, b"{}", content_type="application/json", headers={"If-Match": "*"}
        )
        has_method = method in route.actions or (method == "head" and "get" in route.actions and not route.is_stream)
        assert response.status_code == 404 or (not has_method and response.status_code == 405), (
            method,
            response.content,
        )
        assert MARK.encode() not in response.content
    if before is not None:
        assert read(owner, route, path) == before


@pytest.mark.parametrize("route", WITH_IDS, ids=str)
def test_a_stranger_and_a_missing_row_get_the_same_answer(route: Route, mallory: Person, path_of: PathOf) -> None:
    nowhere = route.path(dict.fromkeys(route.parameters, "01900000-0000-7000-8000-000000000000"))
    client = visitor(mallory, route)
    for method in route.actions:
        theirs, missing = (
            client.generic(
                method.upper(), path, b"{}", content_type="application/json", headers={"X-Request-ID": "one"}
            )
            for path in (path_of(route), nowhere)
        )
        assert theirs.status_code == missing.status_code
        assert route.is_page or theirs.content == missing.content


@pytest.mark.parametrize("route", WITHOUT_IDS, ids=str)
def test_no_collection_shows_what_is_anothers(route: Route, estate: Mapping[str, str], mallory: Person) -> None:
    query = {"once": "1"} if route.is_stream else {}
    body = whole(visitor(mallory, route).get(route.template, query))
    assert not [text for text in telling(estate) if text in body]


@pytest.mark.parametrize("route", WITHOUT_IDS, ids=str)
def test_the_same_collections_do_show_it_to_their_own(route: Route, estate: Mapping[str, str], alice: Person) -> None:
    """The test above would pass on routes that show nothing at all."""
    if not route.is_list:
        pytest.skip("not a list")
    body = visitor(alice, route).get(route.template).content.decode()
    assert [text for text in telling(estate) if text in body]


def test_a_body_cannot_name_a_strangers_row(estate: Mapping[str, str], mallory: Person) -> None:
    body = {"title": "mine", "depends_on": [estate["task_id"]]}
    response = mallory.client.post("/api/v1/collab/tasks", body, content_type="application/json")
    assert response.status_code == 422
    assert MARK not in response.content.decode()


@pytest.mark.parametrize("route", WITH_IDS, ids=str)
def test_anonymous_callers_get_no_further(route: Route, client: Client, path_of: PathOf) -> None:
    for method in route.actions:
        response = client.generic(method.upper(), path_of(route), b"{}", content_type="application/json")
        assert response.status_code == 401 or (route.is_page and response.status_code == 302), response.content
        assert MARK.encode() not in response.content
