"""How versions are answered whole: with their definitions, parents and differences."""

import uuid
from collections.abc import Sequence
from typing import Any

import orjson

from orchestrator.core.errors import NotFound
from versioning import lineage
from versioning.api.serializers import artifact_json, tag_json
from versioning.documents import diff
from versioning.materialisation import definition_of
from versioning.models import Artifact, Tag


def version_json(artifact: Artifact) -> dict[str, Any]:
    """The version with its parents."""
    return versions_json([artifact])[0]


def versions_json(artifacts: Sequence[Artifact]) -> list[dict[str, Any]]:
    parents = lineage.parents_of(artifacts)
    return [artifact_json(artifact, parents[artifact.id]) for artifact in artifacts]


def workflow_json(tag: Tag, artifact: Artifact | None = None) -> dict[str, Any]:
    """The tag's head, or another version, under the tag."""
    shown = artifact or tag.head
    return {"tag": tag_json(tag), "artifact": version_json(shown), "definition": definition_of(shown)}


def workflow_rows(tags: Sequence[Tag]) -> list[dict[str, Any]]:
    versions = versions_json([tag.head for tag in tags])
    return [{"tag": tag_json(tag), "artifact": version} for tag, version in zip(tags, versions, strict=True)]


def patch_json(patch: Artifact) -> dict[str, Any]:
    """A patch_set: its operations, and what they changed."""
    version = version_json(patch)
    base = Artifact.objects.filter(pk=version["parents"][0]).first()
    if base is None:  # gc was faster
        raise NotFound
    operations = orjson.loads(patch.blob.content)
    changes = diff.changes(definition_of(base), definition_of(patch))
    return {**version, "base_id": str(base.id), "operations": operations, "diff": changes}


def log_rows(artifacts: Sequence[Artifact]) -> list[dict[str, Any]]:
    """Versions with the tags that stand on them."""
    standing: dict[uuid.UUID, list[str]] = {}
    for name, artifact_id in (
        Tag.objects.filter(artifact__in=artifacts).order_by("name").values_list("name", "artifact_id")
    ):
        standing.setdefault(artifact_id, []).append(name)
    versions = versions_json(artifacts)
    return [
        {**version, "tags": standing.get(artifact.id, [])}
        for artifact, version in zip(artifacts, versions, strict=True)
    ]
