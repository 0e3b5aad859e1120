"""A node type for runs that are disturbed: each execution leaves a line in the file EFFECTS, whatever becomes of it."""

import os
import uuid

from runs.nodes import registry
from runs.nodes.base import NodeContext, NodeFailure, NodeResult, NodeType


def effect(context: NodeContext) -> NodeResult:
    """Takes ``seconds`` and tells which execution it was; ``fails`` of the first attempts fail."""
    nonce = uuid.uuid4().hex
    with open(os.environ["EFFECTS"], "a") as effects:  # noqa: PTH123 - one write of one line, in whole
        effects.write(f"{context.idempotency_key} {nonce}\n")
    context.stop.wait(context.config.get("seconds", 0))
    if context.attempt <= context.config.get("fails", 0):
        raise NodeFailure("flaky", "The first attempts fail.")
    return NodeResult({"nonce": nonce, "worker": os.getppid()}, "Done.")


def register() -> None:
    registry.register(NodeType("test_effect", "An effect has begun.", effect))
