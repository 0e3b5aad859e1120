"""What the database itself refuses, whoever writes: the rows here go past the services."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import pytest
from django.db import IntegrityError, connection, models, transaction

from conftest import Person
from orchestrator.core.ids import uuid7
from runs.services import submission
from versioning.models import Artifact, Tag, TagMove
from versioning.services import artifacts, tags, workflows
from versioning.tests.calls import definition, set_timeout

Rows = dict[str, models.Model]

# SQLite tells of a foreign key only that it is one, and of a unique index the columns.
FOREIGN_KEY: Final = "(?i)foreign key"
HAS_BASE, HAS_ENDS = "artifact_patch_set_has_base", "tag_move_has_its_ends"
# By row and column: another row of which it may name, but only in its own org.
REFERENCES: Final = [
    ("patch", "blob_id", "blob"),
    ("patch", "base_id", "root"),
    ("patch", "merged_id", "root"),
    ("tag", "artifact_id", "root"),
    ("moved", "tag_id", "tag"),
    ("moved", "from_artifact_id", "root"),
    ("moved", "to_artifact_id", "root"),
    ("run", "artifact_id", "root"),
    ("run", "snapshot_id", "snapshot"),
]


def rows_of(person: Person) -> Rows:
    """A root, its compaction, a patch on it with a tag, what moved this there and back, and a run."""
    actor = person.actor
    root = workflows.create_workflow(actor=actor, tag="flow", definition=definition("a", "b")).artifact
    assert root is not None
    patched = workflows.patch_tag(actor=actor, tag="flow", operations=[set_timeout(1)])
    run = submission.start_run(actor=actor, workflow="flow", inputs={})
    tags.create_tag(actor=actor, name="gone", artifact=root)
    tags.delete_tag(actor=actor, name="gone")
    moves = {move.kind: move for move in TagMove.objects.for_org(person.org.id)}
    return {
        "blob": root.blob, "root": root, "patch": patched.artifact, "compaction": artifacts.compact(root, actor),
        "snapshot": run.snapshot, "run": run, "tag": Tag.objects.for_org(person.org.id).get(name="flow"),
        "created": moves["create"], "moved": moves["patch"], "deleted": moves["delete"],
    }  # fmt: skip


@pytest.fixture
def ours(alice: Person) -> Rows:
    return rows_of(alice)


@pytest.fixture
def theirs(mallory: Person) -> Rows:
    return rows_of(mallory)


@contextmanager
def checked() -> Iterator[None]:
    """Nothing is left for the commit to refuse."""
    with transaction.atomic():
        yield
        connection.check_constraints()


@contextmanager
def refused(words: str) -> Iterator[None]:
    """The database says these words of what the block does, at the latest when it would be committed."""
    with pytest.raises(IntegrityError, match=words), checked():
        yield


def insert(row: models.Model, **changes: Any) -> None:
    """A copy of the row, changed, with an id of its own."""
    fields = {field.attname: getattr(row, field.attname) for field in row._meta.concrete_fields}
    type(row)._base_manager.bulk_create([type(row)(**{**fields, "id": uuid7(), **changes})])


def update(row: models.Model, **changes: Any) -> None:
    type(row)._base_manager.filter(pk=row.pk).update(**changes)


def unlike(row: models.Model) -> dict[str, Any]:
    """Changes that keep a copy of the row from being the same tag or move again."""
    return {"Tag": {"name": "copy"}, "TagMove": {"number": 99}}.get(type(row).__name__, {})


@pytest.mark.parametrize("row", ["root", "patch", "tag", "created", "moved", "deleted", "run"])
def test_a_copy_of_a_good_row_is_taken(ours: Rows, row: str) -> None:
    """So that what the other tests see refused is refused for what they changed."""
    with checked():
        insert(ours[row], **unlike(ours[row]))


@pytest.mark.parametrize(
    ("row", "changes", "rule"),
    [
        ("patch", {"base_id": None}, HAS_BASE),
        ("patch", {"chain_length": 0}, HAS_BASE),
        ("patch", {"kind": "workflow"}, HAS_BASE),
        ("patch", {"kind": "another"}, HAS_BASE),
        ("root", {"chain_length": 1}, HAS_BASE),
        ("compaction", {"chain_length": 1}, HAS_BASE),
        ("snapshot", {"chain_length": 1}, HAS_BASE),
        ("patch", {"depth": -1}, "depth"),
        ("tag", {"position": 2}, "tag_stands_on_its_line"),
        ("tag", {"last_position": 0}, "tag_stands_on_its_line"),
        ("created", {"to_artifact_id": None}, HAS_ENDS),
        ("deleted", {"from_artifact_id": None}, HAS_ENDS),
        ("moved", {"kind": "create"}, HAS_ENDS),
        ("moved", {"kind": "delete"}, HAS_ENDS),
        ("moved", {"kind": "other"}, HAS_ENDS),
        *[
            ("moved", {"kind": kind, end: None}, HAS_ENDS)
            for kind in ("move", "patch", "merge", "undo", "redo")
            for end in ("from_artifact_id", "to_artifact_id")
        ],
    ],
)
def test_a_row_makes_sense_in_itself(ours: Rows, row: str, changes: dict[str, Any], rule: str) -> None:
    with refused(rule):
        update(ours[row], **changes)
    with refused(rule):
        insert(ours[row], **{**unlike(ours[row]), **changes})


@pytest.mark.parametrize("row", ["root", "compaction", "snapshot"])
def test_only_a_patch_set_has_a_second_parent(ours: Rows, row: str) -> None:
    with refused(HAS_BASE):
        update(ours[row], merged_id=ours["patch"].pk)


@pytest.mark.parametrize("column", ["base_id", "merged_id"])
def test_no_version_is_its_own_parent(ours: Rows, column: str) -> None:
    with refused("artifact_not_its_parent"):
        update(ours["patch"], **{column: ours["patch"].pk})


@pytest.mark.parametrize(
    ("row", "changes", "rule"),
    [
        ("blob", {}, "blob_once_per_org|blob.org_id, versioning_blob.digest"),
        ("moved", {}, "tag_move_number_once|tagmove.tag_id, versioning_tagmove.number"),
        ("tag", {}, "tag_name_once_per_org|tag.org_id, versioning_tag.name"),
        ("tag", {"artifact_id": None}, "tag_name_once_per_org|tag.org_id, versioning_tag.name"),
        ("compaction", {}, "artifact_compacted_once|artifact.base_id"),
        (
            "snapshot", {},
            "artifact_snapshot_once_per_content|artifact.org_id, versioning_artifact.definition_digest",
        ),
    ],
)  # fmt: skip
def test_what_there_is_once_is_there_once(ours: Rows, row: str, changes: dict[str, Any], rule: str) -> None:
    with refused(rule):
        insert(ours[row], **changes)


@pytest.mark.parametrize(("row", "column", "target"), REFERENCES)
def test_no_reference_leaves_its_org(ours: Rows, theirs: Rows, row: str, column: str, target: str) -> None:
    found, other = ours[row], unlike(ours[row])
    rule = f"{found._meta.db_table}_{column}_same_org"
    with refused(rule):
        insert(found, **{**other, column: theirs[target].pk})
    with refused(rule):
        update(found, **{**other, column: theirs[target].pk})
    with refused("_same_org"):
        update(found, **{**other, "org_id": theirs[row].org_id})


@pytest.mark.parametrize(("row", "column", "target"), REFERENCES)
def test_every_reference_leads_somewhere(ours: Rows, row: str, column: str, target: str) -> None:
    with refused(FOREIGN_KEY):
        update(ours[row], **{column: uuid.uuid4()})


@pytest.mark.parametrize("row", ["blob", "root", "patch", "snapshot", "tag"])
def test_what_is_referred_to_stays(ours: Rows, row: str) -> None:
    with refused(FOREIGN_KEY):
        named = type(ours[row])._base_manager.filter(pk=ours[row].pk)
        named._raw_delete(named.db)


def test_every_reference_between_rows_of_an_org_is_tried(ours: Rows) -> None:
    """A new foreign key to a versioned row belongs into REFERENCES, and into its migration as SameOrg."""
    found = {
        (type(row)._meta.model_name, field.attname)
        for row in ours.values()
        for field in row._meta.concrete_fields
        if field.related_model in (Artifact, Tag, type(ours["blob"]))
    }
    assert found == {(ours[row]._meta.model_name, column) for row, column, _ in REFERENCES}
