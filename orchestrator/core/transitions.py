"""Which status may follow which: the tables are the rooms', the check and its words are the same for all."""

from collections.abc import Mapping

from orchestrator.core.errors import InvalidTransition

# By status: those that may follow it.
Table = Mapping[str, frozenset[str]]


def check(noun: str, table: Table, old: str, new: str) -> None:
    """Raises InvalidTransition, which says what is possible, when a ``noun`` that is ``old`` cannot become ``new``."""
    if new not in table[old]:
        details = {"from": old, "to": new, "allowed": sorted(table[old])}
        raise InvalidTransition(f"A {noun} that is {old} cannot become {new}.", details=details)
