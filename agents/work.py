"""What a runtime agent can be handed. Rooms above this one register their work when ready; ``next`` asks them."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Final, Protocol

from agents.models import RuntimeAgent
from orchestrator.identity.actors import Actor

# In the order in which they are asked: a run waits for its prompt, a task can wait.
KINDS: Final = ("prompt", "task")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the agent asked for. ``labels`` and ``q`` are of tasks."""

    ttl_seconds: int
    labels: Collection[str] = ()
    q: str = ""


@dataclass(frozen=True, slots=True)
class Work:
    """Something in the agent's hands, under a lease: ``body`` as JSON, ``location`` where it is kept."""

    kind: str
    body: dict[str, Any]
    location: str


class Source(Protocol):
    """One of KINDS by ``name``. ``answer`` is the serializer that documents a body with its ``kind``."""

    name: str
    answer: type[Any]

    def take(self, *, actor: Actor, instance: RuntimeAgent, wanted: Wanted) -> Work | None:
        """The next piece of work for a live instance, leased to it; None, at little cost, when there is none."""


_sources: dict[str, Source] = {}


def register(source: Source) -> None:
    """Have agents handed what ``source`` has. Raises ValueError for a kind that there is not."""
    if source.name not in KINDS:
        raise ValueError(f"There is no kind of work {source.name!r}.")
    _sources[source.name] = source


def take(*, actor: Actor, instance: RuntimeAgent, wanted: Wanted, kinds: Collection[str] = KINDS) -> Work | None:
    """The first piece of work that a source of one of ``kinds`` has. Raises as the sources do."""
    asked = (_sources[kind] for kind in KINDS if kind in kinds and kind in _sources)
    found = (source.take(actor=actor, instance=instance, wanted=wanted) for source in asked)
    return next((work for work in found if work is not None), None)


def answers() -> dict[str, type[Any]]:
    """What documents the answer of each kind that has a source."""
    return {kind: _sources[kind].answer for kind in KINDS if kind in _sources}
