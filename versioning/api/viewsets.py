"""/api/v1/workflows, /tags, /patches, /artifacts, /diff, /merge (CONTRACT §3, Versioning; seed 004)."""

import uuid
from typing import Any

from django.db.models import QuerySet
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from orchestrator.api import conditional, lists
from orchestrator.api.idempotency import idempotent
from orchestrator.api.lists import Listing
from orchestrator.core.errors import Conflict, NotFound, PreconditionFailed, PreconditionRequired
from orchestrator.events import services as events
from versioning import lineage, refs
from versioning.api import answers, serializers as bodies
from versioning.api.base import VersioningViewSet
from versioning.api.filters import TagFilter
from versioning.documents import diff
from versioning.materialisation import definition_of
from versioning.models import Artifact, ArtifactKind, Tag, TagMove
from versioning.services import merges, tags, workflows

_AT = OpenApiParameter("at", OpenApiTypes.STR, description="The number of a move, or a ref: the version as of then.")
_CURSOR_ID = 16  # bytes


class TagViewSet(VersioningViewSet):
    listing = Listing("tags", lambda rows: [bodies.tag_json(row) for row in rows], TagFilter, order="name")

    def list_rows(self, org_id: uuid.UUID) -> QuerySet[Tag]:
        return Tag.objects.for_org(org_id).live().select_related("artifact")

    @extend_schema(responses=bodies.TagBody(many=True))
    def list(self, request: Request) -> Response:
        """The org's tags by name."""
        return super().list(request)

    @extend_schema(responses=bodies.TagBody)
    def retrieve(self, request: Request, tag: str) -> Response:
        """One tag."""
        self.no_parameters()
        return self.answer(self.tag(tag))

    @extend_schema(request=bodies.Target, responses={200: bodies.TagBody, 201: bodies.TagBody})
    def update(self, request: Request, tag: str) -> Response:
        """A new tag (a branch) with `If-None-Match: *`; with If-Match, the same as move."""
        if request.headers.get("If-None-Match", "").strip() != "*":
            return self._move(tag, self.required_tag_version(self._present(tag)))
        body = self.body(bodies.Target)
        artifact = self.ref(body.pop("ref"))
        try:
            made = tags.create_tag(actor=self.actor, name=tag, artifact=artifact, **body)
        except Conflict as error:
            raise PreconditionFailed(error.message) from error
        return self.answer(made, status=201, location=f"/api/v1/tags/{made.name}")

    @extend_schema(request=bodies.Protection, responses=bodies.TagBody)
    def partial_update(self, request: Request, tag: str) -> Response:
        """Protect a tag, or lift that: only admins move a protected one, nobody deletes it. Needs If-Match."""
        version = self.required_tag_version(self.tag(tag))
        return self.answer(
            tags.protect_tag(actor=self.actor, name=tag, version=version, **self.body(bodies.Protection))
        )

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, tag: str) -> Response:
        """Delete the name, never its history. Needs If-Match."""
        tags.delete_tag(actor=self.actor, name=tag, version=self.required_tag_version(self.tag(tag)))
        return Response(status=204)

    @extend_schema(request=bodies.Target, responses=bodies.TagBody)
    @idempotent
    def move(self, request: Request, tag: str) -> Response:
        """Point the tag at another version. Takes If-Match."""
        return self._move(tag, self.asked_tag_version(self.tag(tag)))

    @extend_schema(request=bodies.Said, responses=bodies.TagBody)
    @idempotent
    def undo(self, request: Request, tag: str) -> Response:
        """Back to where the tag was before. Takes If-Match."""
        version = self.asked_tag_version(self.tag(tag))
        return self.answer(tags.undo_tag(actor=self.actor, name=tag, version=version, **self.body(bodies.Said)))

    @extend_schema(request=bodies.Said, responses=bodies.TagBody)
    @idempotent
    def redo(self, request: Request, tag: str) -> Response:
        """Forward again to where the last undo came from. Takes If-Match."""
        version = self.asked_tag_version(self.tag(tag))
        return self.answer(tags.redo_tag(actor=self.actor, name=tag, version=version, **self.body(bodies.Said)))

    def answer(self, tag: Tag, **options: Any) -> Response:
        return self.resource(bodies.tag_json(tag), **options)

    def _move(self, name: str, version: int | None) -> Response:
        body = self.body(bodies.Target)
        to = self.ref(body.pop("ref"))
        return self.answer(tags.move_tag(actor=self.actor, name=name, to=to, version=version, **body))

    def _present(self, name: str) -> Tag:
        """The tag that a PUT would move; to make one, the caller must say that there is none."""
        try:
            return self.tag(name)
        except NotFound as error:
            if "If-Match" in self.request.headers:
                raise
            raise PreconditionRequired("Send `If-None-Match: *` to make the tag.") from error


