"""Any graph, walked in any order with any outcomes, against the model: as a whole and by what each end brings."""

from random import Random
from typing import Any

from hypothesis import settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from runs.engine.plan import Graph, NodeState, Plan, learn, passes, plan, variables_of
from runs.tests.model import Case, cases, fatal, model


class Walk(RuleBasedStateMachine):
    """Several nodes run at once, and end in any order. A fatal failure stops nothing: the rest goes on to its end."""

    @initialize(case=cases(most=10), chance=st.integers(0, 2**32).map(Random))
    def begin(self, case: Case, chance: Random) -> None:
        self.case, self.chance = case, chance
        self.graph = Graph({"nodes": case.nodes})
        self.states: dict[str, NodeState] = {}
        self.variables = variables_of(self.graph, {}, {})
        self._note(self._plan())

    @precondition(lambda self: self._are("pending"))
    @rule()
    def start(self) -> None:
        self._set(self.chance.choice(self._are("pending")), NodeState("running", 1))

    @precondition(lambda self: self._are("running"))
    @rule()
    def end(self) -> None:
        name = self.chance.choice(self._are("running"))
        failed = NodeState("failed", 1, error={"code": f"of {name}", "message": "It broke."})
        self._set(name, failed if self.case.fails(name) else NodeState("completed", 1, {"by": name}))
        whole, part = self._plan(), self._plan([name])
        assert sorted(part.ready) == sorted(whole.ready)
        assert part.skipped.keys() == whole.skipped.keys()
        assert part.finished == whole.finished
        self._note(part)

    @precondition(lambda self: not self._are("pending") and not self._are("running"))
    @rule()
    def stay(self) -> None:
        """At the end."""

    @invariant()
    def nothing_is_told_twice(self) -> None:
        if hasattr(self, "case"):
            assert self._plan() == Plan(finished=self._plan().finished)

    @invariant()
    def the_variables_kept_up_to_date_are_those_made_anew(self) -> None:
        if hasattr(self, "case"):
            assert self.variables == variables_of(self.graph, {}, self.states)

    def teardown(self) -> None:
        while hasattr(self, "case") and (self._are("pending") or self._are("running")):
            self.start() if self._are("pending") else self.end()
        if hasattr(self, "case"):
            assert {name: str(state.status) for name, state in self.states.items()} == model(self.case)
            assert self._plan().finished == (not fatal(self.case))

    def _plan(self, after: list[str] | None = None) -> Plan:
        return plan(self.graph, self.states, self.variables, after)

    def _note(self, found: Plan) -> None:
        for name in found.ready:
            needs = self.graph.needs(name)
            assert all(passes(self.graph, self.states | _skipped(found), need) for need in needs)
        assert not {*found.ready, *found.skipped} & self.states.keys()
        assert len({*found.ready, *found.skipped}) == len(found.ready) + len(found.skipped)
        for name, state in _skipped(found).items():
            self._set(name, state)
        for name in found.ready:
            self._set(name, NodeState("pending"))

    def _set(self, name: str, state: NodeState) -> None:
        self.states[name] = state
        learn(self.variables, self.graph, name, state)

    def _are(self, status: str) -> list[Any]:
        return sorted(name for name, state in self.states.items() if state.status == status)


def _skipped(found: Plan) -> dict[str, NodeState]:
    return dict.fromkeys(found.skipped, NodeState("skipped"))


TestWalk = Walk.TestCase
TestWalk.settings = settings(max_examples=150, stateful_step_count=20, deadline=None)
