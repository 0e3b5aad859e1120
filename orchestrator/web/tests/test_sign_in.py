"""/login and /logout: the session, its org, and who does not get one."""

import re
from typing import Any

import pytest
from django.contrib.messages import get_messages
from django.test import Client

from conftest import PASSWORD, make_person
from orchestrator.identity.models import Membership
from orchestrator.identity.resolver import SESSION_ORG
from orchestrator.web.tests.browser import faults, queries, sign_in

WRONG = "do not go together"


def submit(client: Client, email: str, password: str = PASSWORD, **more: str) -> Any:
    return client.post("/login", {"email": email, "password": password, **more})


def test_signing_in_leads_to_the_dashboard_with_the_org_in_the_session(alice: Any) -> None:
    client = Client()
    answer = submit(client, "alice@example.com")
    assert (answer.status_code, answer["Location"]) == (302, "/dashboard")
    assert client.session[SESSION_ORG] == str(alice.org.id)
    page = client.get("/dashboard").content.decode()
    assert "Org of alice" in page
    assert "Alice" in page


def test_an_address_is_taken_in_any_case_and_with_spaces_around(alice: Any) -> None:
    assert submit(Client(), " Alice@Example.COM ").status_code == 302


def test_signing_in_gives_the_session_a_new_key(alice: Any) -> None:
    client = Client()
    client.session.save()
    session = client.session
    session["planted"] = True
    session.save()
    before = client.session.session_key
    submit(client, "alice@example.com")
    assert client.session.session_key not in (None, before)


@pytest.mark.parametrize(
    ("email", "password"),
    [("alice@example.com", "wrong"), ("nobody@example.com", PASSWORD), ("alice@example.com", " ")],
)
def test_a_wrong_address_and_a_wrong_password_look_the_same(alice: Any, email: str, password: str) -> None:
    client = Client()
    answer = submit(client, email, password)
    assert answer.status_code == 422
    assert WRONG in answer.content.decode()
    assert faults(answer.content.decode()) == []
    assert "_auth_user_id" not in client.session


def test_the_typed_address_stays_and_the_password_does_not(alice: Any) -> None:
    page = submit(Client(), "alice@example.com", "my-secret-guess").content.decode()
    assert 'value="alice@example.com"' in page
    assert "my-secret-guess" not in page


@pytest.mark.parametrize(
    "data",
    [{}, {"email": "no address", "password": "x"}, {"email": "a@example.com\x00", "password": "x"},
     {"email": "a@example.com", "password": "\x00"}, {"email": "a@example.com", "password": "x" * 2000}],
)  # fmt: skip
def test_nonsense_is_refused_at_the_field(db: Any, data: dict[str, str]) -> None:
    answer = Client().post("/login", data)
    assert answer.status_code == 422
    assert 'aria-invalid="true"' in answer.content.decode()
    assert faults(answer.content.decode()) == []


def test_the_deactivated_and_members_of_nothing_stay_outside(alice: Any, mallory: Any) -> None:
    alice.user.is_active = False
    alice.user.save()
    Membership.objects.filter(user=mallory.user).delete()
    assert WRONG in submit(Client(), "alice@example.com").content.decode()
    assert WRONG in submit(Client(), "mallory@example.com").content.decode()


def test_somebody_removed_is_out_at_once(alice: Any, bob: Any) -> None:
    client = sign_in(bob)
    assert client.get("/dashboard").status_code == 200
    Membership.objects.filter(user=bob.user).delete()
    answer = client.get("/dashboard")
    assert (answer.status_code, answer["Location"]) == (302, "/login?next=%2Fdashboard")
    assert "_auth_user_id" not in client.session
    assert client.get("/login").status_code == 200  # and not sent in circles


@pytest.mark.usefixtures("still")
@pytest.mark.parametrize("limited", ["account", "address"])
def test_tries_are_limited_per_account_and_per_address(alice: Any, settings: Any, limited: str) -> None:
    settings.RATE_LIMIT_LOGIN = "2/m"
    for number in range(2):
        same_account = limited == "account"
        email = "alice@example.com" if same_account else f"somebody-{number}@example.com"
        answer = submit(Client(REMOTE_ADDR=f"192.0.2.{number if same_account else 9}"), email, "wrong")
        assert answer.status_code == 422
    answer = submit(Client(REMOTE_ADDR="192.0.2.9"), "alice@example.com")
    assert answer.status_code == 429
    assert re.search(rf"Try again in {answer['Retry-After']} seconds", answer.content.decode())
    assert faults(answer.content.decode()) == []


