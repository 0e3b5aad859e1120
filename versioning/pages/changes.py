"""What two definitions differ in, as rows that a template can walk: a node may be called "items"."""

from typing import Any

from versioning.documents import diff
from versioning.documents.pointers import join


def rows_between(old: Any, new: Any) -> list[dict[str, Any]]:
    return change_rows(diff.changes(old, new))


def change_rows(found: dict[str, Any]) -> list[dict[str, Any]]:
    """Each node and field that differs (by documents.diff.changes), with its pointer and what changed in it."""
    nodes = found["nodes"]
    rows = [
        {"state": state, "name": name, "pointer": join("nodes", name), "fields": []}
        for state in ("added", "removed")
        for name in nodes[state]
    ]
    for name, change in nodes["changed"].items():
        fields = [{"name": field, **_sides(ends)} for field, ends in change["fields"].items()]
        rows.append({"state": "changed", "name": name, "pointer": join("nodes", name), "fields": fields})
    for name, ends in found["fields"].items():
        rows.append({"state": "changed", "name": "", "pointer": join(name), "fields": [{"name": name, **_sides(ends)}]})
    return rows


def _sides(ends: dict[str, Any]) -> dict[str, Any]:
    return {"has_old": "from" in ends, "has_new": "to" in ends, "old": ends.get("from"), "new": ends.get("to")}
