"""``${ expression }`` inside the strings of a node's settings: found, checked, and replaced by values.

A string that is one template and nothing else becomes its value, of whatever type; in any other string the value is put
into the text: strings as they are, null as nothing, the rest as JSON. ``$${`` stands for ``${`` itself. The names of an
object's members are no templates. Pure: no database, no clock.
"""

import contextlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from runs.workflows.evaluation import DEEPEST, MAX_BYTES, Effort, EvaluationError, TooLarge, search, size_of
from runs.workflows.expressions import expression_fault
from runs.workflows.wording import pointer, shown

MAX_EXPRESSION: Final = 2000
_TOO_LARGE: Final = f"Filled in, the settings are larger than {MAX_BYTES // 1024**2} MiB of JSON."
_MOST_PARTS: Final = 2000
_QUOTES: Final = ("'", '"', "`")
_OPEN: Final = re.compile(r"\$?\$\{")
_TEMPLATE: Final = re.compile(r"(?<!\$)\$\{")
# What JMESPath has between quotes may hold braces; what a quote opens and nothing closes, ends the search.
_PIECE: Final = re.compile(
    r"""'[^'\\]*+(?:\\.[^'\\]*+)*+'|`[^`\\]*+(?:\\.[^`\\]*+)*+`|"[^"\\]*+(?:\\.[^"\\]*+)*+"|[{}'"`]""", re.DOTALL
)
Path = tuple[str | int, ...]


class TemplateError(Exception):
    """A template cannot be filled in: a sentence, and where in the document it stands (RFC 6901)."""

    def __init__(self, message: str, pointer: str) -> None:
        super().__init__(message, pointer)
        self.message = message
        self.pointer = pointer

    def __str__(self) -> str:
        return self.message


@dataclass(frozen=True, slots=True)
class _Expression:
    text: str


class _Unreadable(Exception):
    """A string whose templates cannot be told apart from its text; the text is a sentence."""


def has_template(text: str) -> bool:
    """Whether the value of ``text`` is known only when a run fills it in."""
    return _TEMPLATE.search(text) is not None


def expressions(document: Any) -> Iterator[tuple[Path, str]]:
    """Each expression in the strings of ``document``, with the place of its string; unreadable strings have none."""
    for path, parts in _readable(document):
        for part in parts:
            if isinstance(part, _Expression):
                yield path, part.text


def faults(document: Any) -> Iterator[tuple[Path, str]]:
    """What is wrong with the templates in ``document``: the place of the string, and a sentence."""
    for path, text in strings(document):
        try:
            parts = _parts(text)
        except _Unreadable as error:
            yield path, str(error)
            continue
        for part in parts:
            if isinstance(part, _Expression) and (told := expression_fault(part.text)):
                yield path, f"In {_shown(part)}: {told}"


def fill(document: Any, variables: Mapping[str, Any]) -> Any:
    """``document`` with the values of its expressions over ``variables``; it shares their parts.

    Raises TemplateError for an expression without a value, for more than 4 MiB of JSON and more than 64 levels.
    """
    return _Filling(document, variables).filled(document, ())


def strings(document: Any) -> Iterator[tuple[Path, str]]:
    """Every string in ``document`` that has ``${`` in it, with its place, in the order in which it stands there."""
    if isinstance(document, str):
        if "${" in document:
            yield (), document
    elif isinstance(document, dict | list):
        for step, inner in document.items() if isinstance(document, dict) else enumerate(document):
            for path, text in strings(inner):
                yield (step, *path), text


class _Filling:
    """One filling: the effort and the bytes that are left for what is still to come."""

    def __init__(self, document: Any, variables: Mapping[str, Any]) -> None:
        self._variables = variables
        self._effort = Effort()
        self._room = MAX_BYTES
        self._take(document, ())

    def filled(self, value: Any, path: Path) -> Any:
        if isinstance(value, str):
            return self._string(value, path) if "${" in value else value
        if isinstance(value, dict):
            return {name: self.filled(inner, (*path, name)) for name, inner in value.items()}
        if isinstance(value, list):
            return [self.filled(inner, (*path, position)) for position, inner in enumerate(value)]
        return value

    def _string(self, text: str, path: Path) -> Any:
        try:
            parts = _parts(text)
        except _Unreadable as error:
            raise TemplateError(str(error), pointer(path)) from None
        if len(parts) == 1 and isinstance(parts[0], _Expression):
            return self._value(parts[0], path)
        return "".join(part if isinstance(part, str) else _as_text(self._value(part, path)) for part in parts)

    def _value(self, expression: _Expression, path: Path) -> Any:
        try:
            value = search(expression.text, self._variables, self._effort)
        except EvaluationError as error:
            raise TemplateError(f"In {_shown(expression)}: {error}", pointer(path)) from error
        self._take(value, path)
        return value

    def _take(self, value: Any, path: Path) -> None:
        try:
            self._room -= size_of(value, self._room, DEEPEST - len(path))
        except TooLarge:
            raise TemplateError(_TOO_LARGE, pointer(path)) from None
        except EvaluationError as error:
            raise TemplateError(str(error), pointer(path)) from error


def _parts(text: str) -> list[str | _Expression]:
    """The texts and the expressions that ``text`` is made of, in turn. Raises _Unreadable."""
    parts: list[str | _Expression] = []
    start = 0
    while found := _OPEN.search(text, start):
        if before := text[start : found.start()]:
            parts.append(before)
        if len(found[0]) == len("$${"):
            parts.append("${")
            start = found.end()
        else:
            start = _end(text, found.end())
            parts.append(_Expression(text[found.end() : start - 1]))
        if len(parts) > _MOST_PARTS:
            raise _Unreadable(f"There are more than {_MOST_PARTS // 2} templates in this text: use fewer.")
    return [*parts, text[start:]] if text[start:] else parts


def _end(text: str, start: int) -> int:
    """Where the template ends whose expression begins at ``start``: after its brace. Raises _Unreadable."""
    depth = 1
    for piece in _PIECE.finditer(text, start, start + MAX_EXPRESSION + 1):
        depth += (piece[0] == "{") - (piece[0] == "}")
        if not depth:
            return piece.end()
        if piece[0] in _QUOTES:
            break
    raise _Unreadable(
        f'The "${{" at character {start - 1} has no end in the next {MAX_EXPRESSION} characters: close it with "}}", '
        'or write "$${" for the text itself.'
    )


def _as_text(value: Any) -> str:
    if isinstance(value, str):
        return value
    return "" if value is None else json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _shown(expression: _Expression) -> str:
    return shown(f"${{{expression.text}}}")


def _readable(document: Any) -> Iterator[tuple[Path, list[str | _Expression]]]:
    for path, text in strings(document):
        with contextlib.suppress(_Unreadable):
            yield path, _parts(text)
