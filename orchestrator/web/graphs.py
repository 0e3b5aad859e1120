"""Where the nodes of a graph stand in a drawing: in layers from left to right, with few crossings, the same every time.

After Sugiyama, Tagawa and Toda, Methods for Visual Understanding of Hierarchical System Structures (1981): layers by
the longest way from the start, points for the edges that pass a layer, order by the mean place of the neighbours.
"""

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

BOX_WIDTH: Final = 184
BOX_HEIGHT: Final = 56
GAP_ACROSS: Final = 56
GAP_DOWN: Final = 16
MARGIN: Final = 4
POINT_HEIGHT: Final = 12
# A workflow may have 2,000 nodes and 500 needs at each, whose drawing would take hours. What is larger is listed.
MOST_NODES: Final = 300
MOST_POINTS: Final = 5_000  # parts of edges: one for each layer that an edge passes
_SWEEPS: Final = 4


@dataclass(frozen=True, slots=True)
class Box:
    """The place of a node: its upper left corner, in pixels, and its size."""

    name: str
    x: int
    y: int
    width: int = BOX_WIDTH
    height: int = BOX_HEIGHT


@dataclass(frozen=True, slots=True)
class Edge:
    """``path`` is the ``d`` of an SVG path from the right of ``source`` to the left of ``target``.

    ``state`` colours it.
    """

    source: str
    target: str
    path: str
    state: str = ""


@dataclass(frozen=True, slots=True)
class Layout:
    width: int
    height: int
    boxes: list[Box]
    edges: list[Edge]


@dataclass(frozen=True, slots=True)
class Shown:
    """A box with what stands in it: ``state`` colours it, ``note`` is its second line, ``title`` its tooltip."""

    box: Box
    url: str
    state: str = ""
    note: str = ""
    title: str = ""

    @property
    def name(self) -> str:
        return self.box.name


@dataclass(frozen=True, slots=True)
class Drawing:
    """What web/partials/graph.html draws. ``label`` says to screen readers what it is."""

    label: str
    layout: Layout
    boxes: list[Shown]


# A node, or the point at which an edge (source, target) passes the layer of that number.
_Place = str | tuple[str, str, int]


def layout(needs: Mapping[str, Iterable[str]]) -> Layout | None:
    """Each name with what it needs; None for a graph that is too large to be drawn.

    Names that are needed and not there are left out; a circle raises ValueError.
    """
    if len(needs) > MOST_NODES:
        return None
    known = {name: [need for need in dict.fromkeys(wanted) if need in needs] for name, wanted in needs.items()}
    ranks = levels(known)
    if sum(ranks[name] - ranks[need] for name, wanted in known.items() for need in wanted) > MOST_POINTS:
        return None
    chains = [_chain(source, name, ranks) for name, wanted in known.items() for source in wanted]
    layers = _ordered(_layers(ranks, chains), chains)
    at = _heights(layers)
    boxes = [Box(name, _left(rank), round(at[name] - BOX_HEIGHT / 2)) for name, rank in ranks.items()]
    edges = [Edge(_name(chain[0]), _name(chain[-1]), _path(chain, ranks, at)) for chain in chains]
    width = _left(max(ranks.values(), default=0)) + BOX_WIDTH + MARGIN
    height = max((box.y for box in boxes), default=0) + BOX_HEIGHT + MARGIN
    return Layout(width, height, boxes, edges)


def levels(needs: Mapping[str, Sequence[str]]) -> dict[str, int]:
    """The length of the longest way to each name, in the order of ``needs``. Raises ValueError for a circle."""
    found: dict[str, int] = {}
    open_names = list(needs)
    while open_names:
        ready = [name for name in open_names if all(need in found for need in needs[name])]
        if not ready:
            raise ValueError("The graph has a circle.")
        for name in ready:
            found[name] = 1 + max((found[need] for need in needs[name]), default=-1)
        open_names = [name for name in open_names if name not in found]
    return {name: found[name] for name in needs}


def _chain(source: str, target: str, ranks: Mapping[str, int]) -> list[_Place]:
    between = range(ranks[source] + 1, ranks[target])
    return [source, *((source, target, rank) for rank in between), target]


def _layers(ranks: Mapping[str, int], chains: list[list[_Place]]) -> list[list[_Place]]:
    layers: list[list[_Place]] = [[] for _ in range(max(ranks.values(), default=-1) + 1)]
    for name, rank in ranks.items():
        layers[rank].append(name)
    for chain in chains:
        for place in chain[1:-1]:
            layers[place[2]].append(place)  # type: ignore[index]
    return layers


def _ordered(layers: list[list[_Place]], chains: list[list[_Place]]) -> list[list[_Place]]:
    """Each layer sorted by where its neighbours stand, there and back some times."""
    before: dict[_Place, list[_Place]] = {}
    behind: dict[_Place, list[_Place]] = {}
    for chain in chains:
        for left, right in itertools.pairwise(chain):
            before.setdefault(right, []).append(left)
            behind.setdefault(left, []).append(right)
    for sweep in range(_SWEEPS):
        forth = sweep % 2 == 0
        near, walk = (before, range(1, len(layers))) if forth else (behind, range(len(layers) - 2, -1, -1))
        for rank in walk:
            fixed = {place: index for index, place in enumerate(layers[rank - 1 if forth else rank + 1])}
            own = {place: index for index, place in enumerate(layers[rank])}
            layers[rank].sort(key=lambda place: (_mean(near.get(place, ()), fixed, own[place]), own[place]))
    return layers


def _mean(near: Iterable[_Place], at: Mapping[_Place, float], otherwise: float) -> float:
    found = [at[place] for place in near]
    return sum(found) / len(found) if found else otherwise


def _heights(layers: list[list[_Place]]) -> dict[_Place, float]:
    """The middle of each place; every layer is centred on the tallest."""
    tallest = max((_tall(layer) for layer in layers), default=0)
    at: dict[_Place, float] = {}
    for layer in layers:
        y = MARGIN + (tallest - _tall(layer)) / 2
        for place in layer:
            at[place] = y + _size(place) / 2
            y += _size(place) + GAP_DOWN
    return at


def _tall(layer: list[_Place]) -> int:
    return sum(map(_size, layer)) + GAP_DOWN * (len(layer) - 1)


def _size(place: _Place) -> int:
    return BOX_HEIGHT if isinstance(place, str) else POINT_HEIGHT


def _left(rank: int) -> int:
    return MARGIN + rank * (BOX_WIDTH + GAP_ACROSS)


def _name(place: _Place) -> str:
    return place if isinstance(place, str) else place[1]


def _path(chain: list[_Place], ranks: Mapping[str, int], at: Mapping[_Place, float]) -> str:
    """A curve through every gap between two layers, and a straight line past the boxes of a layer."""
    rank, parts = ranks[_name(chain[0])], list[str]()
    for left, right in itertools.pairwise(chain):
        start, end = _left(rank) + BOX_WIDTH, _left(rank + 1)
        middle = (start + end) // 2
        move = f"M{start} {at[left]:.0f}" if not parts else f"L{start} {at[left]:.0f}"
        parts.append(f"{move}C{middle} {at[left]:.0f} {middle} {at[right]:.0f} {end} {at[right]:.0f}")
        rank += 1
    end_y = at[chain[-1]]
    tip = f"M{end - 6} {end_y - 4:.0f}L{end} {end_y:.0f}L{end - 6} {end_y + 4:.0f}"
    return "".join(parts) + tip
