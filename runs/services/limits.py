"""Limits: how many runs of a workflow, with a key, or of an org go on at once.

A run that something limits has a row in Slot for each scope that counts it, from the transaction that makes it (its
workflow's) or that it has to wait in (the org's) to the one that ends it: no crash in between can leave one behind. It
takes all the slots that it needs or none, so that nobody waits for somebody who waits. Whoever ends hands what it held
to those that wait, in the same transaction; who comes later finds a slot free only when nobody in line could use it.

Whoever takes slots or hands them over holds the head of the org's log: one at a time. The order of locks is run, nodes
and events, head, as in every step; the runs in a line are never waited for.
"""

import itertools
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from django.db import transaction
from django.db.models import Max, Min, Q, QuerySet

from agents.services import logs
from orchestrator.core import clock
from orchestrator.core.canonical import canonical_json, sha256_hex
from orchestrator.core.errors import Conflict, ValidationFailed
from orchestrator.events import services as events
from orchestrator.identity.actors import Actor
from runs.engine import dispatch
from runs.models import Run, Slot
from runs.services import deadlocks, org_limits, statements
from runs.services.journal import record_run
from runs.services.outcomes import fault
from runs.workflows.evaluation import EvaluationError, search

ORG: Final = "org"
QUEUE: Final = "queue"
REJECT: Final = "reject"
CANCEL_RUNNING: Final = "cancel_running"
REPLACE_QUEUED: Final = "replace_queued"
SHOWN: Final = 10  # of the holders
_AT_ONCE: Final = 100  # slots in one transaction; the sweep goes on
_TRIED: Final = 50  # runs beyond that, where some of the line cannot begin


class LimitReached(Conflict):
    """``details`` has ``scope``, ``limit`` and the first ``holders``."""


class Deadlock(Exception):
    """A run would wait for ever; ``error`` says so."""

    def __init__(self, scope: str) -> None:
        message = f"It would wait for ever: all that hold a slot of {scope!r} wait for this run, or for each other."
        super().__init__(message)
        self.error = fault("limit_deadlock", message, {"scope": scope})


@dataclass(frozen=True, slots=True)
class Limit:
    """What a definition says of runs like this one."""

    scope: str
    capacity: int
    policy: str


# --- making a run -----------------------------------------------------------------------------------------------------


def limit_for(
    org_id: uuid.UUID, workflow: str, definition: Mapping[str, Any], inputs: Mapping[str, Any], parent: Run | None
) -> Limit | None:
    """The limit that will count a run that is about to be made; None when its workflow has none, or when a run that it
    is part of has a slot there already: the two share it.

    Raises ValidationFailed when the key has no value, and LimitReached where one too many is refused.
    """
    asked = definition.get("concurrency")
    if asked is None:
        return None
    limit = Limit(_scope(workflow, asked, inputs), asked["limit"], asked.get("policy", QUEUE))
    if parent is not None and deadlocks.shares(parent, limit.scope):
        return None
    if limit.policy == REJECT:
        _refuse_one_too_many(org_id, workflow, limit)
    return limit


def line_up(run: Run, limit: Limit) -> None:
    """The new run's place in the line of its workflow or key."""
    turn = 0
    if limit.policy == CANCEL_RUNNING:  # the newest goes first
        turn = (_rows(run.org_id, limit.scope).aggregate(least=Min("turn"))["least"] or 0) - 1
    Slot.objects.create(
        org_id=run.org_id, run=run, scope=limit.scope, lane=limit.scope, policy=limit.policy, priority=run.priority,
        turn=turn, capacity=limit.capacity,
    )  # fmt: skip
    if limit.policy in (CANCEL_RUNNING, REPLACE_QUEUED):  # the sweep ends those whose place it takes
        transaction.on_commit(lambda: dispatch.wake(clock.now()))


def report_refusal(org_id: uuid.UUID, workflow: str, refusal: LimitReached) -> None:
    """Say in the system log that a run was refused."""
    told = f"A run of {workflow} was refused: {refusal.message}"
    logs.report(org_id=org_id, component="limits", level="WARNING", message=told, **refusal.details)


# --- the beginning and the end of a run -------------------------------------------------------------------------------


