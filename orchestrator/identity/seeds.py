"""What ``manage.py seed`` makes beside the organization: rooms above this one register it in their ``seeds`` modules,
which are loaded by that command alone, or when they are ready.
"""

import random
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta

from orchestrator.core import clock
from orchestrator.identity.actors import Actor

Seed = Callable[[uuid.UUID], str]
Fill = Callable[[Actor, int], Iterator[str]]

_seeds: list[Seed] = []


@dataclass(frozen=True, slots=True)
class Stage:
    """Where the scenes of the demonstration play. ``people`` are its members by name; ``props`` are the ids of what
    scenes have made for later ones. ``chance`` is the same each time.
    """

    org_id: uuid.UUID
    clock: clock.Past
    people: dict[str, Actor]
    props: dict[str, uuid.UUID] = field(default_factory=dict)
    chance: random.Random = field(default_factory=lambda: random.Random(6))  # noqa: S311 - a game, no secret


Scene = tuple[float, Callable[[Stage], object]]  # how many hours ago it began, and what happened

_scenes: list[Scene] = []
_fills: list[Fill] = []


def register(seed: Seed) -> None:
    """Have ``seed`` fill a fresh organization. It is called each time: what is there stays; it says what it did."""
    if seed not in _seeds:
        _seeds.append(seed)


def register_scenes(*scenes: Scene) -> None:
    """Have these things happen in the demonstration."""
    _scenes.extend(scene for scene in scenes if scene not in _scenes)


def register_fill(fill: Fill) -> None:
    """Have ``fill(actor, events)`` fill an empty organization for trials; it says how far it has come."""
    if fill not in _fills:
        _fills.append(fill)


def plant(org_id: uuid.UUID) -> list[str]:
    """Call every seed; what each of them says."""
    return [seed(org_id) for seed in _seeds]


def play(stage: Stage) -> None:
    """Have every scene happen at its time, the oldest first: so the log tells them in their order, and ids grow with
    time as they do elsewhere. One that comes while another still goes on waits for its end.
    """
    present = stage.clock.present()
    for hours, act in sorted(_scenes, key=lambda scene: -scene[0]):
        stage.clock.go_to(max(present - timedelta(hours=hours), clock.now()))
        act(stage)


def fill(actor: Actor, events: int) -> Iterator[str]:
    """Call every fill."""
    for each in _fills:
        yield from each(actor, events)
