"""Circles in a graph of names: who waits for whom and, in the end, for itself. No recursion, however long the graph."""

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

Graph = Mapping[str, Sequence[str]]
_DRAWN: Final = 12


def knots(needs: Graph) -> list[list[str]]:
    """The names that all wait for each other (strongly connected components with a circle), each knot sorted.

    ``needs`` has every name as a key.
    """
    left = tangled(needs)
    return sorted(sorted(knot) for knot in _components(left) if len(knot) > 1 or knot[0] in left[knot[0]])


def circle(knot: Sequence[str], needs: Graph) -> list[str]:
    """A shortest circle through the first name of ``knot``: each needs the next, and the last the first."""
    start, inside = knot[0], set(knot)
    came_from: dict[str, str] = {}
    queue = deque([start])
    while queue:
        name = queue.popleft()
        for need in needs[name]:
            if need == start:
                return _way(name, came_from)
            if need in inside and need not in came_from:
                came_from[need] = name
                queue.append(need)
    raise AssertionError("A knot has a circle through each of its names.")


def tangled(needs: Graph) -> dict[str, list[str]]:
    """What is left of ``needs`` when all that can come to its turn is gone (Kahn 1962): nothing, without circles."""
    behind = backwards(needs)
    waiting = {name: len(needed) for name, needed in needs.items()}
    free = [name for name, count in waiting.items() if not count]
    for name in free:  # grows as it goes
        for other in behind[name]:
            waiting[other] -= 1
            if not waiting[other]:
                free.append(other)
    left = needs.keys() - set(free) if len(free) < len(needs) else set()
    return {name: [need for need in needs[name] if need in left] for name in needs if name in left}


def backwards(needs: Graph) -> dict[str, list[str]]:
    """Who needs whom, the other way around."""
    behind: dict[str, list[str]] = {name: [] for name in needs}
    for name, needed in needs.items():
        for need in needed:
            behind[need].append(name)
    return behind


def drawn(circle: Sequence[str]) -> str:
    """``a → b → a``; of a long one the beginning and the end."""
    names = [*circle, circle[0]]
    if len(names) > _DRAWN:
        half = _DRAWN // 2
        names = [*names[:half], f"({len(names) - _DRAWN} more)", *names[-half:]]
    return " → ".join(names)


def _components(needs: Graph) -> Iterator[list[str]]:
    """The strongly connected components (Kosaraju 1978): backwards from each name, the last to be finished first."""
    behind, taken = backwards(needs), set[str]()
    for start in reversed(_finished(needs)):
        if start in taken:
            continue
        taken.add(start)
        found = [start]
        for name in found:  # grows as it goes
            fresh = [other for other in behind[name] if other not in taken]
            taken.update(fresh)
            found.extend(dict.fromkeys(fresh))
        yield found


def _finished(needs: Graph) -> list[str]:
    """The names in the order in which a walk in depth leaves them."""
    found, seen = list[str](), set[str]()
    for start in needs:
        if start in seen:
            continue
        seen.add(start)
        stack = [(start, iter(needs[start]))]
        while stack:
            name, further = stack[-1]
            following = next((need for need in further if need not in seen), None)
            if following is None:
                found.append(name)
                stack.pop()
            else:
                seen.add(following)
                stack.append((following, iter(needs[following])))
    return found


def _way(name: str, came_from: Mapping[str, str]) -> list[str]:
    way = [name]
    while way[-1] in came_from:
        way.append(came_from[way[-1]])
    return way[::-1]
