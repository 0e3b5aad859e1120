"""Walks ``agent-graph.json`` node by node without the engine: what the engine's own tests may then take for granted."""

import json
from pathlib import Path
from typing import Any

import jmespath

from runs.nodes import registry
from runs.nodes.base import NodeContext, NodeResult

GRAPH: dict[str, Any] = json.loads(
    (Path(__file__).parents[2] / "workflows" / "agent-graph.json").read_text(encoding="utf-8")
)


def execute(
    node: str, inputs: dict[str, Any] | None = None, outputs: dict[str, Any] | None = None, **config: Any
) -> NodeResult:
    """One node by itself."""
    return registry.get(node).execute(NodeContext("run", node, 1, inputs or {}, outputs or {}, config))


def walk(inputs: dict[str, Any], upto: str = "", **config: dict[str, Any]) -> dict[str, NodeResult]:
    """The results of the nodes by id, in the order of the file, those whose ``when`` is false left out."""
    results: dict[str, NodeResult] = {}
    outputs: dict[str, Any] = {}
    for node, spec in GRAPH["nodes"].items():
        if jmespath.search(spec.get("when", "`true`"), {"inputs": inputs, "nodes": outputs}):
            results[node] = execute(spec["type"], inputs, outputs, **config.get(node, {}))
            outputs[node] = results[node].output
        if node == upto:
            break
    return results


def plan_of(results: dict[str, NodeResult]) -> dict[str, Any]:
    """The plan that counts: repair's if there is one."""
    plan: dict[str, Any] = results["repair" if "repair" in results else "tool_exec"].output["plan"]
    return plan
