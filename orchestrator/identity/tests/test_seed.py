from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from conftest import Person
from orchestrator.events.models import Event
from orchestrator.identity.models import Organization, User
from versioning.models import Tag


def seed(*arguments: str) -> str:
    out = StringIO()
    call_command("seed", *arguments, stdout=out)
    return out.getvalue()


def log_in(password: str) -> int:
    body = {"email": "dev@example.com", "password": password}
    return Client().post("/auth/login", body, content_type="application/json").status_code


@pytest.fixture
def _debug(settings) -> None:  # type: ignore[no-untyped-def]
    settings.DEBUG = True


@pytest.mark.usefixtures("db", "_debug")
def test_it_makes_what_the_seeds_name_and_once_only() -> None:
    assert seed().startswith("Made organization default (00000000-0000-0000-0000-000000000001), owner dev@example.com")
    assert log_in("password") == 200
    user = User.objects.get()
    assert (str(user.id), user.is_staff) == ("00000000-0000-0000-0000-000000000002", True)
    assert [tag.name for tag in Tag.objects.live()] == ["agent-graph"]
    events = Event.objects.count()
    assert [line.split(":")[0] for line in seed().splitlines()] == ["There already", "There already, or deleted"]
    assert (Organization.objects.count(), User.objects.count(), Event.objects.count()) == (1, 1, events)


@pytest.mark.usefixtures("db", "_debug")
def test_another_password_is_said_and_not_set(settings) -> None:  # type: ignore[no-untyped-def]
    seed()
    settings.DEV_USER_PASSWORD = "quite another one"
    said = seed()
    assert "stays as it is" in said
    assert "quite another one" not in said
    assert (log_in("password"), log_in("quite another one")) == (200, 401)


@pytest.mark.usefixtures("db")
def test_outside_debug_it_needs_force_and_a_password_of_ones_own(settings) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(CommandError, match="--force"):
        seed()
    with pytest.raises(CommandError, match="DEV_USER_PASSWORD"):
        seed("--force")
    assert not User.objects.exists()
    settings.DEV_USER_PASSWORD = "one of our own"
    assert seed("--force").startswith("Made")
    assert not User.objects.get().is_staff


@pytest.mark.usefixtures("_debug")
def test_a_slug_that_is_taken_is_said_in_a_line(alice: Person) -> None:
    Organization.objects.update(slug="default")
    with pytest.raises(CommandError, match="'default' is taken"):
        seed()
