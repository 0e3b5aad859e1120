"""Whether a node's settings, its ``with``, are what its type takes: in a definition, and once they are filled in.

Beyond JSON Schema, three marks on a member of the settings are understood: ``"format": "jmespath"`` and
``"format": "json-schema"`` for a text that is an expression and an object that is a schema, and ``"x-literal": true``
for what must be written out, because more than the node's execution depends on it.
"""

import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import jsonschema_rs
import orjson

from runs.workflows import templates
from runs.workflows.expressions import expression_fault
from runs.workflows.inputs import MAX_BYTES, input_faults, is_small
from runs.workflows.sentences import sentence
from runs.workflows.wording import Speller, listed, pointer, shown
from versioning.rules import Fault

_MOST: Final = 20
_MOST_VALUES: Final = 5000
_BROKEN: Final = "The node type has a broken schema of its settings, so that they cannot be checked: tell its author."
_FAR_OFF: Final = "Something is wrong far inside these settings, which are too large to say where: make them shorter."
_LONG: Final = f"This schema has more than {MAX_BYTES} bytes: make it shorter."
_LITERAL: Final = "Write this out: a template cannot stand here."
# These judge a value by what is inside it, which for a template is not known yet.
_BY_CONTENT: Final = frozenset({"anyOf", "oneOf", "not", "enum", "const", "contains", "uniqueItems"})
Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class _Rules:
    """The schema of a type's settings, its members that are marked, and all members that it names, however deep."""

    schema: dict[str, Any]
    validator: jsonschema_rs.Draft202012Validator
    literals: frozenset[str]
    expressions: frozenset[str]
    schemas: frozenset[str]
    declared: frozenset[str]


class Room:
    """How many values are looked at one by one. To check many is fast; to make an error of each is not."""

    def __init__(self) -> None:
        self.left = _MOST_VALUES

    def shortened(self, value: Any, declared: frozenset[str]) -> Any:
        """``value`` with no more of its lists and objects than there is room for, and the ``declared`` members."""
        if isinstance(value, list):
            return [self.shortened(inner, declared) for inner in value if self._take()]
        if not isinstance(value, Mapping):
            return value
        kept = (name for name in value if name in declared or self._take())
        return {name: self.shortened(value[name], declared) for name in kept}

    def _take(self) -> bool:
        self.left -= 1
        return self.left >= 0


def settings_faults(schema: Mapping[str, Any], settings: Any, place: Path, room: Room) -> Iterator[Fault]:
    """What is wrong with the settings in a definition, which stand at ``place``; what a template stands for is not.

    ``room`` is shared by the nodes of a definition.
    """
    for path, told in templates.faults(settings):
        yield Fault(pointer((*place, *path)), told)
    yield from _faults(schema, settings, place, room)


def check(type_schema: Mapping[str, Any], config: Mapping[str, Any]) -> list[str]:
    """What is wrong with settings that are filled in: up to 20 sentences, each with its JSON Pointer before it."""
    found: dict[str, None] = {}
    for fault in _faults(type_schema, config, (), Room(), filled=True):
        found[f"{fault.pointer}: {fault.message}" if fault.pointer else fault.message] = None
        if len(found) == _MOST:
            break
    return list(found)


def _faults(
    schema: Mapping[str, Any], settings: Mapping[str, Any], place: Path, room: Room, *, filled: bool = False
) -> Iterator[Fault]:
    rules = _rules(orjson.dumps(schema, default=dict))
    if rules is None:
        yield Fault(pointer(place), _BROKEN)
        return
    if not filled:
        for name in rules.literals & settings.keys():
            if _has_templates(settings[name]):
                yield Fault(pointer((*place, name)), _LITERAL)
    for name in rules.schemas & settings.keys():
        if not is_small(settings[name]):
            yield Fault(pointer((*place, name)), _LONG)
            settings = {**settings, name: {}}
    found = False
    if not rules.validator.is_valid(settings):
        for fault in _told(rules, room.shortened(settings, rules.declared), place, filled):
            found = True
            yield fault
        if not found and (filled or not _has_templates(settings)):
            found = True
            yield Fault(pointer(place), _FAR_OFF)
    if not found:
        yield from _marked_faults(rules, settings, place, filled)


@functools.lru_cache(maxsize=256)
def _rules(text: bytes) -> _Rules | None:
    """Of a schema as JSON; None when it is none, or leads out of itself."""
    schema = orjson.loads(text)
    try:
        validator = jsonschema_rs.Draft202012Validator(schema, offline=True, validate_formats=True)
    except ValueError:
        return None
    return _Rules(
        schema, validator, _marked(schema, "x-literal", True), _marked(schema, "format", "jmespath"),
        _marked(schema, "format", "json-schema"), frozenset(_declared(schema)),
    )  # fmt: skip


def _marked(schema: dict[str, Any], mark: str, value: Any) -> frozenset[str]:
    parts = schema.get("properties", {})
    return frozenset(name for name, part in parts.items() if isinstance(part, dict) and part.get(mark) == value)


def _declared(schema: Any) -> set[str]:
    if isinstance(schema, list):
        return set().union(*map(_declared, schema))
    if not isinstance(schema, dict):
        return set()
    properties = schema.get("properties")
    return set(properties if isinstance(properties, dict) else ()).union(*map(_declared, schema.values()))


def _marked_faults(rules: _Rules, settings: Mapping[str, Any], place: Path, filled: bool) -> Iterator[Fault]:
    for name in rules.expressions & settings.keys():
        if isinstance(text := settings[name], str) and (filled or not templates.has_template(text)):
            if told := expression_fault(text):
                yield Fault(pointer((*place, name)), told)
    for name in rules.schemas & settings.keys():
        if isinstance(inner := settings[name], dict) and (filled or not _has_templates(inner)):
            yield from input_faults(inner, (*place, name))


def _told(rules: _Rules, settings: Mapping[str, Any], place: Path, filled: bool) -> Iterator[Fault]:
    for error in rules.validator.iter_errors(settings):
        if not filled and _is_open(error):
            continue
        path = (*place, *error.instance_path)
        match error.kind:
            case jsonschema_rs.ValidationErrorKind.AdditionalProperties(unexpected=names):
                yield from _unknown_members(rules.schema, list(error.schema_path), path, names)
            case jsonschema_rs.ValidationErrorKind.PropertyNames(error=inner):
                yield Fault(pointer((*path, str(inner.instance))), sentence(inner))
            case _:
                yield Fault(pointer(path), sentence(error))


def _is_open(error: jsonschema_rs.ValidationError) -> bool:
    """Whether a template decides about this error, when it is filled in."""
    if isinstance(error.instance, str):
        return templates.has_template(error.instance)
    return error.kind.name in _BY_CONTENT and _has_templates(error.instance)


def _has_templates(value: Any) -> bool:
    return any(templates.has_template(text) for _, text in templates.strings(value))


def _unknown_members(
    schema: dict[str, Any], schema_path: list[str | int], path: Path, names: list[str]
) -> Iterator[Fault]:
    members = _properties(schema, schema_path[:-1])
    closest = Speller(members)
    for name in names:
        known = f", only {listed(members)}" if members else ""
        yield Fault(pointer((*path, name)), f"There is no setting {shown(name)} here{known}.{closest(name)}")


def _properties(schema: Any, schema_path: list[str | int]) -> list[str]:
    """The members that an object may have, by the place of its schema; none when a reference is on the way."""
    for step in schema_path:
        schema = schema.get(step) if isinstance(schema, dict) else None
    return list(schema.get("properties", {})) if isinstance(schema, dict) else []
