"""Outputs of nodes that are too large for a row that is read again and again: kept once, and named by their digest.

Wherever an output of more than MOST_INLINE bytes would stand there is ``{"$output": "sha256:…", "bytes": …}``;
expressions find the whole of it. One that has such a member of its own is kept in the same way, however small it is.
"""

import functools
import uuid
from typing import Any, Final

import orjson

from orchestrator.core.canonical import digest
from orchestrator.core.ids import uuid7
from runs.models import Run, RunOutput

MOST_INLINE: Final = 1024 * 1024
MOST: Final = 16 * 1024 * 1024
_MARK: Final = "$output"


class TooLarge(Exception):
    """An output has more than MOST bytes; the text says so."""


def stored(run: Run, output: dict[str, Any]) -> dict[str, Any]:
    """The output itself or, when it is large, a reference to it; then it is kept, in the caller's transaction.

    Raises TooLarge.
    """
    content = orjson.dumps(output)
    if len(content) <= MOST_INLINE and _MARK not in output:
        return output
    if len(content) > MOST:
        raise TooLarge(f"The output has {len(content)} bytes of JSON; {MOST} is the most.")
    address = digest(content)
    RunOutput.objects.bulk_create(
        [RunOutput(run=run, org_id=run.org_id, digest=address, content=content.decode())], ignore_conflicts=True
    )
    return {_MARK: address, "bytes": len(content)}


def size(output: dict[str, Any] | None) -> int:
    """How many bytes of JSON an output has that is ``stored``; 0 for none."""
    if output is None:
        return 0
    return int(output["bytes"]) if _MARK in output else len(orjson.dumps(output))


def copy(output: dict[str, Any], *, origin: Run, to: Run, mapped: bool) -> None:
    """Have another run keep what this output of ``origin``, as it is ``stored``, refers to."""
    digests = {str(output[_MARK])} if _MARK in output else set()
    if mapped:
        listed = (_load(origin.id, str(output[_MARK])) or {}) if _MARK in output else output
        digests |= {str(item[_MARK]) for item in listed.get("items", ()) if item is not None and _MARK in item}
    for address in digests:
        row = RunOutput.objects.get(run=origin, digest=address)
        row.pk, row.run = uuid7(), to
        RunOutput.objects.bulk_create([row], ignore_conflicts=True)


def whole(run_id: uuid.UUID, output: dict[str, Any] | None, *, mapped: bool = False) -> dict[str, Any] | None:
    """What ``output`` stands for; where it is that of a ``mapped`` node, also the items in it. Callers must not write
    to it.
    """
    if output is not None and _MARK in output:
        output = _load(run_id, str(output[_MARK]))
    if not mapped or output is None or not any(item is not None and _MARK in item for item in output["items"]):
        return output
    return {**output, "items": [whole(run_id, item) for item in output["items"]]}


@functools.lru_cache(maxsize=8)
def _load(run_id: uuid.UUID, address: str) -> dict[str, Any] | None:
    content = RunOutput.objects.filter(run_id=run_id, digest=address).values_list("content", flat=True).first()
    found: dict[str, Any] | None = None if content is None else orjson.loads(content)
    return found
