"""What the drawing of a workflow's history shows: its own versions, those of its branches, and what was undone."""

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from django.db import connection
from django.db.models import QuerySet

from orchestrator.core import sql
from versioning import lineage
from versioning.models import Artifact, MoveKind, Tag, TagMove
from versioning.pages.lanes import Lanes, Place, assign

OWN_DRAWN: Final = 30
OTHERS_DRAWN: Final = 15
_BRANCHES: Final = 8
_REDOABLE: Final = 20
_DESCENDANTS: Final = 300
_LABELS_READ: Final = 100
_LABELS: Final = 2
FORWARD: Final = (MoveKind.CREATE, MoveKind.MOVE, MoveKind.PATCH, MoveKind.MERGE)
# From versions to what was patched on them, as many as fit: a branch may have grown far.
_GROWN: Final = """
    WITH RECURSIVE line (id) AS (
        SELECT id FROM versioning_artifact WHERE org_id = %s AND id IN ({starts})
        UNION
        SELECT a.id FROM line l JOIN versioning_artifact a ON a.base_id = l.id
    )
    SELECT id FROM line LIMIT {most}
"""


@dataclass(frozen=True, slots=True)
class Row:
    """One version of the drawing with what stands beside it."""

    place: Place[uuid.UUID]
    version: Artifact
    tags: list[str]
    is_here: bool
    is_undone: bool

    @property
    def kind(self) -> str:
        if self.version.merged_id:
            return "merge"
        return "patch" if self.version.kind == "patch_set" else "root"

    @property
    def labels(self) -> list[str]:
        """As many tags as fit beside it."""
        return self.tags[:_LABELS]

    @property
    def has_more_tags(self) -> bool:
        return len(self.tags) > _LABELS


@dataclass(frozen=True, slots=True)
class History:
    lanes: Lanes[uuid.UUID]
    rows: list[Row]
    undone: set[uuid.UUID]
    has_more: bool


def history_of(tag: Tag) -> History:
    """The newest versions around the tag: its own, and of its branches. A number of queries that does not grow."""
    undone = set(_undone(tag))
    own, rest = _own(tag, undone)
    branches = _branches(tag, own)
    beside = _page(tag, set(branches), OWN_DRAWN)[0] if branches else []
    others = [id_ for id_ in beside if id_ not in own][:OTHERS_DRAWN]
    versions = Artifact.objects.in_bulk([*own, *others])
    # Every version is deeper than its parents.
    ordered = sorted(versions.values(), key=lambda version: (version.depth, version.pk.bytes), reverse=True)
    parents = lineage.parents_of(ordered)
    drawn = assign((version.pk, parents[version.pk]) for version in ordered)
    standing = _standing(tag, list(versions))
    lost = undone - _reached(tag.head.pk, parents)
    rows = [
        Row(
            place, versions[place.version], standing.get(place.version, []), place.version == tag.head.pk,
            place.version in lost,
        )
        for place in drawn.places
    ]  # fmt: skip
    return History(drawn, rows, lost, bool(rest))


def _own(tag: Tag, undone: set[uuid.UUID]) -> tuple[list[uuid.UUID], list[uuid.UUID]]:
    """The tag's newest versions; its head is among them, however much was undone."""
    ids, rest = _page(tag, {tag.head.pk, *undone}, OWN_DRAWN)
    if tag.head.pk in ids:
        return ids, rest
    below, rest = _page(tag, {tag.head.pk}, OTHERS_DRAWN)
    return [*ids, *below], rest


def _page(tag: Tag, starts: set[uuid.UUID], limit: int) -> tuple[list[uuid.UUID], list[uuid.UUID]]:
    depths = Artifact.objects.filter(pk__in=starts).values_list("depth", flat=True)
    return lineage.page(tag.org_id, sorted(starts), max(depths), limit)


def _undone(tag: Tag) -> Iterable[uuid.UUID]:
    """Where redo leads, step by step: of two moves with one position the later holds it."""
    moves: QuerySet[Any, Any] = (
        TagMove.objects.filter(
            tag=tag, position__gt=tag.position, position__lte=tag.last_position, kind__in=FORWARD,
        ).order_by("position", "number").values_list("position", "to_artifact")
    )  # fmt: skip
    return {position: to for position, to in moves[: 4 * _REDOABLE] if to}.values()


def _branches(tag: Tag, own: list[uuid.UUID]) -> list[uuid.UUID]:
    """The heads of other tags that grew out of these versions, the latest first."""
    statement = _GROWN.format(starts=", ".join(["%s"] * len(own)), most=_DESCENDANTS)
    with connection.cursor() as cursor:
        cursor.execute(statement, [sql.adapt(value) for value in (tag.org_id, *own)])
        grown = [sql.uuid_of(row[0]) for row in cursor.fetchall()]
    others = Tag.objects.for_org(tag.org_id).exclude(pk=tag.pk).filter(artifact__in=grown)
    return list(others.order_by("-updated_at").values_list("artifact", flat=True)[:_BRANCHES])


def _standing(tag: Tag, ids: list[uuid.UUID]) -> dict[uuid.UUID, list[str]]:
    """The tags on the versions, this one first; not all where very many stand."""
    others = Tag.objects.for_org(tag.org_id).exclude(pk=tag.pk).filter(artifact__in=ids).order_by("-updated_at")
    found = {tag.head.pk: [tag.name]}
    for artifact_id, name in others.values_list("artifact_id", "name")[:_LABELS_READ]:
        found.setdefault(artifact_id, []).append(name)
    return found


def _reached(head: uuid.UUID, parents: dict[uuid.UUID, list[uuid.UUID]]) -> set[uuid.UUID]:
    """The head and what it descends from: never undone, even if the tag has been behind it."""
    found, frontier = {head}, [head]
    while frontier:
        for parent in parents.get(frontier.pop(), ()):
            if parent not in found:
                found.add(parent)
                frontier.append(parent)
    return found
