"""The lives of runtime agents and of prompts: their statuses, and which may follow which (CONTRACT §3, Agents)."""

from typing import Final

from django.db.models import TextChoices

from orchestrator.core import transitions


class AgentType(TextChoices):
    PLANNER = "planner"
    BUILDER = "builder"
    REVIEWER = "reviewer"
    TESTER = "tester"
    ORCHESTRATOR = "orchestrator"
    UTILITY = "utility"


class RuntimeStatus(TextChoices):
    INITIALIZING = "initializing"
    IDLE = "idle"
    PLANNING = "planning"
    EXECUTING = "executing"
    REVIEWING = "reviewing"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    LOST = "lost"


class PromptType(TextChoices):
    ADW = "adw"
    COMMAND = "command"
    FOLLOWUP = "followup"
    CORRECTION = "correction"
    TOOL_CALL = "tool_call"


class PromptStatus(TextChoices):
    PENDING = "pending"
    STREAMING = "streaming"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


class LogType(TextChoices):
    STATE_CHANGE = "state_change"
    MILESTONE = "milestone"
    ERROR = "error"
    PERFORMANCE = "performance"
    TOOL_CALL = "tool_call"
    COST_UPDATE = "cost_update"


# In the order of their weight: a filter means "this level or worse".
LEVELS: Final = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")

_WORK: Final = frozenset({RuntimeStatus.IDLE, RuntimeStatus.PLANNING, RuntimeStatus.EXECUTING, RuntimeStatus.REVIEWING})
_ENDS: Final = frozenset({RuntimeStatus.COMPLETED, RuntimeStatus.FAILED, RuntimeStatus.CANCELLED})
LIVE: Final = _WORK | {RuntimeStatus.INITIALIZING}
FINAL: Final = _ENDS
# What a caller may ask for; "lost" is what the platform says of an agent that has been silent.
SETTABLE: Final = tuple(status for status in RuntimeStatus if status != RuntimeStatus.LOST)

RUNTIME_TRANSITIONS: Final[transitions.Table] = {
    RuntimeStatus.INITIALIZING: (_WORK - {RuntimeStatus.REVIEWING})
    | {RuntimeStatus.FAILED, RuntimeStatus.CANCELLED, RuntimeStatus.LOST},
    **{status: (_WORK - {status}) | _ENDS | {RuntimeStatus.LOST} for status in _WORK},
    # Any work, or where it was before, when a heartbeat brings it back.
    RuntimeStatus.LOST: _WORK | {RuntimeStatus.INITIALIZING, RuntimeStatus.FAILED, RuntimeStatus.CANCELLED},
    **dict.fromkeys(_ENDS, frozenset()),
}

PROMPT_FINAL: Final = frozenset({PromptStatus.COMPLETED, PromptStatus.FAILED, PromptStatus.CANCELLED})
PROMPT_TRANSITIONS: Final[transitions.Table] = {
    PromptStatus.PENDING: frozenset(
        {PromptStatus.STREAMING, PromptStatus.COMPLETED, PromptStatus.FAILED, PromptStatus.CANCELLED}
    ),
    PromptStatus.STREAMING: frozenset({PromptStatus.COMPLETED, PromptStatus.FAILED, PromptStatus.CANCELLED}),
    **dict.fromkeys(PROMPT_FINAL, frozenset()),
}


def check_runtime(old: str, new: str) -> None:
    """Raises InvalidTransition, which says what is possible, when a runtime agent cannot go from ``old`` to ``new``."""
    transitions.check("runtime agent", RUNTIME_TRANSITIONS, old, new)


def check_prompt(old: str, new: str) -> None:
    """The same for a prompt."""
    transitions.check("prompt", PROMPT_TRANSITIONS, old, new)
