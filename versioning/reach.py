"""What reaches a version, so that what nothing reaches can be removed (services.upkeep).

A version is reached by a tag, by a move of one (history stays readable for ever, a deleted tag's, too), by what a room
above this one registers here (DESIGN §2), and by every version that has it in its history.
"""

import uuid
from collections.abc import Callable, Collection, Iterable, Iterator
from datetime import datetime
from itertools import islice
from typing import Any, Final

from django.db.models import QuerySet

from versioning.models import Artifact, ArtifactKind, Tag, TagMove

Ids = Collection[uuid.UUID]
Naming = Callable[[Ids], Iterable[uuid.UUID]]
_Row = tuple[uuid.UUID, uuid.UUID | None, uuid.UUID | None, str, datetime]

_PAGE: Final = 1000


def register(naming: Naming) -> None:
    """Keep the versions that ``naming`` gives: it says which of the given ids its rows name, by an index."""
    _namings.append(naming)


def named(ids: Ids) -> set[uuid.UUID]:
    """Those of the versions that a tag, a move, or something registered names."""
    return {id_ for naming in _namings for id_ in naming(ids)}


def _tags(ids: Ids) -> QuerySet[Any, Any]:
    return Tag.objects.filter(artifact__in=ids).values_list("artifact", flat=True)


def _moves_from(ids: Ids) -> QuerySet[Any, Any]:
    return TagMove.objects.filter(from_artifact__in=ids).values_list("from_artifact", flat=True)


def _moves_to(ids: Ids) -> QuerySet[Any, Any]:
    return TagMove.objects.filter(to_artifact__in=ids).values_list("to_artifact", flat=True)


_namings: list[Naming] = [_tags, _moves_from, _moves_to]


def unreachable(org_id: uuid.UUID, before: datetime) -> list[uuid.UUID]:
    """The org's versions that nothing reaches, children before their parents.

    One made since ``before`` counts as reached: somebody may be about to name it. A compaction is as reachable as what
    it says again. Reads each row once; memory is for the answer and the width of the graph, not for the graph.
    """
    reached: set[uuid.UUID] = set()
    compactions: dict[uuid.UUID, uuid.UUID] = {}  # by the version that they say again, which comes after them
    lost: list[uuid.UUID] = []
    for id_, base_id, merged_id, kind, is_root in _children_first(org_id, before):
        compaction = compactions.pop(id_, None)
        if is_root or id_ in reached:
            reached.discard(id_)
            reached.update(parent for parent in (base_id, merged_id) if parent)
        elif kind == ArtifactKind.WORKFLOW and base_id:
            compactions[base_id] = id_
        else:
            lost += [compaction, id_] if compaction else [id_]
    return lost


def _children_first(
    org_id: uuid.UUID, before: datetime
) -> Iterator[tuple[uuid.UUID, uuid.UUID | None, uuid.UUID | None, str, bool]]:
    """Each version of the org, before its parents, with whether it is where reaching begins."""
    # A child is deeper than its parents; only a compaction is as deep as its base, and "workflow" is the last kind.
    rows: Iterator[_Row] = (
        Artifact.objects.for_org(org_id)
        .order_by("-depth", "-kind", "-id")
        .values_list("id", "base_id", "merged_id", "kind", "created_at")
        .iterator(_PAGE)
    )
    while page := list(islice(rows, _PAGE)):
        roots = named([row[0] for row in page])
        for id_, base_id, merged_id, kind, created_at in page:
            yield id_, base_id, merged_id, kind, created_at >= before or id_ in roots
