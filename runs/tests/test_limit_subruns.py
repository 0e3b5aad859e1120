"""Limits and runs within runs: slots that are shared, and circles in which all would wait for ever."""

from collections.abc import Iterator

import pytest

from conftest import Person
from orchestrator.core.errors import Conflict
from runs.models import Run, RunNode, Slot
from runs.nodes.base import NodeResult, Waiting
from runs.services import limits, subruns
from runs.services.steps import Step
from runs.tests.limited import begin, holders, status, submit, waiting
from runs.tests.steps import finish, node_type


@pytest.fixture(autouse=True)
def _quick() -> Iterator[None]:
    with node_type("quick", lambda _: NodeResult({}, "Done.")):
        yield


def test_a_sub_run_shares_the_slot_of_what_it_is_part_of(alice: Person) -> None:
    parent = submit(alice, limit=1)
    assert begin(parent) is not None
    child = submit(alice, parent=parent, limit=1)
    grandchild = submit(alice, parent=child, limit=1)
    assert begin(child) is not None
    assert begin(grandchild) is not None
    assert holders("workflow:nightly") == [parent.id]


def test_a_sub_run_waits_for_other_runs_of_its_workflow(alice: Person) -> None:
    other = begin(submit(alice, "within", limit=1))
    parent = submit(alice, "around", limit=1)
    assert begin(parent) is not None
    child = submit(alice, "within", parent=parent, limit=1)
    assert begin(child) is None
    assert status(child) == "queued"
    assert waiting(child)[0]["scope"] == "workflow:within"
    assert other is not None
    finish(other)
    assert begin(child) is not None


def test_a_sub_run_that_would_wait_for_ever_fails_and_says_so(alice: Person) -> None:
    """One holds a and needs b, the other holds b and needs a."""
    one, other = submit(alice, "a", limit=1), submit(alice, "b", limit=1)
    assert begin(one) is not None
    assert begin(other) is not None
    first = submit(alice, "b", parent=one, limit=1)
    assert begin(first) is None
    assert status(first) == "queued", "the other one may still end"
    second = submit(alice, "a", parent=other, limit=1)
    assert begin(second) is None
    second.refresh_from_db()
    assert (second.status, second.error["code"]) == ("failed", "limit_deadlock")
    assert second.error["details"] == {"scope": "workflow:a"}
    assert status(first) == "queued"
    assert set(Slot.objects.values_list("run_id", flat=True)) == {one.id, other.id, first.id}


def test_a_circle_of_three_is_found(alice: Person) -> None:
    names = ("a", "b", "c")
    parents = [submit(alice, name, limit=1) for name in names]
    assert all(begin(parent) for parent in parents)
    children = [submit(alice, names[(place + 1) % 3], parent=parent, limit=1) for place, parent in enumerate(parents)]
    assert [begin(child) for child in children] == [None] * 3
    assert [status(child) for child in children] == ["queued", "queued", "failed"]


def test_it_waits_as_long_as_one_holder_may_end(alice: Person) -> None:
    one, other = submit(alice, "a", limit=2), submit(alice, "b", limit=1)
    free = begin(submit(alice, "a", limit=2))
    assert begin(one) is not None
    assert begin(other) is not None
    first = submit(alice, "b", parent=one, limit=1)
    second = submit(alice, "a", parent=other, limit=2)
    assert (begin(first), begin(second)) == (None, None)
    assert (status(first), status(second)) == ("queued", "queued")
    assert free is not None
    finish(free)
    assert begin(second) is not None


def test_a_refused_sub_run_leaves_no_run_behind(alice: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    parent = submit(alice, "around")
    attempt = begin(parent)
    assert attempt is not None
    submit(alice, "within", limit=1, policy="reject")
    definition = {"nodes": {"a": {"type": "quick"}}, "concurrency": {"limit": 1, "policy": "reject"}}
    monkeypatch.setattr("runs.services.submission.definition_in", lambda _: definition)
    attempt.run.pins = {"a": {"artifact": str(parent.artifact_id), "snapshot": str(parent.snapshot_id)}}
    with pytest.raises(subruns.Unstartable) as refused:
        subruns.start(Step(attempt.execution), "a", Waiting({"kind": "run", "workflow": "within"}, "Waiting."))
    assert refused.value.error["code"] == "limit_reached"
    assert not Run.objects.filter(parent=parent).exists()
    assert RunNode.objects.get(run=parent).status == "running"


def test_a_refusal_is_a_conflict() -> None:
    assert issubclass(limits.LimitReached, Conflict)
