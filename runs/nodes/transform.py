"""``transform``: makes its output out of the run's inputs and other nodes' outputs, with JMESPath."""

from typing import Any

from runs.nodes.base import NodeContext, NodeFailure, NodeResult, NodeType
from runs.nodes.settings import settings
from runs.nodes.words import counted, listed
from runs.workflows.evaluation import EvaluationError, search

_SHOWN = 5


def transform(ctx: NodeContext) -> NodeResult:
    """The value of ``expression``, or ``output``, whose templates are filled in; under ``value`` unless an object.

    Raises ``expression_failed``.
    """
    value = ctx.config["output"] if "output" in ctx.config else _value(ctx)
    output = value if isinstance(value, dict) else {"value": value}
    return NodeResult(output, _summary(output))


def _value(ctx: NodeContext) -> Any:
    about = {"inputs": ctx.inputs, "nodes": ctx.outputs, "run": {"id": ctx.run_id}}
    try:
        return search(ctx.config["expression"], {**about, **ctx.variables})
    except EvaluationError as error:
        raise NodeFailure("expression_failed", str(error), permanent=True) from error


def _summary(output: dict[str, Any]) -> str:
    names = [name if len(name) <= 40 else f"{name[:40]}…" for name in list(output)[:_SHOWN]]
    if len(output) > _SHOWN:
        names.append(f"{len(output) - _SHOWN} more")
    return f"Made {counted(len(output), 'member')}{': ' if names else ''}{listed(names, 'and') if names else ''}"


SCHEMA = settings(
    {
        "expression": {
            "description": "JMESPath over all that templates speak of: the output. Write this or `output`.",
            "type": "string",
            "minLength": 1,
            "maxLength": 2000,
            "format": "jmespath",
            "x-literal": True,
        },
        "output": {"description": "The output itself: any JSON, with templates in it. Write this or `expression`."},
    },
    minProperties=1,
    maxProperties=1,
)
NODE = NodeType(
    "transform", "Putting data into another form", transform, SCHEMA,
    "Makes its output out of the run's inputs and other nodes' outputs.",
)  # fmt: skip
