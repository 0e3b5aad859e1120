"""What needs a person, at the top of the home page. Each app registers what it knows of in its module ``panels``."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from urllib.parse import urlencode

from django.urls import reverse

from orchestrator.identity.actors import Actor

A_KIND: Final = 5


@dataclass(frozen=True, slots=True)
class Need:
    """One thing that waits for somebody, since ``at`` where that is known."""

    url: str
    label: str
    detail: str = ""
    at: datetime | None = None


Finder = Callable[[Actor, int], list[Need]]


@dataclass(frozen=True, slots=True)
class Kind:
    """``icon`` is one of static/vendor/lucide; ``url_name``, with ``query``, is the page that shows all of them."""

    label: str
    icon: str
    find: Finder
    url_name: str
    query: Mapping[str, str]

    @property
    def all_url(self) -> str:
        return f"{reverse(self.url_name)}?{urlencode(self.query)}" if self.url_name else ""


_kinds: list[Kind] = []


def register(label: str, icon: str, find: Finder, url_name: str = "", query: Mapping[str, str] | None = None) -> None:
    """``find(actor, limit)`` answers at most ``limit`` needs of the actor's org, the most urgent first.

    It is asked whenever the org's log grows while somebody looks: an index must answer it, in two queries at the most.
    """
    _kinds.append(Kind(label, icon, find, url_name, query or {}))


def found(actor: Actor) -> dict[str, Any]:
    """What there is, kind by kind; ``more`` where a kind has more than are shown."""
    kinds = []
    for kind in _kinds:
        if needs := kind.find(actor, A_KIND + 1):
            kinds.append({"kind": kind, "needs": needs[:A_KIND], "more": len(needs) > A_KIND})
    return {"kinds": kinds}
