"""Runs as rows of a list."""

from typing import Final

# What a row shows. An output may be large, and a list of them larger.
LIST_FIELDS: Final = (
    "id", "workflow", "inputs", "status", "created_by", "created_at", "started_at", "finished_at",
)  # fmt: skip
