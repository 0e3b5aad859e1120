"""/api/v1/runs/{id}/retry, /replay, /rerun, /fork: doing runs again."""

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from orchestrator.api.idempotency import idempotent
from orchestrator.api.serializers import StrictSerializer
from runs.api.serializers import RunAccepted
from runs.api.viewsets import RunViewSet
from runs.services import forks
from versioning.api.base import MAX_BODY_BYTES

_REF = "Any ref; ~2, @{3} and 3 are of the workflow's tag."


class Rerun(StrictSerializer):
    ref = serializers.CharField(required=False, max_length=300, help_text=_REF)


class Fork(Rerun):
    from_node = serializers.CharField(max_length=100, help_text="This node, and all that follows it, is done anew.")
    inputs = serializers.DictField(required=False, help_text="In place of the old ones.")
    patch = serializers.ListField(
        child=serializers.DictField(allow_empty=True), required=False, allow_empty=False,
        help_text="RFC 6902, at most 1,000: what is different in the definition of the new run.",
    )  # fmt: skip


class ForkViewSet(RunViewSet):
    max_body_bytes = MAX_BODY_BYTES

    @extend_schema(request=None, responses={202: RunAccepted})
    @idempotent
    def retry(self, request: Request, run_id: str) -> Response:
        """Once more from where the run failed or was cancelled: same version, same inputs, finished nodes reused."""
        return self._accepted(forks.retry_run(actor=self.actor, run_id=self.run(run_id).id), "accepted")

    @extend_schema(request=None, responses={202: RunAccepted})
    @idempotent
    def replay(self, request: Request, run_id: str) -> Response:
        """The same version with the same inputs, all of it anew."""
        return self._accepted(forks.replay_run(actor=self.actor, run_id=self.run(run_id).id), "accepted")

    @extend_schema(request=Rerun, responses={202: RunAccepted})
    @idempotent
    def rerun(self, request: Request, run_id: str) -> Response:
        """The workflow as it is now, with the same inputs."""
        run = self.run(run_id)
        return self._accepted(forks.rerun(actor=self.actor, run_id=run.id, **self.body(Rerun)), "accepted")

    @extend_schema(request=Fork, responses={202: RunAccepted})
    @idempotent
    def fork(self, request: Request, run_id: str) -> Response:
        """From one node on anew; what was completed of the rest is reused."""
        run = self.run(run_id)
        return self._accepted(forks.fork_run(actor=self.actor, run_id=run.id, **self.body(Fork)), "accepted")
