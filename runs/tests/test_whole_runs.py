"""Any graph, with any outcomes, carried by several workers of which some are lost: it ends as the model says."""

from collections import Counter
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from conftest import Person
from runs.models import Run, RunEvent, RunNode
from runs.services import executions, progress
from runs.services.progress import MOST_RECOVERIES, Attempt, Fenced
from runs.tests.model import Case, cases, fatal, model
from runs.tests.steps import fail, finish, in_order, lose, start_graph

pytestmark = pytest.mark.django_db(transaction=True)
HOLDERS = ("elsewhere:1:a", "elsewhere:2:b", "elsewhere:3:c")
_LAST = frozenset({"completed", "failed", "skipped", "cancelled"})


class Carriers:
    """Workers that take, end, fail and lose the nodes of a run as chance has it, and come late."""

    def __init__(self, run: Run, case: Case, chance: Random) -> None:
        self.run, self.case, self.chance = run, case, chance
        self.in_hand: list[Attempt] = []
        self.stale: list[Attempt] = []
        self.failed: Counter[str] = Counter()
        self.lost: Counter[str] = Counter()

    def carry(self) -> None:
        ways = (self._take, self._take, self._end, self._end, self._lose, self._come_late, executions.forget)
        for _ in range(1000):
            self.run.refresh_from_db()
            if self.run.status in ("succeeded", "failed"):
                break
            self.chance.choice(ways)()
        for _ in range(len(self.stale) + len(self.in_hand)):
            self.stale += self.in_hand
            self.in_hand = []
            self._come_late()

    def _take(self) -> None:
        attempt = progress.take(self.run.id, self.chance.choice(HOLDERS))
        if attempt is not None:
            self.in_hand.append(attempt)

    def _end(self) -> None:
        if not self.in_hand:
            return
        attempt = self.in_hand.pop(self.chance.randrange(len(self.in_hand)))
        if self.failed[attempt.name] < self.case.failures[attempt.name]:
            following = fail(attempt, more=self.chance.random() < 0.5)
            self.failed[attempt.name] += 1
        else:
            following = finish(attempt, by=attempt.name)
        if following is not None:
            self.in_hand.append(following)

    def _lose(self) -> None:
        wanted = [attempt for attempt in self.in_hand if self.lost[attempt.name] < MOST_RECOVERIES]
        if wanted:
            attempt = self.chance.choice(wanted)
            self.in_hand.remove(attempt)
            self.stale.append(attempt)
            self.lost[attempt.name] += lose(attempt)

    def _come_late(self) -> None:
        if self.stale:
            with pytest.raises(Fenced):
                finish(self.stale.pop(self.chance.randrange(len(self.stale))), late=True)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cases(most=7, retries=True), st.integers(0, 2**32).map(Random))
def test_any_run_ends_as_the_model_says(alice: Person, case: Case, chance: Random) -> None:
    run = start_graph(alice, case.nodes)
    carriers = Carriers(run, case, chance)
    carriers.carry()
    run.refresh_from_db()
    ends, wrong = model(case), fatal(case)
    rows = {row.node: row for row in RunNode.objects.filter(run=run)}
    assert run.status == ("failed" if wrong else "succeeded")
    if wrong:
        assert run.error["node"] in wrong
        assert all(row.status in (ends[name], "cancelled") for name, row in rows.items())
    else:
        assert {name: row.status for name, row in rows.items()} == ends
    assert run.recoveries == sum(carriers.lost.values())
    for name, row in rows.items():
        assert row.output == ({"by": name} if row.status == "completed" else None)
        assert (row.lease_holder, row.due_at, row.waiting_on) == ("", None, None)
        assert row.recoveries == carriers.lost[name]
    _told_once(run, rows)


def _told_once(run: Run, rows: dict[str, RunNode]) -> None:
    """One outcome for each node, and a start for each of its attempts."""
    in_order(run)
    events = Counter(RunEvent.objects.filter(run=run).values_list("node", "phase"))
    for name, row in rows.items():
        ends = {phase: events[name, phase] for phase in _LAST if events[name, phase]}
        assert ends == {row.status: 1} or (row.status == "cancelled" and row.attempts == 0 and not ends)
        assert events[name, "started"] == row.attempts
        assert events[name, "retrying"] <= row.attempts
    assert {name for name, _ in events} <= rows.keys()
