from collections.abc import Callable

import pytest
from django.core.cache import cache
from django.test import Client, RequestFactory
from redis import RedisError

from conftest import Person, make_person
from orchestrator.api.throttles import client_address


def calls(client: Client, times: int) -> list[int]:
    return [client.get("/auth/me").status_code for _ in range(times)]


def anonymous(address: str, **headers: str) -> int:
    body = {"refresh_token": "x"}
    client = Client(REMOTE_ADDR=address, headers=headers)
    return client.post("/auth/refresh", body, content_type="application/json").status_code


@pytest.mark.usefixtures("still")
def test_each_api_key_has_its_own_count(api_client: Callable[..., Client], settings) -> None:  # type: ignore[no-untyped-def]
    settings.RATE_LIMIT = "3/h"
    first, second = api_client("read"), api_client("read")
    assert calls(first, 4) == [200, 200, 200, 429]
    assert calls(second, 1) == [200]
    limited = first.get("/auth/me")
    assert limited.json()["type"] == "rate_limited"
    assert 1 <= int(limited["Retry-After"]) <= 3600


@pytest.mark.usefixtures("still")
def test_people_have_the_wider_limit(alice: Person, bob: Person, settings) -> None:  # type: ignore[no-untyped-def]
    settings.RATE_LIMIT, settings.RATE_LIMIT_USER = "1/h", "3/h"
    assert calls(alice.client, 4) == [200, 200, 200, 429]
    assert calls(bob.client, 1) == [200]


@pytest.mark.usefixtures("still")
def test_strangers_are_counted_by_address(db: None, settings) -> None:  # type: ignore[no-untyped-def]
    settings.RATE_LIMIT = "2/h"
    assert [anonymous("10.0.0.1") for _ in range(3)] == [401, 401, 429]
    assert anonymous("10.0.0.2") == 401


@pytest.mark.usefixtures("still")
def test_a_header_that_a_client_wrote_does_not_make_it_another_client(db: None, settings) -> None:  # type: ignore[no-untyped-def]
    settings.RATE_LIMIT = "2/h"
    settings.TRUSTED_PROXIES = 1
    forged = [anonymous("10.0.0.1", **{"X-Forwarded-For": f"6.6.6.{n}, 192.0.2.7"}) for n in range(3)]
    assert forged == [401, 401, 429]
    assert anonymous("10.0.0.1", **{"X-Forwarded-For": "192.0.2.8"}) == 401


@pytest.mark.parametrize(
    ("proxies", "header", "address"),
    [
        (0, "1.1.1.1", "10.0.0.1"),
        (1, "", "10.0.0.1"),
        (1, "1.1.1.1", "1.1.1.1"),
        (1, "6.6.6.6, 1.1.1.1", "1.1.1.1"),
        (2, "6.6.6.6, 1.1.1.1 ,2.2.2.2", "1.1.1.1"),
        (2, "1.1.1.1", "1.1.1.1"),
        (1, " , ,", "10.0.0.1"),
    ],
)
def test_addresses_are_counted_from_the_right(settings, proxies: int, header: str, address: str) -> None:  # type: ignore[no-untyped-def]
    settings.TRUSTED_PROXIES = proxies
    request = RequestFactory(REMOTE_ADDR="10.0.0.1").get("/", headers={"X-Forwarded-For": header})
    assert client_address(request) == address


def test_without_redis_work_goes_on_and_sign_ins_wait(alice: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: object, **__: object) -> None:
        raise RedisError("Connection refused")

    make_person("dave")
    monkeypatch.setattr(type(cache._connections["default"]), "add", away)  # type: ignore[attr-defined]
    assert alice.client.get("/auth/me").status_code == 200
    body = {"email": "alice@example.com", "password": "wrong"}
    answer = Client().post("/auth/login", body, content_type="application/json")
    assert (answer.status_code, answer.json()["type"]) == (503, "unavailable")
