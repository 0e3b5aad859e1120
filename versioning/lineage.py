"""The graph of versions: ancestors, common ancestors, first parents, logs.

``depth`` falls on every way down, so a window of depths holds all that can matter inside it: no question here reads a
whole history, however long it is. Compactions are looked through: they are content said again, not history.
"""

import uuid
from collections.abc import Iterable, Sequence, Set
from typing import Final, NamedTuple

from django.db import connection

from orchestrator.core import sql
from versioning.models import Artifact, ArtifactKind

_WINDOW: Final = 64
_ANCESTORS: Final = """
    WITH RECURSIVE line (id) AS (
        SELECT id FROM versioning_artifact WHERE org_id = %s AND id IN ({starts})
        UNION
        SELECT p.id FROM line l JOIN versioning_artifact a ON a.id = l.id
        JOIN versioning_artifact p ON p.id IN (a.base_id, a.merged_id) WHERE p.depth >= %s
    )
    SELECT a.id, a.base_id, a.merged_id, a.depth, a.kind FROM line JOIN versioning_artifact a ON a.id = line.id
"""
# ``steps`` does not count a compaction, so that its base is as far away as if it were not there.
_FIRST_PARENT: Final = """
    WITH RECURSIVE line (id, base_id, compaction, steps) AS (
        SELECT id, base_id, 0, 0 FROM versioning_artifact WHERE id = %s
        UNION ALL
        SELECT a.id, a.base_id, CASE WHEN a.kind = 'workflow' AND a.base_id IS NOT NULL THEN 1 ELSE 0 END,
            l.steps + CASE WHEN a.kind = 'workflow' AND a.base_id IS NOT NULL THEN 0 ELSE 1 END
        FROM line l JOIN versioning_artifact a ON a.id = l.base_id WHERE l.steps < %s
    )
    SELECT id FROM line WHERE steps = %s AND compaction = 0
"""


class Version(NamedTuple):
    """An artifact's place in the graph."""

    id: uuid.UUID
    base_id: uuid.UUID | None
    merged_id: uuid.UUID | None
    depth: int
    kind: str

    @property
    def is_compaction(self) -> bool:
        return self.kind == ArtifactKind.WORKFLOW and self.base_id is not None

    @property
    def order(self) -> tuple[int, bool, bytes]:
        """Every version is behind its parents."""
        return self.depth, self.is_compaction, self.id.bytes

    @property
    def parent_ids(self) -> list[uuid.UUID]:
        return [parent for parent in (self.base_id, self.merged_id) if parent is not None]


def ancestors(org_id: uuid.UUID, starts: Iterable[uuid.UUID], floor: int) -> dict[uuid.UUID, Version]:
    """The versions ``starts`` and all their ancestors at or above the depth ``floor``."""
    ids = list(starts)
    statement = _ANCESTORS.format(starts=", ".join(["%s"] * len(ids)))
    with connection.cursor() as cursor:
        cursor.execute(statement, [sql.adapt(value) for value in (org_id, *ids, floor)])
        rows = cursor.fetchall()
    found = (Version(sql.uuid_of(row[0]), _optional(row[1]), _optional(row[2]), row[3], row[4]) for row in rows)
    return {version.id: version for version in found}


def merge_bases(one: Artifact, other: Artifact) -> list[uuid.UUID]:
    """The common ancestors that are nobody's ancestor among them, in one order from either side. None for strangers;
    several where histories cross. Compactions are looked through.
    """
    window = _WINDOW
    while True:
        floor = max(0, min(one.depth, other.depth) - window)
        sides = [ancestors(one.org_id, [end.id], floor) for end in (one, other)]
        common = sides[0].keys() & sides[1].keys()
        # What one side has for itself is known whole: no path leads around the common ones to one below the floor.
        if floor == 0 or any(_is_whole(side, common) for side in sides):
            break
        window *= 4
    known = sides[0]
    versions = {id_ for id_ in common if not known[id_].is_compaction}
    inner = {_through(known, parent) for id_ in versions for parent in known[id_].parent_ids}
    return sorted(versions - inner, key=lambda id_: (-known[id_].depth, id_.bytes))


def _through(known: dict[uuid.UUID, Version], id_: uuid.UUID) -> uuid.UUID | None:
    return known[id_].base_id if id_ in known and known[id_].is_compaction else id_


def _is_whole(side: dict[uuid.UUID, Version], common: Set[uuid.UUID]) -> bool:
    return all(parent in side for id_, version in side.items() if id_ not in common for parent in version.parent_ids)


def first_parent(artifact: Artifact, steps: int) -> uuid.UUID | None:
    """The version ``steps`` first parents before ``artifact``; None when its history is shorter."""
    found = sql.row(_FIRST_PARENT, [artifact.id, steps, steps])
    return sql.uuid_of(found[0]) if found else None


def page(
    org_id: uuid.UUID, frontier: Sequence[uuid.UUID], depth: int, limit: int
) -> tuple[list[uuid.UUID], list[uuid.UUID]]:
    """``limit`` versions at and below ``frontier``, none deeper than ``depth``, children first, and the frontier of the
    rest. Reads about as many rows as it gives.
    """
    window = limit + 1
    while True:
        floor = max(0, depth - window)
        loaded = ancestors(org_id, frontier, floor)
        if floor == 0 or sum(not version.is_compaction for version in loaded.values()) > limit:
            break
        window *= 4
    listed: list[Version] = []
    passed: set[uuid.UUID] = set()
    for version in sorted(loaded.values(), key=lambda version: version.order, reverse=True):
        if len(listed) == limit:
            break
        passed.add(version.id)
        if not version.is_compaction:
            listed.append(version)
    rest = {parent for id_ in passed for parent in loaded[id_].parent_ids} | set(frontier)
    return [version.id for version in listed], sorted(rest - passed)


def parents_of(artifacts: Iterable[Artifact]) -> dict[uuid.UUID, list[uuid.UUID]]:
    """Each version's parents as history tells them: through compactions. One query."""
    rows = list(artifacts)
    bases = {row.base_id for row in rows if row.base_id}
    through = dict(
        Artifact.objects.filter(id__in=bases, kind=ArtifactKind.WORKFLOW, base__isnull=False).values_list("id", "base")
    )
    named = ((row.id, (row.base_id, row.merged_id)) for row in rows)
    return {id_: [through.get(parent) or parent for parent in parents if parent] for id_, parents in named}


def _optional(value: object) -> uuid.UUID | None:
    return None if value is None else sql.uuid_of(value)
