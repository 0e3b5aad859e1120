"""A compaction changes what a chain costs, and nothing that anybody sees."""

import random
import uuid
from collections.abc import Callable
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import transaction

from conftest import Person
from orchestrator.core.errors import Conflict
from orchestrator.events.models import Event
from tasks.tests.test_races import race
from versioning import materialisation, refs
from versioning.models import Artifact, ArtifactKind, Tag
from versioning.services import artifacts, merges, tags, upkeep, workflows
from versioning.tests.calls import get
from versioning.tests.test_gc import collect, definitions, meanwhile, moved, patched, root

REFS = ("flow", "flow~", "flow~2", "flow~5", "flow~6", "flow@{1}", "flow@{2}", "flow@{4}", "flow@{6}", "flow@{7}")


def grown(person: Person, patches: int = 6) -> Artifact:
    """The head of a tag "flow" that was patched so many times."""
    root(person)
    return [moved(person, "flow", seconds) for seconds in range(1, patches + 1)][-1]


def compact(limit: int = 3, **where: Any) -> list[upkeep.Compacted]:
    return upkeep.compact_chains(limit=limit, **where)


def compactions() -> int:
    return Artifact.objects.filter(kind=ArtifactKind.WORKFLOW).exclude(base=None).count()


def seen(person: Person) -> dict[str, Any]:
    """What every ref comes to, made from the rows."""
    materialisation.forget()
    versions = {ref: refs.resolve(person.org.pk, ref) for ref in REFS}
    return {ref: (version.id, materialisation.definition_of(version)) for ref, version in versions.items()}


def read(person: Person, path: str) -> Any:
    answer = get(person, path)
    assert answer.status_code == 200, answer.content
    return answer.json()


def test_every_ref_comes_to_the_same(alice: Person) -> None:
    grown(alice)
    before = seen(alice)
    assert len(compact()) == 1
    assert seen(alice) == before


def test_log_history_and_tag_are_unchanged(alice: Person) -> None:
    grown(alice)
    paths = ("workflows/flow/log", "workflows/flow/log?limit=2", "tags/flow/history", "tags/flow", "workflows/flow")
    before = [read(alice, path) for path in paths]
    compact()
    assert [read(alice, path) for path in paths] == before


def test_the_next_patch_is_chained_to_the_new_root(alice: Person) -> None:
    head = grown(alice)
    [done] = compact()
    patch = moved(alice, "flow", 100)
    assert (patch.base_id, patch.chain_length, patch.depth) == (done.root_id, 1, head.depth + 1)
    newest, *older = read(alice, "workflows/flow/log")["items"]
    assert (newest["id"], newest["parents"]) == (str(patch.id), [str(head.id)])
    assert [row["depth"] for row in older] == [6, 5, 4, 3, 2, 1, 0]
    assert str(done.root_id) not in {row["id"] for row in older}
    assert refs.resolve(alice.org.pk, "flow~").id == head.id
    assert refs.resolve(alice.org.pk, "flow~7").depth == 0


def test_undo_and_redo_go_over_it(alice: Person) -> None:
    head = grown(alice)
    compact()
    patch = moved(alice, "flow", 100)
    undone = [tags.undo_tag(actor=alice.actor, name="flow").artifact_id for _ in range(7)]
    assert undone[0] == head.id
    with pytest.raises(Conflict):
        tags.undo_tag(actor=alice.actor, name="flow")
    redone = [tags.redo_tag(actor=alice.actor, name="flow").artifact_id for _ in range(7)]
    assert redone[-2:] == [head.id, patch.id]


def test_a_merge_over_it_finds_the_common_ancestor(alice: Person) -> None:
    head = grown(alice)
    before = patched(alice, head, 50, "b")
    compact()
    after = moved(alice, "flow", 100)
    assert before.base_id == head.id
    done = merges.merge_tag(actor=alice.actor, into="flow", theirs=before)
    nodes = materialisation.definition_of(done.artifact)["nodes"]
    assert (nodes["a"]["timeout_seconds"], nodes["b"]["timeout_seconds"]) == (100, 50)
    log = read(alice, "workflows/flow/log")["items"]
    assert log[0]["parents"] == [str(after.id), str(before.id)]
    assert {tuple(row["parents"]) for row in log[1:3]} == {(str(head.id),)}


