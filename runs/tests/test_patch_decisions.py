"""Patches to a live run: who proposes and who decides, what can be taken back, and what is on the record."""

import pytest

from conftest import Person
from orchestrator.core.errors import Conflict, NotFound, PermissionDenied
from orchestrator.events.models import Event
from runs.models import RunEvent, RunNode, RunPatch
from runs.services import patches
from runs.snapshot import definition_of
from runs.tests.patching import ADDED, CHAIN, STARTED, TYPED, agent_of, submit, types  # noqa: F401
from runs.tests.steps import OTHER, carry, claim, finish, race, start_graph

# --- proposals -------------------------------------------------------------------------------------------------------


def test_a_proposal_changes_nothing_until_it_is_accepted(alice: Person, bob: Person) -> None:
    """That an agent's patch is always one, test_agent_nodes.py says."""
    run = start_graph(alice, CHAIN)
    patch = patches.submit_patch(actor=bob.actor, run_id=run.id, operations=TYPED, propose=True)
    assert (patch.state, patch.result_id, patch.definition_version, patch.decided_by) == ("proposed", None, None, "")
    run.refresh_from_db()
    assert run.definition_version == 1
    finish(claim(run), value=1)
    submit(alice, run, ADDED)
    accepted = patches.accept_patch(actor=alice.actor, run_id=run.id, number=1)
    assert (accepted.state, accepted.definition_version, accepted.created_by) == ("accepted", 3, str(bob.actor))
    assert accepted.decided_by == str(alice.actor)
    run.refresh_from_db()
    nodes = definition_of(run)["nodes"]
    assert nodes["c"]["with"] == {"better": True}
    assert "d" in nodes, "it was put on what the run is now"


def test_a_proposal_that_came_too_late_is_not_accepted(alice: Person) -> None:
    run = start_graph(alice, CHAIN)
    submit(alice, run, STARTED, propose=True)
    claim(run)
    with pytest.raises(Conflict) as refused:
        patches.accept_patch(actor=alice.actor, run_id=run.id, number=1)
    assert refused.value.details == {"nodes": ["a"]}
    assert RunPatch.objects.get().state == "proposed"


def test_a_rejected_patch_stays_on_the_record_and_rejected(alice: Person) -> None:
    run = start_graph(alice, CHAIN)
    submit(alice, run, TYPED, propose=True)
    patch = patches.reject_patch(actor=alice.actor, run_id=run.id, number=1, comment="No.")
    assert (patch.state, patch.comment, patch.decided_by) == ("rejected", "No.", str(alice.actor))
    with pytest.raises(Conflict):
        patches.accept_patch(actor=alice.actor, run_id=run.id, number=1)
    with pytest.raises(Conflict):
        patches.revert_patch(actor=alice.actor, run_id=run.id, number=1)
    run.refresh_from_db()
    assert run.definition_version == 1


def test_an_agent_decides_nothing(alice: Person) -> None:
    run = start_graph(alice, CHAIN)
    submit(alice, run, TYPED, propose=True)
    for decide in (patches.accept_patch, patches.reject_patch, patches.revert_patch):
        with pytest.raises(PermissionDenied):
            decide(actor=agent_of(alice), run_id=run.id, number=1)
    assert RunPatch.objects.get().state == "proposed"


def test_strangers_find_nothing_and_viewers_may_not(alice: Person, mallory: Person, carol: Person) -> None:
    run = start_graph(alice, CHAIN)
    submit(alice, run, TYPED, propose=True)
    for person, error in ((mallory, NotFound), (carol, PermissionDenied)):
        with pytest.raises(error):
            submit(person, run, TYPED)
        for decide in (patches.accept_patch, patches.reject_patch, patches.revert_patch):
            with pytest.raises(error):
                decide(actor=person.actor, run_id=run.id, number=1)
    with pytest.raises(NotFound):
        patches.accept_patch(actor=alice.actor, run_id=run.id, number=2)


# --- revert ----------------------------------------------------------------------------------------------------------


