"""Whom a key may be bound to: runtime agents live in a room above, which registers its check here when ready."""

import uuid
from collections.abc import Callable

from orchestrator.core.errors import ValidationFailed

# Gives what is wrong with a runtime agent of an org, as a sentence; None when nothing is.
Check = Callable[[uuid.UUID, uuid.UUID], str | None]

_check: Check | None = None


def register(check: Check) -> None:
    global _check
    _check = check


def require(org_id: uuid.UUID, runtime_agent_id: uuid.UUID) -> None:
    """Raises ValidationFailed for a runtime agent that no key of the org can be bound to."""
    fault = _check(org_id, runtime_agent_id) if _check else "There are no runtime agents."
    if fault:
        raise ValidationFailed(details={"runtime_agent_id": [fault]})
