"""/api/v1/runs (and /runs): start, read, cancel. The stream is in runs/views.py."""

import uuid
from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from orchestrator.api import lists
from orchestrator.api.idempotency import idempotent
from orchestrator.api.lists import Listing
from orchestrator.api.viewsets import BaseViewSet
from orchestrator.core.errors import NotFound
from runs.api.filters import RunEventFilter, RunFilter
from runs.api.serializers import (
    NodeBody,
    RunAccepted,
    RunBody,
    RunEventBody,
    StartRun,
    nodes_json,
    run_event_json,
    run_json,
)
from runs.models import Run, RunEvent, RunNode
from runs.services import cancellation, submission
from runs.snapshot import definition_of


class RunViewSet(BaseViewSet):
    listing = Listing("runs", lambda rows: [run_json(run) for run in rows], RunFilter)

    def list_rows(self, org_id: uuid.UUID) -> QuerySet[Run]:
        return Run.objects.for_org(org_id).select_related("snapshot")

    def run(self, run_id: str) -> Run:
        run = self.list_rows(self.actor.org_id).filter(pk=self.path_id(run_id)).first()
        if run is None:
            raise NotFound
        return run

    @extend_schema(responses=RunBody(many=True))
    def list(self, request: Request) -> Response:
        """The org's runs, newest first."""
        return super().list(request)

    @extend_schema(request=StartRun, responses={202: RunAccepted})
    @idempotent
    def create(self, request: Request) -> Response:
        """Start a run. It is durable when this answers; its first event may be there already."""
        run = submission.start_run(actor=self.actor, **self.body(StartRun))
        return self._accepted(run, "accepted")

    @extend_schema(responses=RunBody)
    def retrieve(self, request: Request, run_id: str) -> Response:
        """One run, with its output or its error."""
        self.no_parameters()
        return self.resource(run_json(self.run(run_id)))

    @extend_schema(request=None, responses={202: RunAccepted})
    def cancel(self, request: Request, run_id: str) -> Response:
        """End the run now. Nothing starts after this answers."""
        run = cancellation.cancel_run(actor=self.actor, run_id=self.path_id(run_id))
        return self._accepted(run, run.status)

    @extend_schema(responses=NodeBody(many=True))
    def nodes(self, request: Request, run_id: str) -> Response:
        """All nodes of the run in the order of its graph."""
        self.no_parameters()
        run = self.run(run_id)

        def build() -> dict[str, Any]:
            rows = {row.node: row for row in RunNode.objects.filter(run=run)}
            return {"kind": "nodes", "items": nodes_json(run, definition_of(run), rows), "next_cursor": None}

        body, etag = lists.kept(("nodes", run.id, run.next_sequence, run.version), build)
        return self.conditional(body, etag)

    @extend_schema(responses={200: dict})
    def workflow(self, request: Request, run_id: str) -> Response:
        """The definition that the run was frozen with. Its ETag is its content address."""
        self.no_parameters()
        return self.resource(definition_of(self.run(run_id)))

    def _accepted(self, run: Run, status: str) -> Response:
        body = {"run_id": str(run.id), "status": status}
        return self.resource(body, status=202, location=f"/api/v1/runs/{run.id}")


class RunEventViewSet(BaseViewSet):
    listing = Listing(
        "run_events", lambda rows: [run_event_json(row) for row in rows], RunEventFilter, order="sequence"
    )

    @extend_schema(responses=RunEventBody(many=True))
    def list(self, request: Request, run_id: str) -> Response:  # type: ignore[override]  # a list within one run
        """The run's log in order; ``after`` skips all up to that sequence."""
        run = Run.objects.for_org(self.actor.org_id).filter(pk=self.path_id(run_id)).only("id", "next_sequence").first()
        if run is None:
            raise NotFound
        self._run = run
        return self.answer_list(self.actor.org_id, revision=run.next_sequence, within=run.id)

    def list_rows(self, org_id: uuid.UUID) -> QuerySet[RunEvent]:
        return RunEvent.objects.filter(run=self._run)
