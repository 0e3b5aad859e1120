"""What nothing reaches goes; what anything reaches stays, and comes to the same."""

import threading
import time
import uuid
from collections.abc import Iterator
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
import time_machine
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connections, transaction

from conftest import Person
from orchestrator.core import clock
from orchestrator.core.errors import NotFound
from orchestrator.events.models import Event
from versioning import materialisation, reach
from versioning.models import Artifact, ArtifactKind, Blob, Tag, TagMove
from versioning.services import artifacts, merges, tags, upkeep, workflows
from versioning.services.blobs import KEEP_EVERY, put_blob
from versioning.services.upkeep import Collected
from versioning.tests.calls import definition, set_timeout


def root(person: Person, tag: str = "flow") -> Artifact:
    found = workflows.create_workflow(actor=person.actor, tag=tag, definition=definition("a", "b")).artifact
    assert found is not None
    return found


def patched(person: Person, base: Artifact, seconds: int, node: str = "a") -> Artifact:
    """A version on ``base`` that no tag names."""
    return workflows.patch_version(actor=person.actor, base=base, operations=[set_timeout(seconds, node)]).artifact


def moved(person: Person, tag: str, seconds: int) -> Artifact:
    """A version on the tag's head, and the tag on it."""
    return workflows.patch_tag(actor=person.actor, tag=tag, operations=[set_timeout(seconds)]).artifact


def chain(person: Person, base: Artifact, length: int) -> list[Artifact]:
    found = [base]
    for seconds in range(1, length + 1):
        found.append(patched(person, found[-1], seconds))
    return found[1:]


def collect(days: int = 0, *, dry_run: bool = False) -> Collected:
    return upkeep.collect_garbage(older_than=timedelta(days=days), dry_run=dry_run)


def versions() -> set[uuid.UUID]:
    return set(Artifact.objects.values_list("id", flat=True))


def definitions() -> dict[uuid.UUID, Any]:
    """What every version comes to, made from the rows."""
    materialisation.forget()
    return {artifact.id: materialisation.definition_of(artifact) for artifact in Artifact.objects.all()}


@pytest.fixture
def _registry_put_back() -> Iterator[None]:
    before = list(reach._namings)
    yield
    reach._namings[:] = before


def test_versions_without_a_name_go_with_their_blobs(alice: Person) -> None:
    base = root(alice)
    kept, before = definitions(), Blob.objects.count()
    chain(alice, base, 2 * KEEP_EVERY + 3)
    assert Artifact.objects.count() == 2 * KEEP_EVERY + 4
    blobs = Blob.objects.count() - before
    assert blobs == 2 * KEEP_EVERY + 3 + 2, "operations, and the definitions that the chain keeps whole"
    found = collect()
    assert (found.artifacts, found.blobs) == (2 * KEEP_EVERY + 3, blobs)
    assert definitions() == kept
    assert Blob.objects.count() == before


def test_the_bytes_are_those_of_the_contents(alice: Person) -> None:
    base = root(alice)
    operations = [{"op": "add", "path": "/name", "value": "Wörter, die länger sind 🙂"}]
    before = {blob.pk for blob in Blob.objects.all()}
    workflows.patch_version(actor=alice.actor, base=base, operations=operations)
    size = sum(len(blob.content.encode()) for blob in Blob.objects.exclude(pk__in=before))
    assert collect() == Collected(1, 1, size)


def test_a_dry_run_says_the_same_numbers_and_removes_nothing(alice: Person, mallory: Person) -> None:
    for person in (alice, mallory):
        base = root(person)
        chain(person, base, KEEP_EVERY + 1)
        tags.create_tag(actor=person.actor, name="other", artifact=patched(person, base, 100))
        put_blob(org_id=person.org.pk, content=b'{"left":"over"}')
    rows = (versions(), set(Blob.objects.values_list("pk", flat=True)), Event.objects.count())
    foreseen = collect(dry_run=True)
    assert (versions(), set(Blob.objects.values_list("pk", flat=True)), Event.objects.count()) == rows
    before = Blob.objects.count()
    assert collect() == foreseen
    assert foreseen.artifacts == 2 * (KEEP_EVERY + 1)
    assert foreseen.blobs == before - Blob.objects.count()
    assert collect() == collect(dry_run=True) == Collected()


def test_what_a_tag_stands_on_stays_with_its_history(alice: Person) -> None:
    *_, last = chain(alice, root(alice), 3)
    tags.create_tag(actor=alice.actor, name="branch", artifact=last)
    kept = definitions()
    assert collect().artifacts == 0
    assert definitions() == kept


