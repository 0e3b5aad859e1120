"""Where identity writes its events: the log lives in a room above and registers its ``record`` here when ready."""

from typing import Any, Protocol


class Recorder(Protocol):
    def __call__(
        self, *, actor: Any, event: str, kind: str, target: str, details: dict[str, Any] | None = None
    ) -> Any: ...


_recorder: Recorder | None = None


def register(recorder: Recorder) -> None:
    global _recorder
    _recorder = recorder


def record(*, actor: Any, event: str, kind: str, target: str, details: dict[str, Any] | None = None) -> None:
    """Append one event in the caller's transaction. Raises RuntimeError without a log: no write goes unrecorded."""
    if _recorder is None:
        raise RuntimeError("No event log is registered.")
    _recorder(actor=actor, event=event, kind=kind, target=target, details=details)
