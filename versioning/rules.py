"""What makes a definition valid is said by a room above this one, which registers its check here (DESIGN §2)."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from orchestrator.core.errors import ValidationFailed


class Fault(NamedTuple):
    """One thing that is wrong with a definition: where (RFC 6901, from its root), and how to mend it."""

    pointer: str
    message: str


Check = Callable[[Any], Sequence[Fault]]

_checks: list[Check] = []


def register(check: Check) -> None:
    """Have every definition that is stored from now on pass ``check``, which gives all faults that it finds."""
    if check not in _checks:
        _checks.append(check)


def faults_of(definition: Any) -> list[Fault]:
    """All faults of a definition; none for a valid one."""
    return [fault for check in _checks for fault in check(definition)]


def require_valid(definition: Any) -> None:
    """Raises ValidationFailed with every fault: its pointer and its sentences."""
    if faults := faults_of(definition):
        raise ValidationFailed("The definition is not a valid workflow.", details=by_pointer(faults))


def by_pointer(faults: Sequence[Fault]) -> dict[str, list[str]]:
    """Sentences by pointer; the document's root is ``/``, because an empty name helps nobody."""
    found: dict[str, list[str]] = {}
    for fault in faults:
        found.setdefault(fault.pointer or "/", []).append(fault.message)
    return found
