"""Carries runs of the demonstration and of trials through the engine's own steps, without an engine and at once.

Nodes that would speak with the world outside (http, llm, command) come to what is made up here; agents answer when they
are asked; everything else is executed. The clock moves on by what the work would have taken.
"""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final

from agents.models import RuntimeAgent
from agents.services import prompts
from orchestrator.core import clock
from orchestrator.identity.actors import AGENT_SCOPES, Actor
from orchestrator.identity.seeds import Stage
from runs.demo import made_up
from runs.engine import worker
from runs.models import Run, RunNode
from runs.services import asking, progress
from runs.services.items import node_of
from runs.services.outcomes import Outcome, failed
from runs.services.progress import Attempt
from runs.states import ACTIVE_RUN, NodeStatus

HOLDER: Final = "demonstration:1:stage"  # of no host that there is: its leases run out by themselves
_SECONDS: Final = {"http": (1, 40), "llm": (3, 25), "transform": (0.01, 0.4)}
_LONGEST_WAIT: Final = 3600


@dataclass(frozen=True, slots=True)
class Director:
    """``faults`` are the error codes with which attempts at a node end before one is well. ``stop_before``: a node that
    is left as it is when the run comes to it. ``unanswered``: no agent answers.
    """

    stage: Stage
    faults: Mapping[str, Sequence[str]] = field(default_factory=dict)
    stop_before: str = ""
    unanswered: bool = False

    def carry(self, run: Run) -> Run:
        """As far as it goes without a person, and without waiting for hours."""
        while self._go_on(run.id):
            pass
        run.refresh_from_db()
        return run

    def begin(self, run: Run) -> Attempt | None:
        """The first node, in the hands of a worker."""
        return progress.take(run.id, HOLDER)

    def _go_on(self, run_id: uuid.UUID) -> bool:
        """Do what there is to be done now, in the runs within it, too; whether there was anything."""
        busy = self._work(run_id)
        within = Run.objects.filter(parent_id=run_id, status__in=ACTIVE_RUN).values_list("pk", flat=True)
        for child in list(within):
            busy |= self._go_on(child)
        return busy or self._answer(run_id) or self._wait(run_id)

    def _work(self, run_id: uuid.UUID) -> bool:
        attempt = progress.take(run_id, HOLDER)
        found = attempt is not None
        while attempt is not None:
            if node_of(attempt.name) == self.stop_before:
                return False
            outcome = self._outcome(attempt)
            self.stage.clock.pass_seconds(self._seconds(attempt))
            attempt = progress.finish(attempt, outcome)
        return found

    def _outcome(self, attempt: Attempt) -> Outcome:
        node = attempt.execution.graph.nodes[node_of(attempt.name)]
        codes = self.faults.get(attempt.name, ())
        if attempt.state.attempts <= len(codes):
            code = codes[attempt.state.attempts - 1]
            return failed(code, made_up.FAULTS[code])
        answer = made_up.OUTCOMES.get(node["type"])
        return worker.run_node(attempt) if answer is None else answer(self.stage, attempt.name)

    def _seconds(self, attempt: Attempt) -> float:
        kind = attempt.execution.graph.nodes[node_of(attempt.name)]["type"]
        return self.stage.chance.uniform(*_SECONDS.get(kind, (0.2, 3)))

    def _answer(self, run_id: uuid.UUID) -> bool:
        """Have an agent answer what the run asks; without a live one of that name it goes on waiting."""
        asked = RunNode.objects.filter(run_id=run_id, status=NodeStatus.WAITING).exclude(asks="")
        found = asked.values_list("asks", flat=True).first()
        instance = find_agent(self.stage, found) if found and not self.unanswered else None
        if instance is None:
            return False
        actor = Actor("agent", instance.id, self.stage.org_id, AGENT_SCOPES)
        prompt = asking.take_prompt(actor=actor, instance=instance, ttl_seconds=600)
        if prompt is None:
            return False
        chance, seconds = self.stage.chance, self.stage.chance.uniform(8, 70)
        self.stage.clock.pass_seconds(seconds)
        prompts.answer_prompt(
            actor=actor, prompt_id=prompt.id, status="completed", response_text=made_up.SUMMARY, model="demo-large",
            input_tokens=chance.randint(400, 3000), output_tokens=chance.randint(60, 700),
            cost_usd=Decimal(chance.randint(1, 90)) / 1000, latency_ms=int(seconds * 1000),
        )  # fmt: skip
        return True

    def _wait(self, run_id: uuid.UUID) -> bool:
        """Let the time pass that the run waits for, if it is not long and a person's."""
        waits = RunNode.objects.filter(run_id=run_id, status__in=(NodeStatus.PENDING, NodeStatus.WAITING))
        due_at = waits.exclude(waiting_on__kind="approval").order_by("due_at").values_list("due_at", flat=True)
        seconds = [(moment - clock.now()).total_seconds() for moment in due_at if moment is not None]
        if not seconds or not 0 < seconds[0] <= _LONGEST_WAIT:
            return False
        self.stage.clock.pass_seconds(seconds[0] + 0.1)
        return True


def find_agent(stage: Stage, name: str) -> RuntimeAgent | None:
    """A live instance of that definition."""
    live = RuntimeAgent.objects.for_org(stage.org_id).live().select_related("agent")
    found: RuntimeAgent | None = live.filter(agent__name=name).order_by("pk").first()
    return found
