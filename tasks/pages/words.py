"""What happened to a task, in words."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from orchestrator.events.models import Event

_FIELDS: Final = {"max_attempts": "attempts", "depends_on": "what it waits for"}


def told(event: Event) -> str:
    """What its actor did: “moved it to review”."""
    tell = _TELLERS.get(event.event)
    return tell(event.details) if tell else event.event.replace("_", " ")


def status_words(status: object) -> str:
    return str(status).replace("_", " ")


def _moved(details: Mapping[str, Any]) -> str:
    return f"moved it to {status_words(details.get('to'))}"


def _changed(details: Mapping[str, Any]) -> str:
    fields = [_FIELDS.get(name, name) for name in details.get("fields", ())]
    return f"changed its {', '.join(fields)}" if fields else "changed it"


_TELLERS: Final[Mapping[str, Callable[[Mapping[str, Any]], str]]] = {
    "task_created": lambda _: "made it",
    "task_updated": _changed,
    "task_transitioned": _moved,
    "task_deleted": lambda _: "deleted it",
}