def test_what_was_undone_and_cut_off_stays(alice: Person) -> None:
    root(alice)
    cut = [moved(alice, "flow", seconds) for seconds in (1, 2)]
    for _ in range(2):
        tags.undo_tag(actor=alice.actor, name="flow")
    moved(alice, "flow", 3)
    kept = definitions()
    assert collect().artifacts == 0
    assert definitions() == kept
    assert {version.id for version in cut} <= kept.keys()


def test_the_history_of_a_deleted_tag_stays(alice: Person) -> None:
    root(alice)
    moved(alice, "flow", 1)
    tags.delete_tag(actor=alice.actor, name="flow")
    kept = definitions()
    assert len(kept) == 2
    assert collect().artifacts == 0
    assert definitions() == kept
    assert set(TagMove.objects.exclude(to_artifact=None).values_list("to_artifact_id", flat=True)) == kept.keys()


def test_the_second_parent_of_a_merge_stays_with_its_history(alice: Person) -> None:
    base = root(alice)
    side = [patched(alice, base, 1, "b")]
    side.append(patched(alice, side[0], 2, "b"))
    lost = patched(alice, side[0], 3, "b")
    moved(alice, "flow", 4)
    merges.merge_tag(actor=alice.actor, into="flow", theirs=side[-1])
    kept = definitions()
    del kept[lost.id]
    assert collect().artifacts == 1
    assert definitions() == kept
    assert {version.id for version in side} <= kept.keys()


def test_a_merge_that_nothing_reaches_goes_and_leaves_its_parents(alice: Person) -> None:
    base = root(alice)
    lost = patched(alice, base, 1, "b")
    ours = moved(alice, "flow", 2)
    both = definition("a", "b")
    for node, seconds in (("a", 2), ("b", 1)):
        both["nodes"][node]["timeout_seconds"] = seconds
    prepared = artifacts.prepare_merge(ours, lost, [set_timeout(1, "b")], both)
    with transaction.atomic():
        artifacts.store(alice.actor, prepared, "")
    assert collect().artifacts == 2
    assert versions() == {base.id, ours.id}


@pytest.mark.usefixtures("_registry_put_back")
def test_what_a_higher_room_names_stays(alice: Person) -> None:
    first, second, third = chain(alice, root(alice), 3)
    reach.register(lambda ids: {second.id}.intersection(ids))
    assert collect().artifacts == 1
    assert versions() >= {first.id, second.id}
    assert third.id not in versions()


def test_young_versions_stay_with_all_that_they_stand_on(alice: Person) -> None:
    with time_machine.travel(clock.now() - timedelta(days=20)):
        base = root(alice)
        old = patched(alice, base, 1)
        patched(alice, base, 2)
    with time_machine.travel(clock.now() - timedelta(days=13)):
        young = patched(alice, old, 3)
    blobs = Blob.objects.count()
    assert collect(14, dry_run=True).artifacts == 1
    found = collect(14)
    assert (found.artifacts, found.blobs) == (1, 1)
    assert versions() == {base.id, old.id, young.id}
    assert Blob.objects.count() == blobs - 1
    assert collect(12).artifacts == 2


def test_a_young_blob_stays(alice: Person) -> None:
    put_blob(org_id=alice.org.pk, content=b"{}")
    assert collect(1).blobs == 0
    assert collect(0).blobs == 1


def test_a_snapshot_is_collected_when_no_run_names_it(alice: Person) -> None:
    base = root(alice)
    with transaction.atomic():
        artifacts.snapshot(alice.actor, base)
    assert collect() == Collected(1, 0, 0), "its document is the root's, too"
    assert versions() == {base.id}


def test_a_document_that_versions_share_stays_for_the_last_one(alice: Person) -> None:
    base = root(alice)
    kept = patched(alice, base, 1)
    patched(alice, base, 1)
    tags.create_tag(actor=alice.actor, name="branch", artifact=kept)
    expected = materialisation.definition_of(kept)
    assert collect() == Collected(1, 0, 0)
    assert definitions()[kept.id] == expected


def test_compactions_go_with_what_they_say_again(alice: Person) -> None:
    base = root(alice)
    lost, used, kept = (patched(alice, base, seconds) for seconds in (1, 2, 3))
    with transaction.atomic():
        for version in (lost, used, kept):
            artifacts.compact(version, alice.actor)
    tags.create_tag(actor=alice.actor, name="used", artifact=patched(alice, used, 4))
    tags.create_tag(actor=alice.actor, name="kept", artifact=kept)
    left = definitions()
    assert collect().artifacts == 2
    after = definitions()
    assert left.items() >= after.items()
    assert lost.id not in after
    compactions = Artifact.objects.filter(kind=ArtifactKind.WORKFLOW).exclude(base=None)
    assert set(compactions.values_list("base", flat=True)) == {used.id, kept.id}


