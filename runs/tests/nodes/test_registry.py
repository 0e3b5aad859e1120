"""The registry and the shapes that every node type shares."""

import pickle

import pytest

from runs.nodes import registry
from runs.nodes.base import NodeContext, NodeFailure, NodeResult, NodeType

BUILT_IN = [
    "intent", "planner", "repair", "responder", "selector", "synth", "tool_exec", "verifier", "http", "llm", "command",
]  # fmt: skip


def echo(ctx: NodeContext) -> NodeResult:
    return NodeResult(dict(ctx.inputs), "Said it again")


@pytest.fixture
def own_type(monkeypatch: pytest.MonkeyPatch) -> NodeType:
    monkeypatch.setattr(registry, "_types", dict(registry._types))
    node_type = NodeType("echo", "Saying it again", echo)
    registry.register(node_type)
    return node_type


def test_the_built_in_types_are_there() -> None:
    assert set(BUILT_IN) <= set(registry.names())
    assert registry.names() == sorted(registry.names())
    for name in BUILT_IN:
        assert registry.get(name).name == name
        assert registry.get(name).started


def test_an_unknown_type_names_the_known_ones() -> None:
    with pytest.raises(registry.UnknownNodeType, match=r'no node type "dream".*intent, .*planner'):
        registry.get("dream")


def test_registering(own_type: NodeType) -> None:
    assert registry.get("echo") is own_type
    registry.register(own_type)
    with pytest.raises(ValueError, match="already"):
        registry.register(NodeType("echo", "Something else", echo))


def test_a_failure_survives_the_way_between_processes() -> None:
    failure = pickle.loads(pickle.dumps(NodeFailure("code", "A sentence.", {"a": 1})))
    assert (failure.code, failure.message, failure.details, str(failure)) == (
        "code",
        "A sentence.",
        {"a": 1},
        "A sentence.",
    )
    assert NodeFailure("code", "A sentence.").details == {}
