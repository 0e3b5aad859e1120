import threading
import uuid
from collections.abc import Callable
from datetime import timedelta

import pytest
import time_machine
from django.db import connections
from django.test import Client

from conftest import Person, make_person
from orchestrator.api import idempotency
from orchestrator.api.models import IdempotencyRecord
from orchestrator.core import clock
from orchestrator.events.models import Event
from orchestrator.identity import tokens

BODY = {"event": "demo", "target": "x"}


def post(client: Client, key: str = "k", body: object = BODY):  # type: ignore[no-untyped-def]
    return client.post("/api/v1/events", body, content_type="application/json", headers={"Idempotency-Key": key})


def made() -> int:
    return Event.objects.filter(event="demo").count()


def fresh(person: Person) -> Client:
    pair = tokens.start_family(user=person.user, org_id=person.org.id)
    return Client(headers={"Authorization": f"Bearer {pair.access_token}"})


def test_the_first_answer_is_given_again_byte_for_byte(alice: Person) -> None:
    first, second = post(alice.client), post(alice.client)
    assert first.status_code == second.status_code == 201
    assert not first.has_header("Idempotent-Replayed")
    assert second["Idempotent-Replayed"] == "true"
    assert (first.content, first["ETag"], first["Location"]) == (second.content, second["ETag"], second["Location"])
    assert made() == 1


def test_another_key_another_actor_and_no_key_each_create(alice: Person, bob: Person) -> None:
    post(alice.client)
    post(alice.client, "other")
    post(bob.client)
    alice.client.post("/api/v1/events", BODY, content_type="application/json")
    assert made() == 4


def test_the_same_key_with_another_body_or_path_is_422(alice: Person) -> None:
    post(alice.client)
    answer = post(alice.client, body={"event": "demo", "target": "y"})
    assert (answer.status_code, list(answer.json()["details"])) == (422, ["Idempotency-Key"])
    assert made() == 1


@pytest.mark.parametrize("key", ["", "x" * 256, "a\tb"])
def test_a_senseless_key_is_422(alice: Person, key: str) -> None:
    assert post(alice.client, key).status_code == 422


def test_an_error_is_not_kept(alice: Person) -> None:
    assert post(alice.client, body={"event": "demo"}).status_code == 422
    assert post(alice.client).status_code == 201


@pytest.mark.parametrize("swept_at_once", [0, 100])
def test_after_24_hours_the_key_is_free_again(
    alice: Person, monkeypatch: pytest.MonkeyPatch, swept_at_once: int
) -> None:
    monkeypatch.setattr(idempotency, "_SWEPT_AT_ONCE", swept_at_once)
    first = post(alice.client)
    with time_machine.travel(clock.now() + timedelta(hours=23, minutes=59), tick=False):
        assert post(fresh(alice)).content == first.content
    with time_machine.travel(clock.now() + timedelta(hours=24, minutes=1), tick=False):
        later = post(fresh(alice), body={"event": "demo", "target": "y"})
        assert (later.status_code, later.has_header("Idempotent-Replayed")) == (201, False)
    assert made() == 2


def test_old_answers_of_others_go_too(alice: Person, bob: Person) -> None:
    post(alice.client)
    with time_machine.travel(clock.now() + timedelta(hours=25), tick=False):
        post(fresh(bob))
    assert [record.actor for record in IdempotencyRecord.objects.all()] == [f"user:{bob.user.id}"]


def dead_claim(person: Person) -> IdempotencyRecord:
    """What a process leaves that is killed between its claim and its answer."""
    post(person.client)
    Event.objects.filter(event="demo").delete()
    record = IdempotencyRecord.objects.get()
    record.status_code, record.locked_until = None, clock.now() + idempotency.LOCK
    record.save()
    return record


def test_while_the_first_runs_it_is_409_and_a_dead_one_is_taken_over(alice: Person) -> None:
    dead_claim(alice)
    running = post(alice.client)
    assert (running.status_code, running.json()["type"], running["Retry-After"]) == (409, "idempotency_conflict", "1")
    with time_machine.travel(clock.now() + timedelta(seconds=31), tick=False):
        assert post(alice.client).status_code == 201
        assert post(alice.client)["Idempotent-Replayed"] == "true"
    assert made() == 1


def test_a_late_writer_whose_claim_was_taken_over_writes_nothing(
    alice: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    perform = idempotency._perform

    def stall(claim: IdempotencyRecord, *rest: object) -> object:
        IdempotencyRecord.objects.filter(pk=claim.pk).update(holder=uuid.uuid4())
        return perform(claim, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(idempotency, "_perform", stall)
    assert post(alice.client).status_code == 409
    assert made() == 0
    assert IdempotencyRecord.objects.count() == 1, "the new holder's claim stays"


def test_a_key_that_vanishes_under_a_twin_is_409_and_not_500(alice: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    post(alice.client)
    monkeypatch.setattr(IdempotencyRecord.objects, "select_for_update", IdempotencyRecord.objects.none)
    assert post(alice.client).status_code == 409


def test_a_password_in_the_body_cannot_be_guessed_from_the_record(
    alice: Person, api_client: Callable[..., Client]
) -> None:
    body = {"email": "new@example.com", "password": "a long first password"}
    client = api_client("admin")
    client.post("/api/v1/members", body, content_type="application/json", headers={"Idempotency-Key": "k"})
    kept = IdempotencyRecord.objects.get().request_hash
    raw = b'POST\n/api/v1/members\n{"email": "new@example.com", "password": "a long first password"}'
    assert kept != idempotency.hashlib.sha256(raw).hexdigest()


@pytest.mark.django_db(transaction=True)
def test_50_at_once_create_one() -> None:
    alice, barrier = make_person("alice"), threading.Barrier(50)
    answers: list[tuple[int, bytes]] = []

    def send() -> None:
        client = Client(headers={"Authorization": f"Bearer {alice.access_token}"})
        barrier.wait()
        try:
            answer = post(client)
            answers.append((answer.status_code, answer.content))
        finally:
            connections.close_all()

    threads = [threading.Thread(target=send) for _ in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {status for status, _ in answers} <= {201, 409}
    assert len({body for status, body in answers if status == 201}) == 1
    assert (len(answers), made()) == (50, 1)
