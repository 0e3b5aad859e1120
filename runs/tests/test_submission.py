"""Starting a run: what is accepted, what is refused, and what is durable when the answer leaves."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import connection, transaction
from django.test import Client

from conftest import Person
from orchestrator.core.errors import PermissionDenied, ValidationFailed
from orchestrator.events.models import Event
from runs.models import Run
from runs.services import submission
from runs.tests.steps import PARIS, Heard, hearing, race, start
from versioning.models import Blob

BODY = {"prompt": PARIS}


def post(client: Client, body: Any, path: str = "/runs", **headers: str) -> Any:
    return client.post(path, body, content_type="application/json", headers=headers)


@pytest.fixture
def dispatched() -> Iterator[Heard]:
    """What the workers have heard of."""
    with hearing() as heard:
        yield heard


@pytest.mark.parametrize("path", ["/runs", "/runs/", "/api/v1/runs", "/api/v1/runs/"])
def test_a_run_is_accepted(alice: Person, path: str) -> None:
    answer = post(alice.client, {"prompt": PARIS, "max_days": 5, "budget_usd_cents": 250000}, path)
    run = Run.objects.get()
    assert (answer.status_code, answer.json()) == (202, {"run_id": str(run.id), "status": "accepted"})
    assert answer["Location"] == f"/api/v1/runs/{run.id}"
    assert answer["ETag"].startswith('"')
    assert alice.client.get(answer["Location"]).status_code == 200
    assert (run.status, run.workflow, run.org_id) == ("queued", "agent-graph", alice.org.id)
    assert run.inputs == {"prompt": PARIS, "max_days": 5, "budget_usd_cents": 250000}
    assert run.created_by == str(alice.actor)


def test_the_row_and_its_event_are_there_when_it_answers(alice: Person) -> None:
    post(alice.client, BODY)
    run = Run.objects.get()
    event = Event.objects.get(event="run_created")
    assert (event.target, event.kind, event.actor) == (f"run:{run.id}", "runs", str(alice.actor))
    assert event.details == {"workflow": "agent-graph", "status": "queued"}


def test_the_workflow_form_starts_the_same_run(alice: Person) -> None:
    answer = post(alice.client, {"workflow": "agent-graph", "inputs": {"prompt": PARIS, "max_days": 2}})
    assert answer.status_code == 202
    assert Run.objects.get().inputs == {"prompt": PARIS, "max_days": 2}


def test_runs_of_one_definition_share_its_frozen_copy(alice: Person, mallory: Person) -> None:
    post(alice.client, BODY)
    post(alice.client, BODY)
    post(mallory.client, BODY)
    assert sorted(Blob.objects.values_list("org_id", flat=True)) == sorted([alice.org.id, mallory.org.id])
    blobs = Run.objects.filter(org=alice.org).values_list("snapshot__blob_id", flat=True).distinct()
    assert len(blobs) == 1


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({}, {"prompt"}),
        ({"prompt": ""}, {"prompt"}),
        ({"prompt": "   "}, {"prompt"}),
        ({"prompt": None}, {"prompt"}),
        ({"prompt": ["Paris"]}, {"prompt"}),
        ({"prompt": {"city": "Paris"}}, {"prompt"}),
        ({"prompt": True}, {"prompt"}),
        ({"prompt": "x" * 4001}, {"prompt"}),
        ({**BODY, "max_days": 0}, {"max_days"}),
        ({**BODY, "max_days": 31}, {"max_days"}),
        ({**BODY, "max_days": "many"}, {"max_days"}),
        ({**BODY, "max_days": 2.5}, {"max_days"}),
        ({**BODY, "max_days": None}, {"max_days"}),
        ({**BODY, "max_days": True}, {"max_days"}),
        ({**BODY, "budget_usd_cents": -1}, {"budget_usd_cents"}),
        ({**BODY, "budget_usd_cents": 10**12}, {"budget_usd_cents"}),
        ({**BODY, "days": 3}, {"days"}),
        ({"promt": PARIS, "max_days": 0}, {"promt", "max_days"}),
        ({**BODY, "inputs": {}}, {"inputs"}),
        ({**BODY, "ref": "x"}, {"ref"}),
        ({"workflow": "agent-graph", **BODY}, {"prompt"}),
        ({"workflow": "agent-graph"}, {"inputs"}),
        ({"workflow": "agent-graph", "inputs": {}}, {"inputs"}),
        ({"workflow": "agent-graph", "inputs": []}, {"inputs"}),
        ({"workflow": "agent-graph", "inputs": {"prompt": 5}}, {"prompt"}),
        ({"workflow": "agent-graph", "inputs": {"prompt": PARIS, "max_days": 99}}, {"max_days"}),
        ({"workflow": "agent-graph", "inputs": {"prompt": PARIS, "days": 1}}, {"inputs"}),
        ({"workflow": "no-such-workflow", "inputs": {}}, {"workflow"}),
        ({"workflow": "../../etc/passwd", "inputs": {}}, {"workflow"}),
        ({"workflow": None, "inputs": {}}, {"workflow"}),
        ({"workflow": "agent-graph", "ref": "no-such-ref", "inputs": BODY}, {"ref"}),
        ([BODY], {"body"}),
        ("Paris", {"body"}),
    ],
)
def test_bad_inputs_are_refused_by_field(alice: Person, body: Any, fields: set[str]) -> None:
    answer = post(alice.client, json.dumps(body))
    assert (answer.status_code, answer.json()["type"]) == (422, "validation_error"), answer.content
    assert set(answer.json()["details"]) == fields
    assert not Run.objects.exists()


@pytest.mark.parametrize("raw", ['{"prompt": ', b"\xff", "prompt=Paris"])
def test_what_is_no_json_is_malformed(alice: Person, raw: Any) -> None:
    answer = post(alice.client, raw)
    assert (answer.status_code, answer.json()["type"]) == (400, "malformed_request")


@pytest.mark.parametrize(
    "raw", ['{"prompt": "a\\u0000b"}', '{"prompt": "\\ud800"}', '{"prompt": "a", "prompt": "b"}', '{"max_days": NaN}']
)
def test_what_no_honest_client_sends_is_refused(alice: Person, raw: str) -> None:
    assert post(alice.client, raw).status_code == 422


def test_a_viewer_may_not_start_a_run_and_a_member_may(
    bob: Person, carol: Person, api_client: Callable[..., Client]
) -> None:
    refused = post(carol.client, BODY)
    assert (refused.status_code, refused.json()["type"]) == (403, "permission_denied")
    assert post(api_client("read"), BODY).status_code == 403
    assert not Run.objects.exists()
    assert post(bob.client, BODY).status_code == 202
    assert post(api_client("write"), BODY).status_code == 202


def test_nobody_starts_a_run_without_credentials(db: None) -> None:
    answer = post(Client(), BODY)
    assert (answer.status_code, answer.json()["type"]) == (401, "not_authenticated")


def test_the_service_itself_checks_who_asks_and_what(carol: Person, alice: Person) -> None:
    with pytest.raises(PermissionDenied):
        submission.start_run(actor=carol.actor, inputs=BODY)
    with pytest.raises(ValidationFailed):
        submission.start_run(actor=alice.actor, inputs={"prompt": PARIS, "max_days": 0})


# --- dispatch ------------------------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_workers_hear_of_a_run_when_it_is_committed(alice: Person, dispatched: Heard) -> None:
    with transaction.atomic():
        run = start(alice)
        assert dispatched.offers == []
    assert dispatched.offers == [(run.id, "", 1, 0)]


@pytest.mark.django_db(transaction=True)
def test_of_a_run_that_is_rolled_back_nothing_is_left_and_nobody_hears(alice: Person, dispatched: Heard) -> None:
    told = Event.objects.count()
    with transaction.atomic():
        start(alice)
        transaction.set_rollback(True)
    assert dispatched.offers == []
    assert (Run.objects.count(), Event.objects.count()) == (0, told)


@pytest.mark.django_db(transaction=True)
def test_a_run_without_its_event_is_not_made(alice: Person, dispatched: Heard, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise RuntimeError("no room in the log")

    monkeypatch.setattr(submission, "record_run", fail)
    with pytest.raises(RuntimeError):
        start(alice)
    assert not Run.objects.exists()
    assert dispatched.offers == []


# --- Idempotency-Key -----------------------------------------------------------------------------------------------


def test_a_repeated_request_gets_the_first_answer(alice: Person) -> None:
    first = post(alice.client, BODY, **{"Idempotency-Key": "once"})
    again = post(alice.client, BODY, **{"Idempotency-Key": "once"})
    assert (again.status_code, again.content, again["Location"], again["ETag"]) == (
        202, first.content, first["Location"], first["ETag"],
    )  # fmt: skip
    assert again["Idempotent-Replayed"] == "true"
    assert "Idempotent-Replayed" not in first
    other = post(alice.client, {"prompt": "Rome"}, **{"Idempotency-Key": "once"})
    assert other.status_code == 422
    assert Run.objects.count() == 1


def test_a_refused_request_does_not_spend_its_key(alice: Person) -> None:
    assert post(alice.client, {}, **{"Idempotency-Key": "once"}).status_code == 422
    assert post(alice.client, BODY, **{"Idempotency-Key": "once"}).status_code == 202


@pytest.mark.django_db(transaction=True)
def test_fifty_at_once_with_one_key_make_one_run(alice: Person, dispatched: Heard) -> None:
    header = {"Authorization": f"Bearer {alice.access_token}", "Idempotency-Key": "once"}

    def submit() -> tuple[int, Any]:
        answer = post(Client(), BODY, **header)
        return answer.status_code, answer.json()

    answers = race(*[submit] * 50)
    assert not [answer for answer in answers if isinstance(answer, Exception)], answers
    run = Run.objects.get()
    accepted = [body for status, body in answers if status == 202]
    assert accepted
    assert all(body == {"run_id": str(run.id), "status": "accepted"} for body in accepted)
    refused = [(status, body["type"]) for status, body in answers if status != 202]
    assert set(refused) <= {(409, "idempotency_conflict")}
    assert dispatched.offers == [(run.id, "", 1, 0)]
    assert Event.objects.filter(event="run_created").count() == 1


@pytest.mark.django_db(transaction=True)
def test_runs_that_start_at_once_in_a_new_org_all_start(alice: Person) -> None:
    """They race for the first copy of the definition and for the head of the log."""
    answers = race(*[lambda: start(alice).id] * 8)
    assert len(set(answers)) == 8
    assert Run.objects.filter(pk__in=answers).count() == 8
    seqs = list(Event.objects.filter(event="run_created").order_by("seq").values_list("seq", flat=True))
    assert seqs == list(range(seqs[0], seqs[0] + 8))
    assert connection.in_atomic_block is False


@pytest.mark.parametrize("number", [2**53, 1e22, -1e300])
def test_numbers_that_json_cannot_hold_exactly_are_refused(alice: Any, number: float) -> None:
    """Kept, one of them would make every list with its run in it impossible to write."""
    with pytest.raises(ValidationFailed) as refused:
        submission.start_run(actor=alice.actor, inputs={"prompt": "Rome", "many": [number]})
    assert "2^53" in str(refused.value.details)
    body = {"prompt": "Rome", "max_days": 1e22}
    assert alice.client.post("/api/v1/runs", body, content_type="application/json").status_code == 422
