"""/api/v1/limits: what the org may do at once. What a workflow may is said in its definition."""

from typing import Any

from django.conf import settings
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from orchestrator.api.serializers import StrictSerializer
from orchestrator.api.viewsets import BaseViewSet
from orchestrator.core import clock
from runs.models import OrgLimits
from runs.services import org_limits

_MAY_MATCH = OpenApiParameter(
    "If-Match", OpenApiTypes.STR, OpenApiParameter.HEADER, description="The ETag that you read; may be left out."
)


class SetLimits(StrictSerializer):
    max_running_runs = serializers.IntegerField(
        min_value=0, max_value=10_000, allow_null=True,
        help_text="How many runs go on at once; 0: any number; null: as the server's default says.",
    )  # fmt: skip


class LimitsBody(serializers.Serializer):
    """An org's limits as they are answered; documents ``limits_json``."""

    max_running_runs = serializers.IntegerField(allow_null=True)
    default_max_running_runs = serializers.IntegerField()
    version = serializers.IntegerField()
    updated_at = serializers.DateTimeField(allow_null=True)


def limits_json(found: OrgLimits) -> dict[str, Any]:
    return {
        "max_running_runs": found.max_running_runs,
        "default_max_running_runs": settings.ORG_MAX_RUNNING,
        "version": found.version,
        "updated_at": clock.rfc3339(found.updated_at) if found.version else None,
    }


class LimitsViewSet(BaseViewSet):
    write_scope = "admin"

    @extend_schema(responses=LimitsBody)
    def retrieve(self, request: Request) -> Response:
        """How many runs of the organization may go on at once."""
        self.no_parameters()
        return self.resource(limits_json(org_limits.limits_of(self.actor.org_id)))

    @extend_schema(request=SetLimits, responses=LimitsBody, parameters=[_MAY_MATCH])
    def update(self, request: Request) -> Response:
        """Set it. A lower one cancels nothing: runs that go on end by themselves."""
        version = self.asked_version(limits_json(org_limits.limits_of(self.actor.org_id)))
        return self.resource(
            limits_json(org_limits.set_limits(actor=self.actor, version=version, **self.body(SetLimits)))
        )
