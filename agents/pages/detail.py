"""All that the page of one runtime agent shows, and that agents.js asks for again."""

from typing import Any, Final

from django.conf import settings
from django.db.models import QuerySet
from django.db.models.functions import Left, Length

from agents.models import Prompt, RuntimeAgent
from agents.pages.holdings import holdings
from agents.pages.lines import agent_lines, newer, newest
from agents.states import FINAL, LIVE, RUNTIME_TRANSITIONS, RuntimeStatus
from orchestrator.events import services as events
from orchestrator.identity.actors import Actor
from orchestrator.web.people import Names

_PROMPTS_SHOWN: Final = 5
_LINES_SHOWN: Final = 50
_CHILDREN_SHOWN: Final = 50
SHOWN_TEXT: Final = 5000  # characters of a prompt or an answer; the API has all of it


def read_agent(agent: RuntimeAgent, actor: Actor, after_line: str = "") -> dict[str, Any]:
    """The context of both templates; with ``after_line`` only newer lines of the log. A fixed number of queries."""
    head = events.head(agent.org_id)
    rows = agent_lines(agent)
    lines = newer(rows, after_line, _LINES_SHOWN) if after_line else newest(rows, _LINES_SHOWN)
    children = RuntimeAgent.objects.for_org(agent.org_id).filter(parent=agent)
    allowed = RUNTIME_TRANSITIONS[agent.status]
    return {
        "agent": agent,
        "head": head,
        "live": agent.status not in FINAL,
        "may_write": actor.may("write"),
        "may_stop": actor.may("write") and RuntimeStatus.CANCELLED in allowed,
        "may_mark_lost": actor.may("admin") and agent.status in LIVE,
        "created_by": Names(agent.org_id, [agent.created_by]).spell(agent.created_by),
        "children": list(children.only("id", "name", "status").order_by("id")[:_CHILDREN_SHOWN]),
        "held": holdings(agent.org_id, [agent.pk]).get(agent.pk, []),
        "prompts": list(prompt_rows(agent).order_by("-id")[:_PROMPTS_SHOWN]),
        "lines": lines.rows,
        "more": lines.more,
        "timeout_seconds": settings.AGENT_TIMEOUT_SECONDS,
    }


def prompt_rows(agent: RuntimeAgent) -> QuerySet[Prompt]:
    """What the agent was asked, with the beginnings of its texts as ``asked`` and ``answered``."""
    rows: QuerySet[Prompt] = Prompt.objects.for_org(agent.org_id).filter(runtime_agent=agent)
    return rows.defer("prompt_text", "response_text").annotate(
        asked=Left("prompt_text", SHOWN_TEXT),
        answered=Left("response_text", SHOWN_TEXT),
        asked_length=Length("prompt_text"),
        answered_length=Length("response_text"),
    )