def test_only_long_chains_are_compacted_and_once(alice: Person, mallory: Person) -> None:
    grown(alice)
    grown(mallory, 3)
    assert [(done.tag.org_id, done.tag.name) for done in compact()] == [(alice.org.pk, "flow")]
    assert compact() == []
    assert compactions() == 1


def test_two_tags_on_one_version_share_the_root(alice: Person) -> None:
    tags.create_tag(actor=alice.actor, name="other", artifact=grown(alice))
    assert len(compact()) == 1
    assert compactions() == 1


def test_one_tag_or_one_org_can_be_named(alice: Person, mallory: Person) -> None:
    head = grown(alice)
    grown(mallory)
    tags.create_tag(actor=alice.actor, name="other", artifact=patched(alice, head, 9))
    assert [done.tag.name for done in compact(tag="other")] == ["other"]
    assert [done.tag.org_id for done in compact(org_id=mallory.org.pk)] == [mallory.org.pk]
    assert compactions() == 2


def test_deleted_tags_are_left_alone(alice: Person) -> None:
    grown(alice)
    tags.delete_tag(actor=alice.actor, name="flow")
    assert compact(0) == []


def test_it_is_recorded(alice: Person) -> None:
    head = grown(alice)
    [done] = compact()
    event = Event.objects.latest("id")
    assert (event.event, event.kind, event.actor) == ("workflow_compacted", "artifacts", "system")
    assert (event.target, event.details) == (
        f"artifact:{done.root_id}",
        {"artifact": str(head.id), "tag": "flow"},
    )


