"""What needs somebody, as the home page shows it."""

from collections.abc import Callable
from typing import Any

import pytest

from orchestrator.core import clock
from orchestrator.identity.actors import Actor
from orchestrator.web import needs
from orchestrator.web.needs import A_KIND, Need
from orchestrator.web.tests.browser import faults, sign_in


def finder(number: int) -> Callable[[Actor, int], list[Need]]:
    return lambda actor, limit: [Need("/x", f"<b>{each}</b>", "why", clock.now()) for each in range(number)][:limit]


@pytest.fixture(autouse=True)
def nothing_registered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(needs, "_kinds", [])


def test_nothing_needs_nobody(alice: Any) -> None:
    assert "Nothing needs you." in sign_in(alice).get("/dashboard").content.decode()


def test_needs_are_shown_by_kind_with_their_age(alice: Any) -> None:
    needs.register("Parked tasks", "hourglass", finder(2))
    needs.register("Lost agents", "bot", finder(0))
    page = sign_in(alice).get("/dashboard").content.decode()
    assert "Parked tasks" in page
    assert "&lt;b&gt;1&lt;/b&gt;" in page
    assert "data-ago>" in page
    assert "Lost agents" not in page
    assert faults(page) == []


def test_of_many_the_first_are_shown_and_where_all_are(alice: Any) -> None:
    needs.register("Failed runs", "circle-x", finder(50), "dashboard-runs", {"status": "failed"})
    page = sign_in(alice).get("/dashboard").content.decode()
    assert page.count("&lt;b&gt;") == A_KIND
    assert 'href="/dashboard/runs?status=failed"' in page


def test_they_are_live(alice: Any) -> None:
    client = sign_in(alice)
    needs.register("Parked tasks", "hourglass", finder(1))
    assert "Parked tasks" in client.get("/dashboard/live").content.decode()