def test_a_reverted_patch_leaves_the_run_as_it_was(alice: Person) -> None:
    run = start_graph(alice, CHAIN)
    finish(claim(run), value=1)
    before = run.snapshot_id
    submit(alice, run, ADDED)
    assert RunNode.objects.get(run=run, node="d").due_at is not None
    patch = patches.revert_patch(actor=alice.actor, run_id=run.id, number=1)
    assert (patch.state, patch.decided_by) == ("reverted", str(alice.actor))
    run.refresh_from_db()
    assert (run.snapshot_id, run.definition_version) == (before, 3)
    assert RunNode.objects.get(run=run, node="d").due_at is None
    run.refresh_from_db()
    assert RunNode.objects.filter(run=run, status="running").get().node == "b"
    with pytest.raises(Conflict):
        patches.revert_patch(actor=alice.actor, run_id=run.id, number=1)


def test_only_the_last_accepted_patch_is_reverted_then_the_one_before(alice: Person) -> None:
    run = start_graph(alice, CHAIN)
    before = run.snapshot_id
    submit(alice, run, TYPED)
    submit(alice, run, ADDED, propose=True)
    submit(alice, run, ADDED)
    with pytest.raises(Conflict) as refused:
        patches.revert_patch(actor=alice.actor, run_id=run.id, number=1)
    assert refused.value.details == {"last": 3}
    for number in (3, 1):
        patches.revert_patch(actor=alice.actor, run_id=run.id, number=number)
    run.refresh_from_db()
    assert (run.snapshot_id, run.definition_version) == (before, 5)
    assert carry(run).status == "succeeded"


def test_what_has_started_of_a_patch_is_not_reverted(alice: Person) -> None:
    run = start_graph(alice, {"a": {"type": "echo"}})
    claim(run)
    submit(alice, run, [{"op": "add", "path": "/nodes/x", "value": {"type": "echo"}}])
    assert claim(run, OTHER).name == "x"
    with pytest.raises(Conflict) as refused:
        patches.revert_patch(actor=alice.actor, run_id=run.id, number=1)
    assert refused.value.details == {"nodes": ["x"]}


# --- on the record ---------------------------------------------------------------------------------------------------


def test_every_step_is_in_both_logs(alice: Person) -> None:
    run = start_graph(alice, CHAIN)
    submit(alice, run, TYPED, propose=True)
    submit(alice, run, ADDED, propose=True)
    patches.accept_patch(actor=alice.actor, run_id=run.id, number=1)
    patches.reject_patch(actor=alice.actor, run_id=run.id, number=2, comment="No.")
    patches.revert_patch(actor=alice.actor, run_id=run.id, number=1)
    rows = list(RunEvent.objects.filter(run=run).order_by("sequence"))
    assert [(row.sequence, row.node, row.phase, row.payload["number"], row.payload["state"]) for row in rows] == [
        (0, "c", "patched", 1, "proposed"), (1, "d", "patched", 2, "proposed"), (2, "c", "patched", 1, "accepted"),
        (3, "a", "patched", 2, "rejected"), (4, "c", "patched", 1, "reverted"),
    ]  # fmt: skip
    assert rows[2].payload["operations"] == TYPED
    assert rows[3].summary == f"Patch 2 rejected by {alice.actor}: No."
    assert rows[2].payload["by"] == str(alice.actor)
    told = list(Event.objects.filter(target=f"run:{run.id}").order_by("seq").values_list("event", "actor"))
    names = ["run_patch_proposed", "run_patch_proposed", "run_patched", "run_patch_rejected", "run_patch_reverted"]
    assert told == [(name, str(alice.actor)) for name in names]


# --- races -----------------------------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_of_an_accept_and_a_reject_at_once_one_wins(alice: Person, bob: Person) -> None:
    run = start_graph(alice, CHAIN)
    for number in range(1, 4):
        submit(alice, run, [{"op": "add", "path": f"/nodes/n{number}", "value": {"type": "echo"}}], propose=True)
        answers = race(
            lambda number=number: patches.accept_patch(actor=alice.actor, run_id=run.id, number=number),
            lambda number=number: patches.reject_patch(actor=bob.actor, run_id=run.id, number=number),
        )
        [refused] = [answer for answer in answers if isinstance(answer, Conflict)]
        [done] = [answer for answer in answers if isinstance(answer, RunPatch)]
        assert refused.details == {"state": done.state}
