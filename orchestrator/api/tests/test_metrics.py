from collections.abc import Callable

import pytest
from django.test import Client

from conftest import Person

TOKEN = "a-token-for-prometheus"


def scrape(address: str = "10.0.0.1", **headers: str) -> int:
    return Client(REMOTE_ADDR=address).get("/metrics", headers=headers).status_code


def test_with_a_token_it_takes_that_token_alone(alice: Person, settings) -> None:  # type: ignore[no-untyped-def]
    settings.METRICS_TOKEN = TOKEN
    assert scrape(Authorization=f"Bearer {TOKEN}") == 200
    for wrong in ("", TOKEN, f"Bearer {TOKEN}x", "Bearer \u00e9", f"Bearer {alice.access_token}"):
        assert scrape(Authorization=wrong) == 401
    settings.DEBUG = True
    assert scrape("127.0.0.1") == 401


def test_without_one_it_takes_administrators(alice: Person, bob: Person, api_client: Callable[..., Client]) -> None:
    answer = alice.client.get("/metrics")
    assert (answer.status_code, answer["Content-Type"].split(";")[0]) == (200, "text/plain")
    assert "orchestrator_http_requests_total" in answer.content.decode()
    assert bob.client.get("/metrics").status_code == 403
    assert api_client("admin").get("/metrics").status_code == 200
    assert api_client("read").get("/metrics").status_code == 403
    assert (scrape(), scrape("127.0.0.1"), scrape(Authorization="Bearer x")) == (401, 401, 401)


@pytest.mark.parametrize(("address", "status"), [("127.0.0.1", 200), ("::1", 200), ("10.0.0.1", 401), ("", 401)])
def test_in_debug_ones_own_machine_needs_nothing(db: None, settings, address: str, status: int) -> None:  # type: ignore[no-untyped-def]
    settings.DEBUG = True
    assert scrape(address) == status
