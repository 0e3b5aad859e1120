"""Conflicts of a merge as a form: both sides of each, and a choice."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from django.http import QueryDict

Resolutions = dict[str, dict[str, Any]]

_MOST: Final = 1000
_WORDS: Final = {
    "modify/modify": "Both changed it, each in another way.",
    "modify/delete": "One side changed it, the other removed it.",
    "add/add": "Both added it, each in another way.",
    "edge_to_deleted_node": "It needs a node that the other side removed.",
}


def rows(conflicts: Sequence[Mapping[str, Any]], labels: Mapping[str, str]) -> list[dict[str, Any]]:
    """The conflicts for a template; ``labels`` names the sides ``ours``, ``theirs`` and ``base``.

    One that no choice settles, because it is about the whole graph, has no sides to take.
    """
    return [
        {
            "pointer": conflict["pointer"] or "/",
            "name": conflict["pointer"],
            "why": conflict.get("message") or _WORDS.get(conflict["kind"], conflict["kind"]),
            "choosable": conflict["kind"] in _WORDS,
            "sides": [_side(conflict, side, label) for side, label in labels.items()],
        }
        for conflict in conflicts
    ]


def _side(conflict: Mapping[str, Any], side: str, label: str) -> dict[str, Any]:
    return {"side": side, "label": label, "there": side in conflict, "value": conflict.get(side)}


def chosen(posted: QueryDict) -> Resolutions:
    """What was chosen: ``pointer-<n>`` and ``take-<n>`` belong together."""
    found: Resolutions = {}
    for number in range(_MOST):
        if (pointer := posted.get(f"pointer-{number}")) is None:
            break
        if take := posted.get(f"take-{number}"):
            found[pointer] = {"take": take}
    return found


def kept(resolutions: Resolutions) -> list[dict[str, str]]:
    """Choices of before, to be sent again with those that are still to be made."""
    return [{"pointer": pointer, "take": each["take"]} for pointer, each in resolutions.items()]