def test_a_compaction_and_its_version_fall_apart_into_two_batches(alice: Person, monkeypatch: Any) -> None:
    monkeypatch.setattr(upkeep, "_BATCH", 1)
    first, second = chain(alice, root(alice), 2)
    with transaction.atomic():
        artifacts.compact(second, alice.actor)
    assert collect(dry_run=True).artifacts == collect().artifacts == 3
    assert versions().isdisjoint({first.id, second.id})


def test_a_compaction_comes_before_its_version_whatever_the_clock_said(alice: Person) -> None:
    version = patched(alice, root(alice), 1)
    with transaction.atomic():
        artifacts.compact(version, alice.actor)
    early = uuid.UUID(int=1)
    Artifact.objects.filter(base=version).update(id=early)
    assert reach.unreachable(alice.org.pk, clock.now()) == [early, version.id]


def test_what_was_named_since_the_look_stays_with_its_history(alice: Person) -> None:
    base = root(alice)
    *_, tagged = chain(alice, base, 2)
    *_, patched_on = chain(alice, base, 3)
    chain(alice, base, 4)
    lost = reach.unreachable(alice.org.pk, clock.now())
    assert len(lost) == 9
    tags.create_tag(actor=alice.actor, name="late", artifact=tagged)
    patched(alice, patched_on, 9)
    kept = definitions()
    assert len(upkeep._remove_versions(alice.org.pk, lost)) == 4
    after = definitions()
    assert len(after) == len(kept) - 4
    assert kept.items() >= after.items()


def test_a_blob_that_is_needed_again_since_the_look_stays(alice: Person) -> None:
    root(alice)
    moved(alice, "flow", 1)
    ids = list(Blob.objects.order_by("pk").values_list("pk", flat=True))
    assert upkeep._remove_blobs(alice.org.pk, ids) == []
    assert len(ids) == Blob.objects.count() == 3, "the root, the operations, the tag's definition"


@pytest.mark.parametrize("batch", [1, 2, 3, 500])
def test_batches_and_pages_of_any_size_remove_the_same(alice: Person, batch: int, monkeypatch: Any) -> None:
    monkeypatch.setattr(upkeep, "_BATCH", batch)
    monkeypatch.setattr(reach, "_PAGE", batch)
    base = root(alice)
    chain(alice, base, 5)
    kept = chain(alice, base, 4)[1]
    tags.create_tag(actor=alice.actor, name="branch", artifact=kept)
    left = definitions()
    assert collect().artifacts == 7
    assert left.items() >= definitions().items()
    assert len(versions()) == 3


def test_each_org_that_lost_something_hears_of_it(alice: Person, mallory: Person) -> None:
    root(mallory)
    chain(alice, root(alice), 3)
    found = collect()
    events = Event.objects.filter(event="versions_collected").order_by("seq")
    for event in events:
        assert (event.org_id, event.actor, event.kind) == (alice.org.pk, "system", "artifacts")
    assert [event.details for event in events] == [{"artifacts": 3}, {"blobs": 3, "bytes": found.bytes}]


def test_a_hundred_thousand_versions_take_seconds(alice: Person) -> None:
    """A tenth of them here, where a second is enough."""
    base = root(alice)
    template = patched(alice, base, 1)
    made: list[Artifact] = []
    for depth in range(1, 10_001):
        parent = made[-2] if len(made) > 1 else base
        made.append(
            Artifact(
                org_id=template.org_id, kind=template.kind, blob_id=template.blob_id, depth=depth, node_count=2,
                definition_digest=template.definition_digest, base=parent, merged=made[-1] if made else None,
                chain_length=parent.chain_length + 1, edge_count=1, author="system",
            )
        )  # fmt: skip
    Artifact.objects.bulk_create(made, batch_size=500)
    Tag.objects.update(artifact=made[5000])
    started = time.perf_counter()
    lost = reach.unreachable(alice.org.pk, clock.now())
    assert time.perf_counter() - started < 3
    assert lost == [version.id for version in reversed(made[5001:])] + [template.id]


