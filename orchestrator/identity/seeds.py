"""What ``manage.py seed`` makes beside the organization: rooms above this one register it when ready."""

import uuid
from collections.abc import Callable

Seed = Callable[[uuid.UUID], str]

_seeds: list[Seed] = []


def register(seed: Seed) -> None:
    """Have ``seed`` fill a fresh organization. It is called each time: what is there stays; it says what it did."""
    if seed not in _seeds:
        _seeds.append(seed)


def plant(org_id: uuid.UUID) -> list[str]:
    """Call every seed; what each of them says."""
    return [seed(org_id) for seed in _seeds]
