"""/api/v1/runs/bulk: one act on all runs of a selection."""

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from orchestrator.api.idempotency import idempotent
from orchestrator.api.serializers import IdField, StrictSerializer
from orchestrator.api.viewsets import BaseViewSet
from runs.services import bulk
from runs.states import ACTIVE_RUN


class RunSelection(StrictSerializer):
    """Which runs: all that fit everything given."""

    workflow = serializers.CharField(required=False, max_length=200)
    created_before = serializers.DateTimeField(required=False)
    created_after = serializers.DateTimeField(required=False)
    dry_run = serializers.BooleanField(help_text="true: only count them.")


class CancelMany(RunSelection):
    status = serializers.ChoiceField(sorted(ACTIVE_RUN), required=False)
    job = IdField(required=False, help_text="Runs of this job's fires.")


class RetryMany(RunSelection):
    status = serializers.ChoiceField(bulk.RETRIABLE, required=False)


class BulkOutcome(serializers.Serializer):
    matched = serializers.IntegerField()
    done = serializers.IntegerField(
        help_text="Less than matched: some ended by themselves, were refused, or call again."
    )


class BulkRunViewSet(BaseViewSet):
    @extend_schema(request=CancelMany, responses=BulkOutcome)
    def cancel(self, request: Request) -> Response:
        """Cancel all active runs of a selection, or count them first with `dry_run`."""
        outcome = bulk.cancel_runs(actor=self.actor, **self.body(CancelMany))
        return self.resource(outcome._asdict())

    @extend_schema(request=RetryMany, responses=BulkOutcome)
    @idempotent
    def retry(self, request: Request) -> Response:
        """Retry the failed and cancelled runs of a selection that nobody has done again yet, 1,000 in one call."""
        outcome = bulk.retry_runs(actor=self.actor, **self.body(RetryMany))
        return self.resource(outcome._asdict())
