"""Bodies of the runs API: what is accepted, and how rows are answered."""

from typing import Any

from rest_framework import serializers

from orchestrator.api.serializers import StrictSerializer
from orchestrator.core import clock
from runs.engine.plan import order
from runs.models import Run, RunEvent, RunNode
from runs.states import ACTIVE_RUN, NodeStatus


class StartRun(StrictSerializer):
    """Either the built-in graph's fields (seed 003) or ``workflow`` and ``inputs``."""

    prompt = serializers.CharField(required=False, max_length=4000)
    max_days = serializers.IntegerField(required=False, min_value=1, max_value=30)
    budget_usd_cents = serializers.IntegerField(required=False, min_value=0, max_value=1_000_000_000)
    workflow = serializers.CharField(required=False, max_length=200)
    ref = serializers.CharField(
        required=False, max_length=300, help_text="Any ref; ~2, @{3} and 3 are of the workflow's tag."
    )
    inputs = serializers.DictField(required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """To the arguments of start_run."""
        short = {name: attrs.pop(name) for name in ("prompt", "max_days", "budget_usd_cents") if name in attrs}
        if "workflow" in attrs:
            if short:
                raise serializers.ValidationError(
                    {name: ["Belongs into `inputs` when `workflow` is given."] for name in short}
                )
            return {"inputs": {}, **attrs}
        if unexpected := [name for name in attrs if name in ("inputs", "ref")]:
            raise serializers.ValidationError({name: ["Needs `workflow`."] for name in unexpected})
        if "prompt" not in short:
            raise serializers.ValidationError({"prompt": ["This field is required."]})
        return {"inputs": short}


class RunAccepted(serializers.Serializer):
    run_id = serializers.UUIDField()
    status = serializers.CharField()


class RunBody(serializers.Serializer):
    """A run as it is answered; documents ``run_json``."""

    id = serializers.UUIDField()
    workflow = serializers.CharField()
    artifact_id = serializers.UUIDField()
    definition = serializers.CharField()
    inputs = serializers.DictField()
    status = serializers.CharField()
    output = serializers.DictField(allow_null=True)
    error = serializers.DictField(allow_null=True)
    created_by = serializers.CharField()
    created_at = serializers.DateTimeField()
    started_at = serializers.DateTimeField(allow_null=True)
    finished_at = serializers.DateTimeField(allow_null=True)
    recoveries = serializers.IntegerField()
    version = serializers.IntegerField()


class NodeBody(serializers.Serializer):
    """A node as it is answered; documents ``nodes_json``."""

    node = serializers.CharField()
    type = serializers.CharField()
    needs = serializers.ListField(child=serializers.CharField())
    status = serializers.CharField()
    attempts = serializers.IntegerField()
    output = serializers.DictField(allow_null=True)
    error = serializers.DictField(allow_null=True)
    started_at = serializers.DateTimeField(allow_null=True)
    finished_at = serializers.DateTimeField(allow_null=True)


class RunEventBody(serializers.Serializer):
    """A run event as it is answered; documents ``run_event_json``."""

    id = serializers.UUIDField()
    run_id = serializers.UUIDField()
    org_id = serializers.UUIDField()
    timestamp = serializers.DateTimeField()
    sequence = serializers.IntegerField()
    node = serializers.CharField()
    phase = serializers.CharField()
    summary = serializers.CharField()
    payload = serializers.DictField()


def _time(moment: Any) -> str | None:
    return None if moment is None else clock.rfc3339(moment)


def run_json(run: Run) -> dict[str, Any]:
    """``run`` with its ``snapshot`` loaded (select_related)."""
    return {
        "id": str(run.id),
        "workflow": run.workflow,
        "artifact_id": str(run.artifact_id),
        "definition": run.snapshot.definition_digest,
        "inputs": run.inputs,
        "status": run.status,
        "output": run.output,
        "error": run.error,
        "created_by": run.created_by,
        "created_at": clock.rfc3339(run.created_at),
        "started_at": _time(run.started_at),
        "finished_at": _time(run.finished_at),
        "recoveries": run.recoveries,
        "version": run.version,
    }


def nodes_json(run: Run, definition: dict[str, Any], rows: dict[str, RunNode]) -> list[dict[str, Any]]:
    """All nodes in the order of the graph; those without a row are still to come or, after the end, never will."""
    unreached = NodeStatus.PENDING if run.status in ACTIVE_RUN else NodeStatus.CANCELLED
    return [_node_json(name, definition["nodes"][name], rows.get(name), unreached) for name in order(definition)]


def _node_json(name: str, node: dict[str, Any], row: RunNode | None, unreached: str) -> dict[str, Any]:
    return {
        "node": name,
        "type": node["type"],
        "needs": node.get("needs", []),
        "status": row.status if row else unreached,
        "attempts": row.attempts if row else 0,
        "output": row.output if row else None,
        "error": row.error if row else None,
        "started_at": _time(row.started_at) if row else None,
        "finished_at": _time(row.finished_at) if row else None,
    }


def run_event_json(row: RunEvent) -> dict[str, Any]:
    return {
        "id": str(row.id),
        "run_id": str(row.run_id),
        "org_id": str(row.org_id),
        "timestamp": clock.rfc3339(row.timestamp),
        "sequence": row.sequence,
        "node": row.node,
        "phase": row.phase,
        "summary": row.summary,
        "payload": row.payload,
    }
