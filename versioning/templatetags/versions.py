"""How pages write versions, and where they link to."""

from collections.abc import Iterable
from typing import Any, Final

from django import template

from versioning.pages.addresses import page_url
from versioning.pages.places import PlacedFault

register = template.Library()

_WHOLE: Final = 2000  # lines of a text that are all shown
_AROUND: Final = 3
_MOVED: Final = {
    "create": "created", "move": "moved", "patch": "changed", "merge": "merged", "undo": "undone", "redo": "redone",
    "delete": "deleted",
}  # fmt: skip


@register.simple_tag
def workflow_url(name: str) -> str:
    """The page of the workflow under this tag."""
    return page_url(name)


@register.filter
def move_word(kind: str) -> str:
    """What a move did, before "by": ``patch`` as ``changed``."""
    return _MOVED.get(kind, kind)


@register.filter
def short_digest(digest: Any) -> str:
    """``sha256:0123456789…`` as ``0123456789``: enough to tell versions apart, and to name one."""
    return str(digest).removeprefix("sha256:")[:10]


@register.simple_tag
def numbered(source: str, faults: list[PlacedFault]) -> list[dict[str, Any]]:
    """The lines of a text, each with the faults that are about it; of a long text those around the faults."""
    at: dict[int, list[PlacedFault]] = {}
    for fault in faults:
        at.setdefault(fault.line, []).append(fault)
    lines = source.split("\n")
    shown: Iterable[int] = range(1, len(lines) + 1)
    if len(lines) > _WHOLE:
        shown = sorted({line + step for line in at for step in range(-_AROUND, _AROUND + 1)} & {*shown})
    return [{"number": number, "text": lines[number - 1], "faults": at.get(number, [])} for number in shown]
