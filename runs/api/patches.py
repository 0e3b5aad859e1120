"""/api/v1/runs/{id}/patches: changing what a live run has not started."""

import uuid
from collections.abc import Callable
from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from orchestrator.api.idempotency import idempotent
from orchestrator.api.lists import Listing
from orchestrator.api.serializers import StrictSerializer
from orchestrator.api.viewsets import BaseViewSet
from orchestrator.core import clock
from orchestrator.core.errors import NotFound
from orchestrator.core.numbers import parse_number
from runs.models import Run, RunPatch
from runs.services import patches
from runs.states import PatchState
from versioning.api.base import MAX_BODY_BYTES

_MAX_TEXT = 1000


class NewRunPatch(StrictSerializer):
    operations = serializers.ListField(
        child=serializers.DictField(allow_empty=True), allow_empty=False,
        help_text="RFC 6902 on the run's definition, at most 1,000.",
    )  # fmt: skip
    message = serializers.CharField(required=False, max_length=_MAX_TEXT, allow_blank=True, trim_whitespace=False)
    propose = serializers.BooleanField(default=False, help_text="Leave the decision to others. An agent always does.")


class Decision(StrictSerializer):
    comment = serializers.CharField(required=False, max_length=_MAX_TEXT, allow_blank=True, trim_whitespace=False)


class RunPatchBody(serializers.Serializer):
    """A patch as it is answered; documents ``patch_json``."""

    id = serializers.UUIDField()
    run_id = serializers.UUIDField()
    number = serializers.IntegerField()
    state = serializers.ChoiceField(choices=PatchState.choices)
    operations = serializers.ListField(child=serializers.DictField())
    message = serializers.CharField()
    comment = serializers.CharField(help_text="Of who decided last.")
    base_id = serializers.UUIDField(help_text="The run_snapshot that it was last checked on.")
    result_id = serializers.UUIDField(allow_null=True, help_text="The run_snapshot that it came to.")
    definition_version = serializers.IntegerField(allow_null=True, help_text="The run's that it made.")
    created_by = serializers.CharField()
    decided_by = serializers.CharField()
    created_at = serializers.DateTimeField()
    decided_at = serializers.DateTimeField(allow_null=True)


def patch_json(patch: RunPatch) -> dict[str, Any]:
    return {
        "id": str(patch.id),
        "run_id": str(patch.run_id),
        "number": patch.number,
        "state": patch.state,
        "operations": patch.operations,
        "message": patch.message,
        "comment": patch.comment,
        "base_id": str(patch.base_id),
        "result_id": str(patch.result_id) if patch.result_id else None,
        "definition_version": patch.definition_version,
        "created_by": patch.created_by,
        "decided_by": patch.decided_by,
        "created_at": clock.rfc3339(patch.created_at),
        "decided_at": clock.rfc3339(patch.decided_at) if patch.decided_at else None,
    }


class RunPatchViewSet(BaseViewSet):
    listing = Listing("run_patches", lambda rows: [patch_json(row) for row in rows], order="number")
    max_body_bytes = MAX_BODY_BYTES
    for_agents = ("list", "create", "retrieve")

    @extend_schema(responses=RunPatchBody(many=True))
    def list(self, request: Request, run_id: str) -> Response:  # type: ignore[override]  # a list within one run
        """The patches to the run in the order of asking, whatever has become of them."""
        self._run = run = self.run(run_id)
        return self.answer_list(self.actor.org_id, revision=run.next_sequence, within=run.id)

    def list_rows(self, org_id: uuid.UUID) -> QuerySet[RunPatch]:
        return RunPatch.objects.filter(run=self._run)

    @extend_schema(request=NewRunPatch, responses={201: RunPatchBody})
    @idempotent
    def create(self, request: Request, run_id: str) -> Response:
        """Change nodes that have not started, or add some: all of it, or nothing. 409 names nodes that have started."""
        run = self.run(run_id)
        patch = patches.submit_patch(actor=self.actor, run_id=run.id, **self.body(NewRunPatch))
        return self.resource(patch_json(patch), status=201, location=f"/api/v1/runs/{run.id}/patches/{patch.number}")

    @extend_schema(responses=RunPatchBody)
    def retrieve(self, request: Request, run_id: str, number: str) -> Response:
        """One patch to the run."""
        self.no_parameters()
        return self.resource(patch_json(self.found(run_id, number)))

    @extend_schema(request=Decision, responses=RunPatchBody)
    def accept(self, request: Request, run_id: str, number: str) -> Response:
        """A proposed patch comes into force; it is checked anew."""
        return self.decide(patches.accept_patch, self.found(run_id, number))

    @extend_schema(request=Decision, responses=RunPatchBody)
    def reject(self, request: Request, run_id: str, number: str) -> Response:
        """A proposed patch is not wanted."""
        return self.decide(patches.reject_patch, self.found(run_id, number))

    @extend_schema(request=Decision, responses=RunPatchBody)
    def revert(self, request: Request, run_id: str, number: str) -> Response:
        """Take the last accepted patch back, while nothing of it has started."""
        return self.decide(patches.revert_patch, self.found(run_id, number))

    def decide(self, decision: Callable[..., RunPatch], patch: RunPatch) -> Response:
        said = self.body(Decision)
        return self.resource(patch_json(decision(actor=self.actor, run_id=patch.run_id, number=patch.number, **said)))

    def run(self, run_id: str) -> Run:
        """Raises NotFound."""
        runs = Run.objects.seen_by(self.actor).filter(pk=self.path_id(run_id))
        run: Run | None = runs.only("id", "next_sequence").first()
        if run is None:
            raise NotFound
        return run

    def found(self, run_id: str, number: str) -> RunPatch:
        """Raises NotFound."""
        run, wanted = self.run(run_id), parse_number(number)
        patch: RunPatch | None = RunPatch.objects.filter(run=run, number=wanted).first() if wanted is not None else None
        if patch is None:
            raise NotFound
        return patch
