"""What agents have in hand beside prompts. Rooms above this one, such as tasks, register how it is found."""

import uuid
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Holding:
    """A piece of work under a lease that runs until ``until``."""

    label: str
    url: str
    until: datetime


Finder = Callable[[uuid.UUID, Collection[uuid.UUID]], dict[uuid.UUID, list[Holding]]]
_finders: list[Finder] = []


def register(find: Finder) -> None:
    """``find(org_id, agent_ids)`` answers what each of the org's runtime agents holds, in one query."""
    _finders.append(find)


def holdings(org_id: uuid.UUID, agent_ids: Collection[uuid.UUID]) -> dict[uuid.UUID, list[Holding]]:
    """What the agents hold, by agent. One query for each kind of work."""
    found: dict[uuid.UUID, list[Holding]] = {}
    for find in _finders if agent_ids else ():
        for agent_id, held in find(org_id, agent_ids).items():
            found.setdefault(agent_id, []).extend(held)
    return found
