"""Tags and their moves. Locks are taken in one order: the tag's row, blobs, the head of the org's log.

Undo and redo follow where the tag was, not what its versions descend from: see models.Tag on the undo line.
"""

from typing import Final

from django.db import connection, transaction

from orchestrator.core import clock, sql
from orchestrator.core.errors import Conflict, NotFound, PreconditionFailed
from orchestrator.events import services as events
from orchestrator.identity.actors import Actor
from versioning import refs
from versioning.materialisation import content_of
from versioning.models import Artifact, MoveKind, Tag, TagMove
from versioning.services.artifacts import hold
from versioning.services.blobs import forget_definition, put_blob

_UNCHANGED: Final = "SELECT 1 FROM versioning_tag WHERE id = %s AND version = %s"
_EVENTS: Final = {
    MoveKind.CREATE: "tag_created",
    MoveKind.MOVE: "tag_moved",
    MoveKind.PATCH: "tag_patched",
    MoveKind.MERGE: "tag_merged",
    MoveKind.UNDO: "tag_undone",
    MoveKind.REDO: "tag_redone",
    MoveKind.DELETE: "tag_deleted",
}


def head(actor: Actor, name: str, version: int | None) -> Tag:
    """The tag, which the actor may move, with its artifact, as a first look before costly work; ``relock`` makes
    sure of it.

    Raises PermissionDenied, NotFound, PreconditionFailed when it is not at ``version`` (None: wherever it is).
    """
    actor.require("write")
    tag = refs.live_tag(actor.org_id, name)
    _guard(actor, tag, version)
    return tag


def lock(actor: Actor, name: str, version: int | None) -> Tag:
    """The same, and nobody else moves the tag until the transaction ends."""
    actor.require("write")
    # Without the artifact: who waited for the row has it looked at again by PostgreSQL, but not what is joined to it.
    tag: Tag | None = Tag.objects.for_org(actor.org_id).live().select_for_update().filter(name=name).first()
    if tag is None:
        raise NotFound(f"There is no tag {name!r}.")
    _guard(actor, tag, version)
    return tag


def relock(tag: Tag) -> None:
    """Lock a tag that was read before: it is as it was then, and stays so until the transaction ends.

    Raises PreconditionFailed when it has been written since.
    """
    if not sql.row(_UNCHANGED + (" FOR UPDATE" if connection.vendor == "postgresql" else ""), [tag.id, tag.version]):
        raise PreconditionFailed


@transaction.atomic
def create_tag(*, actor: Actor, name: str, artifact: Artifact, message: str = "") -> Tag:
    """A new tag at ``artifact``, or a deleted one's new life: its undo line begins afresh, its history goes on.

    Raises PermissionDenied, ValidationFailed for the name, Conflict when the tag is there.
    """
    tag = claim_name(actor, name)
    begin_life(actor, tag, artifact, message)
    return tag


def claim_name(actor: Actor, name: str) -> Tag:
    """The row of a tag that is not there, ours until the transaction ends. Raises like create_tag.

    Before anything is written: every service takes the tag's lock before those of blobs.
    """
    actor.require("write")
    refs.check_tag_name(name)
    # A tag that is not there is one without an artifact: of two who create it, the second waits here for the first.
    unborn = Tag(org_id=actor.org_id, name=name, version=0, updated_by=str(actor))
    Tag.objects.bulk_create([unborn], ignore_conflicts=True)
    tag = Tag.objects.for_org(actor.org_id).select_for_update().get(name=name)
    if tag.artifact_id is not None:
        raise Conflict(f"The tag {name!r} exists already.")
    return tag


def begin_life(actor: Actor, tag: Tag, artifact: Artifact, message: str) -> None:
    """The first move of a claimed tag."""
    tag.position, tag.last_position, tag.protected, tag.created_at = 0, 0, False, clock.now()
    write_move(actor, tag, MoveKind.CREATE, artifact, message)


@transaction.atomic
def move_tag(*, actor: Actor, name: str, to: Artifact, version: int | None = None, message: str = "") -> Tag:
    """Point the tag at another version.

    Raises PermissionDenied, also for a protected tag without the scope admin; NotFound; PreconditionFailed when the tag
    is not at ``version``.
    """
    tag = lock(actor, name, version)
    advance(actor, tag, MoveKind.MOVE, to, message)
    return tag


