"""The errors of jsonschema-rs as sentences that say how to mend them. Its own messages repeat whole documents."""

import json
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, Final, cast

import jsonschema_rs

from runs.workflows.wording import listed, shown

_TEXTS: Final[Mapping[str, str]] = {
    "minLength": "This is too short: its length must be {limit} or more.",
    "maxLength": "This is too long: its length must be {limit} or less.",
    "minimum": "This is too little: it must be {limit} or more.",
    "maximum": "This is too much: it must be {limit} or less.",
    "exclusiveMinimum": "This is too little: it must be more than {limit}.",
    "minItems": "There are too few items: list at least {limit}.",
    "maxItems": "There are too many items: list at most {limit}.",
    "minProperties": "There are too few members: put in at least {limit}.",
    "maxProperties": "There are too many members: leave at most {limit}.",
    "multipleOf": "This must be a multiple of {multiple_of}.",
    "required": 'The member "{property}" is missing: add it.',
}
_KINDS: Final[Mapping[type, str]] = {
    dict: "an object", list: "a list", str: "a string", bool: "a boolean", int: "a number", float: "a number",
    type(None): "null",
}  # fmt: skip
_NAMES: Final[Mapping[str, str]] = {
    "object": "an object", "array": "a list", "string": "a string", "boolean": "a boolean", "number": "a number",
    "integer": "a whole number", "null": "null",
}  # fmt: skip


def sentence(error: jsonschema_rs.ValidationError) -> str:
    """What to do about ``error``, without the document that it is in."""
    kind: Any = error.kind
    if text := _TEXTS.get(kind.name):
        return text.format(**kind.as_dict())
    if tell := _TELLERS.get(kind.name):
        return tell(error, kind)
    return f'This does not keep to "{error.schema_path[-1]}" of its schema.'


def _type(error: jsonschema_rs.ValidationError, kind: Any) -> str:
    is_a = _KINDS.get(type(error.instance), "a number")
    return f"This is {is_a}; it must be {' or '.join(_NAMES[name] for name in kind.types)}."


def _constant(_: jsonschema_rs.ValidationError, kind: Any) -> str:
    return f"This must be {json.dumps(kind.expected_value)}, or be left out."


def _pattern(_: jsonschema_rs.ValidationError, kind: Any) -> str:
    return _PATTERNS.get(kind.pattern) or f"This must match {shown(kind.pattern)}."


def _any_of(error: jsonschema_rs.ValidationError, _: Any) -> str:
    if error.instance_path[-1:] == ["type"]:  # the one choice of this sort that JSON Schema itself offers
        return f"This must be one type, or a list of types, out of {listed(_NAMES)}."
    if error.instance_path[-1:] == ["on_failure"]:
        return 'This must be "fail", "continue" or {"fallback": "the id of another node"}.'
    return "This has none of the forms that are allowed here."


def _enum(_: jsonschema_rs.ValidationError, kind: Any) -> str:
    *others, last = (json.dumps(option, ensure_ascii=False) for option in kind.options)
    return f"This must be {', '.join(others)} or {last}." if others else f"This must be {last}."


def _twice(error: jsonschema_rs.ValidationError, _: Any) -> str:
    counts = Counter(json.dumps(item, sort_keys=True, ensure_ascii=False) for item in cast(list[Any], error.instance))
    return f"Each item may be here once only: leave out the second {counts.most_common(1)[0][0][:60]}."


def _format(_: jsonschema_rs.ValidationError, kind: Any) -> str:
    return f"This is not {_FORMATS.get(kind.format, kind.format)}."


_FORMATS: Final = {
    "regex": "a regular expression", "uri-reference": "a URI reference", "uri": "a URI",
    "date-time": "a time with a zone, as 2026-01-31T12:00:00Z", "email": "an e-mail address",
}  # fmt: skip
_PATTERNS: Final = {
    "^[A-Za-z0-9][A-Za-z0-9_-]{0,99}$": (
        "This is no node id: write 1 to 100 letters, digits, _ and -, and begin with a letter or a digit."
    ),
    "^[a-z0-9][a-z0-9_-]{0,49}$": (
        "This is no name of a queue: write 1 to 50 small letters, digits, _ and -, and begin with a letter or a digit."
    ),
}
_TELLERS: Final[Mapping[str, Callable[[jsonschema_rs.ValidationError, Any], str]]] = {
    "type": _type, "const": _constant, "enum": _enum, "pattern": _pattern, "anyOf": _any_of, "uniqueItems": _twice,
    "format": _format,
}  # fmt: skip
