"""Freezing a version for somebody who will use it: its run_snapshot, one per content."""

import uuid
from dataclasses import dataclass
from typing import Final

from orchestrator.core import sql
from orchestrator.identity.actors import Actor
from versioning import refs
from versioning.services import artifacts
from versioning.services.blobs import shared_lock

_HEAD: Final = """
    SELECT a.id, s.id FROM versioning_tag t JOIN versioning_artifact a ON a.id = t.artifact_id
    JOIN versioning_artifact s
    ON s.org_id = a.org_id AND s.definition_digest = a.definition_digest AND s.kind = 'run_snapshot'
    WHERE t.org_id = %s AND t.name = %s
"""


@dataclass(frozen=True, slots=True)
class Pin:
    """A version, and the snapshot that holds its definition whatever becomes of tags and chains."""

    artifact_id: uuid.UUID
    snapshot_id: uuid.UUID


def pin(*, actor: Actor, tag: str, ref: str | None = None) -> Pin:
    """The tag's head, or the version that ``ref`` names: any ref, or what stands behind the tag in one (``~2``,
    ``@{3}``, ``3`` for move 3). In the caller's transaction.

    Raises NotFound for a tag or a version that is not there, ValidationFailed for what is not a ref.
    """
    if ref is None and (found := sql.row(_HEAD + shared_lock(of="s"), [actor.org_id, tag])):
        return Pin(sql.uuid_of(found[0]), sql.uuid_of(found[1]))
    live = refs.live_tag(actor.org_id, tag)
    version = live.head if ref is None else refs.resolve(actor.org_id, _whole(tag, ref))
    artifacts.hold(version)
    return Pin(version.id, artifacts.snapshot(actor, version))


def _whole(tag: str, ref: str) -> str:
    if ref.startswith(("~", "@")):
        return tag + ref
    return f"{tag}@{{{ref}}}" if refs.is_move(ref) else ref
