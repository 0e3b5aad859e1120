"""JMESPath over what a run has, within bounds: no expression takes a worker's memory or keeps it for long.

The library shares what it repeats: ``[@, @] | [@, @]``, some thirty times, is a value of a few objects here and of
gigabytes as text. Whatever an expression makes is therefore measured as the JSON that it stands for.
"""

import functools
import math
from collections.abc import Mapping
from typing import Any, Final

import jmespath
from jmespath.exceptions import JMESPathError, JMESPathTypeError
from jmespath.functions import Functions, signature
from jmespath.visitor import Options, TreeInterpreter

from runs.workflows.expressions import expression_fault

MAX_BYTES: Final = 4 * 1024 * 1024
DEEPEST: Final = 64
_EFFORT: Final = 32_000_000
_STEP: Final = 8  # what one step costs; a character that is made costs 1
_HUGE: Final = 2**63
_SCALARS: Final = (str, int, float, type(None))
_MAPPINGS: Final = (dict, Mapping)  # dict first: asking an abstract class takes ten times as long
_TOO_LARGE: Final = f"The value is larger than {MAX_BYTES // 1024**2} MiB of JSON."
_TOO_DEEP: Final = f"The value is nested more than {DEEPEST} levels deep."
_NO_JSON: Final = "The value is not JSON: it has an infinite number, a huge one, or a reference to an expression."
_TOO_MUCH: Final = "The expression takes too long, or makes too large a value: let it work on less."


class EvaluationError(Exception):
    """An expression has no value that a run could use; the text is a sentence that says why."""


class TooLarge(EvaluationError):
    """A value has more bytes than it may."""


class Effort:
    """How much work a few expressions may be together. ``spend`` raises EvaluationError when it is used up."""

    def __init__(self, left: int = _EFFORT) -> None:
        self.left = left

    def spend(self, amount: int) -> None:
        self.left -= amount
        if self.left < 0:
            raise EvaluationError(_TOO_MUCH)


def search(expression: str, variables: Mapping[str, Any], effort: Effort | None = None) -> Any:
    """The value, plain JSON of up to 4 MiB; it shares its parts with ``variables``. Raises EvaluationError."""
    if told := expression_fault(expression):
        raise EvaluationError(told)
    try:
        value = _Interpreter(effort or Effort()).visit(_compiled(expression).parsed, variables)
    except JMESPathTypeError as error:  # its own text holds the whole value
        expected = " or ".join(error.expected_types)
        raise EvaluationError(f"{error.function_name}() takes {expected}, not {error.actual_type}.") from error
    except JMESPathError as error:
        raise EvaluationError(f"{str(error)[:200].rstrip('.')}.") from error
    except RecursionError:
        raise EvaluationError(_TOO_DEEP) from None
    except (ArithmeticError, LookupError, TypeError, ValueError, AttributeError) as error:
        raise EvaluationError("The expression cannot be evaluated over these values.") from error
    size_of(value)
    return value


def size_of(value: Any, most: int = MAX_BYTES, deepest: int = DEEPEST) -> int:
    """About how many bytes ``value`` has as JSON.

    It stops there and raises EvaluationError when there are more than ``most``, when it is nested more than ``deepest``
    levels deep, or when it is no JSON at all.
    """
    size, depth, level = 0, -1, [value]
    while level:
        if (depth := depth + 1) > deepest:
            raise EvaluationError(_TOO_DEEP)
        following: list[Any] = []
        for item in level:
            size += _own_size(item)
            if size > most:
                raise TooLarge(_TOO_LARGE)
            if isinstance(item, list):
                following.extend(item)
            elif not isinstance(item, _SCALARS):
                following.extend(item.values())
        level = following
    return size


@functools.lru_cache(maxsize=4096)
def _compiled(expression: str) -> Any:
    return jmespath.compile(expression)


def _own_size(item: Any) -> int:
    """Without what it holds: the quotes, commas and brackets, and the names of an object's members."""
    if isinstance(item, str):
        return 3 + (len(item) if item.isascii() else len(item.encode(errors="surrogatepass")))
    if isinstance(item, bool) or item is None:
        return 5
    if isinstance(item, int) and -_HUGE <= item < 2 * _HUGE:
        return 1 + len(str(item))
    if isinstance(item, float) and math.isfinite(item):
        return 1 + len(repr(item))
    if isinstance(item, list):
        return 3
    if isinstance(item, _MAPPINGS):
        return 3 + 4 * len(item) + sum(map(len, item))
    raise EvaluationError(_NO_JSON)


class _Interpreter(TreeInterpreter):
    """Each step costs a little, and what is made costs what it would be as JSON, shared parts counted each time."""

    def __init__(self, effort: Effort) -> None:
        super().__init__(Options(custom_functions=_Functions(effort)))
        self._effort = effort

    def visit(self, node: dict[str, Any], *args: Any) -> Any:
        self._effort.spend(_STEP)
        return super().visit(node, *args)

    def visit_flatten(self, node: dict[str, Any], value: Any) -> Any:
        return self._shallow(super().visit_flatten(node, value))

    def visit_slice(self, node: dict[str, Any], value: Any) -> Any:
        return self._shallow(super().visit_slice(node, value))

    def visit_multi_select_list(self, node: dict[str, Any], value: Any) -> Any:
        return _charged(self._effort, super().visit_multi_select_list(node, value))

    def visit_multi_select_dict(self, node: dict[str, Any], value: Any) -> Any:
        return _charged(self._effort, super().visit_multi_select_dict(node, value))

    def visit_projection(self, node: dict[str, Any], value: Any) -> Any:
        return _charged(self._effort, super().visit_projection(node, value))

    def visit_value_projection(self, node: dict[str, Any], value: Any) -> Any:
        return _charged(self._effort, super().visit_value_projection(node, value))

    def visit_filter_projection(self, node: dict[str, Any], value: Any) -> Any:
        return _charged(self._effort, super().visit_filter_projection(node, value))

    def _shallow(self, made: Any) -> Any:
        self._effort.spend(len(made or ()))
        return made


class _Functions(Functions):
    """The functions of the standard. Those that repeat what they are given are charged before they do."""

    def __init__(self, effort: Effort) -> None:
        self._effort = effort

    def call_function(self, function_name: str, resolved_args: list[Any]) -> Any:
        self._effort.spend(sum(len(value) for value in resolved_args if isinstance(value, str | list | dict)))
        return super().call_function(function_name, resolved_args)

    @signature({"types": ["string"]}, {"types": ["array-string"]})
    def _func_join(self, separator: str, array: list[str]) -> Any:
        self._effort.spend(len(separator) * len(array) + sum(map(len, array)))
        return super()._func_join(separator, array)

    @signature({"types": ["expref"]}, {"types": ["array"]})
    def _func_map(self, expref: Any, arg: list[Any]) -> Any:
        return _charged(self._effort, super()._func_map(expref, arg))

    @signature({"types": []})
    def _func_to_string(self, arg: Any) -> Any:
        return _charged(self._effort, super()._func_to_string(_charged(self._effort, arg)))


def _charged(effort: Effort, made: Any) -> Any:
    try:
        effort.spend(size_of(made, effort.left, 2 * DEEPEST))
    except TooLarge:
        raise EvaluationError(_TOO_MUCH) from None
    return made
