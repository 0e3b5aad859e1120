"""What a node type is: a name, a sentence for its ``started`` event and a function of its context."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class NodeContext:
    """What one execution of a node may look at. A node never changes it.

    ``inputs`` are the run's inputs, ``outputs`` the outputs of the finished nodes by node id (a skipped node
    has none), ``config`` is the node's ``with`` object in the workflow.
    """

    run_id: str
    node: str
    attempt: int
    inputs: Mapping[str, Any]
    outputs: Mapping[str, Mapping[str, Any]]
    config: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class NodeResult:
    """``output`` is plain JSON, ``summary`` one sentence with figures for the ``completed`` event."""

    output: dict[str, Any]
    summary: str


class NodeFailure(Exception):
    """The node cannot do its work with what it was given; trying again would end the same.

    ``code`` is stable, ``message`` is a sentence for people, ``details`` is plain JSON.
    """

    def __init__(self, code: str, message: str, details: dict[str, Any] | None = None):
        # All three go to Exception, which is what lets a worker process pickle the failure and send it home.
        super().__init__(code, message, details)
        self.code = code
        self.message = message
        self.details: dict[str, Any] = details or {}

    def __str__(self) -> str:
        return self.message


@dataclass(frozen=True, slots=True)
class NodeType:
    """``started`` is the text of the ``started`` event; ``execute`` raises ``NodeFailure`` when it cannot."""

    name: str
    started: str
    execute: Callable[[NodeContext], NodeResult]