@pytest.mark.parametrize("door", ["GET", "POST"])
@pytest.mark.parametrize(
    ("wanted", "led_to"),
    [
        ("/dashboard/runs?status=failed", "/dashboard/runs?status=failed"),
        ("https://evil.example/", "/dashboard"),
        ("//evil.example/", "/dashboard"),
        ("/\\evil.example/", "/dashboard"),
        ("http:///evil.example/", "/dashboard"),
        ("javascript:alert(1)", "/dashboard"),
        ("dashboard/runs", "/dashboard"),
        ("", "/dashboard"),
    ],
)
def test_next_leads_only_to_this_site(alice: Any, door: str, wanted: str, led_to: str) -> None:
    if door == "GET":  # signed in already
        answer = sign_in(alice).get("/login", {"next": wanted})
    else:
        answer = submit(Client(), "alice@example.com", next=wanted)
    assert (answer.status_code, answer["Location"]) == (302, led_to)


def test_a_page_remembers_where_one_wanted_to_go(alice: Any) -> None:
    answer = Client().get("/dashboard/runs", {"status": "failed"})
    assert answer["Location"] == "/login?next=%2Fdashboard%2Fruns%3Fstatus%3Dfailed"
    assert 'value="/dashboard/runs?status=failed"' in Client().get(answer["Location"]).content.decode()


def test_the_development_account_is_shown_on_development_servers_alone(db: Any, settings: Any) -> None:
    assert settings.DEV_USER_EMAIL not in Client().get("/login").content.decode()
    settings.DEBUG = True
    page = Client().get("/login").content.decode()
    assert settings.DEV_USER_EMAIL in page
    assert faults(page) == []


def test_signing_out_ends_the_session_and_needs_a_post(alice: Any) -> None:
    client = sign_in(alice)
    key = client.session.session_key
    refused = client.get("/logout")
    assert (refused.status_code, refused["Allow"]) == (405, "POST")
    assert client.get("/dashboard").status_code == 200
    assert client.post("/logout")["Location"] == "/login"
    assert not client.session.exists(key)
    assert client.get("/dashboard").status_code == 302


def test_forms_need_their_token(alice: Any) -> None:
    client = sign_in(alice, enforce_csrf_checks=True)
    for path in ("/login", "/logout", "/dashboard/runs/new"):
        answer = client.post(path, {}, headers={"X-Request-ID": "a-request-to-quote"})
        assert answer.status_code == 403
        assert "a-request-to-quote" in answer.content.decode()
        assert faults(answer.content.decode()) == []


def test_a_bearer_token_opens_no_page(alice: Any) -> None:
    assert alice.client.get("/dashboard").status_code == 302


def test_the_session_keeps_its_org(alice: Any) -> None:
    other = make_person("zoe")
    Membership.objects.create(org=other.org, user=alice.user)
    client = sign_in(alice)
    session = client.session
    session[SESSION_ORG] = str(other.org.id)
    session.save()
    assert "Org of zoe" in client.get("/dashboard").content.decode()


def _in_two_orgs(alice: Any) -> tuple[Client, Membership, str]:
    """Alice in her own org, her membership of Zoe's, and the token of a form that she has open."""
    other = Membership.objects.create(org=make_person("zoe").org, user=alice.user)
    client = sign_in(alice, enforce_csrf_checks=True)
    session = client.session
    session[SESSION_ORG] = str(alice.org.id)
    session.save()
    return client, other, str(client.get("/dashboard/tasks/new").context["csrf_token"])


def test_a_form_of_the_organization_before_is_refused(alice: Any) -> None:
    client, other, token = _in_two_orgs(alice)
    client.post("/dashboard/organization", {"organization": str(other.org_id), "csrfmiddlewaretoken": token})
    task = {"title": "Meant for alice's org", "priority": "0", "max_attempts": "3"}
    refused = client.post("/dashboard/tasks/new", {**task, "csrfmiddlewaretoken": token})
    assert refused.status_code == 403
    assert "another organization" in refused.content.decode()
    fresh = str(client.get("/dashboard/tasks/new").context["csrf_token"])
    assert client.post("/dashboard/tasks/new", {**task, "csrfmiddlewaretoken": fresh}).status_code == 302


def test_who_was_removed_does_nothing_in_the_next_organization_by_mistake(alice: Any) -> None:
    client, _, token = _in_two_orgs(alice)
    Membership.objects.filter(org=alice.org, user=alice.user).delete()
    task = {"title": "Meant for alice's org", "priority": "0", "max_attempts": "3", "csrfmiddlewaretoken": token}
    refused = client.post("/dashboard/tasks/new", task)
    assert refused.status_code == 403
    assert "no member any more" in refused.content.decode()
    assert "Org of zoe" in client.get("/dashboard").content.decode()


def test_the_sign_in_page_asks_the_database_nothing(db: Any) -> None:
    assert queries(lambda: Client().get("/login")) == 0


def test_no_message_waits_after_signing_in(alice: Any) -> None:
    client = Client()
    answer = submit(client, "alice@example.com")
    assert list(get_messages(answer.wsgi_request)) == []
