"""What is wrong with a JMESPath expression (jmespath.org/specification), as far as its text can tell."""

import functools
from typing import Any, Final

import jmespath
from jmespath.exceptions import JMESPathError, LexerError, ParseError
from jmespath.functions import Functions

from runs.workflows.wording import Speller, shown

# Parser and interpreter recurse. What a request can just parse, a worker must be able to evaluate on its own stack.
_DEEPEST: Final = 64
_TOO_DEEP: Final = f"The expression is nested too deeply: keep to {_DEEPEST} levels, || and | counted."


def expression_fault(expression: str) -> str:
    """A sentence about the first thing that is wrong, with its position; empty when nothing is."""
    try:
        return _fault(expression)
    except RecursionError:  # not remembered: it depends on the caller's stack, too
        return _TOO_DEEP


@functools.lru_cache(maxsize=4096)
def _fault(expression: str) -> str:
    if _brackets(expression) > _DEEPEST:
        return _TOO_DEEP
    try:
        return _tree_fault(jmespath.compile(expression).parsed)
    except JMESPathError as error:
        return f"This is not JMESPath: {_reason(error, len(expression))}"


def _reason(error: JMESPathError, length: int) -> str:
    if isinstance(error, LexerError):
        return f"at character {error.lex_position + 1}, {shown(error.message)}."
    if isinstance(error, ParseError) and error.lex_position < length:
        return f"{shown(str(error.token_value))} is not expected at character {error.lex_position + 1}."
    return f"it ends too soon, after character {length}."


def _brackets(expression: str) -> int:
    """How deep brackets go. Those in strings are counted, too: nobody writes so many."""
    if sum(map(expression.count, "([{")) <= _DEEPEST:
        return 0
    depth = deepest = 0
    for character in expression:
        depth += (character in "([{") - (character in ")]}")
        deepest = max(deepest, depth)
    return deepest


def _tree_fault(root: dict[str, Any]) -> str:
    """Depth, and functions that there are not: they would fail every run that gets so far."""
    level, depth = [root], 0
    while level:
        if (depth := depth + 1) > _DEEPEST:
            return _TOO_DEEP
        for node in level:
            if node["type"] == "function_expression" and node["value"] not in Functions.FUNCTION_TABLE:
                closest = Speller(Functions.FUNCTION_TABLE)(node["value"])
                return f"JMESPath has no function {shown(node['value'])}.{closest}"
        level = [child for node in level for child in node["children"] if isinstance(child, dict)]
    return ""
