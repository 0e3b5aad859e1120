"""Log lines in: one object, many under ``logs``, or one object a line (NDJSON). Checked by hand: ten thousand lines a
second are too many for a serializer each.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from agents.api.fields import document_fault
from agents.models import MAX_LINE
from agents.services.logs import MAX_BATCH, Line
from agents.states import LEVELS, LogType
from orchestrator.api.parsers import DEFAULT_LIMIT, StrictJSONParser, parse_json
from orchestrator.core.errors import MalformedRequest, PayloadTooLarge, ValidationFailed
from orchestrator.core.ids import parse_uuid

_LEVELS: Final = {spelt: level for level in LEVELS for spelt in (level, level.lower())}
_TYPES: Final = {"": "", **{kind.value: kind.value for kind in LogType}}
_REQUIRED: Final = ("runtime_agent_id", "level", "message")

Faults = dict[str, list[str]]


class NdjsonParser(StrictJSONParser):
    """Parses ``application/x-ndjson`` to ``{"logs": [...]}``: each line is JSON, as strictly as a body; blank ones are
    passed over. Raises the same, naming the line, and ValidationFailed for more than MAX_BATCH lines.
    """

    media_type = "application/x-ndjson"

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Mapping[str, Any] | None = None) -> Any:
        limit = getattr((parser_context or {}).get("view"), "max_body_bytes", DEFAULT_LIMIT)
        raw = stream.read(limit + 1)
        if len(raw) > limit:
            raise PayloadTooLarge(f"The body may have {limit} bytes at most.")
        lines = [line for line in raw.split(b"\n") if line.strip()]
        _check_count(len(lines))
        return {"logs": [_parsed(line, number) for number, line in enumerate(lines)]}


def _parsed(line: bytes, number: int) -> Any:
    try:
        return parse_json(line)
    except MalformedRequest as error:
        raise MalformedRequest(f"Line {number} (from 0) is not a line of NDJSON. {error.message}") from error
    except ValidationFailed as error:
        raise ValidationFailed(details={f"logs/{number}": error.details["body"]}) from error


def lines_of(body: Any) -> list[Line]:
    """The lines of a body, in order. Raises ValidationFailed with every fault by its place, as ``logs/3/level``."""
    faults: Faults = {}
    if isinstance(body, dict) and "logs" not in body:
        lines = [_line(body, "", faults)]
    else:
        lines = [_line(sent, f"logs/{number}", faults) for number, sent in enumerate(_batch(body))]
    if faults:
        raise ValidationFailed(details=faults)
    return lines


def _batch(body: Any) -> list[Any]:
    if not isinstance(body, dict):
        raise ValidationFailed(details={"body": ["Send a JSON object."]})
    if unknown := body.keys() - {"logs"}:
        raise ValidationFailed(details={name: ["There is no such field beside `logs`."] for name in sorted(unknown)})
    if not isinstance(body["logs"], list):
        raise ValidationFailed(details={"logs": ["Must be a JSON array."]})
    _check_count(len(body["logs"]))
    return body["logs"]


def _check_count(lines: int) -> None:
    if not 1 <= lines <= MAX_BATCH:
        raise ValidationFailed(details={"logs": [f"Send 1 to {MAX_BATCH} lines at once."]})


def _line(sent: Any, place: str, faults: Faults) -> Line:
    line: Any = {}
    if type(sent) is not dict:
        faults[place] = ["Must be a JSON object."]
        return line
    for name, value in sent.items():
        try:
            line[name] = _READ[name](value)
        except KeyError:
            faults[_at(place, name)] = ["There is no such field."]
        except ValueError as error:
            faults[_at(place, name)] = [str(error)]
    for name in _REQUIRED:
        if name not in sent:
            faults[_at(place, name)] = ["This field is required."]
    return line


def _at(place: str, name: str) -> str:
    return f"{place}/{name}" if place else name


def _id(value: Any) -> Any:
    if (found := parse_uuid(value)) is None:
        raise ValueError("Must be a valid UUID.")
    return found


def _one_of(known: Mapping[str, str]) -> Callable[[Any], str]:
    told = f"There are {', '.join(dict.fromkeys(found for found in known.values() if found))}."

    def read(value: Any) -> str:
        found = known.get(value) if type(value) is str else None
        if found is None:
            raise ValueError(told)
        return found

    return read


def _message(value: Any) -> str:
    if type(value) is not str or not value:
        raise ValueError("Must be a JSON string with something in it.")
    if len(value) > MAX_LINE:
        raise ValueError(f"May have {MAX_LINE} characters at most.")
    return value


def _details(value: Any) -> dict[str, Any]:
    if type(value) is not dict:
        raise ValueError("Must be a JSON object.")
    if fault := document_fault(value):
        raise ValueError(fault)
    return value


_READ: Final[dict[str, Callable[[Any], Any]]] = {
    "runtime_agent_id": _id,
    "level": _one_of(_LEVELS),
    "log_type": _one_of(_TYPES),
    "message": _message,
    "details": _details,
}
