from typing import Any

from rest_framework import serializers

from orchestrator.api.serializers import StrictSerializer
from orchestrator.core import clock
from orchestrator.events.models import Event


class AppendEvent(StrictSerializer):
    event = serializers.CharField(max_length=100)
    target = serializers.CharField(max_length=200)
    details = serializers.DictField(default=dict)


class EventBody(serializers.Serializer):
    """An event as it is answered; documents ``event_json``."""

    seq = serializers.IntegerField()
    event = serializers.CharField()
    target = serializers.CharField()
    details = serializers.DictField()
    actor = serializers.CharField()
    created_at = serializers.DateTimeField()


def event_json(row: Event) -> dict[str, Any]:
    return {
        "seq": row.seq,
        "event": row.event,
        "target": row.target,
        "details": row.details,
        "actor": row.actor,
        "created_at": clock.rfc3339(row.created_at),
    }
