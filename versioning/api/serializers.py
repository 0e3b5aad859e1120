"""Versions in and out. What a definition or an operation must be is checked by the services."""

import uuid
from typing import Any, Final

from rest_framework import serializers

from orchestrator.api.serializers import StrictSerializer
from orchestrator.core import clock
from orchestrator.core.ids import parse_uuid
from versioning.models import MAX_MESSAGE, MAX_TAG_NAME, Artifact, Tag, TagMove

_MAX_REF: Final = MAX_TAG_NAME + 100


def _message() -> serializers.CharField:
    return serializers.CharField(required=False, max_length=MAX_MESSAGE, allow_blank=True, trim_whitespace=False)


def _ref(**options: Any) -> serializers.CharField:
    return serializers.CharField(max_length=_MAX_REF, trim_whitespace=False, **options)


class Said(StrictSerializer):
    """Why; for the history."""

    message = _message()


class NewWorkflow(Said):
    tag = serializers.CharField(max_length=_MAX_REF, trim_whitespace=False)
    definition = serializers.JSONField()


class Target(Said):
    """One of three ways to name a version."""

    artifact_id = serializers.CharField(required=False, max_length=36)
    tag = _ref(required=False, help_text="A tag, or any other ref.")
    ref = _ref(required=False, help_text="tag, tag~2, tag@{3}, an artifact's id, a digest or its beginning.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """To ``ref`` and, where it was said, ``message``."""
        named = [attrs.pop(name) for name in ("artifact_id", "tag", "ref") if name in attrs]
        if len(named) != 1:
            raise serializers.ValidationError({"artifact_id": ["Send one of artifact_id, tag and ref."]})
        return {**attrs, "ref": named[0]}

    def validate_artifact_id(self, value: str) -> str:
        if parse_uuid(value) is None:
            raise serializers.ValidationError("Must be a valid UUID.")
        return value


class Protection(StrictSerializer):
    protected = serializers.BooleanField()


class NewPatch(Said):
    """RFC 6902 operations on a tag's head, which moves to the result, or on any version, where nothing moves."""

    tag = serializers.CharField(required=False, max_length=_MAX_REF, trim_whitespace=False)
    base = _ref(required=False, help_text="Any ref; no tag moves.")
    operations = serializers.ListField(
        child=serializers.DictField(allow_empty=True), allow_empty=False, help_text="RFC 6902, at most 1,000."
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if ("tag" in attrs) == ("base" in attrs):
            raise serializers.ValidationError({"tag": ["Send one of tag and base."]})
        return attrs


class Resolved(Said):
    """``resolutions`` maps JSON Pointers to ``{"take": "base" | "ours" | "theirs"}``, ``{"value": …}`` or
    ``{"remove": true}``.
    """

    resolutions = serializers.DictField(child=serializers.DictField(), required=False)


class Merge(Resolved):
    into = serializers.CharField(max_length=_MAX_REF, trim_whitespace=False, help_text="The tag that moves.")
    dry_run = serializers.BooleanField(required=False, default=False)

    def get_fields(self) -> dict[str, Any]:
        """``from`` is a word of Python's."""
        return {**super().get_fields(), "from": _ref(help_text="Any ref.")}


class Revert(Resolved):
    artifact = _ref(help_text="The version whose changes are taken back; any ref.")


class TagBody(serializers.Serializer):
    """A tag as it is answered; documents ``tag_json``."""

    id = serializers.UUIDField()
    name = serializers.CharField()
    artifact_id = serializers.UUIDField()
    digest = serializers.CharField()
    version = serializers.IntegerField()
    protected = serializers.BooleanField()
    moves = serializers.IntegerField()
    can_undo = serializers.BooleanField()
    can_redo = serializers.BooleanField()
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()
    updated_by = serializers.CharField()


class ArtifactBody(serializers.Serializer):
    """A version as it is answered; documents ``artifact_json``."""

    id = serializers.UUIDField()
    kind = serializers.CharField()
    digest = serializers.CharField()
    parents = serializers.ListField(child=serializers.UUIDField())
    depth = serializers.IntegerField()
    nodes = serializers.IntegerField()
    edges = serializers.IntegerField()
    author = serializers.CharField()
    message = serializers.CharField()
    created_at = serializers.DateTimeField()


class LogBody(ArtifactBody):
    tags = serializers.ListField(child=serializers.CharField())


class WholeArtifactBody(ArtifactBody):
    definition = serializers.DictField()


class WorkflowBody(serializers.Serializer):
    """A workflow's version under its tag; documents ``workflow_json``."""

    tag = TagBody()
    artifact = ArtifactBody()
    definition = serializers.DictField()


class WorkflowRowBody(serializers.Serializer):
    tag = TagBody()
    artifact = ArtifactBody()


class MovedTagBody(TagBody):
    etag = serializers.CharField(help_text="For the If-Match of the next write.")


class PatchBody(ArtifactBody):
    base_id = serializers.UUIDField()
    operations = serializers.ListField(child=serializers.DictField())
    diff = serializers.DictField()
    tag = MovedTagBody(allow_null=True, required=False)


class MoveBody(serializers.Serializer):
    number = serializers.IntegerField()
    kind = serializers.CharField()
    actor = serializers.CharField()
    message = serializers.CharField()
    created_at = serializers.DateTimeField()

    def get_fields(self) -> dict[str, Any]:
        ends = {name: serializers.UUIDField(allow_null=True) for name in ("from", "to")}
        return {**super().get_fields(), **ends}


class DiffBody(serializers.Serializer):
    """``operations`` (RFC 6902) really turn ``from`` into ``to``."""

    nodes = serializers.DictField()
    edges = serializers.DictField()
    operations = serializers.ListField(child=serializers.DictField())

    def get_fields(self) -> dict[str, Any]:
        ends = {name: ArtifactBody() for name in ("from", "to")}
        return {**ends, **super().get_fields(), "fields": serializers.DictField()}


class MergeBody(serializers.Serializer):
    artifact = ArtifactBody()
    tag = MovedTagBody()
    diff = serializers.DictField()


def tag_json(tag: Tag) -> dict[str, Any]:
    """``tag`` with its artifact loaded; not a deleted one."""
    return {
        "id": str(tag.id),
        "name": tag.name,
        "artifact_id": str(tag.head.id),
        "digest": tag.head.definition_digest,
        "version": tag.version,
        "protected": tag.protected,
        "moves": tag.move_count,
        "can_undo": tag.position > 0,
        "can_redo": tag.position < tag.last_position,
        "created_at": clock.rfc3339(tag.created_at),
        "updated_at": clock.rfc3339(tag.updated_at),
        "updated_by": tag.updated_by,
    }


def artifact_json(artifact: Artifact, parents: list[uuid.UUID]) -> dict[str, Any]:
    """``digest`` is the address of what the version comes to; equal digests are equal definitions."""
    return {
        "id": str(artifact.id),
        "kind": artifact.kind,
        "digest": artifact.definition_digest,
        "parents": [str(parent) for parent in parents],
        "depth": artifact.depth,
        "nodes": artifact.node_count,
        "edges": artifact.edge_count,
        "author": artifact.author,
        "message": artifact.message,
        "created_at": clock.rfc3339(artifact.created_at),
    }


def move_json(move: TagMove) -> dict[str, Any]:
    return {
        "number": move.number,
        "kind": move.kind,
        "from": str(move.from_artifact_id) if move.from_artifact_id else None,
        "to": str(move.to_artifact_id) if move.to_artifact_id else None,
        "actor": move.actor,
        "message": move.message,
        "created_at": clock.rfc3339(move.created_at),
    }
