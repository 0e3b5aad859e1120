"""One step of a run: what happens to its nodes between the lock on its row and the commit.

Whatever happens to a run happens in a step. It changes the execution in memory, notes the events, and writes all of it
at once; the order of locks is always run, nodes and events, head of the org's log. Who has to take the head sooner
locks the nodes that others write, too, before (statements.lock_waits).
"""

import uuid
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Final

from django.conf import settings
from django.db import transaction

from agents.services import prompt_leases
from orchestrator.core import clock, metrics
from orchestrator.identity.actors import Actor
from runs.engine import dispatch
from runs.engine.plan import NodeState, Plan, Unplannable, plan
from runs.models import Run
from runs.nodes import registry
from runs.services import items, limits, outputs, statements
from runs.services.executions import Execution
from runs.services.journal import Entry, prepare, record_run, write
from runs.services.outcomes import fault
from runs.states import ACTIVE_RUN, NodeStatus, Phase, RunStatus
from runs.workflows.evaluation import EvaluationError, search

_SHOWN: Final = 10  # of the nodes that a run waits for


@dataclass(slots=True)
class Step:
    """``touched`` are the nodes whose rows are to be written, ``offers`` how many nodes became ready, by queue."""

    execution: Execution
    now: datetime = field(default_factory=clock.now)
    entries: list[Entry] = field(default_factory=list)
    touched: dict[str, None] = field(default_factory=dict)
    offers: Counter[str] = field(default_factory=Counter)
    told: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    actor: Actor | None = None
    _ended: list[str] | None = None  # what has ended while the plan is being followed
    _place: int = 0
    _status: str = ""
    _about: tuple[Any, ...] = ()

    def __post_init__(self) -> None:
        self._place, self._status, self._about = self.run.next_sequence, self.run.status, statements.about(self.run)

    @property
    def run(self) -> Run:
        return self.execution.run

    def state(self, name: str) -> NodeState:
        return self.execution.states[name]

    def set(self, name: str, state: NodeState) -> NodeState:
        self.execution.put(name, state)
        self.touched[name] = None
        return state

    def note(self, name: str, phase: Phase, summary: str, payload: dict[str, Any] | None = None) -> None:
        self.entries.append(Entry(name, phase, summary, payload or {}))

    def tell(self, event: str, **details: Any) -> None:
        """Have the org's log say so of the run, when all the rest is written."""
        self.told.append((event, details))

    # --- the ways of a node -------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """The run's first step: what needs nothing is ready."""
        limit = self.execution.graph.definition.get("timeout_seconds")
        self.run.status, self.run.started_at = RunStatus.RUNNING, self.now
        self.run.due_at = self.now + timedelta(seconds=limit) if limit else None
        self._status = RunStatus.RUNNING  # run_started says it
        self.run.version += 1
        self.tell("run_started")
        self.advance(None)

    def advance(self, after: Iterable[str] | None) -> None:
        """Make ready what may start now that these nodes have ended (None: whatever may), skip what never will, and end
        the run when nothing is left.
        """
        if self._ended is not None:
            # A node has ended at once, as one does that is mapped over nothing: the loop below goes on with it.
            self._ended.extend(after or ())
            return
        left = None if after is None else list(after)
        while self.run.status in ACTIVE_RUN and (left is None or left):
            self._ended = []
            try:
                found = plan(self.execution.graph, self.execution.states, self.execution.variables, left)
                self._follow(found)
            except Unplannable as problem:
                self.give_up(problem.node, fault("expression_error", str(problem)))
            finally:
                left, self._ended = self._ended, None
            if not left and self.run.status in ACTIVE_RUN and found.finished:
                self._succeed()

    def _follow(self, found: Plan) -> None:
        for name, reason in found.skipped.items():
            self._skip(name, reason)
        for name in found.ready:
            if self.run.status not in ACTIVE_RUN:
                return
            if "map" in self.node(name):
                items.open_map(self, name)
            else:
                self.make_pending(name)

    def start(self, name: str, holder: str) -> NodeState:
        """An attempt begins, in the hands of ``holder``."""
        before, node = self.state(name), self.node(name)
        again = before.status == NodeStatus.WAITING  # its wait is over: the same attempt goes on
        limit = node.get("timeout_seconds")
        attempts = before.attempts if again else before.attempts + 1
        started = before.started_at if again and before.started_at else self.now
        after = replace(
            before, status=NodeStatus.RUNNING, attempts=attempts, token=before.token + 1, started_at=started,
            due_at=started + timedelta(seconds=limit) if limit else None, lease_holder=holder,
            lease_expires_at=self.now + timedelta(seconds=settings.LEASE_SECONDS), error=None,
            waiting_on=before.waiting_on if again else None,
        )  # fmt: skip
        summary = "Its wait is over." if again else _announcement(node["type"])
        self.note(name, Phase.STARTED, summary, {"attempt": attempts})
        return self.set(name, after)

    def complete(self, name: str, output: dict[str, Any], summary: str) -> None:
        """The node is done; what follows becomes ready. An output that is too large to be kept is a failure."""
        try:
            output = outputs.stored(self.run, output)
        except outputs.TooLarge as problem:
            self.fail(name, fault("output_too_large", str(problem)), str(problem))
            return
        self._end(name, NodeStatus.COMPLETED, output=output, error=None)
        self.note(name, Phase.COMPLETED, summary, output)
        self._passed(name)

    def fail(self, name: str, error: dict[str, Any], summary: str) -> None:
        """The node has failed for good: the run goes on where ``on_failure`` says so, and ends otherwise."""
        self._end(name, NodeStatus.FAILED, output=None, error=error)
        self.note(name, Phase.FAILED, summary, {"error": error})
        fatal = self.node(name).get("on_failure", "fail") == "fail" and not items.is_item(name)
        if fatal and self.run.cancel_requested_at is None:
            self.end(RunStatus.FAILED, error={"node": name, **error})
        else:
            self._passed(name)

    def retry(self, name: str, seconds: float, error: dict[str, Any], summary: str) -> None:
        """The attempt has failed; another one comes after ``seconds``."""
        at = self.now + timedelta(seconds=seconds)
        waiting = {"kind": "retry", "at": clock.rfc3339(at), "error": error["code"]} if seconds else None
        self._put_back(name, at, waiting)
        payload = {"error": error, "attempt": self.state(name).attempts, "at": clock.rfc3339(at)}
        self.note(name, Phase.RETRYING, summary, payload)

    def recover(self, name: str, why: str) -> None:
        """Its worker is gone; another one may take it up now. A wait that was over stays over."""
        before = self.state(name)
        self._put_back(name, self.now, before.waiting_on)
        after = replace(self.state(name), recoveries=before.recoveries + 1)
        if before.waiting_on is not None:
            after = replace(after, status=NodeStatus.WAITING, attempts=before.attempts + 1)
        self.set(name, after)
        self.run.recoveries += 1
        self.note(name, Phase.RETRYING, f"{why}; it is tried again.", {"attempt": before.attempts})

    def wait(self, name: str, on: dict[str, Any], until: datetime | None, summary: str) -> None:
        """The node waits for something outside, and no worker with it."""
        before = self.state(name)
        deadline = before.due_at if before.status == NodeStatus.RUNNING else None
        due = min((moment for moment in (until, deadline) if moment is not None), default=None)
        self.set(name, replace(
            before, status=NodeStatus.WAITING, waiting_on=on, due_at=due, lease_holder="", lease_expires_at=None,
            started_at=before.started_at or self.now, asks=on["agent"] if on["kind"] == "agent" else "",
        ))  # fmt: skip
        self.note(name, Phase.WAITING, summary, {"waiting_on": on})

    def reset(self, name: str, output: dict[str, Any] | None = None) -> None:
        """The node is as if it had never been reached; what it has tried is still counted, and its worker, if it has
        one, is fenced off. ``output`` is what expressions find in its place until it is done again.
        """
        before = self.state(name)
        _withdraw(before)
        _abandon(before)
        self.set(name, NodeState(
            NodeStatus.PENDING, attempts=before.attempts, output=output, recoveries=before.recoveries,
            token=before.token + 1, queue=before.queue,
        ))  # fmt: skip

    def cancel(self, name: str, summary: str) -> None:
        """The node ends without a result, and says so if it had begun. Its worker, if it has one, is fenced off."""
        before = self.state(name)
        _abandon(before)
        self._end(name, NodeStatus.CANCELLED, output=None, error=None)
        if before.status != NodeStatus.PENDING or before.attempts:
            self.note(name, Phase.CANCELLED, summary)

    def give_up(self, name: str, error: dict[str, Any]) -> None:
        """A node that cannot even be planned or mapped fails, and the run with it: raising would undo the step, to be
        tried for ever.
        """
        if name not in self.execution.states:
            self.set(name, NodeState(NodeStatus.PENDING, due_at=self.now))
        self._end(name, NodeStatus.FAILED, output=None, error=error)
        self.note(name, Phase.FAILED, error["message"], {"error": error})
        self.end(RunStatus.FAILED, error={"node": name, **error})

    def end(self, status: RunStatus, *, output: Any = None, error: dict[str, Any] | None = None, why: str = "") -> None:
        """The run ends now; whatever has not ended is cancelled. A run that ends before anything of it began says so
        at its first node.
        """
        run, why = self.run, why or f"The run has {status}."
        for name in tuple(self.execution.moving):
            self.cancel(name, why)
        if not self.entries and status == RunStatus.SUCCEEDED:  # all of it was reused from another run
            self.note(self.execution.graph.order[-1], Phase.COMPLETED, "Nothing was left to do.")
        elif not self.entries:
            self.note(self.execution.graph.order[0], Phase.CANCELLED, why)
        run.status, run.output, run.error = status, output, error
        run.waiting_on = run.due_at = None

    def node(self, name: str) -> dict[str, Any]:
        """The definition of a node, also by the name of one of its items."""
        found: dict[str, Any] = self.execution.graph.nodes[items.node_of(name)]
        return found

    # --- the end of the step ------------------------------------------------------------------------------------------

    def commit(self) -> None:
        """Write it all, and tell whom it concerns when the transaction has ended."""
        run, ended = self.run, self.run.status not in ACTIVE_RUN
        if not ended and run.status != RunStatus.QUEUED:
            self._rest()
        events = prepare(run, self.entries)
        if ended or run.status != self._status:
            run.version += 1
        if ended:
            run.finished_at = run.last_event_at or self.now
            statements.end_run(run)
        elif statements.about(run) == self._about:
            statements.move_run(run)
        else:
            statements.save_run(run)
        write(run, events)
        statements.upsert_nodes(run, self._place, {name: self.execution.row(name) for name in self.touched})
        if ended:
            self._wind_up()
        elif run.status != self._status:
            self.tell("run_waiting" if run.status == RunStatus.WAITING else "run_resumed")
        for event, details in self.told:
            record_run(self.actor or Actor.system(run.org_id), event, run, **details)
        if ended and run.limited:
            limits.release(run)
        self._send_out()

    def _rest(self) -> None:
        """Whether the run moves or waits, and what for."""
        states = self.execution.states
        moving = self.execution.moving  # looked through no further than to the first that moves, the oldest mostly
        moves = any(_moves(states[name], self.now) for name in moving)
        self.run.status = RunStatus.RUNNING if moves else RunStatus.WAITING
        waits = [] if moves else [_in_short(name, on) for name in moving if (on := states[name].waiting_on)]
        if self.run.cancel_requested_at is not None and self.run.due_at is not None:
            waits = [{"kind": "cancel", "until": clock.rfc3339(self.run.due_at)}]
        self.run.waiting_on = waits[:_SHOWN] or None

    def _wind_up(self) -> None:
        run = self.run
        if run.parent_id:
            statements.wake_parent(run, self.now)
        why = {"error": run.error} if run.error else {}
        self.tell(f"run_{run.status}", **why)
        transaction.on_commit(lambda: metrics.runs_finished.labels(run.status).inc())

    def _send_out(self) -> None:
        run, offers = self.run, dict(self.offers)
        rows = map(self.execution.row, self.touched)
        dues = [row.due_at for row in rows if row.due_at is not None and row.due_at > self.now]
        if run.due_at is not None:
            dues.append(run.due_at)
        parent = run.parent_id if run.status not in ACTIVE_RUN else None

        def send() -> None:
            for queue, count in offers.items():
                dispatch.offer(run.id, queue, count=count, priority=run.priority)
            if dues:
                dispatch.wake(min(dues))
            if parent:
                dispatch.wake(self.now)
            if run.status not in ACTIVE_RUN:
                dispatch.interrupt(run.id)

        transaction.on_commit(send)

    def make_pending(self, name: str) -> None:
        """The node, or the item, may be executed now. What it has tried before it was reset stays counted."""
        queue = self.node(name).get("queue", "")
        past = self.execution.past.get(name) or NodeState(NodeStatus.PENDING)
        self.set(name, replace(past, queue=queue, due_at=self.now))
        self.offers[queue] += 1

    # --- pieces -------------------------------------------------------------------------------------------------------

    def _skip(self, name: str, reason: str) -> None:
        self.set(name, NodeState(NodeStatus.SKIPPED, finished_at=self.now))
        self.note(name, Phase.SKIPPED, reason)
        helped = self.execution.graph.fallback_for.get(name)
        if helped is not None and self.state(helped).status == NodeStatus.FAILED:
            self.end(RunStatus.FAILED, error={"node": helped, **(self.state(helped).error or {})})

    def _put_back(self, name: str, at: datetime, waiting_on: dict[str, Any] | None) -> None:
        before = self.state(name)
        _withdraw(before)
        self.set(name, replace(
            before, status=NodeStatus.PENDING, due_at=at, waiting_on=waiting_on, token=before.token + 1,
            lease_holder="", lease_expires_at=None, asks="",
        ))  # fmt: skip
        if at <= self.now:
            self.offers[before.queue] += 1

    def _end(
        self, name: str, status: NodeStatus, *, output: dict[str, Any] | None, error: dict[str, Any] | None
    ) -> None:
        before = self.state(name)
        _withdraw(before)
        self.set(name, replace(
            before, status=status, output=output, error=error, waiting_on=None, due_at=None, lease_holder="",
            lease_expires_at=None, finished_at=self.now, asks="",
        ))  # fmt: skip

    def _passed(self, name: str) -> None:
        if self.run.cancel_requested_at is not None:
            return
        if items.is_item(name):
            items.item_ended(self, name)
        else:
            self.advance([name])

    def _succeed(self) -> None:
        expression = self.execution.graph.definition.get("output")
        try:
            output = search(expression, self.execution.variables) if expression else None
        except EvaluationError as problem:
            told = f"The run's output cannot be evaluated: {problem}"
            self.end(RunStatus.FAILED, error=fault("expression_error", told))
            return
        self.end(RunStatus.SUCCEEDED, output=output)


def _moves(state: NodeState, now: datetime) -> bool:
    return state.status == NodeStatus.RUNNING or (state.due_at is not None and state.due_at <= now)


def _withdraw(state: NodeState) -> None:
    """An agent that has the node's prompt in hand need not answer it any more."""
    if prompt_id := (state.waiting_on or {}).get("prompt_id"):
        prompt_leases.withdraw(uuid.UUID(prompt_id))


def _abandon(state: NodeState) -> None:
    """The run that the node waits for is to be cancelled: the sweep does that, now."""
    if (state.waiting_on or {}).get("kind") == "run":
        transaction.on_commit(lambda: dispatch.wake(clock.now()))


def _in_short(name: str, waiting_on: dict[str, Any]) -> dict[str, Any]:
    """What a node waits for, without the long texts that are the node's own."""
    return {"node": name, **{key: value for key, value in waiting_on.items() if key not in ("prompt", "schema")}}


def _announcement(node_type: str) -> str:
    try:
        return registry.get(node_type).started
    except registry.UnknownNodeType as error:
        return str(error)  # its attempt fails; raising here would undo the step, and the run would try it for ever
