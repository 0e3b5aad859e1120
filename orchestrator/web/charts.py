"""Small charts as SVG: where each bar begins and ends. Pure; web/partials/chart.html draws them.

The drawing is stretched to the width that there is, so it has no text in it: labels stand beside it, in the page's own
size.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

WIDTH: Final = 480.0
HEIGHT: Final = 120.0
_GAP: Final = 0.2  # of a column's width
_LEAST: Final = 1.5  # what is there can be seen


@dataclass(frozen=True, slots=True)
class Bar:
    """``kind`` gives the colour."""

    kind: str
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Column:
    """``title`` says in words what the bars show."""

    title: str
    bars: tuple[Bar, ...]


@dataclass(frozen=True, slots=True)
class Chart:
    """``top`` is the value at the upper edge, ``ticks`` are labels below it at even distances."""

    columns: tuple[Column, ...]
    top: float
    ticks: tuple[str, ...]
    width: float = WIDTH
    height: float = HEIGHT


@dataclass(frozen=True, slots=True)
class Values:
    """What one column shows: values by kind."""

    title: str
    values: Mapping[str, float]


def stacked(columns: Sequence[Values], kinds: Sequence[str], ticks: Sequence[str]) -> Chart:
    """The values of each column on top of each other, the first kind at the bottom."""
    top = max((sum(column.values.values()) for column in columns), default=0) or 1
    drawn = []
    for place, column in enumerate(columns):
        bars, below = [], 0.0
        for kind in kinds:
            if value := column.values.get(kind, 0):
                bars.append(_bar(kind, place, len(columns), below, below + value, top))
                below += value
        drawn.append(Column(column.title, tuple(bars)))
    return Chart(tuple(drawn), top, tuple(ticks))


def nested(columns: Sequence[Values], kinds: Sequence[str], ticks: Sequence[str]) -> Chart:
    """The values of each column in front of each other, the first kind at the back: it should be the largest."""
    top = max((value for column in columns for value in column.values.values()), default=0) or 1
    drawn = []
    for place, column in enumerate(columns):
        shown = [kind for kind in kinds if kind in column.values]
        bars = [_bar(kind, place, len(columns), 0, column.values[kind], top) for kind in shown]
        drawn.append(Column(column.title, tuple(bars)))
    return Chart(tuple(drawn), top, tuple(ticks))


def _bar(kind: str, place: int, places: int, start: float, end: float, top: float) -> Bar:
    column = WIDTH / places
    height = max((end - start) / top * HEIGHT, _LEAST)
    y = min(HEIGHT - end / top * HEIGHT, HEIGHT - height)
    return Bar(
        kind, round(column * (place + _GAP / 2), 2), round(y, 2), round(column * (1 - _GAP), 2), round(height, 2)
    )
