"""The shape of a definition: schema.json, and what a document says that it does not allow."""

import json
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any, Final

import jsonschema_rs

from runs.workflows.sentences import sentence
from runs.workflows.wording import Speller, listed, pointer, shown
from versioning.rules import Fault

SCHEMA: Final[dict[str, Any]] = json.loads((Path(__file__).parent / "schema.json").read_text(encoding="utf-8"))
MAX_NODES: Final[int] = SCHEMA["properties"]["nodes"]["maxProperties"]
_DEFS: Final[dict[str, Any]] = SCHEMA["$defs"]
MAX_NEEDS: Final[int] = _DEFS["node"]["properties"]["needs"]["maxItems"]
_MAX_CODES: Final[int] = _DEFS["retry"]["properties"]["on"]["maxItems"]
_MOST_UNKNOWN: Final = 1000
_WHAT_IT_IS: Final = frozenset({"type", "const", "anyOf"})

# Formats are checked for the sake of one: "regex", by which JSON Schema describes its own patterns.
_parts = jsonschema_rs.validator_map_for(SCHEMA, offline=True, validate_formats=True)
_whole, _node, _inputs, _id = (_parts[name] for name in ("#", "#/$defs/node", "#/$defs/inputs", "#/$defs/id"))
# The members that there may be, by the place of their object; the id of its node is left out.
_members: Final[Mapping[tuple[str | int, ...], Any]] = {
    (): SCHEMA["properties"],
    ("concurrency",): _DEFS["concurrency"]["properties"],
    ("nodes",): _DEFS["node"]["properties"],
    ("nodes", "map"): _DEFS["map"]["properties"],
    ("nodes", "retry"): _DEFS["retry"]["properties"],
}

is_id: Final = _id.is_valid
is_type: Final = _parts["#/$defs/node/properties/type"].is_valid
is_expression: Final = _parts["#/$defs/expression"].is_valid
is_delay: Final = _parts["#/$defs/retry/properties/delay_seconds"].is_valid
is_input_schema: Final = _inputs.is_valid


def shape_faults(definition: Any) -> Iterator[Fault]:
    """What the schema finds. Each part by itself: all errors of a document are made at once, however many they are."""
    if _whole.is_valid(definition):
        return
    if not isinstance(definition, dict):
        yield from _told(_whole, definition)
        return
    yield from _told(_whole, _outline(definition))
    if isinstance(inputs := definition.get("inputs"), dict):
        yield from _told(_inputs, inputs, "inputs")
    for name, node in nodes_of(definition).items():
        if is_id(name) and not _node.is_valid(node):
            yield from _told(_node, _shortened(node), "nodes", name)


def nodes_of(definition: Any) -> dict[str, Any]:
    """The nodes, whatever they are; none when there are too many to look at."""
    nodes = definition.get("nodes") if isinstance(definition, dict) else None
    return nodes if isinstance(nodes, dict) and len(nodes) <= MAX_NODES else {}


def _outline(definition: dict[str, Any]) -> dict[str, Any]:
    """The definition with stand-ins for what is looked at by itself, and no more of the rest than can be told."""
    unknown = islice((name for name in definition if name not in _members[()]), _MOST_UNKNOWN + 1)
    found = {name: definition[name] for name in _members[()] if name in definition} | dict.fromkeys(unknown)
    if isinstance(found.get("inputs"), dict):
        found["inputs"] = {}
    if isinstance(found.get("nodes"), dict):
        found["nodes"] = {name: {"type": "any"} for name in islice(found["nodes"], MAX_NODES + 1)}
    return found


def _shortened(node: Any) -> Any:
    """The node with no more of its lists than can be told."""
    if not isinstance(node, dict):
        return node
    needs, retry = node.get("needs"), node.get("retry")
    if isinstance(needs, list):
        node = {**node, "needs": needs[: MAX_NEEDS + 1]}
    if isinstance(retry, dict) and isinstance(codes := retry.get("on"), list):
        node = {**node, "retry": {**retry, "on": codes[: _MAX_CODES + 1]}}
    return node


def _told(validator: jsonschema_rs.Validator, part: Any, *place: str) -> Iterator[Fault]:
    wrong = set()
    for error in validator.iter_errors(part):
        path = (*place, *error.instance_path)
        if error.kind.name in _WHAT_IT_IS:
            if path in wrong:
                continue  # the schema of schemas says it once for each of its vocabularies
            wrong.add(path)
        match error.kind:
            case jsonschema_rs.ValidationErrorKind.AdditionalProperties(unexpected=names):
                yield from _unknown_members(path, names)
            case jsonschema_rs.ValidationErrorKind.PropertyNames(error=inner):
                yield Fault(pointer((*path, str(inner.instance))), sentence(inner))
            case _:
                yield Fault(pointer(path), sentence(error))


def _unknown_members(path: tuple[str | int, ...], names: list[str]) -> Iterator[Fault]:
    members = _members[(*path[:1], *path[2:])]
    closest = Speller(members)
    for name in names:
        told = f"There is no member {shown(name)} here, only {listed(members)}.{closest(name)}"
        yield Fault(pointer((*path, name)), told)
