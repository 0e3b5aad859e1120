import threading

import pytest
from django.db import connections

from conftest import Person, make_person
from orchestrator.core.errors import Conflict
from orchestrator.events.models import Event
from orchestrator.identity import services
from orchestrator.identity.models import Membership, Role

PATH = "/api/v1/members"
NEW = {"email": "New@example.com", "password": "a long first password"}


def add(person: Person, **body: object):  # type: ignore[no-untyped-def]
    return person.client.post(PATH, {**NEW, **body}, content_type="application/json")


def path_of(person: Person, seen_by: Person) -> str:
    return f"{PATH}/{Membership.objects.get(user=person.user, org=seen_by.org).id}"


def test_adding_somebody_new_and_somebody_known(alice: Person, mallory: Person) -> None:
    new = add(alice, role="viewer", name="New")
    assert new.status_code == 201
    assert {"email": "new@example.com", "name": "New", "role": "viewer"}.items() <= new.json().items()
    assert "password" not in new.content.decode()
    assert alice.client.get(new["Location"])["ETag"] == new["ETag"]
    assert add(alice, email=mallory.user.email, password="").json()["role"] == "member"
    assert add(alice).status_code == 409
    assert Event.objects.filter(org=alice.org, event="member_added").count() == 2
    assert NEW["password"] not in str(list(Event.objects.values()))


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"password": ""}, "password"),
        ({"password": "password"}, "password"),
        ({"email": "x"}, "email"),
        ({"role": "god"}, "role"),
    ],
)
def test_faulty_bodies_are_422_and_name_the_field(alice: Person, body: dict[str, object], field: str) -> None:
    answer = add(alice, **body)
    assert (answer.status_code, list(answer.json()["details"])) == (422, [field])


def test_everybody_sees_administrators_change_owners_change_owners(alice: Person, bob: Person, carol: Person) -> None:
    assert [person.client.get(PATH).status_code for person in (alice, bob, carol)] == [200] * 3
    assert [add(person).status_code for person in (bob, carol)] == [403, 403]
    admin = make_person("admin", alice.org, Role.ADMIN)
    path = path_of(bob, alice)
    for role, status in (("viewer", 200), ("owner", 403)):
        answer = admin.client.patch(path, {"role": role}, content_type="application/json")
        assert answer.status_code == status
    assert admin.client.delete(path_of(alice, alice)).status_code == 403
    assert admin.client.delete(path).status_code == 204
    assert admin.client.get(path).status_code == 404


def test_of_another_org_there_is_nothing(alice: Person, mallory: Person) -> None:
    path = path_of(alice, alice)
    assert mallory.client.get(path).status_code == 404
    assert mallory.client.delete(path).status_code == 404
    assert mallory.client.patch(path, {"role": "viewer"}, content_type="application/json").status_code == 404
    assert len(mallory.client.get(PATH).json()["items"]) == 1


def test_the_last_owner_stays(alice: Person) -> None:
    path = path_of(alice, alice)
    assert alice.client.patch(path, {"role": "member"}, content_type="application/json").status_code == 409
    assert alice.client.delete(path).status_code == 409
    make_person("second", alice.org, Role.OWNER)
    assert alice.client.delete(path).status_code == 204


@pytest.mark.django_db(transaction=True)
def test_of_two_owners_who_leave_at_once_one_stays() -> None:
    alice = make_person("alice")
    make_person("second", alice.org, Role.OWNER)
    owners, barrier, refused = list(Membership.objects.all()), threading.Barrier(2), []

    def leave(member: Membership) -> None:
        barrier.wait()
        try:
            services.remove_member(actor=alice.actor, member_id=member.id)
        except Conflict as error:
            refused.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=leave, args=[member]) for member in owners]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(refused), Membership.objects.filter(role=Role.OWNER).count()) == (1, 1)


def test_the_list_follows_every_change_also_the_operators(
    alice: Person, bob: Person, django_assert_num_queries
) -> None:  # type: ignore[no-untyped-def]
    etag = alice.client.get(PATH)["ETag"]
    with django_assert_num_queries(2):
        assert alice.client.get(PATH, headers={"If-None-Match": etag}).status_code == 304
    bob.user.is_active = False
    services.save_user(by=alice.user, user=bob.user)
    with django_assert_num_queries(3):
        changed = alice.client.get(PATH, headers={"If-None-Match": etag})
    assert [member["is_active"] for member in changed.json()["items"]] == [False, True]
