"""Which lane each version of a history stands in, as a graph of commits is drawn: branches side by side. Pure.

Versions come children first. A lane waits for one version; where several wait for the same, that version takes the
leftmost and the others end there. What has no child yet begins a lane of its own, in the first that is free.
"""

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

T = TypeVar("T", bound=Hashable)

ROW_HEIGHT: Final = 40
LANE_WIDTH: Final = 22
MARGIN: Final = 16


@dataclass(frozen=True, slots=True)
class Place(Generic[T]):
    """``row`` counts from the top, ``lane`` from the left."""

    version: T
    row: int
    lane: int

    @property
    def x(self) -> int:
        return MARGIN + self.lane * LANE_WIDTH

    @property
    def y(self) -> int:
        return MARGIN + self.row * ROW_HEIGHT


@dataclass(frozen=True, slots=True)
class Line(Generic[T]):
    """From a version down to its parent, along ``lane``. ``parent`` is None for one that lies below the drawing."""

    child: Place[T]
    parent: Place[T] | None
    lane: int
    rows: int

    @property
    def path(self) -> str:
        """The ``d`` of an SVG path: out of the child's lane, straight down its own, into the parent's."""
        start, x = self.child, MARGIN + self.lane * LANE_WIDTH
        if self.parent is None:
            end_y = MARGIN + self.rows * ROW_HEIGHT - ROW_HEIGHT // 2
            return f"M{start.x} {start.y}{_bend(start.x, start.y, x)}L{x} {end_y}"
        turn = self.parent.y - ROW_HEIGHT
        down = f"{_bend(start.x, start.y, x)}L{x} {turn}" if x != start.x and turn > start.y else f"L{start.x} {turn}"
        bent = x if x != start.x and turn > start.y else start.x
        return f"M{start.x} {start.y}{down}{_bend(bent, turn, self.parent.x)}"


@dataclass(frozen=True, slots=True)
class Lanes(Generic[T]):
    places: list[Place[T]]
    lines: list[Line[T]]

    @property
    def count(self) -> int:
        return 1 + max((line.lane for line in self.lines), default=max((p.lane for p in self.places), default=0))

    @property
    def width(self) -> int:
        return 2 * MARGIN + (self.count - 1) * LANE_WIDTH

    @property
    def height(self) -> int:
        return 2 * MARGIN + max(0, len(self.places) - 1) * ROW_HEIGHT


def assign(history: Iterable[tuple[T, Sequence[T]]]) -> Lanes[T]:
    """``history``: each version with its parents, children before parents."""
    waiting: list[T | None] = []
    places: dict[T, Place[T]] = {}
    wanted: list[tuple[Place[T], T, int]] = []
    for row, (version, parents) in enumerate(history):
        lanes = [lane for lane, awaited in enumerate(waiting) if awaited == version]
        lane = lanes[0] if lanes else _free(waiting)
        for each in lanes:
            waiting[each] = None
        places[version] = place = Place(version, row, lane)
        for number, parent in enumerate(parents):
            # A first parent keeps the lane: a branch stays straight, and joins where the parent stands.
            at = lane if number == 0 else waiting.index(parent) if parent in waiting else _free(waiting)
            waiting[at] = parent
            wanted.append((place, parent, at))
    rows = len(places)
    lines = [Line(child, places.get(parent), lane, rows) for child, parent, lane in wanted]
    return Lanes(list(places.values()), lines)


def _free(waiting: list[T | None]) -> int:
    """The first lane that waits for nothing, made when there is none."""
    if None not in waiting:
        waiting.append(None)
    return waiting.index(None)


def _bend(x: int, y: int, to_x: int) -> str:
    """A curve over one row, from one lane into another."""
    end = y + ROW_HEIGHT
    return f"L{x} {end}" if x == to_x else f"C{x} {y + ROW_HEIGHT // 2} {to_x} {y + ROW_HEIGHT // 2} {to_x} {end}"
