from collections.abc import Callable

import pytest
from django.test import Client

from conftest import Person
from orchestrator.identity import services
from orchestrator.identity.actors import SCOPES


def test_a_person_sees_themselves_where_they_are_and_where_else_they_could_be(alice: Person, mallory: Person) -> None:
    services.add_member(actor=mallory.actor, email=alice.user.email, role="viewer")
    me = alice.client.get("/auth/me").json()
    assert me["actor"] == f"user:{alice.user.id}"
    assert me["user"] == {"id": str(alice.user.id), "email": "alice@example.com", "name": "Alice"}
    assert me["api_key"] is None
    assert (me["organization"]["slug"], me["role"], me["scopes"]) == ("org-of-alice", "owner", sorted(SCOPES))
    assert {(org["slug"], org["role"]) for org in me["organizations"]} == {
        ("org-of-alice", "owner"),
        ("org-of-mallory", "viewer"),
    }


def test_an_api_key_sees_itself_whatever_its_scopes(api_client: Callable[..., Client]) -> None:
    me = api_client("jobs").get("/api/v1/auth/me").json()
    assert me["user"] is None
    assert (me["api_key"]["name"], me["scopes"], me["role"]) == ("test", ["jobs"], "")
    assert "secret" not in str(me)
    assert [org["slug"] for org in me["organizations"]] == ["org-of-alice"]


def test_it_has_an_etag(alice: Person) -> None:
    first = alice.client.get("/auth/me")
    again = alice.client.get("/auth/me", headers={"If-None-Match": first["ETag"]})
    assert (again.status_code, again["ETag"], again.content) == (304, first["ETag"], b"")
    services.rename_organization(actor=alice.actor, slug="renamed", name="Renamed")
    assert alice.client.get("/auth/me", headers={"If-None-Match": first["ETag"]}).status_code == 200


@pytest.mark.parametrize(
    "headers", [{}, {"Authorization": "Bearer x"}, {"X-API-Key": "x"}, {"Authorization": "Basic x"}]
)
def test_missing_and_wrong_credentials_get_the_same_401(db: None, headers: dict[str, str]) -> None:
    answer = Client(headers=headers).get("/auth/me")
    assert (answer.status_code, answer["WWW-Authenticate"]) == (401, "Bearer")
    assert answer.json()["message"] == "Missing or invalid credentials."


def test_the_number_of_queries_does_not_grow(alice: Person, django_assert_num_queries) -> None:  # type: ignore[no-untyped-def]
    for n in range(5):
        services.create_organization(slug=f"org-{n}", name="x", owner=alice.user)
    with django_assert_num_queries(2):
        alice.client.get("/auth/me")
