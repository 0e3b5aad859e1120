"""The worker's writes. Each is one transaction: a node's outcome, its events, what becomes ready, the start of the next
node, and the end of the run.

Every attempt has a token. When its lease has run out, its time is over, or the run has ended, the node's token has
moved on, and Fenced undoes the whole transaction: no late write is ever accepted.
"""

import functools
import operator
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any, Final

from django.conf import settings
from django.db import transaction
from django.db.models import Q

from agents.services import logs
from orchestrator.core import clock
from runs.engine import retry
from runs.engine.plan import NodeState
from runs.models import Run, RunNode
from runs.nodes.base import Waiting
from runs.services import executions, limits, statements, subruns
from runs.services.executions import Execution
from runs.services.outcomes import Outcome, failed, fault
from runs.services.steps import Step
from runs.states import ACTIVE_RUN, NodeStatus, RunStatus

MOST_RECOVERIES: Final = 3


class Fenced(Exception):
    """The attempt is not ours any more: its lease or its time ran out, or the run has ended. What it did does not
    count.
    """


@dataclass(slots=True)
class Attempt:
    """A node in a worker's hands, and the run as of its start. After any exception it must be thrown away."""

    execution: Execution
    name: str
    holder: str
    queue: str
    state: NodeState = field(init=False)

    def __post_init__(self) -> None:
        self.state = self.execution.states[self.name]

    @property
    def run(self) -> Run:
        return self.execution.run


@transaction.atomic
def take(run_id: uuid.UUID, holder: str, queue: str = "") -> Attempt | None:
    """Begin the run if it is queued, and start the first of its nodes that is ready for ``queue``; None when there is
    nothing to be had.
    """
    execution = executions.open_locked(run_id)
    if execution is None or execution.run.status not in ACTIVE_RUN or execution.run.cancel_requested_at is not None:
        return None
    step = Step(execution)
    if execution.run.status == RunStatus.QUEUED:
        if not _admitted(step):
            return None
        step.begin()
    return _start_next(step, holder, queue)


@transaction.atomic
def finish(attempt: Attempt, outcome: Outcome, *, more: bool = True) -> Attempt | None:
    """Commit what came of the attempt, and start the next node of the run that is ready for the same queue. Without
    ``more`` it is left to others.

    Raises Fenced.
    """
    execution = executions.lock(attempt.execution)
    if execution is None:
        raise Fenced
    now = execution.states.get(attempt.name)
    if now is None or now.status != NodeStatus.RUNNING or now.token != attempt.state.token:
        raise Fenced
    step = Step(execution)
    settle(step, attempt.name, outcome)
    return _start_next(step, attempt.holder, attempt.queue if more else None)


def settle(step: Step, name: str, outcome: Outcome) -> None:
    """What an attempt's outcome means for its node, and for a run that only waited for this to be cancelled."""
    if outcome.error is not None:
        _settle_failure(step, name, outcome, outcome.error)
    elif outcome.waiting is not None:
        _settle_wait(step, name, outcome.waiting)
    else:
        step.complete(name, outcome.output or {}, outcome.summary)
    if step.run.cancel_requested_at is not None:
        end_if_still(step)


def end_if_still(step: Step) -> None:
    """A cancelled run ends when nothing of it is executed any more."""
    states = step.execution.states
    if step.run.status in ACTIVE_RUN:
        if not any(states[name].status == NodeStatus.RUNNING for name in step.execution.moving):
            step.end(RunStatus.CANCELLED, why=f"Cancelled by {step.run.cancelled_by}.")


@transaction.atomic
def recover(run_id: uuid.UUID, name: str, token: int, why: str = "Its worker was lost") -> bool:
    """The holder of the node's lease is gone: another may take it up, unless that has happened too often. False when
    somebody else was faster.
    """
    with _held(run_id, name, token) as step:
        if step is None:
            return False
        run, state = step.run, step.state(name)
        if run.cancel_requested_at is not None:
            step.cancel(name, f"{why} while the run was being cancelled.")
            end_if_still(step)
        elif state.recoveries >= MOST_RECOVERIES:
            told = f"{why} {state.recoveries + 1} times in the middle of it: it is not tried again."
            step.give_up(name, fault("worker_lost", told, {"recoveries": state.recoveries}))
        else:
            step.recover(name, why)
        told = f"A run of {run.workflow} lost the worker of {name!r}."
        step.tell("run_recovered", node=name)
        step.commit()
        logs.report(org_id=run.org_id, component="engine", level="WARNING", message=told, run_id=str(run.id))
        return True


@transaction.atomic
def time_out(run_id: uuid.UUID, name: str, token: int) -> bool:
    """The attempt has had its time, and whoever is still at it is fenced off. False when it has just ended."""
    with _held(run_id, name, token) as step:
        due_at = step.state(name).due_at if step is not None else None
        if step is None or due_at is None or due_at > step.now:
            return False
        settle(step, name, timed_out(step, name))
        step.commit()
        return True


def timed_out(step: Step, name: str) -> Outcome:
    """How an attempt ends whose time is over."""
    limit = step.node(name)["timeout_seconds"]
    return failed("timeout", f"It took longer than the {limit:g} seconds that it may take.")


