"""Looking after what grows: long chains get a new root, and what nothing can reach is removed.

Removal stands in nobody's way. Of each batch it takes the rows that nobody holds, and looks again whether something
names them. Who refers to a blob holds it by blobs.put_blob. Who names a version that no tag stands on holds it by
artifacts.hold, and with it its compaction. Where that was forgotten the foreign keys speak: a batch that breaks one is
undone and tried again by halves, so that a row in use does not keep all others.
"""

import functools
import itertools
import logging
import uuid
from collections.abc import Callable, Container, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.db import IntegrityError, transaction
from django.db.models import Exists, OuterRef, Q, QuerySet

from orchestrator.core import clock, sql
from orchestrator.events import services as events
from orchestrator.identity.actors import Actor
from orchestrator.identity.models import Organization
from versioning import reach
from versioning.lineage import Version
from versioning.models import Artifact, ArtifactKind, Blob, Tag
from versioning.services import artifacts, blobs

log = logging.getLogger(__name__)

_BATCH: Final = 500  # rows in one transaction: SQLite lets nobody else write meanwhile


@dataclass(frozen=True, slots=True)
class Compacted:
    """The version ``artifact_id``, head of ``tag``, is said again whole by ``root_id``."""

    tag: Tag
    artifact_id: uuid.UUID
    root_id: uuid.UUID


@dataclass(frozen=True, slots=True)
class Collected:
    """How much was removed, or would be."""

    artifacts: int = 0
    blobs: int = 0
    bytes: int = 0

    def __add__(self, other: "Collected") -> "Collected":
        return Collected(self.artifacts + other.artifacts, self.blobs + other.blobs, self.bytes + other.bytes)


def long_chains(*, limit: int, tag: str | None = None, org_id: uuid.UUID | None = None) -> QuerySet[Tag]:
    """The live tags (of one name, of one org) whose heads are more than ``limit`` patches after the last whole
    definition and have no compaction.
    """
    compaction = Artifact.objects.filter(base=OuterRef("artifact"), kind=ArtifactKind.WORKFLOW)
    rows = Tag.objects.live().filter(~Exists(compaction), artifact__chain_length__gt=limit)
    rows = rows.filter(name=tag) if tag is not None else rows
    rows = rows.for_org(org_id) if org_id is not None else rows
    return rows.select_related("artifact", "org").order_by("org__slug", "name")


def compact_chains(*, limit: int, tag: str | None = None, org_id: uuid.UUID | None = None) -> list[Compacted]:
    """Make a new root for each of long_chains, to which the next patch is chained. No tag moves, no history changes.

    One transaction a tag: what is done stays done when a later one fails.
    """
    due = list(long_chains(limit=limit, tag=tag, org_id=org_id))
    return [done for row in due if (done := _compact(row, limit))]


@transaction.atomic
def _compact(tag: Tag, limit: int) -> Compacted | None:
    """None when the tag needs it no more: it has moved, or somebody else has been here."""
    _lock_head(tag)
    now = long_chains(limit=limit).filter(pk=tag.pk).first()
    if now is None or now.artifact is None:
        return None
    actor = Actor.system(now.org_id)
    root = artifacts.compact(now.artifact, actor)
    events.record(
        actor=actor, event="workflow_compacted", kind="artifacts", target=f"artifact:{root.id}",
        details={"artifact": str(now.artifact.id), "tag": now.name},
    )  # fmt: skip
    return Compacted(now, now.artifact.id, root.id)


def _lock_head(tag: Tag) -> None:
    """The tag stays where it is. Another may stand on the same version: of two who compact it the second waits here,
    but not who patches it.
    """
    rows = Tag.objects.filter(pk=tag.pk)
    list(rows.select_for_update().values_list("pk"))
    heads = Artifact.objects.filter(pk__in=rows.values("artifact_id"))
    list(heads.select_for_update(no_key=True).values_list("pk"))


def collect_garbage(*, older_than: timedelta, dry_run: bool) -> Collected:
    """Remove the versions that nothing reaches (see reach) and the blobs that nobody needs (see blobs), if they are
    older than that. With ``dry_run`` only say how many there are.

    One transaction a batch, each with its event.
    """
    before = clock.now() - older_than
    collect = _foresee if dry_run else _collect
    org_ids = list(Organization.objects.order_by("id").values_list("id", flat=True))
    return sum((collect(org_id, before) for org_id in org_ids), Collected())


