"""What is taken away stops working at once, not when the token expires (CONTRACT §2)."""

from datetime import timedelta

import time_machine
from django.test import Client

from conftest import Person
from orchestrator.core import clock
from orchestrator.identity import services
from orchestrator.identity.models import Membership


def refreshed(person: Person) -> int:
    body = {"refresh_token": person.refresh_token}
    return Client().post("/auth/refresh", body, content_type="application/json").status_code


def test_a_deactivated_user(bob: Person, alice: Person) -> None:
    bob.user.is_active = False
    services.save_user(by=alice.user, user=bob.user)
    assert (bob.client.get("/auth/me").status_code, refreshed(bob)) == (401, 401)


def test_a_removed_member(bob: Person, alice: Person) -> None:
    member = Membership.objects.get(user=bob.user, org=alice.org)
    assert alice.client.delete(f"/api/v1/members/{member.id}").status_code == 204
    assert (bob.client.get("/auth/me").status_code, refreshed(bob)) == (401, 401)
    services.add_member(actor=alice.actor, email=bob.user.email, role="viewer")
    assert bob.client.get("/auth/me").status_code == 401, "who comes back signs in again"


def test_another_password(bob: Person) -> None:
    bob.user.set_password("another correct horse")
    bob.user.save()
    assert (bob.client.get("/auth/me").status_code, refreshed(bob)) == (401, 401)


def test_a_lower_role(bob: Person, alice: Person) -> None:
    event = {"event": "x", "target": "y"}
    assert bob.client.post("/api/v1/events", event, content_type="application/json").status_code == 201
    member = Membership.objects.get(user=bob.user, org=alice.org)
    services.change_role(actor=alice.actor, member_id=member.id, role="viewer")
    assert bob.client.post("/api/v1/events", event, content_type="application/json").status_code == 403


def test_a_revoked_key(alice: Person) -> None:
    key, secret = services.create_api_key(actor=alice.actor, name="k", scopes=["read"])
    client = Client(headers={"X-API-Key": secret})
    assert client.get("/auth/me").status_code == 200
    services.revoke_api_key(actor=alice.actor, key_id=key.id)
    assert client.get("/auth/me").status_code == 401


def test_an_expired_key(alice: Person) -> None:
    until = clock.now() + timedelta(hours=1)
    _, secret = services.create_api_key(actor=alice.actor, name="k", scopes=["read"], expires_at=until)
    client = Client(headers={"X-API-Key": secret})
    assert client.get("/auth/me").status_code == 200
    with time_machine.travel(until + timedelta(seconds=1), tick=False):
        assert client.get("/auth/me").status_code == 401
