import json
import logging
from collections.abc import Callable
from datetime import timedelta

import pytest
import time_machine
from django.test import Client

from conftest import Person
from orchestrator.api.models import IdempotencyRecord
from orchestrator.core import clock
from orchestrator.events.models import Event
from orchestrator.identity.models import ApiKey

PATH = "/api/v1/api-keys"


def create(client: Client, headers: dict[str, str] | None = None, **body: object):  # type: ignore[no-untyped-def]
    sent = {"name": "ci", "scopes": ["read", "write"], **body}
    return client.post(PATH, sent, content_type="application/json", headers=headers or {})


def test_the_secret_is_shown_once_and_works(alice: Person) -> None:
    made = create(alice.client)
    assert (made.status_code, made["Cache-Control"]) == (201, "no-store")
    key = made.json()
    assert made["Location"] == f"{PATH}/{key['id']}"
    assert key["secret"].startswith(key["prefix"])
    assert Client(headers={"X-API-Key": key["secret"]}).get("/auth/me").status_code == 200
    again = alice.client.get(made["Location"])
    assert "secret" not in again.json()
    assert key["secret"] not in again.content.decode() + alice.client.get(PATH).content.decode()


def test_the_secret_is_in_no_row_no_event_and_no_log(alice: Person, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        secret = create(alice.client, headers={"Idempotency-Key": "k"}).json()["secret"]
    assert secret not in caplog.text
    rows = [*ApiKey.objects.values(), *Event.objects.values(), *IdempotencyRecord.objects.values()]
    assert rows
    assert secret not in json.dumps(
        rows, default=lambda value: bytes(value).decode() if isinstance(value, memoryview) else str(value)
    )


def test_a_repeated_idempotency_key_gets_the_secret_again_and_no_second_key(alice: Person) -> None:
    first, second = (create(alice.client, headers={"Idempotency-Key": "k"}) for _ in range(2))
    assert (second.status_code, second.content) == (201, first.content)
    assert (second["Idempotent-Replayed"], second["Cache-Control"]) == ("true", "no-store")
    assert ApiKey.objects.count() == 1


def test_revoke_and_delete_take_it_back_and_keep_the_row(alice: Person) -> None:
    for method, path, status in (("post", "/revoke", 200), ("delete", "", 204)):
        key = create(alice.client).json()
        for _ in range(2):
            assert getattr(alice.client, method)(f"{PATH}/{key['id']}{path}").status_code == status
        assert Client(headers={"X-API-Key": key["secret"]}).get("/auth/me").status_code == 401
        assert alice.client.get(f"{PATH}/{key['id']}").json()["revoked_at"]
    assert Event.objects.filter(event="api_key_revoked").count() == 2


def test_only_administrators_and_only_of_the_org(alice: Person, bob: Person, mallory: Person) -> None:
    key_path = create(alice.client)["Location"]
    assert [bob.client.get(PATH).status_code, create(bob.client).status_code] == [403, 403]
    for answer in (
        mallory.client.get(key_path),
        mallory.client.delete(key_path),
        mallory.client.post(f"{key_path}/revoke"),
    ):
        assert answer.status_code == 404
    assert mallory.client.get(PATH).json()["items"] == []
    assert alice.client.get(f"{PATH}/not-an-id").status_code == 404


def test_a_key_gives_no_scope_that_it_lacks(api_client: Callable[..., Client]) -> None:
    answer = create(api_client("admin"), scopes=["write"])
    assert (answer.status_code, list(answer.json()["details"])) == (422, ["scopes"])


@pytest.mark.parametrize(
    "body",
    [{"name": ""}, {"scopes": []}, {"scopes": ["root"]}, {"expires_at": "2020-01-01T00:00:00Z"}, {"secret": "x"}],
)
def test_faulty_bodies_are_422_and_name_the_field(alice: Person, body: dict[str, object]) -> None:
    answer = create(alice.client, **body)
    assert (answer.status_code, list(answer.json()["details"])) == (422, list(body))


def test_the_list_is_paged_newest_first_with_an_etag(alice: Person, django_assert_num_queries) -> None:  # type: ignore[no-untyped-def]
    made = [create(alice.client, name=f"k{n}").json()["id"] for n in range(3)]
    first = alice.client.get(f"{PATH}?limit=2").json()
    assert first["kind"] == "api_keys"
    rest = alice.client.get(f"{PATH}?limit=2&cursor={first['next_cursor']}").json()
    assert [key["id"] for key in first["items"] + rest["items"]] == made[::-1]
    assert rest["next_cursor"] is None
    etag = alice.client.get(PATH)["ETag"]
    with django_assert_num_queries(3):
        assert alice.client.get(PATH, headers={"If-None-Match": etag}).status_code == 304


def test_use_shows_in_the_list_though_it_is_no_event(alice: Person) -> None:
    secret = create(alice.client).json()["secret"]
    assert alice.client.get(PATH).json()["items"][0]["last_used_at"] is None
    Client(headers={"X-API-Key": secret}).get("/auth/me")
    used = alice.client.get(PATH).json()["items"][0]["last_used_at"]
    assert used
    with time_machine.travel(clock.now() + timedelta(minutes=2), tick=False):
        Client(headers={"X-API-Key": secret}).get("/auth/me")
    assert alice.client.get(PATH).json()["items"][0]["last_used_at"] > used
