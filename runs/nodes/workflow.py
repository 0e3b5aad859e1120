"""``workflow``: a run of another workflow, which ends the wait when it ends."""

from runs.nodes.base import NodeContext, NodeFailure, NodeResult, NodeType, Waiting
from runs.nodes.settings import settings


def start_workflow(ctx: NodeContext) -> NodeResult | Waiting:
    """Waits for the run of the other workflow. Raises ``timeout`` when that has not ended in time."""
    tag = ctx.config["workflow"]
    if ctx.waited is not None:
        raise NodeFailure("timeout", f"The run of {tag} did not end in time.")
    on = {"kind": "run", "workflow": tag, "ref": ctx.config.get("ref"), "inputs": ctx.config.get("inputs", {})}
    return Waiting(on, f"Waiting for a run of {tag}.")


SCHEMA = settings(
    {
        "workflow": {
            "description": "The tag of the workflow, written out.",
            "type": "string",
            "pattern": "^[A-Za-z0-9._/-]{1,200}$",
            "x-literal": True,
        },
        "ref": {
            "description": "Which of its versions: a move's number, `~1` for the one before, or a digest; "
            "the current one when left out.",
            "type": "string",
            "minLength": 1,
            "maxLength": 300,
        },
        "inputs": {"description": "The inputs of that run; none when left out.", "type": "object"},
    },
    required=("workflow",),
)
NODE = NodeType("workflow", "Starting a run", start_workflow, SCHEMA, "Has another workflow run.")
