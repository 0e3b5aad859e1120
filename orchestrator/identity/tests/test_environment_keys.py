import pytest
from django.test import Client

from conftest import Person
from orchestrator.identity import services

KEYS = ["a-key-from-the-environment", "another-key-from-the-environment"]


@pytest.fixture(autouse=True)
def _keys(settings) -> None:  # type: ignore[no-untyped-def]
    settings.API_KEYS = KEYS
    settings.PUBLIC_ORG = ""


def me(key: str):  # type: ignore[no-untyped-def]
    return Client(headers={"X-API-Key": key}).get("/auth/me")


def test_they_act_in_the_oldest_org_or_the_public_one(alice: Person, mallory: Person, settings) -> None:  # type: ignore[no-untyped-def]
    assert me(KEYS[0]).json()["organization"]["slug"] == "org-of-alice"
    settings.PUBLIC_ORG = "org-of-mallory"
    assert me(KEYS[1]).json()["organization"]["slug"] == "org-of-mallory"


def test_each_has_a_name_of_its_own_and_everything_but_admin(alice: Person) -> None:
    first, second = (me(key).json() for key in KEYS)
    assert first["actor"] != second["actor"]
    assert first["actor"] == me(KEYS[0]).json()["actor"]
    assert first["scopes"] == ["jobs", "read", "write"]
    assert KEYS[0] not in str(first)


@pytest.mark.parametrize(
    "key", ["", "x", KEYS[0][:-1], KEYS[0] + "x", ",".join(KEYS), "a\u00e9", "ork_\x00" + "x" * 40]
)
def test_another_key_is_401(alice: Person, key: str) -> None:
    assert me(key).status_code == 401


def test_without_any_org_there_is_nowhere_to_act(db: None) -> None:
    assert me(KEYS[0]).status_code == 401


def test_a_key_made_here_is_not_shadowed(alice: Person) -> None:
    _, secret = services.create_api_key(actor=alice.actor, name="k", scopes=["read"])
    assert me(secret).json()["scopes"] == ["read"]
    assert me(secret[:12] + "x" * 35).status_code == 401, "the prefix alone opens nothing"
