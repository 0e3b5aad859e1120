"""Three-way merge of definitions: what one side changed is taken, what both changed differently is a conflict.

Objects merge member by member, arrays and scalars as a whole; ``needs`` of a node is a set of edges, and a node that
both sides add is one thing. The result depends on the sides' order only where they are in conflict.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, NamedTuple

from orchestrator.core.errors import ValidationFailed
from versioning.documents import graph
from versioning.documents.pointers import ABSENT, MAX_DEPTH, clone, get, join, put, remove, same, split

MODIFY_MODIFY: Final = "modify/modify"
MODIFY_DELETE: Final = "modify/delete"
ADD_ADD: Final = "add/add"
EDGE_TO_DELETED_NODE: Final = "edge_to_deleted_node"
DISPUTED: Final = "\0disputed"  # no document has a NUL: equals nothing

Path = tuple[str, ...]


class Sides(NamedTuple):
    """The same place in the three documents; ABSENT where there is nothing."""

    base: Any
    ours: Any
    theirs: Any

    def at(self, pointer: str) -> "Sides":
        return Sides(*(clone(get(side, pointer)) for side in self))


@dataclass(frozen=True)
class MergeConflict:
    """A place where somebody has to choose, and what each side has there."""

    kind: str
    pointer: str
    base: Any = ABSENT
    ours: Any = ABSENT
    theirs: Any = ABSENT

    def as_json(self) -> dict[str, Any]:
        """Without the sides that have nothing there."""
        sides = {"base": self.base, "ours": self.ours, "theirs": self.theirs}
        present = {side: value for side, value in sides.items() if value is not ABSENT}
        return {"kind": self.kind, "pointer": self.pointer, **present}


@dataclass(frozen=True)
class Merged:
    """The merged definition, which holds ours wherever one of the ``conflicts`` (by pointer) is open."""

    definition: Any
    conflicts: tuple[MergeConflict, ...]


def merge(
    base: Any, ours: Any, theirs: Any, resolutions: Mapping[str, Any] | None = None, *, common: Any = ABSENT
) -> Merged:
    """Both sides' changes since ``base``; shares nothing with its arguments, and takes any JSON documents.

    ``resolutions`` by pointer, parents first: ``{"take": "base" | "ours" | "theirs"}``, ``{"value": any}`` or
    ``{"remove": true}``; each settles the conflicts at and under its pointer, and may be put where there is none.
    ``common`` is what changes are counted from, where that is not ``base``. It may hold DISPUTED, which never gets into
    the result: nothing does that only the base has.
    Raises ValidationFailed, naming the pointer, for a resolution of another form or without a place to go.
    """
    sides, choices = Sides(base, ours, theirs), resolutions or {}
    _require_resolutions(choices)
    found: list[MergeConflict] = []
    definition = _merged((), sides if common is ABSENT else sides._replace(base=common), found)
    found = [replace(each, base=sides.at(each.pointer).base) for each in found]
    for pointer in sorted(choices, key=lambda pointer: (len(split(pointer)), pointer)):
        definition = _resolved(definition, pointer, choices[pointer], sides)
    unsettled = [conflict for conflict in found if not _is_settled(conflict.pointer, choices)]
    conflicts = unsettled + _edge_conflicts(definition, sides, {conflict.pointer for conflict in unsettled})
    return Merged(definition, tuple(sorted(conflicts, key=lambda conflict: conflict.pointer)))


def _merged(path: Path, sides: Sides, found: list[MergeConflict]) -> Any:
    """What becomes of one place, ABSENT included; conflicts at and under it go to ``found``."""
    base, ours, theirs = sides
    if same(ours, theirs) or same(base, theirs):
        return clone(ours)
    if same(base, ours):
        return clone(theirs)
    if _is_needs(path) and all(_is_edges(side) for side in sides):
        return _merged_needs(*([] if side is ABSENT else side for side in sides))
    if _has_members(path, sides):
        return _merged_members(path, sides, found)
    found.append(MergeConflict(_kind(sides), join(*path), *(clone(side) for side in sides)))
    return clone(ours)


def _merged_members(path: Path, sides: Sides, found: list[MergeConflict]) -> dict[str, Any]:
    objects = [side if isinstance(side, dict) else {} for side in sides]
    names = dict.fromkeys(name for each in objects for name in each)
    members = {
        name: _merged((*path, name), Sides(*(each.get(name, ABSENT) for each in objects)), found) for name in names
    }
    return {name: value for name, value in members.items() if value is not ABSENT}


def _merged_needs(base: list[str], ours: list[str], theirs: list[str]) -> list[str]:
    """Edges as a set: gone if either side removed it, there if either added it. In an order that no side decides."""
    in_both = {*ours} & {*theirs}
    kept = [need for need in dict.fromkeys(base) if need in in_both]
    return kept + sorted({*ours, *theirs}.difference(base))


def _is_needs(path: Path) -> bool:
    return len(path) == 3 and path[0] == "nodes" and path[2] == "needs"


def _is_edges(value: Any) -> bool:
    """No ``needs`` is no edges."""
    return value is ABSENT or (isinstance(value, list) and all(isinstance(need, str) for need in value))


def _has_members(path: Path, sides: Sides) -> bool:
    """Whether to look inside. Not into a node that both added: two nodes of one name are no mixture of both."""
    base, ours, theirs = sides
    if not (isinstance(ours, dict) and isinstance(theirs, dict)) or len(path) >= MAX_DEPTH:
        return False
    is_node = len(path) == 2 and path[0] == "nodes"
    return isinstance(base, dict) or (base is ABSENT and not is_node)


def _kind(sides: Sides) -> str:
    if sides.ours is ABSENT or sides.theirs is ABSENT:
        return MODIFY_DELETE
    return ADD_ADD if sides.base is ABSENT else MODIFY_MODIFY


def _require_resolutions(resolutions: Mapping[str, Any]) -> None:
    sentence = 'Give exactly one of "take" ("base", "ours" or "theirs"), "value", or "remove" (true).'
    if faults := {pointer or "/": [sentence] for pointer, each in resolutions.items() if not _is_resolution(each)}:
        raise ValidationFailed("A conflict cannot be resolved like this.", details=faults)


def _is_resolution(resolution: Any) -> bool:
    if not isinstance(resolution, dict) or len(resolution) != 1:
        return False
    [(name, value)] = resolution.items()
    return name == "value" or (name == "take" and value in Sides._fields) or (name == "remove" and value is True)


def _resolved(definition: Any, pointer: str, resolution: dict[str, Any], sides: Sides) -> Any:
    value = resolution.get("value", ABSENT)
    if "take" in resolution:
        value = get(getattr(sides, resolution["take"]), pointer)
    # Something is put there even when it has to go: whether or not it was there, its parent must be.
    definition = put(definition, pointer, None if value is ABSENT else clone(value))
    if value is ABSENT:
        remove(definition, pointer)
    return definition


def _is_settled(pointer: str, resolutions: Mapping[str, Any]) -> bool:
    parts = pointer.split("/")
    return any("/".join(parts[:length]) in resolutions for length in range(1, len(parts) + 1))


def _edge_conflicts(definition: Any, sides: Sides, unsettled: set[str]) -> list[MergeConflict]:
    """Edges to a node that the other side deleted, one conflict for each node that needs such a one.

    Where a conflict leaves open whether the edge or the node will be there, it says nothing yet: with the sides
    exchanged the open conflict would hold the other value, and this would answer differently.
    """
    if unsettled & {"", join("nodes")}:
        return []
    lost = _lost_edges(definition, sides)
    needing = {
        needing
        for needed, needing in lost
        if not unsettled & {join("nodes", needed), join("nodes", needing), join("nodes", needing, "needs")}
    }
    pointers = (join("nodes", node_id, "needs") for node_id in needing)
    return [MergeConflict(EDGE_TO_DELETED_NODE, pointer, *sides.at(pointer)) for pointer in pointers]


def _lost_edges(definition: Any, sides: Sides) -> set[graph.Edge]:
    """Edges to what was a node on some side and is none now; not those that lead nowhere on a side of their own."""
    present, known = graph.nodes(definition), {node_id for side in sides for node_id in graph.nodes(side)}
    lost = {edge for edge in graph.edges(definition) if edge[0] not in present and edge[0] in known}
    own_faults = {edge for side in sides[1:] for edge in graph.edges(side) if edge[0] not in graph.nodes(side)}
    return lost - own_faults
