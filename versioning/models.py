"""Immutable content, its versions, and the names that move over them."""

from typing import Final

from django.db import models
from django.db.models import F, Q

from orchestrator.core import clock
from orchestrator.core.ids import uuid7
from orchestrator.identity.models import Organization
from orchestrator.identity.querysets import OrgQuerySet
from versioning.querysets import ArtifactQuerySet, TagQuerySet

DIGEST_LENGTH: Final = 71  # "sha256:" and 64 hex digits
MAX_TAG_NAME: Final = 200
MAX_MESSAGE: Final = 1000


class Blob(models.Model):
    """Canonical JSON (RFC 8785) under its SHA-256, once an org: never readable, not even guessable, across orgs."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    org = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="+", db_index=False)
    digest = models.CharField(max_length=DIGEST_LENGTH, editable=False)
    content = models.TextField(editable=False)
    created_at = models.DateTimeField(default=clock.now, editable=False)

    objects = OrgQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["org", "digest"], name="blob_once_per_org"),
            models.UniqueConstraint(fields=["org", "id"], name="blob_of_org"),  # what references are checked by
        ]

    def __str__(self) -> str:
        return self.digest


class ArtifactKind(models.TextChoices):
    WORKFLOW = "workflow"
    PATCH_SET = "patch_set"
    RUN_SNAPSHOT = "run_snapshot"


class Artifact(models.Model):
    """One immutable version of a workflow.

    ``blob`` is its own content: a definition for ``workflow`` and ``run_snapshot``, RFC 6902 operations on the
    definition of ``base`` for ``patch_set``. ``definition_digest`` is the address of what it comes to.
    ``base`` is its first parent, ``merged`` its second. A ``workflow`` with a ``base`` is a compaction: it says again,
    whole, what its base comes to, so that chains on it are short; history looks through it.
    ``depth`` is the longest way down to a root, ``chain_length`` the number of patches on the last whole definition.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    org = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="+", db_index=False)
    kind = models.CharField(max_length=12, choices=ArtifactKind.choices)
    blob = models.ForeignKey(Blob, on_delete=models.RESTRICT, related_name="+")
    definition_digest = models.CharField(max_length=DIGEST_LENGTH)
    base = models.ForeignKey("self", on_delete=models.RESTRICT, null=True, related_name="+")
    merged = models.ForeignKey("self", on_delete=models.RESTRICT, null=True, related_name="+")
    depth = models.PositiveIntegerField(default=0)
    chain_length = models.PositiveIntegerField(default=0)
    node_count = models.PositiveIntegerField()
    edge_count = models.PositiveIntegerField()
    author = models.CharField(max_length=80)
    message = models.CharField(max_length=MAX_MESSAGE, blank=True)
    created_at = models.DateTimeField(default=clock.now, editable=False)

    objects = ArtifactQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["org", "id"], name="artifact_of_org"),
            models.CheckConstraint(
                condition=Q(kind="patch_set", base__isnull=False, chain_length__gt=0)
                | Q(kind__in=("workflow", "run_snapshot"), merged=None, chain_length=0),
                name="artifact_patch_set_has_base",
            ),
            models.CheckConstraint(condition=~Q(base=F("id")) & ~Q(merged=F("id")), name="artifact_not_its_parent"),
            models.UniqueConstraint(fields=["base"], condition=Q(kind="workflow"), name="artifact_compacted_once"),
            models.UniqueConstraint(
                fields=["org", "definition_digest"],
                condition=Q(kind="run_snapshot"),
                name="artifact_snapshot_once_per_content",
            ),
        ]
        indexes = [models.Index(fields=["org", "definition_digest"], name="artifact_by_definition")]

    def __str__(self) -> str:
        return f"{self.kind} {self.id}"

    @property
    def is_compaction(self) -> bool:
        return self.kind == ArtifactKind.WORKFLOW and self.base_id is not None


class Tag(models.Model):
    """A movable name. One without an ``artifact`` is deleted: its row keeps the history and the number of versions.

    The undo line is an array of moves: ``position`` is where the tag stands on it, ``last_position`` its end. Undo and
    redo walk it; every other move is written behind ``position`` and cuts off what was there.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    org = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="+", db_index=False)
    name = models.CharField(max_length=MAX_TAG_NAME)
    artifact = models.ForeignKey(Artifact, on_delete=models.RESTRICT, null=True, related_name="+")
    version = models.PositiveIntegerField(default=1)
    protected = models.BooleanField(default=False)
    position = models.PositiveIntegerField(default=0)
    last_position = models.PositiveIntegerField(default=0)
    move_count = models.PositiveIntegerField(default=0)
    updated_by = models.CharField(max_length=80)
    created_at = models.DateTimeField(default=clock.now)
    updated_at = models.DateTimeField(default=clock.now)

    objects = TagQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["org", "name"], name="tag_name_once_per_org"),
            models.UniqueConstraint(fields=["org", "id"], name="tag_of_org"),
            models.CheckConstraint(condition=Q(position__lte=F("last_position")), name="tag_stands_on_its_line"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def head(self) -> Artifact:
        """Where a tag that is not deleted stands."""
        assert self.artifact is not None, "live"
        return self.artifact


class MoveKind(models.TextChoices):
    CREATE = "create"
    MOVE = "move"
    PATCH = "patch"
    MERGE = "merge"
    UNDO = "undo"
    REDO = "redo"
    DELETE = "delete"


class TagMove(models.Model):
    """One row of a tag's history, numbered from 1 without a gap over all its lives; ``position`` is on the undo line.

    Append-only. Of two forward moves with one position the later one holds it.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    org = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="+")
    tag = models.ForeignKey(Tag, on_delete=models.CASCADE, related_name="moves", db_index=False)
    number = models.PositiveIntegerField()
    kind = models.CharField(max_length=6, choices=MoveKind.choices)
    position = models.PositiveIntegerField()
    from_artifact = models.ForeignKey(Artifact, on_delete=models.RESTRICT, null=True, related_name="+")
    to_artifact = models.ForeignKey(Artifact, on_delete=models.RESTRICT, null=True, related_name="+")
    actor = models.CharField(max_length=80)
    message = models.CharField(max_length=MAX_MESSAGE, blank=True)
    created_at = models.DateTimeField(default=clock.now, editable=False)

    objects = OrgQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tag", "number"], name="tag_move_number_once"),
            models.CheckConstraint(
                condition=Q(kind="create", from_artifact=None, to_artifact__isnull=False)
                | Q(kind="delete", from_artifact__isnull=False, to_artifact=None)
                | Q(
                    kind__in=("move", "patch", "merge", "undo", "redo"),
                    from_artifact__isnull=False,
                    to_artifact__isnull=False,
                ),
                name="tag_move_has_its_ends",
            ),
        ]
        indexes = [models.Index(fields=["tag", "position", "number"], name="tag_move_by_position")]

    def __str__(self) -> str:
        return f"{self.number} {self.kind}"
