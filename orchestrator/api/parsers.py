"""Where a request body becomes data (CONTRACT §2): what JSON allows and no honest client sends stops here, once."""

import json
import math
from collections.abc import Mapping
from typing import Any, NoReturn

from rest_framework.parsers import BaseParser

from orchestrator.core.errors import MalformedRequest, PayloadTooLarge, ValidationFailed

MAX_DEPTH = 64
MAX_EXACT = 2**53 - 1
_TOO_EXACT = "An integer is beyond 2^53 - 1, which a double cannot hold exactly; send it as a string."
DEFAULT_LIMIT = 1024 * 1024  # bytes


class StrictJSONParser(BaseParser):
    """Parses ``application/json``.

    Raises PayloadTooLarge over the view's ``max_body_bytes``, MalformedRequest for what is not JSON, ValidationFailed
    for NaN, infinities, duplicate keys, NUL, lone surrogates, depth over 64 and integers that a double cannot hold.
    """

    media_type = "application/json"

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Mapping[str, Any] | None = None) -> Any:
        view = (parser_context or {}).get("view")
        limit = getattr(view, "max_body_bytes", DEFAULT_LIMIT)
        raw = stream.read(limit + 1)
        if len(raw) > limit:
            raise PayloadTooLarge(f"The body may have {limit} bytes at most.")
        return parse_json(raw)


class MergePatchParser(StrictJSONParser):
    """The same under ``application/merge-patch+json`` (RFC 7396), which a PATCH may be sent as."""

    media_type = "application/merge-patch+json"


def parse_json(raw: bytes) -> Any:
    try:
        document = json.loads(raw.decode("utf-8"), object_pairs_hook=_object, parse_constant=_refuse_constant)
    except RecursionError as error:
        raise _invalid(f"Nested deeper than {MAX_DEPTH} levels.") from error
    except UnicodeDecodeError as error:
        raise MalformedRequest("The body is not UTF-8.") from error
    except json.JSONDecodeError as error:
        raise MalformedRequest(f"The body is not JSON: {error}") from error
    except ValueError as error:  # an integer of more digits than Python converts
        raise _invalid(_TOO_EXACT) from error
    _check(document)
    return document


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _invalid("An object names the same key twice.")
    return found


def _refuse_constant(name: str) -> NoReturn:
    raise _invalid(f"{name} is not a JSON number.")


def _check(document: Any) -> None:
    """Walks level by level, so that depth costs no stack."""
    level, depth = [document], 0
    while level:
        deeper: list[Any] = []
        for value in level:
            if isinstance(value, dict):
                for key in value:
                    _check_text(key)
                deeper.extend(value.values())
            elif isinstance(value, list):
                deeper.extend(value)
            else:
                _check_scalar(value)
        depth += 1
        if deeper and depth > MAX_DEPTH:
            raise _invalid(f"Nested deeper than {MAX_DEPTH} levels.")
        level = deeper


def _check_scalar(value: Any) -> None:
    if isinstance(value, str):
        _check_text(value)
    elif isinstance(value, float):
        if not math.isfinite(value):
            raise _invalid("A number is beyond the range of a double.")
    elif isinstance(value, int) and abs(value) > MAX_EXACT:
        raise _invalid(_TOO_EXACT)


def _check_text(text: str) -> None:
    if "\x00" in text:
        raise _invalid("A string contains a NUL character.")
    if not text.isascii():
        try:
            text.encode("utf-8")
        except UnicodeEncodeError as error:
            raise _invalid("A string contains a lone surrogate.") from error


def _invalid(why: str) -> ValidationFailed:
    return ValidationFailed(details={"body": [why]})
