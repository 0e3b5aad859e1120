"""Finds anything by a few letters: the command palette (``/`` or Ctrl-K), and the page that does the same without it.

Each app registers how its own things are found, in its module ``panels``.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from orchestrator.identity.actors import Actor
from orchestrator.web.navigation import sections

A_KIND: Final = 6
LONGEST: Final = 100


@dataclass(frozen=True, slots=True)
class Hit:
    """One thing that was found; ``detail`` tells it from others of the same name."""

    label: str
    url: str
    icon: str
    detail: str = ""


Finder = Callable[[Actor, str, int], list[Hit]]
_finders: list[tuple[str, Finder]] = []


def register(kind: str, find: Finder) -> None:
    """``find(actor, text, limit)`` answers at most ``limit`` hits of the actor's org, the best first.

    It is asked at every key that is pressed: an index must answer it, in two queries at the most.
    """
    _finders.append((kind, find))


def found(actor: Actor, text: str) -> Iterator[tuple[str, list[Hit]]]:
    """What goes by ``text``, kind by kind; the pages alone when it is empty."""
    wanted = text.strip().replace("\x00", "")[:LONGEST]
    kinds = [("Pages", _pages), *(_finders if wanted else ())]
    for kind, find in kinds:
        if hits := find(actor, wanted, A_KIND):
            yield kind, hits


def _pages(actor: Actor, text: str, limit: int) -> list[Hit]:
    every = [Hit(shown["section"].label, shown["url"], shown["section"].icon) for shown in sections(actor)]
    return [hit for hit in every if text.casefold() in hit.label.casefold()] if text else every