def admit(run: Run) -> bool:
    """Take what slots the queued run needs, all of them or none; False when it has to wait, and then it says what for.
    The caller holds its row. Without any limit nothing is asked of the database.

    Raises Deadlock.
    """
    # What a run is part of has been admitted to the org; if it took a slot of its own, the two could wait for ever.
    if not run.limited and (run.parent_id or org_limits.most_running(run.org_id) is None):
        return True
    if run.parent_id:
        statements.lock_parent_node(run)
    events.lock_head(run.org_id)
    full = _take(run)
    if full is None:
        return True
    if run.parent_id and deadlocks.for_ever(run, full.scope):
        raise Deadlock(full.scope)
    _hold_back(run, full)
    return False


def release(run: Run) -> None:
    """The run has ended: what it held goes to those that wait. In the transaction that ends it, after its end was
    recorded: the head of the org's log is ours.
    """
    rows = Slot.objects.filter(run_id=run.id)
    scopes = set(rows.values_list("scope", flat=True))
    if not scopes:
        return
    rows.delete()
    # The org's first: who waits for the workflow's would take the org's as well, past those who wait for that.
    for scope in sorted(scopes, key=lambda scope: scope != ORG):
        hand_over(run.org_id, scope)


def hand_over(org_id: uuid.UUID, scope: str) -> None:
    """Give the free slots of the scope to those that wait for one and can begin. The caller holds the head of the org's
    log.
    """
    line = in_line(_rows(org_id, scope).filter(number=None))
    first = line.first()
    if first is None:
        return
    free = min(_capacity(first) - _rows(org_id, scope).filter(number__isnull=False).count(), _AT_ONCE)
    if free <= 0:
        return
    for run_id in list(line.values_list("run_id", flat=True)[: free + _TRIED]):
        if (run := statements.lock_queued(run_id)) is None:
            continue  # it is just being cancelled, or asks for itself
        if (full := _take(run)) is None:
            _let_go(run)
        else:
            _hold_back(run, full)
        if full is None or (full.scope == ORG != scope):  # who waits for the org has this one reserved
            free -= 1
        if not free:
            return


# --- what those that wait are told ------------------------------------------------------------------------------------


def in_line(rows: QuerySet[Slot]) -> QuerySet[Slot]:
    """Those that wait, in the order in which they are served."""
    return rows.order_by("-priority", "turn", "run_id")


def ahead_of(slot: Slot) -> int:
    """How many wait in front of it."""
    before = Q(turn__lt=slot.turn) | Q(turn=slot.turn, run_id__lt=slot.run_id)
    rows = _rows(slot.org_id, slot.scope).filter(number=None)
    return rows.filter(Q(priority__gt=slot.priority) | Q(before, priority=slot.priority)).count()


def reason(slot: Slot) -> dict[str, Any]:
    """What a run waits for whose turn at ``slot`` has not come."""
    holders = _holders(slot.org_id, slot.scope)
    return {"kind": "limit", "scope": slot.scope, "limit": _capacity(slot), "holders": holders}


def _holders(org_id: uuid.UUID, scope: str) -> list[str]:
    held = _rows(org_id, scope).filter(number__isnull=False).order_by("taken_at", "run_id")
    return [str(run_id) for run_id in held.values_list("run_id", flat=True)[:SHOWN]]


# --- pieces -----------------------------------------------------------------------------------------------------------


def _scope(workflow: str, asked: Mapping[str, Any], inputs: Mapping[str, Any]) -> str:
    if "key" not in asked:
        return f"workflow:{workflow}"
    try:
        value = search(asked["key"], {"inputs": inputs})
    except EvaluationError as problem:
        told = f"The key that the workflow's limit counts by cannot be evaluated: {problem}"
        raise ValidationFailed(details={"inputs": [told]}) from problem
    return f"key:{workflow}:{sha256_hex(canonical_json(value))}"


def _refuse_one_too_many(org_id: uuid.UUID, workflow: str, limit: Limit) -> None:
    """Those that have been made and not begun count, too: whoever is accepted need not wait."""
    events.lock_head(org_id)
    if _rows(org_id, limit.scope).count() >= limit.capacity:
        at_once = "1 run goes" if limit.capacity == 1 else f"{limit.capacity} runs go"
        held = _rows(org_id, limit.scope).order_by("run_id").values_list("run_id", flat=True)[:SHOWN]
        details = {"scope": limit.scope, "limit": limit.capacity, "holders": [str(run_id) for run_id in held]}
        raise LimitReached(f"At most {at_once} on at once; more are refused.", details=details)