class TagHistoryViewSet(VersioningViewSet):
    listing = Listing("tag_moves", lambda rows: [bodies.move_json(row) for row in rows], order="-number")

    @extend_schema(responses=bodies.MoveBody(many=True))
    def list(self, request: Request, tag: str) -> Response:  # type: ignore[override]  # a list within one tag
        """The tag's moves over all its lives, last first; of a deleted tag, too."""
        self._tag = found = refs.tag_of_any_life(self.actor.org_id, tag)
        return self.answer_list(self.actor.org_id, revision=found.version, within=found.id)

    def list_rows(self, org_id: uuid.UUID) -> QuerySet[TagMove]:
        return TagMove.objects.filter(tag=self._tag)


class WorkflowViewSet(VersioningViewSet):
    listing = Listing("workflows", answers.workflow_rows, TagFilter, order="name")

    def list_rows(self, org_id: uuid.UUID) -> QuerySet[Tag]:
        return Tag.objects.for_org(org_id).live().select_related("artifact")

    @extend_schema(responses=bodies.WorkflowRowBody(many=True))
    def list(self, request: Request) -> Response:
        """The org's workflows by tag, without their definitions."""
        return self.answer_list(self.actor.org_id, revision=events.revision(self.actor.org_id, "tags"))

    @extend_schema(request=bodies.NewWorkflow, responses={201: bodies.WorkflowBody})
    @idempotent
    def create(self, request: Request) -> Response:
        """A first version and a tag on it."""
        made = workflows.create_workflow(actor=self.actor, **self.body(bodies.NewWorkflow))
        return self.resource(answers.workflow_json(made), status=201, location=f"/api/v1/workflows/{made.name}")

    @extend_schema(responses=bodies.WorkflowBody, parameters=[_AT])
    def retrieve(self, request: Request, tag: str) -> Response:
        """The definition under the tag, now or as of then, with where it comes from."""
        found, at = self.tag(tag), self.parameters("at").get("at")
        if at is None:
            return self.resource(answers.workflow_json(found))
        shown = refs.at_move(found, int(at)) if refs.is_move(at) else self.ref(at, "at")
        return self.resource(answers.workflow_json(found, shown))

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, tag: str) -> Response:
        """Delete the name, never its history. Needs If-Match."""
        tags.delete_tag(actor=self.actor, name=tag, version=self.required_tag_version(self.tag(tag)))
        return Response(status=204)

    @extend_schema(request=bodies.Revert, responses={201: bodies.PatchBody})
    @idempotent
    def revert(self, request: Request, tag: str) -> Response:
        """A new patch that takes back what an older version changed. Takes If-Match; conflicts as in merge."""
        version, body = self.asked_tag_version(self.tag(tag)), self.body(bodies.Revert)
        undone = self.ref(body.pop("artifact"), "artifact")
        done = merges.revert(actor=self.actor, tag=tag, undone=undone, version=version, **body)
        return _patched(self, done)


class WorkflowLogViewSet(VersioningViewSet):
    @extend_schema(responses=bodies.LogBody(many=True))
    def list(self, request: Request, tag: str) -> Response:  # type: ignore[override]  # a list within one tag
        """The versions behind the tag, children first, each with its parents: enough to draw the graph."""
        query, found = self.parameters("limit", "cursor"), self.tag(tag)
        key = ("log", found.id, events.revision(self.actor.org_id, "tags"), query.get("limit"), query.get("cursor"))
        return self.conditional(*lists.kept(key, lambda: _log_page(found, query)))


class PatchViewSet(VersioningViewSet):
    @extend_schema(request=bodies.NewPatch, responses={201: bodies.PatchBody})
    @idempotent
    def create(self, request: Request) -> Response:
        """Apply RFC 6902 operations: all of them, or none. With `tag`, If-Match is checked against the tag."""
        body = self.body(bodies.NewPatch)
        if "base" in body:
            base = self.ref(body.pop("base"), "base")
            return _patched(self, workflows.patch_version(actor=self.actor, base=base, **body))
        version = self.asked_tag_version(self.named_tag(body["tag"]))
        return _patched(self, workflows.patch_tag(actor=self.actor, version=version, **body))

    @extend_schema(responses=bodies.PatchBody)
    def retrieve(self, request: Request, patch_id: str) -> Response:
        """A patch: its operations, its base, and what it changed."""
        self.no_parameters()
        rows = Artifact.objects.for_org(self.actor.org_id).filter(kind=ArtifactKind.PATCH_SET)
        patch = rows.select_related("blob").filter(pk=self.path_id(patch_id)).first()
        if patch is None:
            raise NotFound
        return self.resource(answers.patch_json(patch))


