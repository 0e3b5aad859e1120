import threading
from datetime import timedelta

import pytest
import time_machine
from django.db import connections
from django.test import Client

from conftest import Person, make_person
from orchestrator.core import clock
from orchestrator.core.errors import NotAuthenticated
from orchestrator.identity import tokens


def refresh(token: str):  # type: ignore[no-untyped-def]
    return Client().post("/auth/refresh", {"refresh_token": token}, content_type="application/json")


def works(token: str) -> bool:
    return Client(headers={"Authorization": f"Bearer {token}"}).get("/auth/me").status_code == 200


def test_a_refresh_token_buys_a_new_pair(alice: Person) -> None:
    answer = refresh(alice.refresh_token)
    assert answer.status_code == 200
    assert answer["Cache-Control"] == "no-store"
    found = answer.json()
    assert set(found) == {"access_token", "token_type", "expires_in", "refresh_token"}
    assert works(found["access_token"])
    assert refresh(found["refresh_token"]).status_code == 200


def test_a_spent_one_ends_the_whole_sign_in(alice: Person) -> None:
    newer = refresh(alice.refresh_token).json()
    assert refresh(alice.refresh_token).status_code == 401
    assert refresh(newer["refresh_token"]).status_code == 401
    assert not works(newer["access_token"])
    assert not works(alice.access_token)


def test_an_access_token_is_no_refresh_token_and_the_other_way_round(alice: Person) -> None:
    assert refresh(alice.access_token).status_code == 401
    assert not works(alice.refresh_token)


@pytest.mark.parametrize("token", ["x", "a.b.c", "\u00e9"])
def test_what_is_no_token_is_401(db: None, token: str) -> None:
    answer = refresh(token)
    assert (answer.status_code, answer["WWW-Authenticate"]) == (401, "Bearer")


def test_rotation_does_not_make_a_sign_in_last_for_ever(alice: Person) -> None:
    with time_machine.travel(clock.now() + timedelta(days=13), tick=False):
        late = refresh(alice.refresh_token)
        assert late.status_code == 200
    with time_machine.travel(clock.now() + timedelta(days=15), tick=False):
        assert refresh(late.json()["refresh_token"]).status_code == 401


def test_the_access_token_expires(alice: Person) -> None:
    with time_machine.travel(clock.now() + timedelta(minutes=59), tick=False):
        assert works(alice.access_token)
    with time_machine.travel(clock.now() + timedelta(minutes=61), tick=False):
        assert not works(alice.access_token)


@pytest.mark.django_db(transaction=True)
def test_of_two_at_once_at_most_one_wins_and_then_none_works() -> None:
    token, barrier = make_person("alice").refresh_token, threading.Barrier(2)
    won: list[str] = []

    def spend() -> None:
        barrier.wait()
        try:
            won.append(tokens.rotate(token).refresh_token)
        except NotAuthenticated:
            pass
        finally:
            connections.close_all()

    threads = [threading.Thread(target=spend) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1
    with pytest.raises(NotAuthenticated):
        tokens.rotate(won[0])