@transaction.atomic
def undo_tag(*, actor: Actor, name: str, version: int | None = None, message: str = "") -> Tag:
    """Back to where the tag was before. Raises like move_tag, and Conflict at the first move."""
    tag = lock(actor, name, version)
    if tag.position == 0:
        raise Conflict(f"There is nothing to undo: {name!r} is where it began.")
    _walk(actor, tag, MoveKind.UNDO, tag.position - 1, message)
    return tag


@transaction.atomic
def redo_tag(*, actor: Actor, name: str, version: int | None = None, message: str = "") -> Tag:
    """Forward to where the last undo came from. Raises like move_tag, and Conflict when nothing was undone."""
    tag = lock(actor, name, version)
    if tag.position == tag.last_position:
        raise Conflict(f"There is nothing to redo: {name!r} is at the end of its moves.")
    _walk(actor, tag, MoveKind.REDO, tag.position + 1, message)
    return tag


@transaction.atomic
def delete_tag(*, actor: Actor, name: str, version: int | None = None, message: str = "") -> None:
    """Remove the name, never the history. Raises like move_tag, and Conflict for a protected tag."""
    tag = lock(actor, name, version)
    if tag.protected:
        raise Conflict(f"{name!r} is protected: lift the protection first.")
    write_move(actor, tag, MoveKind.DELETE, None, message)


@transaction.atomic
def protect_tag(*, actor: Actor, name: str, protected: bool, version: int | None = None) -> Tag:
    """Let only admins move the tag and nobody delete it, or lift that. Raises like move_tag; needs the scope admin."""
    actor.require("admin")
    tag = lock(actor, name, version)
    tag.protected = protected
    _save(actor, tag)
    events.record(
        actor=actor, event="tag_protected" if protected else "tag_unprotected", kind="tags", target=f"tag:{tag.id}",
        details={"tag": tag.name},
    )  # fmt: skip
    return tag


def advance(
    actor: Actor, tag: Tag, kind: MoveKind, to: Artifact, message: str, definition: bytes | None = None
) -> None:
    """A new place on the tag's undo line; what could be redone is cut off. The caller holds the tag's lock."""
    tag.position = tag.last_position = tag.position + 1
    write_move(actor, tag, kind, to, message, definition)


def _walk(actor: Actor, tag: Tag, kind: MoveKind, position: int, message: str) -> None:
    there = TagMove.objects.filter(tag=tag, position=position, kind__in=("create", "move", "patch", "merge"))
    move = there.select_related("to_artifact").latest("number")
    assert move.to_artifact is not None, "the database says so"
    tag.position = position
    write_move(actor, tag, kind, move.to_artifact, message)


def write_move(
    actor: Actor, tag: Tag, kind: MoveKind, to: Artifact | None, message: str, definition: bytes | None = None
) -> None:
    """The move's row, the tag's new place, the event; and the head's definition kept whole, the last one's let go."""
    left = tag.artifact
    if to is not None:
        hold(to)
    tag.move_count += 1
    tag.artifact = to
    TagMove.objects.create(
        org_id=tag.org_id, tag=tag, number=tag.move_count, kind=kind, position=tag.position, from_artifact=left,
        to_artifact=to, actor=str(actor), message=message,
    )  # fmt: skip
    _save(actor, tag)
    if to is not None:
        put_blob(org_id=tag.org_id, content=definition or content_of(to))
    if left is not None:
        forget_definition(org_id=tag.org_id, digest=left.definition_digest)
    details = {"tag": tag.name, "move": tag.move_count, "from": _id(left), "to": _id(to), "message": message}
    events.record(actor=actor, event=_EVENTS[kind], kind="tags", target=f"tag:{tag.id}", details=details)


def _save(actor: Actor, tag: Tag) -> None:
    tag.version += 1
    tag.updated_at, tag.updated_by = clock.now(), str(actor)
    tag.save()


def _guard(actor: Actor, tag: Tag, version: int | None) -> None:
    if version is not None and tag.version != version:
        raise PreconditionFailed
    if tag.protected:
        actor.require("admin")


def _id(artifact: Artifact | None) -> str | None:
    return str(artifact.id) if artifact else None
