"""Bodies of the runs API: what is accepted, and how rows are answered."""

from typing import Any

from rest_framework import serializers

from orchestrator.api.serializers import StrictSerializer
from orchestrator.core import clock
from runs.engine.plan import Graph
from runs.models import Run, RunEvent, RunNode
from runs.services.items import index_of
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


class Approve(StrictSerializer):
    answer = serializers.DictField(required=False, help_text="Suits the schema that the node asks by.")
    comment = serializers.CharField(required=False, allow_blank=True, max_length=4000)


class Reject(StrictSerializer):
    comment = serializers.CharField(max_length=4000)
    to = serializers.CharField(
        required=False, max_length=100, help_text="An earlier node, from which on all is done again."
    )


class RunAccepted(serializers.Serializer):
    run_id = serializers.UUIDField()
    status = serializers.CharField()


class RunBody(serializers.Serializer):
    """A run as it is answered; documents ``run_json``."""

    id = serializers.UUIDField()
    workflow = serializers.CharField()
    definition_version = serializers.IntegerField(help_text="1, and 1 more with each patch to the live run.")
    parent_run = serializers.UUIDField(allow_null=True, help_text="This run is the work of `parent_node` of that one.")
    parent_node = serializers.CharField()
    forked_from = serializers.UUIDField(allow_null=True, help_text="The run that this one does again.")
    forked_at = serializers.CharField(help_text="From which node on, of a fork.")
    artifact_id = serializers.UUIDField()
    definition = serializers.CharField()
    inputs = serializers.DictField()
    priority = serializers.IntegerField()
    status = serializers.CharField()
    waiting_on = serializers.ListField(child=serializers.DictField(), allow_null=True)
    output = serializers.DictField(allow_null=True)
    error = serializers.DictField(allow_null=True)
    created_by = serializers.CharField()
    created_at = serializers.DateTimeField()
    started_at = serializers.DateTimeField(allow_null=True)
    finished_at = serializers.DateTimeField(allow_null=True)
    cancel_requested_at = serializers.DateTimeField(allow_null=True)
    recoveries = serializers.IntegerField()
    version = serializers.IntegerField()


class ItemBody(serializers.Serializer):
    """An item of a mapped node as it is answered; documents ``item_json``."""

    node = serializers.CharField()
    item = serializers.IntegerField()
    status = serializers.ChoiceField(NodeStatus.choices)
    waiting_on = serializers.DictField(allow_null=True)
    attempts = serializers.IntegerField()
    recoveries = serializers.IntegerField()
    output = serializers.DictField(allow_null=True)
    error = serializers.DictField(allow_null=True)
    started_at = serializers.DateTimeField(allow_null=True)
    finished_at = serializers.DateTimeField(allow_null=True)


class NodeBody(ItemBody):
    """A node as it is answered; documents ``nodes_json``."""

    item = None  # type: ignore[assignment]  # a node has none
    type = serializers.CharField()
    needs = serializers.ListField(child=serializers.CharField())
    queue = serializers.CharField()


class OutputBody(serializers.Serializer):
    """The whole output of a node."""

    node = serializers.CharField()
    output = serializers.DictField(allow_null=True)


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
        "definition_version": run.definition_version,
        "parent_run": str(run.parent_id) if run.parent_id else None,
        "parent_node": run.parent_node,
        "forked_from": str(run.forked_from_id) if run.forked_from_id else None,
        "forked_at": run.forked_at,
        "artifact_id": str(run.artifact_id),
        "definition": run.snapshot.definition_digest,
        "inputs": run.inputs,
        "priority": run.priority,
        "status": run.status,
        "waiting_on": run.waiting_on,
        "output": run.output,
        "error": run.error,
        "created_by": run.created_by,
        "created_at": clock.rfc3339(run.created_at),
        "started_at": _time(run.started_at),
        "finished_at": _time(run.finished_at),
        "cancel_requested_at": _time(run.cancel_requested_at),
        "recoveries": run.recoveries,
        "version": run.version,
    }


def nodes_json(run: Run, graph: Graph, rows: dict[str, RunNode]) -> list[dict[str, Any]]:
    """All nodes in the order of the graph; those without a row are still to come or, after the end, never will."""
    unreached = NodeStatus.PENDING if run.status in ACTIVE_RUN else NodeStatus.CANCELLED
    return [_node_json(name, graph.nodes[name], rows.get(name), unreached) for name in graph.order]


def node_json(row: RunNode, node: dict[str, Any]) -> dict[str, Any]:
    """One node that has been reached."""
    return _node_json(row.node, node, row, row.status)


def item_json(row: RunNode) -> dict[str, Any]:
    """One item of a mapped node."""
    return {"node": row.node, "item": index_of(row.node), **_progress(row, row.status)}


def _node_json(name: str, node: dict[str, Any], row: RunNode | None, unreached: str) -> dict[str, Any]:
    about = {"node": name, "type": node["type"], "needs": node.get("needs", []), "queue": node.get("queue", "")}
    return {**about, **_progress(row, unreached)}


def _progress(row: RunNode | None, unreached: str) -> dict[str, Any]:
    return {
        "status": row.status if row else unreached,
        "waiting_on": row.waiting_on if row else None,
        "attempts": row.attempts if row else 0,
        "recoveries": row.recoveries if row else 0,
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
