from collections.abc import Callable

import pytest
from django.test import Client

from conftest import Person
from orchestrator.identity import services
from orchestrator.identity.models import Membership, Organization

PATH = "/api/v1/organizations"


def found(client: Client, **body: object):  # type: ignore[no-untyped-def]
    return client.post(PATH, body, content_type="application/json")


def test_founding_one_makes_its_founder_the_owner(alice: Person) -> None:
    made = found(alice.client, name="Second Ltd", slug="second")
    assert made.status_code == 201
    assert {"slug": "second", "name": "Second Ltd", "role": "owner"}.items() <= made.json().items()
    assert alice.client.get(made["Location"])["ETag"] == made["ETag"]
    assert [org["slug"] for org in alice.client.get(PATH).json()["items"]] == ["second", "org-of-alice"]
    assert found(alice.client, name="Again", slug="second").status_code == 409
    assert found(alice.client, name="Änother One").json()["slug"] == "another-one"


@pytest.mark.parametrize("slug", ["", "-a", "a b", "A", "a" * 65, "12345678-1234-1234-1234-123456789012"])
def test_slugs_that_are_none_or_look_like_an_id_are_422(alice: Person, slug: str) -> None:
    answer = found(alice.client, name="x", slug=slug)
    assert (answer.status_code, list(answer.json()["details"])) == (422, ["slug"])


def test_the_operators_public_org_is_not_for_the_first_comer(alice: Person, settings) -> None:  # type: ignore[no-untyped-def]
    settings.PUBLIC_ORG = "default"
    assert found(alice.client, name="Default").status_code == 409
    assert not Organization.objects.filter(slug="default").exists()


def test_machines_and_viewers_found_none(carol: Person, api_client: Callable[..., Client]) -> None:
    assert found(api_client("write"), name="x").status_code == 403
    assert found(carol.client, name="x").status_code == 403


def test_one_sees_ones_own(alice: Person, mallory: Person, api_client: Callable[..., Client]) -> None:
    assert mallory.client.get(f"{PATH}/{alice.org.id}").status_code == 404
    assert mallory.client.get(f"{PATH}/x").status_code == 404
    assert [org["slug"] for org in mallory.client.get(PATH).json()["items"]] == ["org-of-mallory"]
    key = api_client("read")
    assert [(org["slug"], org["role"]) for org in key.get(PATH).json()["items"]] == [("org-of-alice", "")]
    assert key.get(f"{PATH}/{alice.org.id}").status_code == 200
    assert key.get(f"{PATH}/{mallory.org.id}").status_code == 404


def test_the_list_follows_changes_in_any_of_them(alice: Person, mallory: Person, django_assert_num_queries) -> None:  # type: ignore[no-untyped-def]
    def changed(etag: str) -> str:
        answer = alice.client.get(PATH, headers={"If-None-Match": etag})
        assert answer.status_code == 200
        return str(answer["ETag"])

    etag = changed('"none"')
    with django_assert_num_queries(2):
        assert alice.client.get(PATH, headers={"If-None-Match": etag}).status_code == 304
    member = services.add_member(actor=mallory.actor, email=alice.user.email, role="viewer")
    etag = changed(etag)
    services.change_role(actor=mallory.actor, member_id=member.id, role="admin")
    etag = changed(etag)
    services.rename_organization(actor=mallory.actor, slug="renamed", name="Renamed")
    etag = changed(etag)
    services.remove_member(actor=mallory.actor, member_id=member.id)
    changed(etag)
    assert Membership.objects.filter(user=alice.user).count() == 1
