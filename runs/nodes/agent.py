"""``agent``: gives a prompt to a runtime agent and goes on with its answer, which ends the wait."""

from runs.nodes.base import NodeContext, NodeFailure, NodeResult, NodeType, Waiting
from runs.nodes.settings import JSON_SCHEMA, settings

PROMPT_TYPES = ("adw", "command", "followup", "correction", "tool_call")
DEFAULT_ATTEMPTS = 3


def ask_agent(ctx: NodeContext) -> NodeResult | Waiting:
    """Waits for an agent of that name to take the prompt and to answer it. Raises ``timeout`` when none did in time."""
    name = ctx.config["agent"]
    if ctx.waited is not None:
        raise NodeFailure("timeout", f"No agent {name} answered in time.")
    on = {
        "kind": "agent",
        "agent": name,
        "prompt_type": ctx.config.get("prompt_type", "command"),
        "prompt_name": ctx.config.get("prompt_name", ""),
        "prompt": ctx.config["prompt"],
        "max_attempts": ctx.config.get("max_attempts", DEFAULT_ATTEMPTS),
        "schema": ctx.config.get("schema"),
    }
    return Waiting(on, f"Waiting for an agent {name}.")


SCHEMA = settings(
    {
        "agent": {
            "description": "The name of the agent's definition.",
            "type": "string", "minLength": 1, "maxLength": 200,
        },
        "prompt": {
            "description": "What the agent is to do, up to 200,000 characters.",
            "type": "string", "minLength": 1, "maxLength": 200_000,
        },
        "prompt_type": {
            "description": f"One of {', '.join(PROMPT_TYPES[:-1])} and {PROMPT_TYPES[-1]}; `command` when left out.",
            "enum": list(PROMPT_TYPES),
        },
        "prompt_name": {
            "description": "What to call the prompt, up to 200 characters.",
            "type": "string", "maxLength": 200,
        },
        "max_attempts": {
            "description": "So many agents in turn may take the prompt and be lost with it, 1 to 100; "
            f"{DEFAULT_ATTEMPTS} when left out.",
            "type": "integer", "minimum": 1, "maximum": 100,
        },
        "schema": {
            **JSON_SCHEMA,
            "description": "A JSON Schema (2020-12) of the answer, which must be JSON then; it is text when left out.",
        },
    },
    required=("agent", "prompt"),
)  # fmt: skip
NODE = NodeType("agent", "Looking for an agent", ask_agent, SCHEMA, "Has an agent answer a prompt.")
