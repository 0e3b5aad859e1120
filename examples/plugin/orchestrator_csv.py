"""``csv``: reads CSV text into a list of objects, one a row, by the names in its first line."""

import csv
import io

from runs.nodes.base import NodeContext, NodeFailure, NodeResult, NodeType

SCHEMA = {
    "type": "object",
    "properties": {
        "text": {"type": "string"},
        "delimiter": {"type": "string", "minLength": 1, "maxLength": 1, "default": ","},
    },
    "required": ["text"],
    "additionalProperties": False,
}


def read(ctx: NodeContext) -> NodeResult:
    """Every row must have as many fields as the first. Raises ``bad_csv``, which another attempt would not mend."""
    text = io.StringIO(ctx.config["text"], newline="")
    rows = [row for row in csv.reader(text, delimiter=ctx.config.get("delimiter", ",")) if row]
    if not rows:
        raise NodeFailure("bad_csv", "There is no first line with the names.", permanent=True)
    names, *rest = rows
    for number, row in enumerate(rest, start=2):
        if len(row) != len(names):
            message = f"Row {number} has {len(row)} fields, and the first has {len(names)}."
            raise NodeFailure("bad_csv", message, {"row": number}, permanent=True)
    found = [dict(zip(names, row, strict=True)) for row in rest]
    return NodeResult({"rows": found}, f"Rows read: {len(found)}")


NODE = NodeType("csv", "Reading CSV", read, SCHEMA, "Reads CSV text into a list of objects, one a row.")
