"""What a node type is: a name, a sentence for its ``started`` event, a schema of its settings and a function of its
context.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Protocol

ANY_SETTINGS: Final[Mapping[str, Any]] = {"type": "object"}


class Stop(Protocol):
    """Tells an attempt that nobody wants its result any more: the run is cancelled, or its time is over."""

    def is_set(self) -> bool: ...

    def wait(self, timeout: float | None = None) -> bool:
        """Sleep for up to ``timeout`` seconds; True as soon as the attempt is to stop."""


class _Never:
    def is_set(self) -> bool:
        return False

    def wait(self, timeout: float | None = None) -> bool:
        raise AssertionError("Nobody would end this wait.")


@dataclass(frozen=True, slots=True)
class NodeContext:
    """What one execution of a node may look at. A node never changes it.

    ``inputs`` are the run's inputs, ``outputs`` the outputs of the finished nodes by node id (a skipped node has none),
    ``config`` is the node's ``with`` object in the workflow, its ``${…}`` filled in. ``attempt`` counts from 1;
    ``idempotency_key`` is the same in every attempt, and no other node's, item's or run's. ``waited`` is what
    ``Waiting.on`` said when the node waited and the time that it named has come; None in a first execution.
    ``variables`` is all that expressions may speak of. ``seconds`` is how long this attempt may take, None for as long
    as it likes. A node that takes long looks at ``stop``. ``emit`` shows a piece of text to those who watch the run
    now; nothing keeps it.
    """

    run_id: str
    node: str
    attempt: int
    inputs: Mapping[str, Any]
    outputs: Mapping[str, Mapping[str, Any]]
    config: Mapping[str, Any]
    org_id: str = ""
    idempotency_key: str = ""
    waited: Mapping[str, Any] | None = None
    variables: Mapping[str, Any] = field(default_factory=dict)
    seconds: float | None = None
    stop: Stop = field(default=_Never())
    emit: Callable[[str], None] = field(default=lambda text: None)


@dataclass(frozen=True, slots=True)
class NodeResult:
    """``output`` is plain JSON, ``summary`` one sentence with figures for the ``completed`` event."""

    output: dict[str, Any]
    summary: str


@dataclass(frozen=True, slots=True)
class Waiting:
    """The node cannot go on until something happens, and holds no worker meanwhile.

    ``on`` is plain JSON for people and programs, shown as the node's ``waiting_on``: ``{"kind": "timer", …}``.
    ``summary`` is one sentence for the ``waiting`` event. When nothing has ended the wait by ``until`` (None: for ever)
    the node is executed again, with ``on`` in ``NodeContext.waited``.
    """

    on: dict[str, Any]
    summary: str
    until: datetime | None = None


class NodeFailure(Exception):
    """The attempt failed. Whether there is another one, the node's ``retry`` says; a ``permanent`` failure, which would
    end the same every time, is tried again only where ``retry.on`` names its code.

    ``code`` is stable, ``message`` is a sentence for people, ``details`` is plain JSON. ``retry_after`` is how many
    seconds the other side asked to be left alone for.
    """

    def __init__(
        self,
        code: str,
        message: str,
        details: dict[str, Any] | None = None,
        *,
        permanent: bool = False,
        retry_after: float | None = None,
    ):
        # These three go to Exception, which is what lets a worker process pickle the failure and send it home.
        super().__init__(code, message, details)
        self.code = code
        self.message = message
        self.details: dict[str, Any] = details or {}
        self.permanent = permanent
        self.retry_after = retry_after

    def __str__(self) -> str:
        return self.message


@dataclass(frozen=True, slots=True)
class NodeType:
    """``started`` is the text of the ``started`` event; ``execute`` raises ``NodeFailure`` when it cannot. ``schema``
    is the JSON Schema (2020-12) of ``with``, by which definitions are checked; ``about`` is a sentence for the docs.
    """

    name: str
    started: str
    execute: Callable[[NodeContext], NodeResult | Waiting]
    schema: Mapping[str, Any] = field(default_factory=lambda: ANY_SETTINGS)
    about: str = ""
