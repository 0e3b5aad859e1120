"""Two editors of one thing: which fields differ, and which side is the one to take."""

from typing import Any

import pytest
from django import forms
from django.db import transaction
from django.http import QueryDict

from orchestrator.core.errors import ValidationFailed
from orchestrator.events import services as events
from orchestrator.web import conflicts
from orchestrator.web.conflicts import Difference, Opened


class Form(forms.Form):
    title = forms.CharField()
    note = forms.CharField(label="What for")


def typed(**fields: str) -> QueryDict:
    data = QueryDict(mutable=True)
    data.update(fields)
    return data


@pytest.mark.parametrize(
    ("base", "now", "yours", "choice"),
    [("a", "b", "a", "now"), ("a", "a", "b", "yours"), ("a", "b", "c", ""), (None, "b", "c", "")],
)
def test_a_side_that_alone_has_changed_is_the_one_to_take(base: str | None, now: str, yours: str, choice: str) -> None:
    known = {} if base is None else {"note": base}
    found = conflicts.differences(Form(typed(note=yours)), known, {"note": now})
    assert found == [Difference("note", "What for", now, yours, choice)]


def test_what_is_the_same_is_no_difference_whatever_ends_its_lines() -> None:
    assert conflicts.differences(Form(typed(note="a\r\nb", title="x")), {}, {"note": "a\nb", "title": "x"}) == []


def test_what_was_picked_from_now_takes_the_place_of_what_was_typed() -> None:
    posted = typed(title="mine", note="mine", **{"pick-title": "now", "pick-note": "yours"})
    data = conflicts.picked(posted, {"title": "theirs", "note": "theirs"})
    assert (data["title"], data["note"]) == ("theirs", "mine")


def test_a_form_says_what_it_was_filled_with() -> None:
    seen = Opened(3, {"title": "ä\n"})
    assert conflicts.opened(typed(version="3", base=seen.base_json)) == seen


@pytest.mark.parametrize("base", ["", "{", "[]", '{"title": 1}'])
def test_a_base_that_makes_no_sense_is_no_base(base: str) -> None:
    assert conflicts.opened(typed(version="3", base=base)) == Opened(3, {})


@pytest.mark.parametrize("version", ["", "x", "-1", "1" * 10, "²"])
def test_a_form_without_a_version_is_refused(version: str) -> None:
    with pytest.raises(ValidationFailed, match="version"):
        conflicts.opened(typed(version=version))


def test_what_happened_meanwhile_is_told_by_name_oldest_first(alice: Any, bob: Any, mallory: Any) -> None:
    for person, version in ((alice, 1), (bob, 2), (alice, 3), (mallory, 4)):
        with transaction.atomic():
            events.record(actor=person.actor, event="painted", target="x:1", details={"version": version})
    told = conflicts.meanwhile(alice.actor, "x:1", 1, lambda row: row.event)
    assert told == ["Bob painted", "Alice painted"]
