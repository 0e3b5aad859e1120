"""Why a run does not move, in words."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from django.urls import reverse

from orchestrator.core.ids import parse_uuid
from orchestrator.web.templatetags.formats import short_id
from runs.models import Run
from runs.pages.found import address

Reason = Mapping[str, Any]
_HOLDERS: Final = 5


def sentences(waiting_on: list[dict[str, Any]] | None) -> list[str]:
    """One for each thing that the run waits for (docs/runs.md, Why it waits)."""
    return [_sentence(reason) for reason in waiting_on or ()]


def reasons(run: Run, waiting_on: list[dict[str, Any]] | None) -> list[dict[str, Any]]:
    """The same, each with ``links`` (label, address) to where one can look, or do something about it."""
    return [{"text": _sentence(reason), "links": list(_links(run, reason))} for reason in waiting_on or ()]


def _links(run: Run, reason: Reason) -> Iterator[tuple[str, str]]:
    if reason.get("kind") == "approval" and "node" in reason:
        yield "Decide", f"{reverse('dashboard-run-node', args=[run.pk, reason['node']])}#decide"
    if reason.get("kind") == "run" and parse_uuid(str(reason.get("run_id"))):
        yield "Open that run", reverse("dashboard-run", args=[reason["run_id"]])
    if reason.get("kind") == "agent" and (agent := reason.get("runtime_agent_id")):
        yield "See the agent", address("dashboard-agent", agent)
    if reason.get("kind") == "limit":
        for holder in (each for each in reason.get("holders", ())[:_HOLDERS] if parse_uuid(str(each))):
            yield f"run …{short_id(holder)}", reverse("dashboard-run", args=[holder])


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
