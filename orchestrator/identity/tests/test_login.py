import pytest
from django.contrib.auth.hashers import Argon2PasswordHasher
from django.test import Client

from conftest import PASSWORD, Person, make_person
from orchestrator.identity import services
from orchestrator.identity.models import Role


def log_in(email: str, password: str = PASSWORD, address: str = "127.0.0.1", **more: str):  # type: ignore[no-untyped-def]
    body = {"email": email, "password": password, **more}
    return Client(REMOTE_ADDR=address).post("/auth/login", body, content_type="application/json")


@pytest.mark.parametrize("path", ["/auth/login", "/auth/login/", "/api/v1/auth/login"])
def test_login_answers_a_token_that_works(alice: Person, path: str) -> None:
    body = {"email": "ALICE@example.com ", "password": PASSWORD}
    answer = Client().post(path, body, content_type="application/json")
    assert answer.status_code == 200
    assert answer["Cache-Control"] == "no-store"
    found = answer.json()
    assert set(found) == {"access_token", "token_type", "expires_in", "refresh_token"}
    assert (found["token_type"], found["expires_in"]) == ("bearer", 3600)
    me = Client(headers={"Authorization": f"Bearer {found['access_token']}"}).get("/auth/me")
    assert me.json()["user"]["email"] == "alice@example.com"


def test_wrong_address_and_wrong_password_are_told_apart_by_nothing(alice: Person) -> None:
    nobody, wrong = log_in("nobody@example.com"), log_in("alice@example.com", "wrong")
    assert nobody.status_code == wrong.status_code == 401
    assert nobody["WWW-Authenticate"] == wrong["WWW-Authenticate"] == "Bearer"
    assert {**nobody.json(), "request_id": ""} == {**wrong.json(), "request_id": ""}


def test_a_wrong_address_costs_one_hash_like_a_wrong_password(alice: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    hashed: list[str] = []
    encode, verify = Argon2PasswordHasher.encode, Argon2PasswordHasher.verify
    monkeypatch.setattr(Argon2PasswordHasher, "encode", lambda *a: hashed.append("encode") or encode(*a))
    monkeypatch.setattr(Argon2PasswordHasher, "verify", lambda *a: hashed.append("verify") or verify(*a))
    log_in("nobody@example.com")
    assert len(hashed) == 1
    log_in("alice@example.com", "wrong")
    assert len(hashed) == 2


def test_the_deactivated_cannot_sign_in(alice: Person) -> None:
    alice.user.is_active = False
    alice.user.save()
    assert log_in("alice@example.com").status_code == 401


def test_organization_chooses_by_slug_or_id_and_only_among_ones_own(alice: Person, mallory: Person) -> None:
    services.add_member(actor=alice.actor, email=mallory.user.email, role=Role.VIEWER)
    for name in ("org-of-alice", str(alice.org.id)):
        token = log_in("mallory@example.com", organization=name).json()["access_token"]
        me = Client(headers={"Authorization": f"Bearer {token}"}).get("/auth/me").json()
        assert (me["organization"]["slug"], me["role"]) == ("org-of-alice", "viewer")
    make_person("dave")
    assert log_in("dave@example.com", organization="org-of-alice").status_code == 401


@pytest.mark.parametrize("body", [{}, {"email": "a@b.c"}, {"email": "a@b.c", "password": "x", "admin": True}, []])
def test_a_faulty_body_is_422(db: None, body: object) -> None:
    answer = Client().post("/auth/login", body, content_type="application/json")
    assert (answer.status_code, answer.json()["type"]) == (422, "validation_error")


def test_a_stale_token_does_not_stand_in_the_way(alice: Person) -> None:
    client = Client(headers={"Authorization": "Bearer stale"})
    body = {"email": "alice@example.com", "password": PASSWORD}
    assert client.post("/auth/login", body, content_type="application/json").status_code == 200


@pytest.mark.usefixtures("still")
def test_tries_are_limited_per_account_from_any_address_in_any_spelling(alice: Person, settings) -> None:  # type: ignore[no-untyped-def]
    settings.RATE_LIMIT_LOGIN = "5/h"
    spellings = (
        "alice@example.com",
        "ALICE@example.com",
        " alice@example.com",
        "Alice@Example.com",
        "alice@EXAMPLE.com",
    )
    tries = [log_in(name, "wrong", address=f"10.0.0.{n}").status_code for n, name in enumerate(spellings)]
    assert tries == [401] * 5
    limited = log_in("alice@example.com", address="10.0.0.9")
    assert (limited.status_code, limited.json()["type"]) == (429, "rate_limited")
    assert 1 <= int(limited["Retry-After"]) <= 3600
    assert log_in("nobody@example.com", address="10.0.0.9").status_code == 401


@pytest.mark.usefixtures("still")
def test_tries_are_limited_per_address_over_all_accounts(alice: Person, settings) -> None:  # type: ignore[no-untyped-def]
    settings.RATE_LIMIT_LOGIN = "5/h"
    assert [log_in(f"x{n}@example.com").status_code for n in range(6)] == [401] * 5 + [429]
    assert log_in("alice@example.com", address="10.1.1.1").status_code == 200
