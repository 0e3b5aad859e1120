"""Why a run does not move, in words."""

from collections.abc import Callable, Mapping
from typing import Any, Final

Reason = Mapping[str, Any]


def sentences(waiting_on: list[dict[str, Any]] | None) -> list[str]:
    """One for each thing that the run waits for (docs/runs.md, Why it waits)."""
    return [_sentence(reason) for reason in waiting_on or ()]


def _sentence(reason: Reason) -> str:
    tell = _TELLERS.get(str(reason.get("kind")))
    told = tell(reason) if tell else str(reason.get("kind", "something"))
    return f"{reason['node']}: {told}" if "node" in reason else told


def _approval(reason: Reason) -> str:
    what = f" “{reason['title']}”" if reason.get("title") else ""
    until = f", until {_time(reason['expires_at'])}" if reason.get("expires_at") else ""
    return f"somebody's decision{what}{until}"


def _agent(reason: Reason) -> str:
    attempt = f" (attempt {reason['attempt']})" if reason.get("attempt") else ""
    taken = "" if "prompt_id" in reason else ", not taken yet"
    return f"the answer of an agent {reason.get('agent')}{attempt}{taken}"


def _retry(reason: Reason) -> str:
    return f"another attempt at {_time(reason['at'])}, after {reason.get('error')}"


def _limit(reason: Reason) -> str:
    return f"one of the {reason.get('limit')} slots of {reason.get('scope')}, held by {len(reason.get('holders', ()))}"


def _time(written: Any) -> str:
    return str(written)[:19].replace("T", " ") + " UTC"


_TELLERS: Final[Mapping[str, Callable[[Reason], str]]] = {
    "approval": _approval,
    "agent": _agent,
    "retry": _retry,
    "limit": _limit,
    "timer": lambda reason: f"{_time(reason['until'])}",
    "run": lambda reason: f"its run of {reason.get('workflow')}",
    "items": lambda reason: f"{reason['total'] - reason['ended']} of {reason['total']} items",
    "queue": lambda reason: f"a free worker; number {reason.get('position')} in line",
    "cancel": lambda reason: f"what is being executed to stop, until {_time(reason['until'])} at the longest",
}