def _take(run: Run) -> Slot | None:
    """Number all the slots that the run needs, or none: the one that there is no room for, its workflow's first."""
    numbers: list[tuple[Slot, int]] = []
    slots = _needed(run)
    for slot in slots:
        if slot.number is None:
            if (number := _free_number(slot)) is None:
                return slot
            numbers.append((slot, number))
    for slot, number in numbers:
        slot.number, slot.taken_at = number, clock.now()
        slot.save()
    if numbers and not run.limited:
        run.limited = True
        Run.objects.filter(pk=run.pk).update(limited=True)
    return None


def _needed(run: Run) -> list[Slot]:
    """The run's rows, with one for the org, not saved yet, where it needs that."""
    slots = list(Slot.objects.filter(run_id=run.id))
    of_org = next((slot for slot in slots if slot.scope == ORG), None)
    most = None if run.parent_id else org_limits.read_most_running(run.org_id)
    own = [slot for slot in slots if slot.scope != ORG]
    if most is None:
        if of_org is not None and of_org.number is None:
            of_org.delete()
        return own
    if of_org is None:
        lane = own[0].scope if own else f"workflow:{run.workflow}"
        of_org = Slot(
            org_id=run.org_id, run=run, scope=ORG, lane=lane, policy=QUEUE, priority=run.priority,
            turn=_turn(run, lane), capacity=most,
        )  # fmt: skip
    elif of_org.number is None:
        of_org.capacity = most
    return [*own, of_org]


def _turn(run: Run, lane: str) -> int:
    """When it is the run's turn among those that wait for the org: behind the last of its own lane, and not before
    those that are being served now. So lanes take turns, however many of one came first.
    """
    rows = _rows(run.org_id, ORG).filter(priority=run.priority)
    last = rows.filter(lane=lane).aggregate(last=Max("turn"))["last"]
    now = rows.filter(number__isnull=False).aggregate(now=Max("turn"))["now"]
    return max(0 if last is None else last + 1, now or 0)


def _free_number(slot: Slot) -> int | None:
    """The lowest number that nobody has; None when there are as many as there may be."""
    taken = set(_rows(slot.org_id, slot.scope).filter(number__isnull=False).values_list("number", flat=True))
    if len(taken) >= slot.capacity:
        return None
    return next(number for number in itertools.count(1) if number not in taken)


def _capacity(slot: Slot) -> int:
    """Of the scope, as of now: the org's may have been set anew. One without a limit has room for all."""
    if slot.scope != ORG:
        return slot.capacity
    most = org_limits.read_most_running(slot.org_id)
    return 2**31 - 1 if most is None else most


def _hold_back(run: Run, full: Slot) -> None:
    """Let the run wait for a slot of that scope, and say so once."""
    if full.scope == ORG:
        full.save()
    else:  # its turn at the org's has come, and its workflow's is gone meanwhile
        Slot.objects.filter(run_id=run.id, scope=ORG, number=None).delete()
    waited = run.waiting_on
    if waited and waited[0]["scope"] == full.scope:
        return
    run.waiting_on, run.limited = [reason(full)], True
    Run.objects.filter(pk=run.pk).update(waiting_on=run.waiting_on, limited=True)
    record_run(Actor.system(run.org_id), "run_held", run, waiting_on=run.waiting_on)
    if waited is None:
        told = f"A run of {run.workflow} waits for a slot of {full.scope}."
        logs.report(
            org_id=run.org_id, component="limits", level="INFO", message=told, run_id=str(run.id), **run.waiting_on[0]
        )


def _let_go(run: Run) -> None:
    """The run has its slots and may begin."""
    if run.waiting_on is not None:
        run.waiting_on = None
        Run.objects.filter(pk=run.pk).update(waiting_on=None)
        record_run(Actor.system(run.org_id), "run_admitted", run)
    transaction.on_commit(lambda: dispatch.offer(run.id, priority=run.priority))


def _rows(org_id: uuid.UUID, scope: str) -> QuerySet[Slot]:
    return Slot.objects.for_org(org_id).filter(scope=scope)
