"""Errors under /dashboard are pages that name their request; everywhere else they stay JSON."""

from typing import Any

import pytest
from django.db import OperationalError
from django.test import Client

from orchestrator.web import panels
from orchestrator.web.tests.browser import faults, sign_in

QUOTED = {"X-Request-ID": "a-request-to-quote"}


@pytest.fixture(params=[False, True], ids=["production", "DEBUG"])
def debug(request: Any, settings: Any) -> bool:
    settings.DEBUG = request.param
    return bool(request.param)


def page_of(answer: Any, status: int) -> str:
    """The page, after what holds for every error page."""
    html: str = answer.content.decode()
    assert answer.status_code == status
    assert answer["Content-Type"].startswith("text/html")
    assert "a-request-to-quote" in html
    assert faults(html) == []
    return html


@pytest.mark.parametrize("path", ["/dashboard/nothing", "/dashboard/runs/x/y/z", "/dashboard/runs/nonsense"])
def test_an_unknown_address_is_a_page(alice: Any, debug: bool, path: str) -> None:
    client = sign_in(alice)
    assert "There is nothing here" in page_of(client.get(path, headers=QUOTED), 404)
    assert (
        'href="/dashboard/find"'
        in page_of(client.post("/dashboard/nothing", headers=QUOTED), 404).partition("<main")[2]
    )


def test_strangers_learn_nothing_of_addresses(db: Any) -> None:
    assert Client().get("/dashboard/nothing")["Location"] == "/login?next=%2Fdashboard%2Fnothing"


def test_a_fault_of_ours_is_a_page_without_its_text(alice: Any, debug: bool, monkeypatch: Any) -> None:
    def broken(actor: Any) -> dict[str, Any]:
        raise RuntimeError("the password of the database")

    monkeypatch.setattr(panels, "_panels", [panels.Panel("broken", "top", "x.html", broken)])
    html = page_of(sign_in(alice).get("/dashboard", headers=QUOTED), 500)
    assert "Something went wrong on our side" in html
    assert "password" not in html
    assert "Org of alice" in html  # the header is there: somebody is still signed in


@pytest.mark.parametrize("down", ["session", "panel"])
def test_a_database_that_is_away_is_a_page_too(alice: Any, debug: bool, monkeypatch: Any, down: str) -> None:
    def away(*_: Any, **__: Any) -> Any:
        raise OperationalError("no connection to db.internal")

    client = sign_in(alice)
    place = (
        "django.contrib.sessions.backends.db.SessionStore.load"
        if down == "session"
        else "orchestrator.web.views.events.head"
    )
    monkeypatch.setattr(place, away)
    answer = client.get("/dashboard", headers=QUOTED)
    assert "db.internal" not in page_of(answer, 503)
    assert answer["Retry-After"] == "5"


@pytest.mark.usefixtures("still")
def test_too_fast_is_a_page(alice: Any, settings: Any) -> None:
    settings.RATE_LIMIT_USER = "1/m"
    client = sign_in(alice)
    client.get("/dashboard")
    answer = client.get("/dashboard", headers=QUOTED)
    page_of(answer, 429)
    assert int(answer["Retry-After"]) >= 1


def test_a_wrong_method_is_a_page(alice: Any) -> None:
    answer = sign_in(alice).post("/dashboard", headers=QUOTED)
    page_of(answer, 405)
    assert answer["Allow"] == "GET"


def test_head_goes_with_get(alice: Any) -> None:
    assert sign_in(alice).head("/dashboard").status_code == 200


def test_the_api_stays_json(alice: Any) -> None:
    for path in ("/nothing", "/api/v1/nothing", "/api/v1/runs/nonsense"):
        answer = sign_in(alice).get(path, headers=QUOTED)
        assert (answer.status_code, answer.json()["request_id"]) == (404, "a-request-to-quote")


@pytest.mark.parametrize("path", ["/dashboard", "/dashboard/", "/dashboard/runs/", "/login", "/dashboard/nothing"])
def test_pages_carry_the_policy_and_stay_out_of_shared_caches(alice: Any, path: str) -> None:
    answer = (Client() if path == "/login" else sign_in(alice)).get(path)
    assert "default-src 'self'" in answer["Content-Security-Policy"]
    assert "unsafe" not in answer["Content-Security-Policy"]
    assert answer["Cache-Control"] == "private, no-cache"
    assert "Cookie" in answer["Vary"]
    assert answer["X-Frame-Options"] == "DENY"
