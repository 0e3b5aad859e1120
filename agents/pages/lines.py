"""Lines of logs for pages: the newest, what came after one, and a search that has an end."""

import re
import uuid
from dataclasses import dataclass
from typing import Any, Final

from django.http import QueryDict

from agents.models import AgentLog, RuntimeAgent
from agents.querysets import LogQuerySet
from agents.services.logs import level_of
from agents.states import LEVELS
from orchestrator.core.errors import NotFound, ValidationFailed
from orchestrator.core.ids import parse_uuid
from orchestrator.web.paging import edge_of

LONGEST_TEXT: Final = 200
# A filter looks at every line, and a search reads its text: at so many of the newest, then they ask whether to go on.
FILTERED: Final = 50_000
SEARCHED: Final = 10_000


@dataclass(frozen=True, slots=True)
class Lines:
    """Lines in the order of their writing. ``older`` is the ``before`` of the page before; ``more``: newer ones wait.

    ``searched_to`` is the oldest of the ``searched`` lines that the filters have looked at, when there are older ones.
    """

    rows: list[Any]
    older: str = ""
    more: bool = False
    searched_to: str = ""
    searched: int = 0


@dataclass(frozen=True, slots=True)
class Wanted:
    """The filters of a log, as they are in the URL."""

    level: str
    q: str

    @property
    def narrows(self) -> bool:
        return bool(self.level or self.q)


def wanted(query: QueryDict) -> Wanted:
    """Raises ValidationFailed for a level that there is not, and for a text that no line can hold."""
    level, text = query.get("level", "").upper(), query.get("q", "")
    if level:
        level_of(level)
    if len(text) > LONGEST_TEXT or "\x00" in text:
        raise ValidationFailed(f"Search for at most {LONGEST_TEXT} characters.")
    return Wanted(level, text)


def agent_lines(agent: RuntimeAgent) -> LogQuerySet:
    rows: LogQuerySet = AgentLog.objects.for_org(agent.org_id).filter(runtime_agent=agent)
    return rows


def narrowed(rows: LogQuerySet, asked: Wanted) -> LogQuerySet:
    """This level or worse, mentioning the text, in any case."""
    if asked.level:
        rows = rows.as_bad_as(level_of(asked.level))
    return rows.filter(message__iregex=re.escape(asked.q)) if asked.q else rows


def newest(rows: LogQuerySet, size: int) -> Lines:
    """The newest lines, the oldest of them first."""
    found = list(rows.order_by("-id")[: size + 1])
    shown = found[:size][::-1]
    return _levelled(shown, older=str(shown[0].pk) if len(found) > size else "")


def newer(rows: LogQuerySet, after: str, size: int) -> Lines:
    """What came after a line. Raises NotFound when that is no id."""
    found = list(rows.after(_id(after)).order_by("id")[: size + 1])
    return _levelled(found[:size], more=len(found) > size)


def searched(rows: LogQuerySet, asked: Wanted, before: str, size: int) -> Lines:
    """The newest lines before a line (empty: of all) that go by the filters, which look at so many and no more, and say
    where to go on.
    """
    if before:
        rows = rows.filter(pk__lt=_id(before))
    if not asked.narrows:
        return newest(rows, size)
    depth = SEARCHED if asked.q else FILTERED
    beyond = floor(rows, depth)
    found = newest(narrowed(above(rows, beyond), asked), size)
    if found.older or beyond is None:
        return found
    # What is beyond is a line that nobody has looked at: the next page begins with it.
    following = rows.filter(pk__gt=beyond).order_by("id").values_list("pk", flat=True).first()
    return Lines(found.rows, searched_to=str(following), searched=depth)


def floor(rows: LogQuerySet, depth: int) -> uuid.UUID | None:
    """The newest line behind the newest ``depth``; None when there is none."""
    found: uuid.UUID | None = edge_of(rows, depth + 1)
    return found


def above(rows: LogQuerySet, beyond: uuid.UUID | None) -> LogQuerySet:
    """The lines that are newer than what ``floor`` found."""
    return rows if beyond is None else rows.after(beyond)


def _levelled(rows: list[Any], **about: Any) -> Lines:
    for row in rows:
        row.level_name = LEVELS[row.level]
    return Lines(rows, **about)


def _id(text: str) -> uuid.UUID:
    found = parse_uuid(text)
    if found is None:
        raise NotFound("There is no such line in this log.")
    return found
