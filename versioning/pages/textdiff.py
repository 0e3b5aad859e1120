"""Two texts line by line: what went, what came, and the unchanged runs between, which a page may fold away. Pure."""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal

CONTEXT: Final = 3  # unchanged lines that stay open on each side of a change
MOST_LINES: Final = 4000  # of one text
MOST_EDITS: Final = 600  # comparing grows with their square; what differs in more is shown as exchanged

Mark = Literal[" ", "+", "-"]


@dataclass(frozen=True, slots=True)
class DiffLine:
    """``old`` and ``new`` are the line's numbers in the two texts, from 1; None where it is not there."""

    mark: Mark
    old: int | None
    new: int | None
    text: str


@dataclass(frozen=True, slots=True)
class Block:
    """Lines that belong together; ``folded`` for a run that nothing changed."""

    lines: list[DiffLine]
    folded: bool = False


def blocks(old: str, new: str) -> list[Block] | None:
    """The whole of both texts; None when they are too long to be compared line by line."""
    before, after = old.splitlines(), new.splitlines()
    if max(len(before), len(after)) > MOST_LINES:
        return None
    return list(_blocks(list(_lines(before, after))))


def _lines(before: Sequence[str], after: Sequence[str]) -> Iterator[DiffLine]:
    i = j = 0
    for i_end, j_end in (*_kept(before, after), (len(before), len(after))):
        yield from (DiffLine("-", row + 1, None, before[row]) for row in range(i, i_end))
        yield from (DiffLine("+", None, row + 1, after[row]) for row in range(j, j_end))
        if i_end < len(before):
            yield DiffLine(" ", i_end + 1, j_end + 1, before[i_end])
        i, j = i_end + 1, j_end + 1


def _kept(before: Sequence[str], after: Sequence[str]) -> Iterator[tuple[int, int]]:
    """The lines that stay, by their places in both texts."""
    head = _alike(before, after)
    tail = _alike(before[head:][::-1], after[head:][::-1])
    yield from ((row, row) for row in range(head))
    middle = _common(before[head : len(before) - tail], after[head : len(after) - tail])
    yield from ((head + i, head + j) for i, j in middle)
    yield from ((len(before) - row, len(after) - row) for row in range(tail, 0, -1))


def _alike(one: Sequence[str], other: Sequence[str]) -> int:
    """How many lines are the same in the beginning."""
    return sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))


def _common(before: Sequence[str], after: Sequence[str]) -> list[tuple[int, int]]:
    """A longest common subsequence, after Myers, An O(ND) Difference Algorithm (1986); empty beyond MOST_EDITS.

    Not difflib: of texts made for it, and of some that were not, it takes the cube of their length, which is minutes.
    """
    reach, trail = {1: 0}, list[dict[int, int]]()
    for edits in range(MOST_EDITS + 1):
        trail.append(reach)
        reach = {}
        for k in range(-edits, edits + 1, 2):
            x = _entered(trail[-1], k, edits)
            while x < len(before) and x - k < len(after) and before[x] == after[x - k]:
                x += 1
            reach[k] = x
            if x >= len(before) and x - k >= len(after):
                return _walked(trail, x, k)
    return []


def _entered(reach: dict[int, int], k: int, edits: int) -> int:
    """Where the farthest way with so many edits comes to the diagonal ``k``: from above, or from the left."""
    above = k == -edits or (k != edits and reach[k - 1] < reach[k + 1])
    return reach[k + 1] if above else reach[k - 1] + 1


def _walked(trail: Sequence[dict[int, int]], x: int, k: int) -> list[tuple[int, int]]:
    """The same lines on the way that ends at ``x`` of the diagonal ``k``, in their order."""
    found: list[tuple[int, int]] = []
    for edits in range(len(trail) - 1, -1, -1):
        start = _entered(trail[edits], k, edits)
        found += ((row, row - k) for row in range(x - 1, start - 1, -1))
        above = start == trail[edits].get(k + 1) and (k == -edits or (k != edits and trail[edits][k - 1] < start))
        x, k = (start, k + 1) if above else (start - 1, k - 1)
    return found[::-1]


def _blocks(lines: list[DiffLine]) -> Iterator[Block]:
    """Runs of unchanged lines are cut CONTEXT lines before and behind what changed."""
    near = [False] * len(lines)
    for at, line in enumerate(lines):
        if line.mark != " ":
            near[max(0, at - CONTEXT) : at + CONTEXT + 1] = [True] * len(near[max(0, at - CONTEXT) : at + CONTEXT + 1])
    start = 0
    for at in range(1, len(lines) + 1):
        if at == len(lines) or near[at] != near[start]:
            yield Block(lines[start:at], folded=not near[start])
            start = at
