"""JSON Pointer (RFC 6901), and what JSON says about values where Python says something else.

Documents are what ``json.loads`` gives. Nothing here recurses: no document is too deep for the stack.
"""

import re
from collections.abc import Iterable
from enum import Enum
from typing import Any, Final

from orchestrator.core.errors import ValidationFailed

MAX_DEPTH: Final = 64  # objects and arrays inside each other: as many as a request body may have

_INDEX = re.compile("0|[1-9][0-9]{0,9}")  # RFC 6901 §4: no leading zero; and no number that int() would refuse
_BAD_ESCAPE = re.compile("~(?![01])")


class Absent(Enum):
    """No value at all, which null is not. An enum, so that copies stay the one ``ABSENT`` and mypy can narrow."""

    ABSENT = "absent"

    def __repr__(self) -> str:
        return self.name


ABSENT: Final = Absent.ABSENT


def join(*segments: str) -> str:
    """The pointer that leads through ``segments``; the whole document's is ``""``."""
    return "".join("/" + segment.replace("~", "~0").replace("/", "~1") for segment in segments)


def split(pointer: str) -> list[str]:
    """The segments of a pointer, unescaped. Raises ValidationFailed for what is not a pointer."""
    if pointer and not pointer.startswith("/"):
        raise fault(pointer, 'A JSON Pointer is "" or begins with "/" (RFC 6901).')
    if _BAD_ESCAPE.search(pointer):
        raise fault(pointer, 'In a JSON Pointer "~" is written "~0" and "/" inside a name "~1" (RFC 6901).')
    return [segment.replace("~1", "/").replace("~0", "~") for segment in pointer.split("/")[1:]]


def get(document: Any, pointer: str) -> Any:
    """The value there, or ABSENT. Raises ValidationFailed for what is not a pointer."""
    return descend(document, split(pointer))


def descend(document: Any, segments: Iterable[str]) -> Any:
    """The value at the end of ``segments``, or ABSENT."""
    for segment in segments:
        document = _child(document, segment)
    return document


def put(document: Any, pointer: str, value: Any) -> Any:
    """Sets a member, or replaces an element, in place; gives the document, which at ``""`` is ``value``.

    Raises ValidationFailed when there is no object or element to put it into.
    """
    if not (segments := split(pointer)):
        return value
    *path, last = segments
    parent = descend(document, path)
    if isinstance(parent, dict):
        parent[last] = value
    elif _child(parent, last) is not ABSENT:
        parent[int(last)] = value
    else:
        raise fault(pointer, "There is no place for a value: its parent is not there, or cannot hold it.")
    return document


def remove(document: Any, pointer: str) -> None:
    """Removes a member or an element in place. Raises ValidationFailed when it is not there, and for the root."""
    segments = split(pointer)
    if not segments:
        raise fault(pointer, "The whole document cannot be removed.")
    parent = descend(document, segments[:-1])
    if _child(parent, segments[-1]) is ABSENT:
        raise fault(pointer, "There is nothing to remove.")
    del parent[segments[-1] if isinstance(parent, dict) else int(segments[-1])]


def same(one: Any, other: Any) -> bool:
    """Whether two values are equal as JSON: 1 equals 1.0 (RFC 6902 §4.6), true is not 1, members have no order."""
    pairs = [(one, other)]
    while pairs:
        one, other = pairs.pop()
        if one is other:
            continue
        if isinstance(one, dict) and isinstance(other, dict):
            if one.keys() != other.keys():
                return False
            pairs.extend([(value, other[name]) for name, value in one.items()])
        elif isinstance(one, list) and isinstance(other, list):
            if len(one) != len(other):
                return False
            pairs.extend(zip(one, other, strict=True))
        elif isinstance(one, bool) or isinstance(other, bool) or one != other:
            return False
    return True


def clone(value: Any) -> Any:
    """A copy that shares nothing mutable with ``value``. ``copy.deepcopy`` recurses, and takes twice as long."""
    root = [value]
    copies: list[Any] = [root]
    while copies:
        container = copies.pop()
        for place, item in _items(container):
            if isinstance(item, dict | list):
                container[place] = item.copy()
                copies.append(container[place])
    return root[0]


def depth(value: Any, limit: int) -> int:
    """How many objects and arrays are inside each other, at most ``limit`` + 1; 0 for a scalar."""
    level, found = [value], 0
    while found <= limit and (level := [item for item in level if isinstance(item, dict | list)]):
        level = [item for container in level for _, item in _items(container)]
        found += 1
    return found


def fault(pointer: str, sentence: str) -> ValidationFailed:
    """The error that names a pointer. The root is ``/`` there: an empty name helps nobody."""
    return ValidationFailed(details={pointer or "/": [sentence]})


def _child(container: Any, segment: str) -> Any:
    if isinstance(container, dict):
        return container.get(segment, ABSENT)
    if isinstance(container, list) and _INDEX.fullmatch(segment) and int(segment) < len(container):
        return container[int(segment)]
    return ABSENT


def _items(container: Any) -> Iterable[tuple[Any, Any]]:
    return container.items() if isinstance(container, dict) else enumerate(container)
