"""Creating workflows and patching them."""

from dataclasses import dataclass
from typing import Any, Final

from django.db import transaction

from orchestrator.core.errors import PreconditionFailed
from orchestrator.events import services as events
from orchestrator.identity.actors import Actor
from versioning.models import Artifact, MoveKind, Tag
from versioning.services import artifacts, tags

# A patch that nobody guarded by If-Match is applied to whatever the tag comes to; so many times it may move meanwhile.
_ATTEMPTS: Final = 10


@dataclass(frozen=True, slots=True)
class Patched:
    """The new version, and the tag that stands on it, if one does."""

    artifact: Artifact
    tag: Tag | None


def create_workflow(*, actor: Actor, tag: str, definition: Any, message: str = "") -> Tag:
    """A root version and a new tag on it.

    Raises PermissionDenied, ValidationFailed for the name and with every fault of the definition, Conflict when the tag
    is there, PayloadTooLarge.
    """
    actor.require("write")
    prepared = artifacts.prepare_root(definition)
    with transaction.atomic():
        made = tags.claim_name(actor, tag)
        tags.begin_life(actor, made, artifacts.store(actor, prepared, message), message)
        return made


def patch_tag(
    *, actor: Actor, tag: str, operations: list[dict[str, Any]], message: str = "", version: int | None = None
) -> Patched:
    """RFC 6902 operations on the tag's head; the tag moves to the result.

    Raises as tags.move_tag and artifacts.prepare_patch do; then nothing is written.
    """
    for attempt in range(_ATTEMPTS):
        seen = tags.head(actor, tag, version)
        prepared = artifacts.prepare_patch(seen.head, operations)
        try:
            return commit(actor, seen, prepared, MoveKind.PATCH, message)
        except PreconditionFailed:
            if version is not None or attempt == _ATTEMPTS - 1:
                raise
    raise AssertionError("unreachable")


def patch_version(*, actor: Actor, base: Artifact, operations: list[dict[str, Any]], message: str = "") -> Patched:
    """RFC 6902 operations on any version; no tag moves. Raises as artifacts.prepare_patch does."""
    actor.require("write")
    prepared = artifacts.prepare_patch(base, operations)
    with transaction.atomic():
        artifact = artifacts.store(actor, prepared, message)
        events.record(
            actor=actor, event="patch_created", kind="artifacts", target=f"artifact:{artifact.id}",
            details={"base": str(base.id), "message": message},
        )  # fmt: skip
        return Patched(artifact, None)


@transaction.atomic
def commit(actor: Actor, seen: Tag, prepared: artifacts.Prepared, kind: MoveKind, message: str) -> Patched:
    """Write a prepared version and move the tag to it. Raises PreconditionFailed when the tag has moved since."""
    tags.relock(seen)
    artifact = artifacts.store(actor, prepared, message)
    tags.advance(actor, seen, kind, artifact, message, prepared.definition)
    return Patched(artifact, seen)
