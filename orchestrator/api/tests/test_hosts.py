import pytest
from django.test import Client


@pytest.mark.django_db
def test_a_name_that_is_not_ours_is_refused_on_every_route_but_the_probes() -> None:
    rebound = Client(headers={"Host": "evil.example"})
    for path in ("/", "/api/v1/events", "/auth/me", "/docs", "/no-such-route"):
        answer = rebound.get(path)
        assert (answer.status_code, answer.json()["type"]) == (400, "malformed_request"), path
        assert answer["X-Request-ID"] == answer.json()["request_id"]
    assert [rebound.get(path).status_code for path in ("/healthz", "/health", "/readyz")] == [200] * 3
    assert Client(headers={"Host": "localhost:8000"}).get("/").status_code == 200
