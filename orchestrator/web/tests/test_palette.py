"""The command palette and its page: what may be opened is found, and only in one's own org."""

from typing import Any

import pytest

from orchestrator.identity.actors import Actor
from orchestrator.web import palette
from orchestrator.web.palette import Hit
from orchestrator.web.tests.browser import faults, sign_in


def test_all_pages_are_offered_at_first_and_letters_narrow_them(alice: Any) -> None:
    client = sign_in(alice)
    page = client.get("/dashboard/find").content.decode()
    assert faults(page) == []
    assert 'href="/dashboard/runs"' in page.partition("<main")[2]
    found = client.get("/dashboard/find?q=RUN&part=1").content.decode()
    assert 'href="/dashboard/runs"' in found
    assert "Home" not in found


def test_what_an_app_registers_is_asked_with_the_actor_and_what_was_typed(
    alice: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[Actor, str, int]] = []

    def find(actor: Actor, text: str, limit: int) -> list[Hit]:
        asked.append((actor, text, limit))
        return [Hit("<b>Train</b>", "/dashboard/x", "bot", "detail")]

    monkeypatch.setattr(palette, "_finders", [("Things", find)])
    page = sign_in(alice).get("/dashboard/find", {"q": " tr\x00ain "}).content.decode()
    assert asked == [(alice.actor, "train", palette.A_KIND)]
    assert "&lt;b&gt;Train" in page
    assert faults(page) == []


def test_nothing_is_asked_for_no_letters(alice: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(palette, "_finders", [("Things", lambda *_: pytest.fail("asked"))])
    assert sign_in(alice).get("/dashboard/find").status_code == 200


def test_what_goes_by_nothing_is_told_so(alice: Any) -> None:
    assert "Nothing goes by that" in sign_in(alice).get("/dashboard/find?q=zzzz").content.decode()
