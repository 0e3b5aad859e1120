"""Seed 003's development credentials."""

import threading
import uuid

import pytest
from django.db import connections
from django.test import Client

from conftest import Person
from orchestrator.core.errors import NotAuthenticated
from orchestrator.identity import resolver
from orchestrator.identity.models import Membership, Organization, User

ORG, USER = "12345678-1234-1234-1234-123456789012", "87654321-4321-4321-4321-210987654321"


@pytest.fixture(autouse=True)
def _stub(settings) -> None:  # type: ignore[no-untyped-def]
    settings.STUB_AUTH = True


def me(token: str = ""):  # type: ignore[no-untyped-def]
    return Client(headers={"Authorization": f"Bearer {token}"} if token else {}).get("/auth/me")


def test_no_header_is_the_development_org_and_user(db: None) -> None:
    for _ in range(2):
        found = me().json()
        assert found["organization"]["id"] == "00000000-0000-0000-0000-000000000001"
        assert found["organization"]["slug"] == "default"
        assert (found["user"]["id"], found["user"]["email"]) == (
            "00000000-0000-0000-0000-000000000002",
            "dev@example.com",
        )
    assert Organization.objects.count() == User.objects.count() == 1


def test_org_and_user_are_taken_at_their_word_and_made(db: None) -> None:
    for _ in range(2):
        found = me(f"{ORG}:{USER}").json()
        assert (found["organization"]["id"], found["user"]["id"]) == (ORG, USER)
    assert Membership.objects.count() == 1


def test_a_jwt_still_works_and_a_bad_one_does_not(alice: Person) -> None:
    assert me(alice.access_token).json()["user"]["email"] == "alice@example.com"
    for bad in ("x", "a:b", f"{ORG}:", f":{USER}", f"{ORG}:{USER}:x", alice.access_token + "x"):
        assert me(bad).status_code == 401, bad


def test_the_deactivated_stay_out(db: None) -> None:
    me(f"{ORG}:{USER}")
    User.objects.filter(pk=USER).update(is_active=False)
    assert me(f"{ORG}:{USER}").status_code == 401


def test_without_the_setting_neither_form_works(db: None, settings) -> None:  # type: ignore[no-untyped-def]
    settings.STUB_AUTH = False
    assert [me().status_code, me(f"{ORG}:{USER}").status_code] == [401, 401]
    assert not Organization.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_many_first_requests_at_once_make_one_of_each() -> None:
    barrier, failed = threading.Barrier(4), []

    def first_request() -> None:
        barrier.wait()
        try:
            resolver.resolve(resolver.Credentials(authorization=f"Bearer {ORG}:{USER}"))
        except Exception as error:
            failed.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=first_request) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert [org.pk for org in Organization.objects.all()] == [uuid.UUID(ORG)]
    assert (User.objects.count(), Membership.objects.count()) == (1, 1)


def test_nothing_sent_and_no_stub_is_nobody(settings) -> None:  # type: ignore[no-untyped-def]
    settings.STUB_AUTH = False
    assert resolver.resolve(resolver.Credentials()) is None
    with pytest.raises(NotAuthenticated):
        resolver.resolve(resolver.Credentials(authorization="Bearer"))
