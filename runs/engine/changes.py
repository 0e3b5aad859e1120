"""What two graphs differ in, as a run sees it. Pure, as the plan is."""

from runs.engine.plan import Graph
from versioning.documents.pointers import ABSENT, same


def differing(before: Graph, after: Graph) -> list[str]:
    """The nodes that came, changed or went: those of ``after`` in its order, then those that are gone."""
    gone = (name for name in before.order if name not in after.nodes)
    return [name for name in (*after.order, *gone) if not alike(before, after, name)]


def alike(before: Graph, after: Graph, name: str) -> bool:
    """Whether the node is in both, and nothing of it differs: what it is, needs, and is the fallback for."""
    if name not in before.nodes or name not in after.nodes:
        return False
    return before.fallback_for.get(name) == after.fallback_for.get(name) and same(before.nodes[name], after.nodes[name])


def does_the_same(before: Graph, after: Graph, name: str) -> bool:
    """Whether the node is in both with the same type and settings, whenever its turn comes."""
    if name not in before.nodes or name not in after.nodes:
        return False
    one, other = before.nodes[name], after.nodes[name]
    return all(same(one.get(part, ABSENT), other.get(part, ABSENT)) for part in ("type", "with"))