class ArtifactViewSet(VersioningViewSet):
    @extend_schema(responses=bodies.WholeArtifactBody)
    def retrieve(self, request: Request, artifact_id: str) -> Response:
        """One version, with its definition and its parents."""
        self.no_parameters()
        artifact = Artifact.objects.for_org(self.actor.org_id).filter(pk=self.path_id(artifact_id)).first()
        if artifact is None:
            raise NotFound
        return self.resource({**answers.version_json(artifact), "definition": definition_of(artifact)})


class DiffViewSet(VersioningViewSet):
    @extend_schema(
        responses=bodies.DiffBody,
        parameters=[OpenApiParameter(name, OpenApiTypes.STR, required=True) for name in ("from", "to")],
    )
    def retrieve(self, request: Request) -> Response:
        """What changed between two versions: by node and edge, and as a patch that turns one into the other."""
        query = self.parameters("from", "to")
        old, new = (self.named_by(query, name) for name in ("from", "to"))
        before, after = definition_of(old), definition_of(new)
        ends = dict(zip(("from", "to"), answers.versions_json([old, new]), strict=True))
        return self.resource({**ends, **diff.changes(before, after), "operations": diff.operations(before, after)})


class MergeViewSet(VersioningViewSet):
    @extend_schema(request=bodies.Merge, responses={200: dict, 201: bodies.MergeBody})
    @idempotent
    def create(self, request: Request) -> Response:
        """Three-way merge of `from` into the tag `into`. With `dry_run`: 200, and what would come of it."""
        body = self.body(bodies.Merge)
        dry_run, into, source = body.pop("dry_run"), body.pop("into"), body.pop("from")
        theirs = self.ref(source, "from")
        body["message"] = body.get("message") or f"Merge {source} into {into}"
        version = self.asked_tag_version(self.named_tag(into))
        if dry_run:
            body.pop("message")
            return self.resource(_proposed(merges.propose_merge(
                actor=self.actor, into=into, theirs=theirs, version=version, **body,
            )))  # fmt: skip
        done = merges.merge_tag(actor=self.actor, into=into, theirs=theirs, version=version, **body)
        patch = answers.patch_json(done.artifact)
        artifact = answers.version_json(done.artifact)
        result = {"artifact": artifact, "diff": patch["diff"], "tag": _tag_json(done)}
        whole = {**artifact, "definition": definition_of(done.artifact)}
        return _made(self, result, whole, f"/api/v1/artifacts/{done.artifact.id}")


def _patched(view: VersioningViewSet, done: workflows.Patched) -> Response:
    patch = answers.patch_json(done.artifact)
    body = {**patch, "tag": _tag_json(done)}
    return _made(view, body, patch, f"/api/v1/patches/{done.artifact.id}")


def _made(view: VersioningViewSet, body: dict[str, Any], resource: dict[str, Any], location: str) -> Response:
    """201 with the ETag of what is at ``location`` (RFC 9110 §15.3.2), which says less than ``body``."""
    response = view.resource(body, status=201, location=location)
    response["ETag"] = conditional.represent(resource)[1]
    return response


def _tag_json(done: workflows.Patched) -> dict[str, Any] | None:
    """With the tag's own ``etag``, for the If-Match of the next write."""
    if done.tag is None:
        return None
    tag = bodies.tag_json(done.tag)
    return {**tag, "etag": conditional.represent(tag)[1]}


def _proposed(proposal: merges.Proposal) -> dict[str, Any]:
    return {
        **merges.versions_json(proposal), "dry_run": True, "mergeable": not proposal.conflicts,
        "conflicts": proposal.conflicts, "definition": proposal.definition, "diff": proposal.changes,
        "operations": proposal.operations,
    }  # fmt: skip


def _log_page(tag: Tag, query: Any) -> dict[str, Any]:
    frontier, depth = _frontier(tag.org_id, query.get("cursor")) or ([tag.head.id], tag.head.depth)
    ids, rest = lineage.page(tag.org_id, frontier, depth, lists.limit_of(query))
    found = Artifact.objects.in_bulk(ids)
    cursor = lists.encode_cursor(b"".join(id_.bytes for id_ in rest)) if rest else None
    return {"kind": "artifacts", "items": answers.log_rows([found[id_] for id_ in ids]), "next_cursor": cursor}


def _frontier(org_id: uuid.UUID, cursor: str | None) -> tuple[list[uuid.UUID], int] | None:
    """Where the last page ended: the org's own versions only, whatever a cursor says."""
    if cursor is None:
        return None
    raw = lists.decode_cursor(cursor)
    ids = [uuid.UUID(bytes=raw[at : at + _CURSOR_ID]) for at in range(0, len(raw) - _CURSOR_ID + 1, _CURSOR_ID)]
    rows = dict(Artifact.objects.for_org(org_id).filter(pk__in=ids).values_list("id", "depth"))
    if not ids or len(raw) % _CURSOR_ID or len(rows) != len(ids):
        raise lists.not_a_cursor()
    return ids, max(rows.values())
