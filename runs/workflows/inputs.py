"""Schemas that come from users: of a run's inputs, of a person's answer. None may fetch anything or be without end."""

import graphlib
import re
from collections.abc import Iterator
from typing import Any, Final

import jsonschema_rs
import orjson

from runs.workflows.circles import circle, drawn, knots
from runs.workflows.wording import Speller, pointer, shown
from versioning.rules import Fault

MAX_BYTES: Final = 32 * 1024
_HEAVIEST: Final = 10_000  # schemas that one value is held against
_BY_NAME: Final = re.compile(r"#/\$defs/([^/~%]+)")
_MAPS: Final = frozenset({"properties", "patternProperties", "$defs", "dependentSchemas"})
_DATA: Final = frozenset({"enum", "const", "default", "examples"})
_TOO_HEAVY: Final = f"The definitions multiply to more than {_HEAVIEST} schemas: refer to fewer."
_REGEX: Final = jsonschema_rs.FancyRegexOptions(size_limit=200_000, backtrack_limit=10_000)
Path = tuple[str | int, ...]


def compiled(inputs: dict[str, Any]) -> jsonschema_rs.Draft202012Validator:
    """The validator of such a schema; it opens no file and no connection.

    Raises jsonschema_rs.ValidationError for a schema that ``input_faults`` complains about.
    """
    return jsonschema_rs.Draft202012Validator(inputs, offline=True, pattern_options=_REGEX)


def is_small(inputs: Any) -> bool:
    """Whether ``inputs``, which can be written as JSON, are short enough to be looked into."""
    return len(orjson.dumps(inputs)) <= MAX_BYTES


def input_faults(inputs: dict[str, Any], place: Path = ("inputs",)) -> Iterator[Fault]:
    """What is wrong with a schema, which stands at ``place``, that the schema of schemas finds nothing wrong with."""
    found = list(_reference_faults(inputs, place))
    yield from found
    if not found:
        try:
            compiled(inputs)
        except ValueError as error:  # what is left: the limits of the expressions in "pattern"
            path = getattr(error, "instance_path", ())
            yield Fault(pointer((*place, *path)), "This is too large a regular expression, or none: simplify it.")


def _reference_faults(inputs: dict[str, Any], place: Path) -> Iterator[Fault]:
    definitions = inputs.get("$defs", {})
    closest = Speller(definitions)
    for path, keyword, value in _references(inputs):
        name = _BY_NAME.fullmatch(value) if keyword == "$ref" else None
        if keyword == "$id":
            told = "Only the whole schema may have an $id: leave this one out."
        elif name is None:
            told = f'{shown(value)} leads out of the schema: name one of its own $defs with $ref, as "#/$defs/name".'
        elif name[1] not in definitions:
            told = f"There is nothing at {shown(value)}: add it to $defs.{closest(name[1])}"
        else:
            continue
        yield Fault(pointer((*place, *path, keyword)), told)
    yield from _endless(inputs, place)


def _references(inputs: dict[str, Any]) -> Iterator[tuple[Path, str, str]]:
    for path, schema in _schemas(inputs, ()):
        for keyword in ("$ref", "$dynamicRef", "$id"):
            if isinstance(value := schema.get(keyword), str) and (path or keyword != "$id"):
                yield path, keyword, value


def _schemas(value: Any, path: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Every object that is a schema, or may be one under a keyword that nobody knows."""
    if isinstance(value, list):
        for position, item in enumerate(value):
            yield from _schemas(item, (*path, position))
    elif isinstance(value, dict):
        yield path, value
        for keyword, inner in value.items():
            if keyword in _MAPS and isinstance(inner, dict):
                for name, schema in inner.items():
                    yield from _schemas(schema, (*path, keyword, name))
            elif keyword not in _DATA:
                yield from _schemas(inner, (*path, keyword))


def _endless(inputs: dict[str, Any], place: Path) -> Iterator[Fault]:
    """References that go in a circle, or that double and double: a value of a few bytes would be checked for hours."""
    parts = {name: _parts(schema) for name, schema in inputs.get("$defs", {}).items()}
    uses = {name: sorted(used & parts.keys()) for name, used in ((name, set(part[1])) for name, part in parts.items())}
    tied = knots(uses)
    for knot in tied:
        way = drawn(circle(knot, uses))
        told = f"A $ref leads back to where it is ({way}): take it out, or checking may never end."
        yield Fault(pointer((*place, "$defs", knot[0])), told)
    if not tied and _weight(inputs, parts, uses) > _HEAVIEST:
        yield Fault(pointer(place), _TOO_HEAVY)


def _weight(inputs: dict[str, Any], parts: dict[str, tuple[int, list[str]]], uses: dict[str, list[str]]) -> int:
    """How many schemas there are when each $ref is replaced by what it refers to."""
    weights: dict[str, int] = {}
    for name in graphlib.TopologicalSorter(uses).static_order():
        size, used = parts[name]
        weights[name] = size + sum(weights.get(other, 0) for other in used)
    size, used = _parts({keyword: inner for keyword, inner in inputs.items() if keyword != "$defs"})
    return size + sum(weights.get(other, 0) for other in used)


def _parts(schema: Any) -> tuple[int, list[str]]:
    """The number of schemas in one, and the definitions that these name, as often as they do."""
    found = [inner.get("$ref") for _, inner in _schemas(schema, ())]
    names = (_BY_NAME.fullmatch(value) for value in found if isinstance(value, str))
    return len(found), [name[1] for name in names if name]