@pytest.mark.parametrize("days", ["-1", "40000"])
def test_a_senseless_age_is_refused(days: str) -> None:
    with pytest.raises(CommandError, match="--older-than-days is 0 to 36500"):
        call_command("gc", "--older-than-days", days)


def test_the_command_says_what_it_did(alice: Person) -> None:
    chain(alice, root(alice), 2)
    told = [gc(), gc("--older-than-days=0", "--dry-run"), gc("--older-than-days=0"), gc("--older-than-days=0")]
    size = 2 * len('[{"op":"add","path":"/nodes/a/timeout_seconds","value":1}]')
    assert told == [
        "Removed 0 versions and 0 blobs (0 bytes).\n",
        f"Would remove 2 versions and 2 blobs ({size} bytes).\n",
        f"Removed 2 versions and 2 blobs ({size} bytes).\n",
        "Removed 0 versions and 0 blobs (0 bytes).\n",
    ]


def gc(*arguments: str) -> str:
    out = StringIO()
    call_command("gc", *arguments, stdout=out)
    return out.getvalue()


def meanwhile(work: Any) -> threading.Thread:
    def run() -> None:
        try:
            work()
        finally:
            connections.close_all()

    thread = threading.Thread(target=run)
    thread.start()
    return thread


@pytest.mark.django_db(transaction=True)
def test_a_version_that_somebody_is_about_to_name_stays(alice: Person) -> None:
    *_, last = chain(alice, root(alice), 3)
    found: list[Collected] = []
    with transaction.atomic():
        artifacts.hold(last)
        thread = meanwhile(lambda: found.append(collect()))
        thread.join(0.5 if settings.ON_SQLITE else 10)
        assert thread.is_alive() == settings.ON_SQLITE, "SQLite waits for us, PostgreSQL passes it over"
        kept = patched(alice, last, 100)
    thread.join(20)
    assert found == [Collected()]
    tags.create_tag(actor=alice.actor, name="branch", artifact=kept)
    assert definitions()[kept.id]["nodes"]["a"]["timeout_seconds"] == 100
    assert collect().artifacts == 0


@pytest.mark.django_db(transaction=True)
def test_who_holds_a_version_has_its_compaction_too(alice: Person) -> None:
    version = patched(alice, root(alice), 1)
    with transaction.atomic():
        compaction = artifacts.compact(version, alice.actor)
    with transaction.atomic():
        artifacts.hold(version)
        thread = meanwhile(collect)
        thread.join(0.5)
        kept = patched(alice, version, 2)
    thread.join(20)
    assert kept.base_id == compaction.id
    assert {version.id, compaction.id, kept.id} <= versions()


@pytest.mark.django_db(transaction=True)
def test_writers_and_collectors_at_once_break_nothing(alice: Person) -> None:
    """Patches on versions that may be collected at any moment: either the patch is there whole, or a 404 was said."""
    base = root(alice)
    ended = threading.Event()
    collected: list[Collected] = []
    errors: list[Exception] = []

    def sweep() -> None:
        try:
            while not ended.is_set():
                collected.append(collect())
        except Exception as error:
            errors.append(error)

    thread = meanwhile(sweep)
    refused = 0
    try:
        for number in range(1, 60):
            version = patched(alice, base, number)
            try:
                tags.create_tag(actor=alice.actor, name=f"t{number}", artifact=patched(alice, version, number + 1))
            except NotFound:
                refused += 1
    finally:
        ended.set()
        thread.join(20)
    assert not errors
    assert Tag.objects.live().count() == 60 - refused
    assert all(found["nodes"] for found in definitions().values())


@pytest.mark.django_db(transaction=True)
def test_a_reference_that_nobody_told_of_keeps_only_what_it_names(alice: Person, monkeypatch: Any) -> None:
    """The foreign keys have the last word."""
    base = root(alice)
    first, second, third, fourth = chain(alice, base, 4)
    other = patched(alice, base, 9)
    tags.create_tag(actor=alice.actor, name="branch", artifact=third)
    assert materialisation.definition_of(third)["nodes"]["a"]["timeout_seconds"] == 3
    monkeypatch.setattr(reach, "_namings", [])
    assert collect().artifacts == 2
    assert versions() == {base.id, first.id, second.id, third.id}
    assert not {fourth.id, other.id} & versions()


def test_a_refused_row_is_passed_over() -> None:
    def remove(ids: Any) -> list[int]:
        if 3 in ids:
            raise IntegrityError
        return [1] * len(ids)

    assert upkeep._by_halves(remove, list(range(10))) == [1] * 9  # type: ignore[arg-type]