def test_patching_makes_a_root_by_the_way(alice: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(artifacts, "CHAIN_LIMIT", 3)
    grown(alice, 10)
    assert compactions() == 3
    assert max(Artifact.objects.values_list("chain_length", flat=True)) == 3
    log = read(alice, "workflows/flow/log")["items"]
    assert [row["depth"] for row in log] == list(range(10, -1, -1))
    assert [row["parents"] for row in log[:-1]] == [[row["id"]] for row in log[1:]]
    found = definitions()
    assert [found[uuid.UUID(row["id"])]["nodes"]["a"].get("timeout_seconds") for row in log] == [
        *range(10, 0, -1),
        None,
    ]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("attempt", range(3))
def test_two_who_compact_make_one_root(alice: Person, attempt: int) -> None:
    tags.create_tag(actor=alice.actor, name="other", artifact=grown(alice))
    answers = race([compact] * 4)
    assert sorted(map(len, answers)) == [0, 0, 0, 1]
    assert compactions() == 1
    assert Event.objects.filter(event="workflow_compacted").count() == 1


@pytest.mark.django_db(transaction=True)
def test_the_second_waits_for_the_first_and_finds_nothing_left(alice: Person) -> None:
    tags.create_tag(actor=alice.actor, name="other", artifact=grown(alice))
    found: list[list[upkeep.Compacted]] = []
    with transaction.atomic():
        assert len(compact(tag="flow")) == 1
        thread = meanwhile(lambda: found.append(compact(tag="other")))
        thread.join(0.5)
        assert thread.is_alive()
    thread.join(20)
    assert found == [[]]
    assert Event.objects.filter(event="workflow_compacted").count() == 1


@pytest.mark.django_db(transaction=True)
def test_a_tag_on_the_move_is_compacted_where_it_arrives(alice: Person) -> None:
    grown(alice)
    found: list[upkeep.Compacted] = []
    with transaction.atomic():
        head = moved(alice, "flow", 100)
        thread = meanwhile(lambda: found.extend(compact()))
        thread.join(0.5)
    thread.join(20)
    assert [done.artifact_id for done in found] == [head.id]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("attempt", range(3))
def test_compacting_and_patching_at_once(alice: Person, attempt: int) -> None:
    grown(alice)
    race([compact, *(patcher(alice, seconds) for seconds in (20, 21, 22))])
    assert compactions() == 1
    assert [row["depth"] for row in read(alice, "workflows/flow/log")["items"]] == list(range(9, -1, -1))
    assert {found["nodes"]["a"].get("timeout_seconds") for found in definitions().values()} == {
        None, 1, 2, 3, 4, 5, 6, 20, 21, 22,
    }  # fmt: skip


def patcher(person: Person, seconds: int) -> Callable[[], Artifact]:
    return lambda: moved(person, "flow", seconds)


@pytest.mark.parametrize("seed", range(6))
def test_whatever_is_done_no_definition_changes(alice: Person, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A tag and a branch, patched, undone, merged, compacted and swept at random."""
    monkeypatch.setattr(artifacts, "CHAIN_LIMIT", 4)
    chance = random.Random(seed)
    tags.create_tag(actor=alice.actor, name="side", artifact=root(alice))
    known = definitions()
    for step in range(1, 60):
        act(alice, chance, step)
        found = definitions()
        assert all(found[id_] == known[id_] for id_ in found.keys() & known.keys())
        known |= found
        assert reachable() <= found.keys()
    assert collect(dry_run=True) == collect()


def act(person: Person, chance: random.Random, step: int) -> None:
    """One thing, done by somebody somewhere; what cannot be done just now is not."""
    tag, other = chance.sample(["flow", "side"], 2)
    head = refs.live_tag(person.org.pk, tag).artifact
    theirs = refs.live_tag(person.org.pk, other).artifact
    assert head is not None
    assert theirs is not None
    deeds: list[Callable[[], Any]] = [
        lambda: moved(person, tag, step),
        lambda: patched(person, patched(person, head, step), 1000 + step),
        lambda: tags.undo_tag(actor=person.actor, name=tag),
        lambda: tags.redo_tag(actor=person.actor, name=tag),
        lambda: tags.move_tag(actor=person.actor, name=tag, to=theirs),
        lambda: merges.merge_tag(actor=person.actor, into=tag, theirs=theirs),
        lambda: tags.move_tag(actor=person.actor, name=tag, to=chance.choice(list(Artifact.objects.order_by("id")))),
        lambda: compact(chance.randrange(4)),
        lambda: upkeep.collect_garbage(older_than=timedelta(0), dry_run=False),
    ]
    try:
        with transaction.atomic():
            chance.choices(deeds, weights=(8, 4, 4, 3, 1, 3, 1, 3, 2))[0]()
    except Conflict:
        pass


def reachable() -> set[uuid.UUID]:
    """By the plain definition, one step at a time."""
    found: set[uuid.UUID] = set()
    moves = Tag.objects.values_list("artifact", "moves__from_artifact", "moves__to_artifact")
    ahead = {id_ for row in moves for id_ in row if id_}
    while ahead:
        found |= ahead
        parents = Artifact.objects.filter(pk__in=ahead).values_list("base", "merged")
        ahead = {id_ for row in parents for id_ in row if id_} - found
    return found


def run(*arguments: str) -> list[str]:
    out = StringIO()
    call_command("compact", *arguments, stdout=out)
    return out.getvalue().splitlines()


def test_the_command_says_what_it_did(alice: Person) -> None:
    grown(alice)
    assert run() == ["Compacted: 0."]
    assert run("--limit=3", "--dry-run") == ["Would compact org-of-alice flow: 6 patches.", "Would compact: 1."]
    assert compactions() == 0
    assert run("--limit=3", "--tag=flow", "--org=org-of-alice") == [
        "Compacted org-of-alice flow: 6 patches.", "Compacted: 1.",
    ]  # fmt: skip
    assert run("--limit=3") == ["Compacted: 0."]


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--org=nobody"], "There is no organization 'nobody'"),
        (["--tag=none"], "There is no tag 'none'"),
        (["--tag=flow", "--org=org-of-mallory"], "There is no tag 'flow'"),
        (["--limit=-1"], "--limit is 0 or more"),
    ],
)
def test_the_command_refuses_what_is_not_there(
    alice: Person, mallory: Person, arguments: list[str], reason: str
) -> None:
    workflows.create_workflow(actor=alice.actor, tag="flow", definition={"nodes": {"a": {"type": "planner"}}})
    with pytest.raises(CommandError, match=reason):
        run(*arguments)
