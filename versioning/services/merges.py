"""Three-way merges: of a branch into a tag, and of a version's undoing (revert)."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from orchestrator.core.errors import Conflict, MergeConflict
from orchestrator.identity.actors import Actor
from versioning import lineage, rules
from versioning.documents import diff, merge, pointers
from versioning.materialisation import definition_of
from versioning.models import Artifact, MoveKind, Tag
from versioning.services import artifacts, tags, workflows
from versioning.services.workflows import Patched

_CROSSINGS: Final = 50  # histories that cross more often than that in a row are told apart by one ancestor
Resolutions = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Proposal:
    """What a merge comes to, and what stands in its way. Nothing is written."""

    base: Artifact
    ours: Artifact
    theirs: Artifact
    definition: dict[str, Any]
    changes: dict[str, Any]
    operations: list[dict[str, Any]]
    conflicts: list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Sides:
    """The three versions of a merge into ``tag``."""

    tag: Tag
    base: Artifact
    ours: Artifact
    theirs: Artifact
    common: Any


def propose_merge(
    *, actor: Actor, into: str, theirs: Artifact, resolutions: Resolutions | None = None, version: int | None = None
) -> Proposal:
    """What merge_tag would do (``dry_run``). Raises as it does, conflicts apart."""
    proposal = _proposal(_merge_sides(actor, into, theirs, version), resolutions)
    if not proposal.conflicts:
        artifacts.prepare_merge(proposal.ours, theirs, proposal.operations, proposal.definition)
    return proposal


def merge_tag(
    *,
    actor: Actor,
    into: str,
    theirs: Artifact,
    message: str = "",
    resolutions: Resolutions | None = None,
    version: int | None = None,
) -> Patched:
    """Bring ``theirs`` into the tag: a version with two parents, and the tag on it.

    Raises as tags.move_tag does, PreconditionFailed also when the tag moves meanwhile; MergeConflict with what is in
    the way; ValidationFailed for resolutions that make no sense; Conflict when there is nothing to merge or nothing in
    common.
    """
    sides = _merge_sides(actor, into, theirs, version)
    proposal = _clean(sides, resolutions)
    prepared = artifacts.prepare_merge(sides.ours, theirs, proposal.operations, proposal.definition)
    return workflows.commit(actor, sides.tag, prepared, MoveKind.MERGE, message)


def revert(
    *,
    actor: Actor,
    tag: str,
    undone: Artifact,
    message: str = "",
    resolutions: Resolutions | None = None,
    version: int | None = None,
) -> Patched:
    """A new patch on the tag that takes back what ``undone`` changed against its first parent.

    Raises like merge_tag; Conflict when ``undone`` is the first version, or when nothing of it is left to take back.
    """
    sides = _revert_sides(actor, tag, undone, version)
    proposal = _clean(sides, resolutions)
    if not proposal.operations:
        raise Conflict("Nothing of that version is left to take back.")
    prepared = artifacts.prepare_merge(sides.ours, None, proposal.operations, proposal.definition)
    said = message or f"Revert {undone.message or undone.id}"[:200]
    return workflows.commit(actor, sides.tag, prepared, MoveKind.PATCH, said)


def _merge_sides(actor: Actor, into: str, theirs: Artifact, version: int | None) -> Sides:
    tag = tags.head(actor, into, version)
    ours = tag.head
    base_ids = lineage.merge_bases(ours, theirs)
    if not base_ids:
        raise Conflict("The two have no common ancestor: they are different workflows.")
    if base_ids == [theirs.id]:
        raise Conflict(f"{into!r} has all of it already: there is nothing to merge.")
    return Sides(tag, Artifact.objects.get(pk=base_ids[0]), ours, theirs, _agreed(base_ids))


def _agreed(base_ids: Sequence[uuid.UUID], levels: int = _CROSSINGS) -> Any:
    """What both sides come from: of several common ancestors, which there are where histories cross, their merge, and
    so on for theirs, ``levels`` deep.

    A place where these differ holds something that neither side has, so that both sides' answers to it are held against
    each other: with any one of them as the base, one side's decision would win without a word (Git: merge-recursive).
    """
    first, *others = (Artifact.objects.get(pk=id_) for id_ in base_ids)
    agreed: Any = definition_of(first)
    for other in others if levels else ():
        below = lineage.merge_bases(first, other)
        merged = merge.merge(_agreed(below, levels - 1) if below else {}, agreed, definition_of(other))
        agreed = merged.definition
        for conflict in merged.conflicts:
            agreed = pointers.put(agreed, conflict.pointer, merge.DISPUTED)
    return agreed


def _revert_sides(actor: Actor, name: str, undone: Artifact, version: int | None) -> Sides:
    tag = tags.head(actor, name, version)
    parent_id = lineage.first_parent(undone, 1)
    if parent_id is None:
        raise Conflict("The first version of a workflow cannot be reverted; there is nothing before it.")
    return Sides(tag, undone, tag.head, Artifact.objects.get(pk=parent_id), definition_of(undone))


def _clean(sides: Sides, resolutions: Resolutions | None) -> Proposal:
    proposal = _proposal(sides, resolutions)
    if proposal.conflicts:
        raise MergeConflict(details={**versions_json(proposal), "conflicts": proposal.conflicts})
    return proposal


def _proposal(sides: Sides, resolutions: Resolutions | None) -> Proposal:
    base, ours, theirs = (definition_of(side) for side in (sides.base, sides.ours, sides.theirs))
    merged = merge.merge(base, ours, theirs, resolutions, common=sides.common)
    conflicts = [conflict.as_json() for conflict in merged.conflicts]
    if not conflicts:
        named = {"base": base, "ours": ours, "theirs": theirs}
        conflicts = [_invalid(fault, named) for fault in rules.faults_of(merged.definition)]
    return Proposal(
        sides.base, sides.ours, sides.theirs, merged.definition, diff.changes(ours, merged.definition),
        diff.operations(ours, merged.definition), conflicts,
    )  # fmt: skip


def _invalid(fault: rules.Fault, sides: dict[str, Any]) -> dict[str, Any]:
    """Each side is right, what they come to together is not."""
    values = {name: pointers.get(document, fault.pointer) for name, document in sides.items()}
    there = {name: value for name, value in values.items() if value is not pointers.ABSENT}
    return {"kind": "invalid_graph", "pointer": fault.pointer, "message": fault.message, **there}


def versions_json(proposal: Proposal) -> dict[str, str]:
    """The ids of the three versions."""
    return {"base_id": str(proposal.base.id), "ours_id": str(proposal.ours.id), "theirs_id": str(proposal.theirs.id)}
