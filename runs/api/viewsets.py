"""/api/v1/runs (and /runs): start, read, cancel. The stream is in runs/views.py."""

import re
import uuid
from typing import Any, Final

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from orchestrator.api import lists
from orchestrator.api.idempotency import idempotent
from orchestrator.api.lists import Listing
from orchestrator.api.viewsets import BaseViewSet
from orchestrator.core.errors import NotFound
from runs.api.filters import ItemFilter, RunEventFilter, RunFilter
from runs.api.serializers import (
    Approve,
    ItemBody,
    NodeBody,
    OutputBody,
    Reject,
    RunAccepted,
    RunBody,
    RunEventBody,
    StartRun,
    item_json,
    node_json,
    nodes_json,
    run_event_json,
    run_json,
)
from runs.models import Run, RunEvent, RunNode
from runs.services import approvals, cancellation, outputs, submission
from runs.services.items import node_of
from runs.services.waiting import waiting_on
from runs.snapshot import definition_of, graph_in, reached

NODE_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}(\[\d{1,5}\])?")


class RunViewSet(BaseViewSet):
    listing = Listing("runs", lambda rows: [run_json(run) for run in rows], RunFilter)
    for_agents = ("retrieve", "workflow")  # of what it works for

    def list_rows(self, org_id: uuid.UUID) -> QuerySet[Run]:
        return Run.objects.for_org(org_id).select_related("snapshot")

    def run(self, run_id: str) -> Run:
        run = Run.objects.seen_by(self.actor).select_related("snapshot").filter(pk=self.path_id(run_id)).first()
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
        """One run, with its output or its error; `waiting_on` says why it does not move, and its place in the line."""
        self.no_parameters()
        run = self.run(run_id)
        return self.resource({**run_json(run), "waiting_on": waiting_on(run)})

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
            rows = {row.node: row for row in reached(run)}
            return {"kind": "nodes", "items": nodes_json(run, graph_in(run.snapshot_id), rows), "next_cursor": None}

        body, etag = lists.kept(("nodes", run.id, run.next_sequence, run.version), build)
        return self.conditional(body, etag)

    @extend_schema(responses=OutputBody)
    def output(self, request: Request, run_id: str, node: str) -> Response:
        """The whole output of a node or an item, also where its row has only a reference to it; null without one."""
        self.no_parameters()
        run = self.run(run_id)
        row = RunNode.objects.filter(run=run, node=self.node(node)).first()
        if row is None and node not in graph_in(run.snapshot_id).nodes:
            raise NotFound
        mapped = "map" in graph_in(run.snapshot_id).nodes.get(node, ())
        output = outputs.whole(run.id, row.output if row else None, mapped=mapped)
        return self.resource({"node": node, "output": output})

    @extend_schema(request=Approve, responses=NodeBody)
    def approve(self, request: Request, run_id: str, node: str) -> Response:
        """Decide that the run may go on behind this node. It can be decided once."""
        found = self.run(run_id)  # before the body: a run that is not there has no faults to tell
        run = approvals.approve(actor=self.actor, run_id=found.id, node=self.node(node), **self.body(Approve))
        return self._node(run, node)

    @extend_schema(request=Reject, responses=NodeBody)
    def reject(self, request: Request, run_id: str, node: str) -> Response:
        """Decide against it: the node fails; or, with `to`, that earlier node and what follows is done again."""
        found = self.run(run_id)
        run = approvals.reject(actor=self.actor, run_id=found.id, node=self.node(node), **self.body(Reject))
        return self._node(run, node)

    def node(self, name: str) -> str:
        """A node's name from the path. Raises NotFound for what no node can be called."""
        if not NODE_NAME.fullmatch(name):
            raise NotFound
        return name

    @extend_schema(responses={200: dict})
    def workflow(self, request: Request, run_id: str) -> Response:
        """The definition that the run was frozen with. Its ETag is its content address."""
        self.no_parameters()
        return self.resource(definition_of(self.run(run_id)))

    def _node(self, run: Run, name: str) -> Response:
        definition = graph_in(run.snapshot_id).nodes[node_of(name)]
        return self.resource(node_json(RunNode.objects.get(run=run, node=name), definition))

    def _accepted(self, run: Run, status: str) -> Response:
        body = {"run_id": str(run.id), "status": status}
        return self.resource(body, status=202, location=f"/api/v1/runs/{run.id}")


class ItemViewSet(BaseViewSet):
    """The items of a mapped node."""

    listing = Listing("items", lambda rows: [item_json(row) for row in rows], ItemFilter, order="id")

    @extend_schema(responses=ItemBody(many=True))
    def list(self, request: Request, run_id: str, node: str) -> Response:  # type: ignore[override]  # within one node
        """The items that a mapped node has come to, in their order; none of another node."""
        run = Run.objects.for_org(self.actor.org_id).filter(pk=self.path_id(run_id)).first()
        found = graph_in(run.snapshot_id).nodes.get(node) if run is not None else None
        if run is None or found is None:
            raise NotFound
        self._run, self._node = run, node
        return self.answer_list(self.actor.org_id, revision=run.next_sequence, within=(run.id, node))

    def list_rows(self, org_id: uuid.UUID) -> QuerySet[RunNode]:
        return RunNode.objects.filter(run=self._run, node__startswith=f"{self._node}[")


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
