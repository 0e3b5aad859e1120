"""When each node of a run was being executed and when it waited, drawn over a time from which long pauses are cut.

Pure: from spans to coordinates in pixels. A minute's work in a run that waited a week for an answer stays legible,
because a pause in which nothing is executed takes a few pixels with a mark, however long it was.
"""

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

WIDTH: Final = 720  # of the time alone
LABELS: Final = 168
TOP: Final = 28
ROW: Final = 28
BAR: Final = 16
GAP_SECONDS: Final = 5.0  # an idle time longer than this is cut
GAP_WIDTH: Final = 28
_THINNEST: Final = 3
_EDGE: Final = 36  # for half of the last label
_TICK_APART: Final = 64
_STEPS: Final = (
    0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600,
    7200, 14_400, 43_200, 86_400, 604_800,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Span:
    """A time of a node: being executed in its ``attempt``, or waiting. ``end`` is None as long as it goes on."""

    node: str
    start: datetime
    end: datetime | None
    state: str
    attempt: int = 1

    @property
    def waits(self) -> bool:
        return self.state in ("waiting", "retrying")


@dataclass(frozen=True, slots=True)
class Bar:
    x: float
    y: int
    width: float
    state: str
    waits: bool
    title: str


@dataclass(frozen=True, slots=True)
class Row:
    name: str
    y: int
    bars: list[Bar] = field(default_factory=list)

    @property
    def baseline(self) -> int:
        return self.y + 13


@dataclass(frozen=True, slots=True)
class Tick:
    x: float
    label: str


@dataclass(frozen=True, slots=True)
class Gap:
    """A pause that was cut; ``label`` says how long it was."""

    x: float
    width: float
    label: str

    @property
    def middle(self) -> float:
        return self.x + self.width / 2


@dataclass(frozen=True, slots=True)
class Gantt:
    width: int
    height: int
    rows: list[Row]
    ticks: list[Tick]
    gaps: list[Gap]


def spans(entries: Iterable[tuple[str, str, datetime]], ended_at: datetime | None) -> list[Span]:
    """What the entries of a run's log (node, phase, time; in order) say of its nodes. What is still open in the end
    was cut off when the run ended, if it has.
    """
    found: list[Span] = []
    opened: dict[str, Span] = {}
    attempts: dict[str, int] = {}

    def close(node: str, at: datetime, state: str) -> None:
        span = opened.pop(node, None)
        if span is not None:
            found.append(Span(node, span.start, at, span.state if span.waits else state, span.attempt))

    def open_(node: str, at: datetime, state: str) -> None:
        opened[node] = Span(node, at, None, state, max(1, attempts.get(node, 0)))

    for node, phase, at in entries:
        if phase == "started":
            # After a wait it is the same attempt that goes on.
            if node not in opened or opened[node].state != "waiting":
                attempts[node] = attempts.get(node, 0) + 1
            close(node, at, "failed")
            open_(node, at, "running")
        elif phase in ("waiting", "retrying"):
            close(node, at, "failed" if phase == "retrying" else "completed")
            open_(node, at, phase)
        elif phase in ("completed", "failed", "cancelled"):
            close(node, at, phase)
    found.extend(
        Span(node, span.start, ended_at, "cancelled" if ended_at and not span.waits else span.state, span.attempt)
        for node, span in opened.items()
    )
    return sorted(found, key=lambda span: span.start)


def draw(order: Sequence[str], found: Sequence[Span], now: datetime) -> Gantt | None:
    """The nodes that have spans, in ``order``, from the first start on. None when nothing has happened yet."""
    begun = {span.node for span in found}
    names = [name for name in order if name in begun]
    if not names:
        return None
    scale = _Scale(found, min(span.start for span in found), now)
    rows = [_row(name, number, found, scale) for number, name in enumerate(names)]
    height = TOP + ROW * len(rows) + 8
    return Gantt(LABELS + WIDTH + _EDGE, height, rows, scale.ticks(), scale.gaps())


def spell(seconds: float) -> str:
    """``250 ms``, ``4.2 s``, ``3 min 20 s``, ``2 h 5 min`` or ``3 d 4 h``; what is none of it is left out."""
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms" if seconds else "0"
    if seconds < 60:
        return f"{seconds:.1f}".removesuffix(".0") + " s"
    for size, unit, small, smaller in ((86_400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s")):
        if seconds >= size:
            whole, rest = divmod(round(seconds), size)
            return f"{whole} {unit}" + (f" {rest // small} {smaller}" if rest // small else "")
    raise AssertionError(seconds)


def _spell_tick(seconds: float, step: float) -> str:
    """As exact as the step asks for."""
    if seconds < 1 or seconds >= 60 or step >= 1:
        return spell(seconds)
    return f"{seconds:.{1 if step >= 0.1 else 2 if step >= 0.01 else 3}f} s"


@dataclass(frozen=True, slots=True)
class _Piece:
    """A part of the time, in seconds from the start, and where it is drawn."""

    start: float
    end: float
    cut: bool
    x: float = 0.0
    width: float = 0.0


class _Scale:
    """From a moment to its x."""

    def __init__(self, found: Sequence[Span], start: datetime, now: datetime) -> None:
        self._start, self._now = start, now
        times = [(self.seconds(span.start), self.seconds(span.end or now), span.waits) for span in found]
        self.pieces = _placed(_pieces(times))

    def seconds(self, at: datetime) -> float:
        return max(0.0, (at - self._start).total_seconds())

    def at(self, moment: datetime | None) -> float:
        return self.x(self.seconds(moment or self._now))

    def x(self, seconds: float) -> float:
        for piece in self.pieces:
            if seconds <= piece.end:
                share = (seconds - piece.start) / (piece.end - piece.start) if piece.end > piece.start else 0
                return round(piece.x + max(0.0, share) * piece.width, 1)
        last = self.pieces[-1]
        return round(last.x + last.width, 1)

    def gaps(self) -> list[Gap]:
        return [Gap(piece.x, piece.width, spell(piece.end - piece.start)) for piece in self.pieces if piece.cut]

    def ticks(self) -> list[Tick]:
        """At round times, as many as there is room for; none within what was cut."""
        shown = sum(piece.end - piece.start for piece in self.pieces if not piece.cut)
        step = next((step for step in _STEPS if shown / step <= WIDTH / _TICK_APART), _STEPS[-1])
        found: list[Tick] = []
        cuts = [gap.middle for gap in self.gaps()]
        for piece in (piece for piece in self.pieces if not piece.cut):
            number = -(-piece.start // step)
            while number * step <= piece.end:
                tick = Tick(self.x(number * step), _spell_tick(number * step, step))
                apart = [tick.x - found[-1].x] if found else []
                apart += [abs(tick.x - cut) for cut in cuts]
                told = bool(found) and found[-1].label == tick.label
                if not told and all(space >= _TICK_APART * 0.9 for space in apart):
                    found.append(tick)
                number += 1
        return found


def _pieces(times: Sequence[tuple[float, float, bool]]) -> list[_Piece]:
    """The time in parts: those in which something is executed or that are short, and the long idle ones."""
    end = max((last for _, last, _ in times), default=0.0)
    moments = sorted({0.0, end, *(at for first, last, _ in times for at in (first, last))})
    busy = _joined(sorted((first, last) for first, last, waits in times if not waits))
    found: list[_Piece] = []
    for first, last in itertools.pairwise(moments):
        cut = last - first > GAP_SECONDS and not any(a < last and b > first for a, b in busy)
        if found and found[-1].cut == cut:
            found[-1] = _Piece(found[-1].start, last, cut)
        else:
            found.append(_Piece(first, last, cut))
    return found or [_Piece(0.0, 0.0, cut=False)]


def _joined(times: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Overlapping times as one."""
    found: list[tuple[float, float]] = []
    for first, last in times:
        if found and first <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], last))
        else:
            found.append((first, last))
    return found


def _placed(pieces: list[_Piece]) -> list[_Piece]:
    cuts = sum(piece.cut for piece in pieces)
    shown = sum(piece.end - piece.start for piece in pieces if not piece.cut)
    gap = min(GAP_WIDTH, WIDTH / 2 / cuts) if cuts else 0
    room, x, found = WIDTH - gap * cuts, float(LABELS), list[_Piece]()
    for piece in pieces:
        width = gap if piece.cut else room * (piece.end - piece.start) / shown if shown else 0
        found.append(_Piece(piece.start, piece.end, piece.cut, round(x, 1), width))
        x += width
    return found


def _row(name: str, number: int, found: Sequence[Span], scale: _Scale) -> Row:
    y = TOP + ROW * number
    row = Row(name, y + (ROW - BAR) // 2)
    for span in (span for span in found if span.node == name):
        left, right = scale.at(span.start), scale.at(span.end)
        seconds = scale.seconds(span.end or scale._now) - scale.seconds(span.start)
        what = span.state if span.waits else f"attempt {span.attempt}, {span.state}"
        title = f"{name}: {what}, {spell(seconds)}"
        row.bars.append(Bar(left, row.y, max(_THINNEST, round(right - left, 1)), span.state, span.waits, title))
    return row
