"""Making versions. What is costly (applying, checking, hashing) happens in ``prepare…``, before the transaction; what
is written stands in ``store``, which the caller's transaction makes one with the tag's move and the event.
"""

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import orjson

from orchestrator.core import sql
from orchestrator.core.canonical import canonical_document, digest
from orchestrator.core.errors import NotFound, PayloadTooLarge, ValidationFailed
from orchestrator.identity.actors import Actor
from versioning import rules
from versioning.documents import graph, patch, pointers
from versioning.materialisation import content_of, definition_of
from versioning.models import Artifact, ArtifactKind
from versioning.services.blobs import KEEP_EVERY, put_blob, shared_lock

MAX_DEFINITION_BYTES: Final = 4 * 1024 * 1024
CHAIN_LIMIT: Final = 1000  # patches on one whole definition before a new root is made

_FIND: Final = "SELECT id FROM versioning_artifact WHERE id = %s"
_COMPACTION: Final = "SELECT id FROM versioning_artifact WHERE base_id = %s AND kind = 'workflow'"
_SNAPSHOT: Final = """
    SELECT id FROM versioning_artifact WHERE org_id = %s AND definition_digest = %s AND kind = 'run_snapshot'
"""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A version that is known to be right, and not written yet. ``definition`` is the canonical form."""

    kind: ArtifactKind
    content: bytes
    definition: bytes
    definition_digest: str
    node_count: int
    edge_count: int
    base: Artifact | None = None
    merged: Artifact | None = None


def prepare_root(definition: Any) -> Prepared:
    """A whole definition. Raises ValidationFailed with every fault of it, PayloadTooLarge."""
    content = _checked(definition)
    return Prepared(ArtifactKind.WORKFLOW, content, content, digest(content), *graph.counts(definition))


def prepare_patch(base: Artifact, operations: list[dict[str, Any]]) -> Prepared:
    """``operations`` (RFC 6902) on what ``base`` comes to.

    Raises ValidationFailed for operations that cannot be applied and, with every fault, for a result that is no valid
    workflow; Conflict when a ``test`` fails; PayloadTooLarge.
    """
    kept = canonical_document(operations)
    definition = patch.apply(definition_of(base), orjson.loads(kept))
    return _on(base, kept, definition, _checked(definition))


def prepare_merge(
    base: Artifact, merged: Artifact | None, operations: list[dict[str, Any]], definition: Any
) -> Prepared:
    """What a merge came to: ``operations`` take what ``base`` comes to to ``definition``, which the caller found valid.

    Without ``merged`` it has one parent. Raises PayloadTooLarge, and ValidationFailed for what resolutions nested too
    deep.
    """
    if pointers.depth(definition, pointers.MAX_DEPTH) > pointers.MAX_DEPTH:
        raise ValidationFailed(details={"/": [f"Nested deeper than {pointers.MAX_DEPTH} levels."]})
    return _on(base, canonical_document(operations), definition, _sized(definition), merged)


def _on(base: Artifact, operations: bytes, definition: Any, content: bytes, merged: Artifact | None = None) -> Prepared:
    counts = graph.counts(definition)
    return Prepared(ArtifactKind.PATCH_SET, operations, content, digest(content), *counts, base, merged)


def _checked(definition: Any) -> bytes:
    if not isinstance(definition, dict):
        raise ValidationFailed(details={"/": ["A workflow definition is a JSON object."]})
    content = _sized(definition)
    rules.require_valid(definition)
    return content


def _sized(definition: Any) -> bytes:
    content = canonical_document(definition)
    if len(content) > MAX_DEFINITION_BYTES:
        raise PayloadTooLarge("A workflow definition may have 4 MiB.")
    return content


def hold(version: Artifact) -> None:
    """Until the transaction ends, gc does not take the version away. Raises NotFound when it just has.

    For versions that a caller names; what a tag stands on is safe without.
    """
    if not sql.row(_FIND + shared_lock(), [version.id]):
        raise NotFound(f"There is no version {str(version.id)!r}.")


def store(actor: Actor, prepared: Prepared, message: str) -> Artifact:
    """Write the version and its blob. Its definition is kept whole where the chain asks for it."""
    base, merged = prepared.base, prepared.merged
    for named in (base, merged):
        if named is not None:
            hold(named)
    if base is not None:
        base = _short(actor, base)
    artifact = Artifact.objects.create(
        org_id=actor.org_id, kind=prepared.kind, definition_digest=prepared.definition_digest, base=base, merged=merged,
        blob_id=put_blob(org_id=actor.org_id, content=prepared.content),
        depth=1 + max((parent.depth for parent in (base, merged) if parent), default=-1),
        chain_length=base.chain_length + 1 if base else 0,
        node_count=prepared.node_count, edge_count=prepared.edge_count, author=str(actor), message=message,
    )  # fmt: skip
    if artifact.chain_length and artifact.chain_length % KEEP_EVERY == 0:
        put_blob(org_id=actor.org_id, content=prepared.definition)
    return artifact


def _short(actor: Actor, base: Artifact) -> Artifact:
    """What a patch on ``base`` is chained to: the compaction of it, where there is one or must be one."""
    if found := sql.row(_COMPACTION, [base.id]):
        return Artifact.objects.get(pk=sql.uuid_of(found[0]))
    return compact(base, actor) if base.chain_length >= CHAIN_LIMIT else base


def compact(artifact: Artifact, actor: Actor) -> Artifact:
    """A new root that says whole what ``artifact`` comes to. Nothing moves: history, tags and runs stay as they are,
    and the next patch on ``artifact`` is chained to the root.
    """
    root = _whole(actor, artifact, ArtifactKind.WORKFLOW, content_of(artifact))
    root.base, root.message = artifact, "Compacted"
    # Two patches on one long chain may both want it: the first makes it, both use it.
    Artifact.objects.bulk_create([root], ignore_conflicts=True)
    return Artifact.objects.get(base=artifact, kind=ArtifactKind.WORKFLOW)


def snapshot(actor: Actor, version: Artifact) -> uuid.UUID:
    """The id of the org's one run_snapshot with the version's definition, made when it is not there yet; the caller's
    transaction pins it.
    """
    return _snapshot_once(
        version.org_id,
        version.definition_digest,
        lambda: _whole(actor, version, ArtifactKind.RUN_SNAPSHOT, content_of(version)),
    )


def freeze(actor: Actor, prepared: Prepared) -> uuid.UUID:
    """The same for a definition that is no version of a workflow, such as that of a run that was patched."""

    def make() -> Artifact:
        return Artifact(
            org_id=actor.org_id, kind=ArtifactKind.RUN_SNAPSHOT, definition_digest=prepared.definition_digest,
            blob_id=put_blob(org_id=actor.org_id, content=prepared.definition), author=str(actor),
            node_count=prepared.node_count, edge_count=prepared.edge_count,
        )  # fmt: skip

    return _snapshot_once(actor.org_id, prepared.definition_digest, make)


def _snapshot_once(org_id: uuid.UUID, definition_digest: str, make: Callable[[], Artifact]) -> uuid.UUID:
    named = [org_id, definition_digest]
    found = sql.row(_SNAPSHOT + shared_lock(), named)
    if found is None:
        Artifact.objects.bulk_create([make()], ignore_conflicts=True)
        found = sql.row(_SNAPSHOT + shared_lock(), named)
    assert found is not None, "made by us or by whoever was faster"
    return sql.uuid_of(found[0])


def _whole(actor: Actor, version: Artifact, kind: ArtifactKind, content: bytes) -> Artifact:
    """``version``'s definition as the content of another artifact."""
    return Artifact(
        org_id=version.org_id, kind=kind, blob_id=put_blob(org_id=version.org_id, content=content),
        definition_digest=version.definition_digest, depth=version.depth, node_count=version.node_count,
        edge_count=version.edge_count, author=str(actor),
    )  # fmt: skip