@transaction.atomic
def end_overdue(run_id: uuid.UUID) -> bool:
    """End a run whose time is over, or whose cancel has been waited for long enough. False when it is neither."""
    execution = executions.open_locked(run_id)
    if execution is None:
        return False
    step = Step(execution)
    run = step.run
    if run.status not in ACTIVE_RUN or run.due_at is None or run.due_at > step.now:
        return False
    if run.cancel_requested_at is not None:
        step.end(RunStatus.CANCELLED, why=f"Cancelled by {run.cancelled_by}: it did not stop by itself in time.")
    else:
        limit = execution.graph.definition.get("timeout_seconds")
        message = f"The run took longer than the {limit:g} seconds that it may take."
        step.end(RunStatus.FAILED, error=fault("timeout", message), why=message)
    step.commit()
    return True


@transaction.atomic
def renew_leases(holder: str, in_hand: Iterable[tuple[uuid.UUID, str, int]]) -> None:
    """Keep these attempts (run, node, token) for another LEASE_SECONDS, those of them that are still ``holder``'s. One
    that its worker has dropped is not in hand: its lease runs out.
    """
    these = (Q(run_id=run_id, node=name, token=token) for run_id, name, token in in_hand)
    rows = RunNode.objects.filter(functools.reduce(operator.or_, these, Q(pk__in=[])), lease_holder=holder)
    mine = rows.extra(where=[statements.RUNNING])  # noqa: S610 - a constant
    # What is locked is just being settled. Waiting for it, with the rows of other runs in hand, could close a circle.
    free = list(mine.select_for_update(skip_locked=True, no_key=True).values_list("pk", flat=True))
    RunNode.objects.filter(pk__in=free).update(lease_expires_at=clock.now() + timedelta(seconds=settings.LEASE_SECONDS))


def _admitted(step: Step) -> bool:
    """Whether a queued run may begin. A sub-run that would wait for ever ends here."""
    try:
        return limits.admit(step.run)
    except limits.Deadlock as problem:
        step.end(RunStatus.FAILED, error=problem.error, why=problem.error["message"])
        step.commit()
        return False


@contextmanager
def _held(run_id: uuid.UUID, name: str, token: int) -> Iterator[Step | None]:
    """A step of the run while the attempt with this token is going on; None when it has ended."""
    execution = executions.open_locked(run_id)
    if execution is None or execution.run.status not in ACTIVE_RUN:
        yield None
        return
    state = execution.states.get(name)
    if state is None or state.status != NodeStatus.RUNNING or state.token != token:
        yield None
        return
    yield Step(execution)


def _start_next(step: Step, holder: str, queue: str | None) -> Attempt | None:
    """Start what is ready for ``queue`` (None: nothing), commit the step, and hand out the attempt."""
    execution = step.execution
    name = None if queue is None or step.run.status not in ACTIVE_RUN else _ready(step, queue)
    if name is not None:
        step.start(name, holder)
        step.offers[step.state(name).queue] -= 1
    if step.touched or step.told:  # a run all of whose nodes are reused begins and ends without touching any
        step.offers = +step.offers
        step.commit()
    if name is None or queue is None:
        executions.keep(execution)
        return None
    return Attempt(execution, name, holder, queue)


def _ready(step: Step, queue: str) -> str | None:
    """The first node that may be executed now by a worker of ``queue``. Waits that are over by themselves are settled
    on the way.
    """
    while (name := _first_due(step, queue)) is not None:
        state = step.execution.states[name]
        found = name if state.status == NodeStatus.PENDING else _settle_due(step, name, state)
        if found is not None:
            return found
    return None


def _first_due(step: Step, queue: str) -> str | None:
    for name in step.execution.moving:
        state = step.execution.states[name]
        if state.status != NodeStatus.RUNNING and state.queue == queue:
            if state.due_at is not None and state.due_at <= step.now:
                return name
    return None


def _settle_due(step: Step, name: str, state: NodeState) -> str | None:
    """A wait has come to its time: the node's name when a worker has to go on with it."""
    limit, of_run = step.node(name).get("timeout_seconds"), (state.waiting_on or {}).get("kind") == "run"
    until = state.started_at + timedelta(seconds=limit) if limit and state.started_at else None
    if of_run and (outcome := subruns.outcome_of(step, name)) is not None:
        settle(step, name, outcome)
    elif until is not None and until <= step.now:
        settle(step, name, timed_out(step, name))
    elif of_run:  # it was looked at for nothing
        step.set(name, replace(state, due_at=until))
    else:
        return name
    return None


def _settle_failure(step: Step, name: str, outcome: Outcome, error: dict[str, Any]) -> None:
    state, node = step.state(name), step.node(name)
    wait = retry.delay(
        node.get("retry"), max(state.attempts - state.recoveries, 1), error["code"],
        permanent=outcome.permanent, retry_after=outcome.retry_after,
    )  # fmt: skip
    if wait is None or step.run.cancel_requested_at is not None:
        step.fail(name, error, outcome.summary)
    else:
        step.retry(name, wait, error, outcome.summary)


def _settle_wait(step: Step, name: str, waiting: Waiting) -> None:
    if step.run.cancel_requested_at is not None:
        step.cancel(name, f"Cancelled by {step.run.cancelled_by} before it waited.")
    elif waiting.on.get("kind") == "run":
        try:
            subruns.start(step, name, waiting)
        except subruns.Unstartable as problem:
            step.fail(name, problem.error, problem.message)
    else:
        step.wait(name, waiting.on, waiting.until, waiting.summary)
