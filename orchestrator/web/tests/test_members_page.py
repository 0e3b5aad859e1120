"""/dashboard/settings/members: who sees them, who changes them."""

from typing import Any

import pytest
from django.test import Client

from conftest import make_person
from orchestrator.identity.models import Membership, Role
from orchestrator.web.tests.browser import faults, queries, sign_in

MEMBERS = "/dashboard/settings/members"
NEW = {"email": "new@example.com", "role": "member", "name": "New", "password": "a long enough password"}


def of(person: Any) -> Membership:
    return Membership.objects.get(org=person.org, user=person.user)


def page_at(client: Client, path: str) -> str:
    answer = client.get(path)
    html: str = answer.content.decode()
    assert answer.status_code == 200, html
    assert faults(html) == []
    return html


def test_settings_lead_to_the_members(alice: Any) -> None:
    assert sign_in(alice).get("/dashboard/settings")["Location"] == MEMBERS


def test_everybody_sees_who_there_is_and_nobody_of_another_org(alice: Any, carol: Any, mallory: Any) -> None:
    page = page_at(sign_in(carol), MEMBERS)
    assert "alice@example.com" in page
    assert "mallory@example.com" not in page


def test_only_administrators_see_what_changes_somebody(alice: Any, bob: Any) -> None:
    assert "Add the member" in page_at(sign_in(alice), MEMBERS)
    page = page_at(sign_in(bob), MEMBERS) + page_at(sign_in(bob), f"{MEMBERS}/{of(alice).pk}")
    assert "Add the member" not in page
    assert "Give this role" not in page
    assert "API keys" not in page.partition("<main")[2].partition("</nav>")[0]  # the tab


@pytest.mark.parametrize("path", ["", "/{}", "/{}/remove"])
def test_members_are_refused_to_change_anybody(alice: Any, bob: Any, path: str) -> None:
    answer = sign_in(bob).post(MEMBERS + path.format(of(bob).pk), {**NEW, "role": "admin"})
    assert answer.status_code == 403
    assert of(bob).role == Role.MEMBER
    assert Membership.objects.filter(org=alice.org).count() == 2


def test_somebody_new_is_added(alice: Any) -> None:
    page = sign_in(alice).post(MEMBERS, NEW, follow=True).content.decode()
    assert "new@example.com is a member now" in page
    assert Membership.objects.get(org=alice.org, user__email="new@example.com").role == Role.MEMBER


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"password": ""}, "give a first password"),
        ({"password": "123"}, "too short"),
        ({"email": "alice@example.com"}, "a member already"),
        ({"email": "nonsense"}, "valid email"),
        ({"role": "king"}, "Select a valid choice"),
    ],
)
def test_what_is_wrong_is_said_at_the_form(alice: Any, change: dict[str, str], told: str) -> None:
    answer = sign_in(alice).post(MEMBERS, {**NEW, **change})
    assert answer.status_code == 422
    assert told in answer.content.decode()
    assert faults(answer.content.decode()) == []


def test_a_role_is_changed(alice: Any, bob: Any) -> None:
    answer = sign_in(alice).post(f"{MEMBERS}/{of(bob).pk}", {"role": "viewer"}, follow=True)
    assert "bob@example.com is viewer now" in answer.content.decode()
    assert of(bob).role == Role.VIEWER


def test_the_last_owner_stays(alice: Any) -> None:
    client = sign_in(alice)
    answer = client.post(f"{MEMBERS}/{of(alice).pk}", {"role": "viewer"})
    assert answer.status_code == 422
    assert "at least one owner" in answer.content.decode()
    removed = client.post(f"{MEMBERS}/{of(alice).pk}/remove", follow=True).content.decode()
    assert "at least one owner" in removed
    assert of(alice).role == Role.OWNER


def test_administrators_make_no_owners_and_touch_none(alice: Any) -> None:
    dave = make_person("dave", alice.org, Role.ADMIN)
    client = sign_in(dave)
    assert "owner" not in [value for value, _ in client.get(MEMBERS).context["form"].fields["role"].choices]
    assert client.post(MEMBERS, {**NEW, "role": "owner"}).status_code == 422
    assert "Only an owner can change an owner" in page_at(client, f"{MEMBERS}/{of(alice).pk}")
    client.post(f"{MEMBERS}/{of(alice).pk}/remove")
    assert of(alice).role == Role.OWNER


def test_a_member_is_removed(alice: Any, bob: Any) -> None:
    page = sign_in(alice).post(f"{MEMBERS}/{of(bob).pk}/remove", follow=True).content.decode()
    assert "no member any more" in page
    assert not Membership.objects.filter(org=alice.org, user=bob.user).exists()


@pytest.mark.parametrize("path", ["", "/remove"])
def test_another_orgs_member_is_not_there(alice: Any, mallory: Any, path: str) -> None:
    client = sign_in(alice)
    call = client.post if path else client.get
    assert call(f"{MEMBERS}/{of(mallory).pk}{path}").status_code == 404
    assert call(f"{MEMBERS}/nonsense{path}").status_code == 404


def test_the_queries_do_not_grow_with_the_members(alice: Any) -> None:
    client = sign_in(alice)
    few = queries(lambda: client.get(MEMBERS))
    for number in range(5):
        make_person(f"p{number}", alice.org, Role.MEMBER)
    assert queries(lambda: client.get(MEMBERS)) == few
