"""Where in a text of JSON a pointer leads: a fault is shown at the line that it is about. Pure."""

import json
import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from orchestrator.api.parsers import parse_json
from orchestrator.core.errors import MalformedRequest, ValidationFailed
from versioning.documents.pointers import join

_TOKEN: Final = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\]:,]|[^\s{}\[\]:,"]+')


@dataclass(frozen=True, slots=True)
class PlacedFault:
    """A sentence about the line ``line`` of a text (from 1; 0 for none), where ``pointer`` leads."""

    line: int
    pointer: str
    message: str


@dataclass(slots=True)
class _Open:
    """An object or array that is being walked: ``name`` is the key or the index of what comes next."""

    path: tuple[str, ...]
    is_object: bool
    name: str | None = None
    index: int = 0

    def child(self) -> tuple[str, ...]:
        return (*self.path, self.name or "") if self.is_object else (*self.path, str(self.index))


def parse(text: str) -> tuple[Any, list[PlacedFault]]:
    """What the text says, or None and why it says nothing, with the line."""
    try:
        return parse_json(text.encode("utf-8", "surrogatepass")), []
    except MalformedRequest as error:
        why = error.__cause__
        if isinstance(why, json.JSONDecodeError):
            return None, [PlacedFault(why.lineno, "", f"This is not JSON: {why.msg} (column {why.colno}).")]
        return None, [PlacedFault(0, "", error.message)]
    except ValidationFailed as error:
        return None, [PlacedFault(0, "", sentence) for told in error.details.values() for sentence in told]


def placed(text: str, details: Mapping[str, list[str]]) -> list[PlacedFault]:
    """The sentences of a service's ``details``, which are by pointer, each at its line; in the order of the text."""
    lines = lines_of(text)
    found = [
        PlacedFault(nearest(lines, "" if pointer == "/" else pointer), pointer, sentence)
        for pointer, sentences in details.items()
        for sentence in sentences
    ]
    return sorted(found, key=lambda fault: (fault.line, fault.pointer))


def nearest(lines: Mapping[str, int], pointer: str) -> int:
    """The line of the pointer, or of the nearest thing around what is not there."""
    while pointer and pointer not in lines:
        pointer = pointer.rpartition("/")[0]
    return lines.get(pointer, 1)


def lines_of(text: str) -> dict[str, int]:
    """The line (from 1) at which each value begins, or the key that names it. For a text that ``parse`` accepts."""
    found: dict[str, int] = {}
    stack: list[_Open] = []
    for piece, line in _tokens(text):
        top = stack[-1] if stack else None
        if piece in "}]":
            stack.pop()
        elif piece == ",":
            if top and not top.is_object:
                top.index += 1
            elif top:
                top.name = None
        elif piece == ":":
            continue
        elif top and top.is_object and top.name is None:
            top.name = json.loads(piece)
            found[join(*top.child())] = line
        else:
            path = top.child() if top else ()
            found.setdefault(join(*path), line)
            if piece in "{[":
                stack.append(_Open(path, piece == "{"))
    return found


def _tokens(text: str) -> Iterator[tuple[str, int]]:
    starts = [match.end() for match in re.finditer("\n", text)]
    for match in _TOKEN.finditer(text):
        yield match[0], bisect_right(starts, match.start()) + 1
