"""Fixtures for every test: alice owns, bob is on her team, mallory should see nothing; and their clients."""

import os
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import time_machine
from django.conf import settings
from django.core.cache import cache
from django.test import Client

from orchestrator.api import lists
from orchestrator.identity import services, tokens
from orchestrator.identity.actors import ROLE_SCOPES, Actor
from orchestrator.identity.models import Membership, Organization, Role, User


@pytest.fixture(scope="session")
def django_db_modify_db_settings(django_db_modify_db_settings_parallel_suffix: None) -> Iterator[None]:
    """SQLite tests use a file, as the product does: threads share it, and the write queue is the real one."""
    if not settings.ON_SQLITE:
        yield
        return
    with tempfile.TemporaryDirectory(prefix="orchestrator-tests-") as folder:
        settings.DATABASES["default"].setdefault("TEST", {})["NAME"] = str(Path(folder) / f"test-{os.getpid()}.db")
        yield


@pytest.fixture(autouse=True)
def _fresh_caches() -> None:
    cache.clear()
    lists.forget()


@dataclass(frozen=True)
class Person:
    """Somebody with a role in an org, and a client that carries their access token."""

    user: User
    org: Organization
    actor: Actor
    client: Client
    access_token: str
    refresh_token: str


PASSWORD = "correct horse battery"  # noqa: S105 - of people who exist only here


def make_person(name: str, org: Organization | None = None, role: str = Role.OWNER) -> Person:
    user = User(email=f"{name}@example.com", name=name.title())
    user.password = _hashed_password()
    user.save()
    if org is None:
        org = services.create_organization(slug=f"org-of-{name}", name=f"Org of {name}", owner=user)
    else:
        Membership.objects.create(org=org, user=user, role=role)
    pair = tokens.start_family(user=user, org_id=org.id)
    client = Client(headers={"Authorization": f"Bearer {pair.access_token}"})
    actor = Actor("user", user.id, org.id, ROLE_SCOPES[role], role)
    return Person(user, org, actor, client, pair.access_token, pair.refresh_token)


def _hashed_password() -> str:
    if not _hashes:
        maker = User()
        maker.set_password(PASSWORD)
        _hashes.append(maker.password)
    return _hashes[0]


_hashes: list[str] = []  # argon2 is slow on purpose: once a process is enough


@pytest.fixture
def alice(db: Any) -> Person:
    """Owns the org."""
    return make_person("alice")


@pytest.fixture
def bob(alice: Person) -> Person:
    """A member of alice's org."""
    return make_person("bob", alice.org, Role.MEMBER)


@pytest.fixture
def carol(alice: Person) -> Person:
    """A viewer in alice's org."""
    return make_person("carol", alice.org, Role.VIEWER)


@pytest.fixture
def mallory(db: Any) -> Person:
    """Owns another org and should see nothing of alice's."""
    return make_person("mallory")


@pytest.fixture
def operator(alice: Person) -> User:
    """Runs the server: a superuser, and a member of no org."""
    return User.objects.create_user("root@example.com", is_staff=True, is_superuser=True)


@pytest.fixture
def desk(operator: User) -> Client:
    """A browser in which the operator is signed in."""
    client = Client()
    client.force_login(operator)
    return client


@pytest.fixture
def still() -> Iterator[None]:
    """The clock stands still: a window in which calls are counted cannot end between two of them."""
    with time_machine.travel(datetime.now(UTC), tick=False):
        yield


@pytest.fixture
def noon() -> Iterator[time_machine.Traveller]:
    """The clock stands still at noon on New Year's Day of 2030, until it is moved."""
    with time_machine.travel("2030-01-01T12:00:00Z", tick=False) as traveller:
        yield traveller


@pytest.fixture
def api_client(alice: Person) -> Callable[..., Client]:
    """Makes clients that carry a new API key of alice's org."""

    def make(*scopes: str) -> Client:
        _, secret = services.create_api_key(actor=alice.actor, name="test", scopes=scopes or ("read", "write"))
        return Client(headers={"X-API-Key": secret})

    return make
