"""Acts: asked first where they cannot be taken back, done in the operator's name, and told row by row."""

from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client

from conftest import Person
from orchestrator.api.admin import acts
from orchestrator.identity import services
from orchestrator.identity.models import ApiKey, User

LIST = "/admin/identity/apikey/"


def keys(person: Person, count: int) -> list[str]:
    made = [services.create_api_key(actor=person.actor, name=f"key-{n}", scopes=["read"])[0] for n in range(count)]
    return [str(key.pk) for key in made]


def revoke(client: Client, ids: list[str], **said: Any) -> str:
    body = {"action": "revoke", "_selected_action": ids, **said}
    return client.post(LIST, body, follow=True).content.decode()


def test_it_asks_first_with_the_count(alice: Person, desk: Client) -> None:
    shown = revoke(desk, keys(alice, 2))
    assert "Revoke: 2 API keys?" in shown
    assert "key-0" in shown
    assert "stops working at once" in shown
    assert not ApiKey.objects.exclude(revoked_at=None).exists()


def test_each_row_is_told_and_kept_in_the_history(alice: Person, desk: Client, operator: User) -> None:
    shown = revoke(desk, keys(alice, 2), confirmed="yes")
    assert "Revoked: 2." in shown
    assert "key-0" in shown
    assert ApiKey.objects.filter(revoked_at=None).count() == 0
    assert set(LogEntry.objects.values_list("user_id", "change_message")) == {(operator.pk, "Revoked.")}


def test_one_call_does_so_many_and_says_so(alice: Person, desk: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(acts, "MOST_ACTED", 2)
    ids = keys(alice, 3)
    assert "these are the first 2" in revoke(desk, ids)
    assert "Only the first 2" in revoke(desk, ids, confirmed="yes")
    assert ApiKey.objects.filter(revoked_at=None).count() == 1


def test_it_ends_in_time(alice: Person, desk: Client, settings: Any) -> None:
    settings.REQUEST_TIMEOUT_SECONDS = -1
    assert "No time was left for 2" in revoke(desk, keys(alice, 2), confirmed="yes")
    assert ApiKey.objects.filter(revoked_at=None).count() == 2


def test_all_that_match_are_acted_on_as_they_were_counted(alice: Person, desk: Client) -> None:
    ids = keys(alice, 3)
    shown = revoke(desk, ids[:1], select_across="1")
    assert "Revoke: 3 API keys?" in shown
    assert all(f'value="{key}"' in shown for key in ids)
