"""The browser's session cookie on API routes: it needs the CSRF token to write (CONTRACT §2)."""

import pytest
from django.test import Client

from conftest import Person
from orchestrator.identity import services
from orchestrator.identity.models import Membership
from orchestrator.identity.resolver import SESSION_ORG

EVENT = {"event": "x", "target": "y"}


@pytest.fixture
def browser(alice: Person) -> Client:
    client = Client(enforce_csrf_checks=True)
    client.force_login(alice.user)
    return client


def post(client: Client, **headers: str):  # type: ignore[no-untyped-def]
    return client.post("/api/v1/events", EVENT, content_type="application/json", headers=headers)


def test_reading_needs_no_token_writing_does(browser: Client) -> None:
    assert browser.get("/api/v1/events").status_code == 200
    refused = post(browser)
    assert (refused.status_code, refused.json()["type"]) == (403, "permission_denied")
    browser.get("/api/v1/events", headers={"Accept": "text/html"})
    token = browser.cookies["csrftoken"].value
    assert post(browser, **{"X-CSRFToken": token}).status_code == 201
    assert post(browser, **{"X-CSRFToken": "x" * 32}).status_code == 403
    foreign = post(browser, **{"X-CSRFToken": token, "Origin": "https://evil.example"})
    assert foreign.status_code == 403


def test_a_bearer_token_needs_none_even_beside_a_cookie(browser: Client, alice: Person) -> None:
    assert post(browser, Authorization=f"Bearer {alice.access_token}").status_code == 201


def test_a_bad_header_is_not_saved_by_a_good_cookie(browser: Client) -> None:
    assert browser.get("/auth/me", headers={"Authorization": "Bearer x"}).status_code == 401


def test_the_session_acts_in_the_chosen_org_as_long_as_one_is_in_it(
    alice: Person, mallory: Person, browser: Client
) -> None:
    member = services.add_member(actor=mallory.actor, email=alice.user.email, role="viewer")
    session = browser.session
    session[SESSION_ORG] = str(mallory.org.id)
    session.save()
    assert browser.get("/auth/me").json()["organization"]["slug"] == "org-of-mallory"
    services.remove_member(actor=mallory.actor, member_id=member.id)
    assert browser.get("/auth/me").json()["organization"]["slug"] == "org-of-alice"
    Membership.objects.filter(user=alice.user).delete()
    assert browser.get("/auth/me").status_code == 401


def test_a_deactivated_user_has_no_session(alice: Person, browser: Client) -> None:
    alice.user.is_active = False
    alice.user.save()
    assert browser.get("/auth/me").status_code == 401
