from types import SimpleNamespace

import pytest
from django.core.cache import cache
from django.db import OperationalError, connection
from django.test import Client

from orchestrator import __version__
from orchestrator.api import health

PATHS = ("/healthz", "/health", "/readyz")


@pytest.fixture
def _no_database(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OperationalError("connection to server at 10.1.2.3 failed: /var/run/postgresql")

    monkeypatch.setattr(connection, "cursor", refuse)


@pytest.mark.django_db
@pytest.mark.parametrize("path", [path + slash for path in PATHS for slash in ("", "/")])
def test_well(path: str) -> None:
    answer = Client().get(path)
    assert (answer.status_code, answer.json()["status"], answer["Cache-Control"]) == (200, "ok", "no-store")


@pytest.mark.django_db
def test_health_names_every_part() -> None:
    parts = {"database", "cache", "channel_layer", "migrations"}
    checks = Client().get("/health").json()["checks"]
    assert parts <= set(checks)
    assert {checks[part] for part in parts} == {"ok"}
    assert Client().get("/healthz").json() == {"status": "ok"}


@pytest.mark.django_db
@pytest.mark.usefixtures("_no_database")
@pytest.mark.parametrize("path", PATHS)
def test_without_the_database_it_is_503_and_tells_no_host_and_no_path(path: str) -> None:
    answer = Client().get(path)
    assert (answer.status_code, answer["Retry-After"]) == (503, "5")
    found = answer.json()
    assert {"type": "unavailable", "status": "unavailable"}.items() <= found.items()
    assert {"message", "request_id"} <= set(found)
    assert found["checks"]["database"] == "failed: no answer"
    assert "10.1.2.3" not in answer.content.decode() + str(answer.headers)
    assert "/var" not in answer.content.decode()


@pytest.mark.django_db
def test_a_registered_check_fails_by_its_own_words_or_by_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "_checks", dict(health._checks))

    def lost() -> None:
        raise health.Unhealthy("no worker for 40 s")

    health.register("engine", lost)
    health.register("other", lambda: 1 / 0)  # type: ignore[arg-type,return-value]
    answer = Client().get("/health")
    assert answer.status_code == 503
    assert answer.json()["message"] == "Not healthy: engine, other."
    checks = answer.json()["checks"]
    assert (checks["engine"], checks["other"], checks["database"]) == (
        "failed: no worker for 40 s",
        "failed: no answer",
        "ok",
    )
    assert Client().get("/readyz").status_code == 200


@pytest.mark.django_db
def test_a_cache_that_forgets_is_not_healthy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(cache), "get", lambda *_: None, raising=False)
    monkeypatch.setattr(health, "cache", SimpleNamespace(set=lambda *_, **__: None, get=lambda *_: None))
    assert Client().get("/health").json()["checks"]["cache"].startswith("failed")


@pytest.mark.django_db
def test_pending_migrations_are_not_ready_and_asked_for_until_there_are_none(monkeypatch: pytest.MonkeyPatch) -> None:
    asked, pending = [], [True]

    class Executor:
        loader = SimpleNamespace(graph=SimpleNamespace(leaf_nodes=list))

        def __init__(self, _: object) -> None:
            asked.append(1)

        def migration_plan(self, _: object) -> list[bool]:
            return list(pending)

    monkeypatch.setattr(health, "_migrated", set())
    monkeypatch.setattr(health, "MigrationExecutor", Executor)
    assert Client().get("/readyz").json()["checks"]["migrations"] == "failed: pending migrations"
    pending.clear()
    assert [Client().get("/readyz").status_code for _ in range(3)] == [200] * 3
    assert len(asked) == 2


@pytest.mark.usefixtures("still")
@pytest.mark.django_db
def test_health_is_never_limited_and_makes_no_session(settings) -> None:  # type: ignore[no-untyped-def]
    settings.RATE_LIMIT = "1/h"
    answers = [Client().get(path) for path in PATHS for _ in range(5)]
    assert {answer.status_code for answer in answers} == {200}
    assert not any(answer.cookies for answer in answers)


def test_the_root_says_who_it_is_and_sends_browsers_to_the_dashboard() -> None:
    for accept in ({}, {"Accept": "*/*"}, {"Accept": "application/json"}, {"Accept": "image/png"}):
        answer = Client().get("/", headers=accept)
        assert answer.json() == {"service": "orchestrator", "version": __version__, "status": "ok"}
    browser = Client().get("/", headers={"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"})
    assert (browser.status_code, browser["Location"]) == (302, "/dashboard")
    assert "Accept" in browser["Vary"]


@pytest.mark.parametrize("path", ["/", *PATHS, "/metrics", "/api/schema", "/docs", "/redoc"])
def test_they_are_read_only(path: str) -> None:
    answer = Client().post(path)
    assert (answer.status_code, answer["Allow"], answer.json()["type"]) == (405, "GET, HEAD", "method_not_allowed")
