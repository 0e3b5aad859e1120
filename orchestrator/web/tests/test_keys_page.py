"""/dashboard/settings/keys: a secret is shown once, and only administrators come here."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from orchestrator.core import clock
from orchestrator.identity import services
from orchestrator.identity.models import ApiKey
from orchestrator.web.tests.browser import faults, queries, sign_in

KEYS = "/dashboard/settings/keys"
NEW = {"name": "deployer", "scopes": ["read", "write"], "lifetime": "30"}


def make(person: Any, name: str = "deployer") -> ApiKey:
    key, _ = services.create_api_key(actor=person.actor, name=name, scopes=("read",))
    return key


def test_a_key_is_made_and_its_secret_works_and_is_shown_once(alice: Any) -> None:
    client = sign_in(alice)
    answer = client.post(f"{KEYS}/new", NEW)
    page = answer.content.decode()
    secret = re.findall(r'value="(ork_[\w-]+)"', page)[0]
    assert answer.status_code == 200
    assert answer["Cache-Control"] == "no-store"
    assert faults(page) == []
    assert Client(headers={"X-API-Key": secret}).get("/auth/me").json()["scopes"] == ["read", "write"]
    key = ApiKey.objects.get()
    later = [
        client.get(path).content.decode() for path in (KEYS, f"{KEYS}/{key.pk}", "/dashboard", "/dashboard/events")
    ]
    assert not any(secret in each for each in later)
    assert secret not in str(dict(client.session))


def test_a_key_expires_when_its_maker_says(alice: Any, noon: Any) -> None:
    client = sign_in(alice)
    client.post(f"{KEYS}/new", NEW)
    client.post(f"{KEYS}/new", {**NEW, "lifetime": ""})
    assert [key.expires_at and key.expires_at - clock.now() for key in ApiKey.objects.order_by("id")] == [
        timedelta(days=30),
        None,
    ]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"name": ""}, "required"),
        ({"scopes": []}, "required"),
        ({"scopes": ["root"]}, "Select a valid choice"),
        ({"lifetime": "-1"}, "Select a valid choice"),
        ({"runtime_agent_id": "nonsense"}, "This is no id"),
        ({"runtime_agent_id": "01980a5c-1c2d-7e3f-8a9b-0c1d2e3f4a5b"}, "agent"),
    ],
)
def test_what_is_wrong_is_said_at_the_form(alice: Any, change: dict[str, Any], told: str) -> None:
    answer = sign_in(alice).post(f"{KEYS}/new", {**NEW, **change})
    page = answer.content.decode()
    assert answer.status_code == 422
    assert told in page.partition('class="errorlist"')[2]
    assert faults(page) == []
    assert not ApiKey.objects.exists()


def test_the_list_has_no_secrets_but_what_tells_keys_apart(alice: Any) -> None:
    key = make(alice)
    page = sign_in(alice).get(KEYS).content.decode()
    assert key.prefix in page
    assert "never used" in page
    assert faults(page) == []


def test_the_first_key_is_suggested(alice: Any) -> None:
    assert "Make the first one" in sign_in(alice).get(KEYS).content.decode()


def test_a_key_is_revoked_after_a_look_at_it(alice: Any) -> None:
    key = make(alice)
    client = sign_in(alice)
    page = client.get(f"{KEYS}/{key.pk}").content.decode()
    assert "Revoke deployer" in page
    assert faults(page) == []
    assert "is revoked" in client.post(f"{KEYS}/{key.pk}/revoke", follow=True).content.decode()
    key.refresh_from_db()
    assert key.revoked_at is not None
    assert "Revoke deployer" not in client.get(f"{KEYS}/{key.pk}").content.decode()


@pytest.mark.parametrize("path", ["", "/new", "/{}"])
def test_only_administrators_come_here(alice: Any, bob: Any, carol: Any, path: str) -> None:
    key = make(alice)
    for person in (bob, carol):
        assert sign_in(person).get(KEYS + path.format(key.pk)).status_code == 403
        assert sign_in(person).post(f"{KEYS}/{key.pk}/revoke").status_code == 403
        assert sign_in(person).post(f"{KEYS}/new", NEW).status_code == 403
    key.refresh_from_db()
    assert key.revoked_at is None


def test_another_orgs_key_is_not_there(alice: Any, mallory: Any) -> None:
    key = make(alice)
    client = sign_in(mallory)
    assert client.get(f"{KEYS}/{key.pk}").status_code == 404
    assert client.post(f"{KEYS}/{key.pk}/revoke").status_code == 404
    assert "deployer" not in client.get(KEYS).content.decode()


def test_events_of_keys_and_members_lead_to_their_pages(alice: Any) -> None:
    key = make(alice)
    assert f'href="{KEYS}/{key.pk}"' in sign_in(alice).get("/dashboard/events").content.decode()


def test_the_queries_do_not_grow_with_the_keys(alice: Any) -> None:
    client = sign_in(alice)
    make(alice)
    few = queries(lambda: client.get(KEYS))
    for _ in range(5):
        make(alice)
    assert queries(lambda: client.get(KEYS)) == few
