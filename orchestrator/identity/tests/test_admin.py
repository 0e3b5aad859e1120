import pytest
from django.test import Client

from conftest import Person, make_person
from orchestrator.events.models import Event
from orchestrator.identity import services
from orchestrator.identity.models import ApiKey, Membership, Organization, User


@pytest.fixture
def operator(alice: Person) -> Client:
    User.objects.filter(pk=alice.user.pk).update(is_staff=True, is_superuser=True)
    client = Client()
    client.force_login(User.objects.get(pk=alice.user.pk))
    return client


@pytest.mark.parametrize(
    "page",
    ["user", "user/add", "organization", "organization/add", "membership", "membership/add", "apikey", "tokenfamily"],
)
def test_the_pages_open(operator: Client, page: str) -> None:
    assert operator.get(f"/admin/identity/{page}/").status_code == 200


def test_nobody_else_gets_in(bob: Person) -> None:
    client = Client()
    client.force_login(bob.user)
    assert client.get("/admin/identity/user/").status_code == 302


def test_no_secret_is_shown_and_revoking_is_an_event_with_a_name(operator: Client, alice: Person) -> None:
    key, secret = services.create_api_key(actor=alice.actor, name="k", scopes=["read"])
    page = operator.get(f"/admin/identity/apikey/{key.id}/change/").content.decode()
    assert key.prefix in page
    assert secret not in page
    assert key.hashed_secret not in page
    for _ in range(2):
        operator.post(
            "/admin/identity/apikey/", {"action": "revoke", "_selected_action": [str(key.id)], "confirmed": "yes"}
        )
    assert ApiKey.objects.get().revoked_at
    assert Event.objects.get(event="api_key_revoked").actor == f"user:{alice.user.id}"


def test_keys_sign_ins_and_the_log_are_read_only(operator: Client, alice: Person) -> None:
    key, _ = services.create_api_key(actor=alice.actor, name="k", scopes=["read"])
    event = Event.objects.first()
    assert event is not None
    for path in (f"identity/apikey/{key.id}", f"events/event/{event.id}"):
        assert operator.post(f"/admin/{path}/change/", {"name": "x"}).status_code == 403
        assert operator.post(f"/admin/{path}/delete/", {"post": "yes"}).status_code == 403
    for path in ("identity/apikey", "identity/tokenfamily", "events/event"):
        assert operator.get(f"/admin/{path}/add/").status_code == 403


def test_deactivating_somebody_is_an_event_in_each_of_their_orgs(operator: Client, alice: Person, bob: Person) -> None:
    form = {"email": bob.user.email, "name": "Bob", "is_active": ""}
    assert operator.post(f"/admin/identity/user/{bob.user.id}/change/", form).status_code == 302
    assert bob.client.get("/auth/me").status_code == 401
    assert Event.objects.get(event="member_updated").details == {"user_id": str(bob.user.id), "is_active": False}


def test_another_password_set_here_ends_the_sign_ins(operator: Client, bob: Person) -> None:
    form = {"password1": "another correct horse", "password2": "another correct horse", "usable_password": "true"}
    assert operator.post(f"/admin/identity/user/{bob.user.id}/password/", form).status_code == 302
    assert bob.client.get("/auth/me").status_code == 401


def test_somebody_new(operator: Client) -> None:
    form = {
        "email": "New@Example.com",
        "name": "",
        "usable_password": "true",
        "password1": "a long one 4 me",
        "password2": "a long one 4 me",
    }
    assert operator.post("/admin/identity/user/add/", form).status_code == 302
    assert User.objects.get(email="new@example.com").check_password("a long one 4 me")


def test_memberships_change_through_the_services(operator: Client, alice: Person, bob: Person) -> None:
    member = Membership.objects.get(user=bob.user)
    path = f"/admin/identity/membership/{member.id}"
    operator.post(f"{path}/change/", {"role": "viewer"})
    assert Event.objects.get(event="member_role_changed").details["role"] == "viewer"
    operator.post(f"{path}/delete/", {"post": "yes"})
    assert Event.objects.filter(event="member_removed").count() == 1
    dave = make_person("dave")
    operator.post("/admin/identity/membership/add/", {"user": dave.user.id, "org": alice.org.id, "role": "admin"})
    assert Membership.objects.get(user=dave.user, org=alice.org).role == "admin"


def test_what_a_service_refuses_is_a_message_and_changes_nothing(operator: Client, alice: Person) -> None:
    owner = Membership.objects.get(user=alice.user)
    answer = operator.post(f"/admin/identity/membership/{owner.id}/change/", {"role": "viewer"}, follow=True)
    assert "An organization needs at least one owner." in answer.content.decode()
    assert Membership.objects.get(user=alice.user).role == "owner"


def test_organizations_are_founded_and_renamed_and_never_deleted(operator: Client, alice: Person) -> None:
    operator.post("/admin/identity/organization/add/", {"name": "Second", "slug": "second"})
    second = Organization.objects.get(slug="second")
    assert Membership.objects.get(org=second).user == alice.user
    path = f"/admin/identity/organization/{second.id}"
    operator.post(f"{path}/change/", {"name": "Third", "slug": "third"})
    assert Event.objects.get(event="organization_renamed").details == {"name": "Third", "slug": "third"}
    assert operator.post(f"{path}/delete/", {"post": "yes"}).status_code == 403
