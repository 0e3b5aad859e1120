"""The sections of the dashboard. Each app registers its own in its module ``panels``; the shell knows none of them."""

from collections.abc import Iterator
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

from django.urls import reverse

from orchestrator.identity.actors import Actor


@dataclass(frozen=True, slots=True)
class Section:
    """``url_name`` takes no parameters; all pages below it belong to the section, and those below the paths ``also``.
    ``icon`` is one of static/vendor/lucide. Sections are shown by ``order`` to those who have ``scope``.
    """

    label: str
    url_name: str
    icon: str
    order: int
    scope: str = "read"
    also: tuple[str, ...] = ()


_sections: list[Section] = []


def register(section: Section) -> None:
    _sections.append(section)
    _sections.sort(key=attrgetter("order"))


def sections(actor: Actor, path: str = "") -> Iterator[dict[str, Any]]:
    """What the actor may open, each with its ``url``; ``current`` is the one to which ``path`` belongs."""
    for section in _sections:
        if actor.may(section.scope):
            url = reverse(section.url_name)
            roots = section.also if url == reverse("dashboard") else (url, *section.also)
            within = path.rstrip("/") in (url, *section.also) or any(path.startswith(f"{root}/") for root in roots)
            yield {"section": section, "url": url, "current": within}


register(Section("Home", "dashboard", "house", 0))
