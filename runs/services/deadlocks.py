"""Runs within runs and limits: who shares a slot with whom, and who would wait for ever.

Somebody who holds something waits for nobody but the sub-runs of its own. So a circle can close only when a sub-run
begins to wait, and it is looked for then.
"""

import uuid

from runs.models import Run, Slot


def shares(parent: Run, scope: str) -> bool:
    """Whether the run, or one that it is part of, holds a slot of the scope."""
    return Slot.objects.filter(run_id__in=_lineage(parent), scope=scope, number__isnull=False).exists()


def for_ever(run: Run, scope: str) -> bool:
    """Whether the sub-run would wait for ever: every holder of the scope is a run that it is part of, or has a sub-run
    that waits for a scope of which the same is true.
    """
    above = set(_lineage(run))
    waiting = _waiting(run.org_id)
    holders = _holders(run.org_id, {scope, *(name for _, name in waiting)})
    stuck = set(holders)

    def moves(holder: uuid.UUID) -> bool:
        waits_for = (name for lineage, name in waiting if holder in lineage)
        return holder not in above and not any(name in stuck for name in waits_for)

    # All are taken for stuck at first; what is left when nothing moves any more is.
    while moving := {name for name in stuck if any(map(moves, holders[name]))}:
        stuck -= moving
    return scope in stuck


def _waiting(org_id: uuid.UUID) -> list[tuple[set[uuid.UUID], str]]:
    """The sub-runs that were held back: the runs that they are part of, and the scope that they wait for. Those that
    have not asked yet may find a slot, and look for a circle themselves otherwise.
    """
    rows = Slot.objects.for_org(org_id).filter(number=None, run__parent__isnull=False, run__waiting_on__isnull=False)
    rows = rows.select_related("run__parent")
    return [(set(_lineage(slot.run.parent)), slot.scope) for slot in rows]


def _holders(org_id: uuid.UUID, scopes: set[str]) -> dict[str, list[uuid.UUID]]:
    found: dict[str, list[uuid.UUID]] = {}
    rows = Slot.objects.for_org(org_id).filter(scope__in=scopes, number__isnull=False)
    for scope, run_id in rows.values_list("scope", "run_id"):
        found.setdefault(scope, []).append(run_id)
    return found


def _lineage(run: Run | None) -> list[uuid.UUID]:
    """The run, what it is part of, what that is part of..."""
    found = []
    while run is not None:
        found.append(run.id)
        run = run.parent
    return found
