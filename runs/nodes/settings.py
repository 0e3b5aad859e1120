"""What the schemas of settings have in common. runs/workflows/settings.py holds a node's ``with`` against them."""

from collections.abc import Mapping
from typing import Any, Final

YEAR_SECONDS: Final = 366 * 24 * 60 * 60

# A schema that a user writes: it stays within itself, and what it describes is checked by it later.
JSON_SCHEMA: Final[Mapping[str, Any]] = {
    "$ref": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "format": "json-schema",
    "properties": {"$schema": {"const": "https://json-schema.org/draft/2020-12/schema"}},
}


def settings(properties: Mapping[str, Any], *, required: tuple[str, ...] = (), **rules: Any) -> dict[str, Any]:
    """A schema of settings that allows these members and no other."""
    schema = {"type": "object", "properties": dict(properties), "additionalProperties": False, **rules}
    return {**schema, "required": list(required)} if required else schema


def reader_settings(*roles: str, **properties: Any) -> dict[str, Any]:
    """The schema of a node that reads the outputs of others (``wiring.py``).

    It allows further members, which do nothing: workflows that are kept already have some.
    """
    if roles:
        description = f"The ids of the nodes to read, by role, where they differ from it. Roles: {', '.join(roles)}."
        node = {"type": "string", "minLength": 1, "maxLength": 100}
        properties["reads"] = {
            "description": description, "type": "object", "properties": dict.fromkeys(roles, node),
            "additionalProperties": False,
        }  # fmt: skip
    return {"type": "object", "properties": properties}