def _foresee(org_id: uuid.UUID, before: datetime) -> Collected:
    lost = frozenset(reach.unreachable(org_id, before))
    sizes = [size for batch in _unneeded_blobs(org_id, before, lost) for size in blobs.sizes(batch)]
    return Collected(len(lost), len(sizes), sum(sizes))


def _collect(org_id: uuid.UUID, before: datetime) -> Collected:
    removed = 0
    sizes: list[int] = []
    lost = reach.unreachable(org_id, before)
    for at in range(0, len(lost), _BATCH):
        removed += sum(_by_halves(functools.partial(_remove_versions, org_id), lost[at : at + _BATCH]))
    for batch in _unneeded_blobs(org_id, before):
        sizes += _by_halves(functools.partial(_remove_blobs, org_id), batch)
    return Collected(removed, len(sizes), sum(sizes))


def _record(org_id: uuid.UUID, **removed: int) -> None:
    if any(removed.values()):
        events.record(
            actor=Actor.system(org_id), event="versions_collected", kind="artifacts", target="versions", details=removed
        )


def _by_halves(remove: Callable[[Sequence[uuid.UUID]], list[int]], ids: Sequence[uuid.UUID]) -> list[int]:
    """What ``remove`` gives; where the database refuses, for the rows that it can do without."""
    try:
        return remove(ids)
    except IntegrityError:
        if len(ids) == 1:
            log.warning("%s stays: something names it.", ids[0])
            return []
        middle = len(ids) // 2
        return _by_halves(remove, ids[:middle]) + _by_halves(remove, ids[middle:])


@transaction.atomic
def _remove_versions(org_id: uuid.UUID, ids: Sequence[uuid.UUID]) -> list[int]:
    """Remove those of the versions, given children before their parents, that nothing names; a 1 for each."""
    taken = _take(ids)
    mine = [taken[id_] for id_ in ids if id_ in taken]
    children = Artifact.objects.filter(Q(base__in=taken) | Q(merged__in=taken)).exclude(pk__in=[row.id for row in mine])
    named: set[uuid.UUID | None] = {*reach.named(taken)}
    named.update(*children.values_list("base_id", "merged_id"))
    free = []
    for version in mine:
        if version.id in named or (version.is_compaction and version.base_id not in taken):
            named.update(version.parent_ids)
        else:
            free.append(version.id)
    # Not by the ORM, which would look for what goes along with them.
    statement = f"DELETE FROM versioning_artifact WHERE id IN ({', '.join(['%s'] * len(free))})"  # noqa: S608
    removed = sql.run(statement, free) if free else 0
    _record(org_id, artifacts=removed)
    return [1] * removed


def _take(ids: Sequence[uuid.UUID]) -> dict[uuid.UUID, Version]:
    """The versions that nobody holds, kept from whoever would; with the bases of those that are compactions, because
    who holds a version may chain to its compaction.
    """
    bases = Artifact.objects.filter(pk__in=ids, kind=ArtifactKind.WORKFLOW, base__isnull=False).values("base_id")
    rows = Artifact.objects.filter(Q(pk__in=ids) | Q(pk__in=bases)).select_for_update(skip_locked=True)
    found = rows.values_list("id", "base_id", "merged_id", "depth", "kind")
    return {version.id: version for version in itertools.starmap(Version, found)}


@transaction.atomic
def _remove_blobs(org_id: uuid.UUID, ids: Sequence[uuid.UUID]) -> list[int]:
    sizes = blobs.forget_unneeded(ids)
    _record(org_id, blobs=len(sizes), bytes=sum(sizes))
    return sizes


def _unneeded_blobs(
    org_id: uuid.UUID, before: datetime, gone: Container[uuid.UUID] = frozenset()
) -> Iterator[list[uuid.UUID]]:
    """The ids of the org's blobs older than that which nobody needs, were the versions ``gone``; by batches."""
    rows = Blob.objects.for_org(org_id).filter(created_at__lt=before).order_by("pk")
    page = list(rows.values_list("pk", flat=True)[:_BATCH])
    while page:
        if batch := blobs.unneeded(page, gone):
            yield batch
        page = list(rows.filter(pk__gt=page[-1]).values_list("pk", flat=True)[:_BATCH])
