"""How one attempt at a node ended."""

from dataclasses import dataclass
from typing import Any

from runs.nodes.base import Waiting


@dataclass(frozen=True, slots=True)
class Outcome:
    """With an output, with an error ``{code, message, details}``, or not yet: the node waits."""

    summary: str
    output: dict[str, Any] | None = None
    error: dict[str, Any] | None = None
    waiting: Waiting | None = None
    permanent: bool = False
    retry_after: float | None = None


def fault(code: str, message: str, details: dict[str, Any] | None = None) -> dict[str, Any]:
    """An error as a node and a run keep it."""
    return {"code": code, "message": message, "details": details or {}}


def failed(code: str, message: str, details: dict[str, Any] | None = None, *, permanent: bool = False) -> Outcome:
    return Outcome(message, error=fault(code, message, details), permanent=permanent)
