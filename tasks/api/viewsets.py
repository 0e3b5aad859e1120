"""/api/v1/collab: shared work and the leases on it (CONTRACT §3, Tasks; seed 000)."""

import uuid
from collections.abc import Callable

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from orchestrator.api.idempotency import idempotent
from orchestrator.api.lists import Listing
from orchestrator.api.serializers import StrictSerializer
from orchestrator.api.viewsets import BaseViewSet
from orchestrator.core.errors import NotAuthenticated, NotFound
from orchestrator.identity import resolver
from tasks import services
from tasks.api import serializers as bodies
from tasks.api.filters import LeaseFilter, TaskFilter
from tasks.api.serializers import TaskBody, TaskFields, Transition, task_json
from tasks.details import attach
from tasks.models import Task, TaskLease
from tasks.querysets import TaskLeaseQuerySet, TaskQuerySet
from tasks.services import leases


class TaskViewSet(BaseViewSet):
    listing = Listing("tasks", lambda rows: [task_json(row) for row in attach(rows)], TaskFilter)
    public_actions = ("list",)
    for_agents = ("retrieve",)

    def list_rows(self, org_id: uuid.UUID) -> TaskQuerySet:
        return Task.objects.for_org(org_id)

    @extend_schema(responses=TaskBody(many=True))
    def list(self, request: Request) -> Response:
        """The org's tasks, newest first. Anonymous callers see those of the public org, if there is one."""
        org_id = self.actor.org_id if request.auth else resolver.public_org_id()
        if org_id is None:
            raise NotAuthenticated
        return self.answer_list(org_id)

    @extend_schema(request=TaskFields, responses={200: TaskBody})
    @idempotent
    def create(self, request: Request) -> Response:
        """Add a task to the shared work."""
        task = services.create_task(actor=self.actor, **self.body(TaskFields))
        return self.resource(task_json(task), location=f"/api/v1/collab/tasks/{task.id}")

    @extend_schema(responses=TaskBody)
    def retrieve(self, request: Request, task_id: str) -> Response:
        """One task by its id."""
        self.no_parameters()
        return self.resource(task_json(self.task(task_id)))

    @extend_schema(request=TaskFields, responses=TaskBody)
    def update(self, request: Request, task_id: str) -> Response:
        """Replace all that can be written of a task; what is left out goes back to its default. Needs If-Match."""
        return self._write(task_id, partial=False)

    @extend_schema(request=TaskFields, responses=TaskBody)
    def partial_update(self, request: Request, task_id: str) -> Response:
        """Change some fields of a task. Needs If-Match."""
        return self._write(task_id, partial=True)

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, task_id: str) -> Response:
        """Delete a task that no other one depends on. Needs If-Match."""
        task = self.task(task_id)
        services.delete_task(actor=self.actor, task_id=task.id, version=self.required_version(task_json(task)))
        return Response(status=204)

    @extend_schema(request=Transition, responses=TaskBody)
    def transition(self, request: Request, task_id: str) -> Response:
        """Move a task to another status. If-Match is optional here: the table of transitions guards the move."""
        task = self.task(task_id)
        version = self.asked_version(task_json(task))
        moved = services.transition_task(
            actor=self.actor, task_id=task.id, to=self.body(Transition)["status"], version=version
        )
        return self.resource(task_json(moved))

    def task(self, task_id: str) -> Task:
        """The org's task with its details. Raises NotFound."""
        task: Task | None = Task.objects.seen_by(self.actor).filter(pk=self.path_id(task_id)).first()
        if task is None:
            raise NotFound
        attach([task])
        return task

    def _write(self, task_id: str, *, partial: bool) -> Response:
        task = self.task(task_id)
        version = self.required_version(task_json(task))
        body = self.body(TaskFields, partial=partial)
        written = services.update_task(actor=self.actor, task_id=task.id, version=version, **body)
        return self.resource(task_json(written))


class LeaseViewSet(BaseViewSet):
    listing = Listing("leases", lambda rows: [bodies.lease_item(row) for row in rows], LeaseFilter)
    for_agents = ("list", "retrieve", "acquire", "heartbeat", "release", "complete", "fail")

    def list_rows(self, org_id: uuid.UUID) -> TaskLeaseQuerySet:
        return TaskLease.objects.for_org(org_id).defer("result")

    @extend_schema(responses=bodies.LeaseItem(many=True))
    def list(self, request: Request) -> Response:
        """Who works on what, newest first; by ``active`` also who did."""
        return self.answer_list(self.actor.org_id, revision=leases.revision(self.actor.org_id))

    @extend_schema(responses=bodies.LeaseBody)
    def retrieve(self, request: Request, lease_id: str) -> Response:
        """One lease by its id."""
        self.no_parameters()
        return self.answer(self.lease(lease_id))

    @extend_schema(request=bodies.Acquire, responses={200: bodies.AcquiredBody, 204: None})
    @idempotent
    def acquire(self, request: Request) -> Response:
        """Take a task to work on it: the one that is named, or the best that waits; 204 when none does."""
        lease = services.acquire_lease(actor=self.actor, **self.body(bodies.Acquire))
        if lease is None:
            return Response(b"", status=204)
        return self.resource(bodies.acquired_json(lease), location=f"/api/v1/collab/leases/{lease.id}")

    @extend_schema(request=bodies.Heartbeat, responses=bodies.LeaseBody)
    def heartbeat(self, request: Request, lease_id: str) -> Response:
        """Keep a lease for another ``ttl_seconds`` from now, as many as the last time unless it says."""
        return self._act(lease_id, bodies.Heartbeat, services.heartbeat_lease)

    @extend_schema(request=bodies.Held, responses=bodies.LeaseBody)
    @idempotent
    def release(self, request: Request, lease_id: str) -> Response:
        """Give a task back unharmed; the attempt does not count."""
        return self._act(lease_id, bodies.Held, services.release_lease)

    @extend_schema(request=bodies.Complete, responses=bodies.LeaseBody)
    @idempotent
    def complete(self, request: Request, lease_id: str) -> Response:
        """The work is done: the task moves on."""
        return self._act(lease_id, bodies.Complete, services.complete_lease)

    @extend_schema(request=bodies.Fail, responses=bodies.LeaseBody)
    @idempotent
    def fail(self, request: Request, lease_id: str) -> Response:
        """The attempt failed: the task goes back into the queue or, with no attempt left, is parked as blocked."""
        return self._act(lease_id, bodies.Fail, services.fail_lease)

    def lease(self, lease_id: str) -> TaskLease:
        """The org's lease. Raises NotFound."""
        return leases.find_lease(self.actor, self.path_id(lease_id))

    def answer(self, lease: TaskLease) -> Response:
        return self.resource(bodies.lease_json(lease))

    def _act(self, lease_id: str, form: type[StrictSerializer], service: Callable[..., TaskLease]) -> Response:
        lease = self.lease(lease_id)  # before the body: a lease that is not there has no faults to tell
        return self.answer(service(actor=self.actor, lease_id=lease.id, **self.body(form)))
