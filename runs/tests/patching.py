"""What the tests of patches to live runs share: node types, a chain of nodes, operations on it, and who asks."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from conftest import Person
from orchestrator.identity.actors import Actor
from runs.models import Run, RunNode, RunPatch
from runs.nodes.base import NodeContext, NodeFailure, NodeResult, Waiting
from runs.services import executions, patches
from runs.tests.steps import node_type
from versioning import rules

CHAIN = {"a": {"type": "echo"}, "b": {"type": "echo", "needs": ["a"]}, "c": {"type": "echo", "needs": ["b"]}}
TYPED = [{"op": "add", "path": "/nodes/c/with", "value": {"better": True}}]
ADDED = [{"op": "add", "path": "/nodes/d", "value": {"type": "echo", "needs": ["a"]}}]
STARTED = [{"op": "add", "path": "/nodes/a/with", "value": {"late": True}}]


def echo(ctx: NodeContext) -> NodeResult:
    if ctx.config.get("fail"):
        raise NodeFailure("told_to", "It was told to fail.")
    return NodeResult({"config": dict(ctx.config), "seen": sorted(ctx.outputs)}, "done")


def ask(ctx: NodeContext) -> Waiting:
    return Waiting({"kind": "approval"}, "Waiting for a decision.")


@pytest.fixture(autouse=True)
def types() -> Iterator[None]:
    """Import it where it is to work."""
    executions.forget()
    with node_type("echo", echo), node_type("approval", ask):
        yield


def submit(person: Person, run: Run, operations: Any, **how: Any) -> RunPatch:
    return patches.submit_patch(actor=person.actor, run_id=run.id, operations=operations, **how)


def agent_of(person: Person) -> Actor:
    return Actor("agent", uuid.uuid4(), person.org.id, frozenset({"read", "write"}))


@contextmanager
def any_definition() -> Iterator[None]:
    """Whatever the schema knows yet."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rules, "_checks", [])
        yield


def outputs(run: Run) -> dict[str, Any]:
    return dict(RunNode.objects.filter(run=run, status="completed").values_list("node", "output"))
