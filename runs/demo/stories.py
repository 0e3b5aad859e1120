"""The runs of the demonstration: two days of daily work, and some that are in the middle of something."""

from typing import Any, Final

from orchestrator.core import clock
from orchestrator.identity.actors import AGENT_SCOPES, Actor
from orchestrator.identity.seeds import Scene, Stage
from runs.definitions import BUILT_IN
from runs.demo.director import HOLDER, Director, find_agent
from runs.engine import worker
from runs.models import Run
from runs.services import approvals, asking, cancellation, forks, patches, progress
from runs.services.submission import start_run

_TRIPS: Final[tuple[tuple[str, dict[str, Any]], ...]] = (
    ("Plan 3 days in Paris for 900 dollars, with museums", {}),
    ("A weekend in Rome with children", {"max_days": 2}),
    ("5 days in Tokyo, food and temples", {"budget_usd_cents": 200_000}),
    ("4 days in Lisbon by tram", {"max_days": 4, "budget_usd_cents": 120_000}),
)
_CHANGES: Final = (
    "Search forgives typing errors", "Prices show their tax", "The checkout works by keyboard", "Mails come once",
    "Images load later",
)  # fmt: skip
_SUPPLIERS: Final = ("Northwind", "Acme Paper", "Blue Parcel", "Kiosk & Sons")
_DAILY: Final = 44
_DECIDED: Final = {"share": 10, "window": "now", "note": "Looks good."}


def daily() -> list[Scene]:
    """One after the other over two days, most of them well."""
    stories = (_trip, _invoices, _trip, _research, _invoices, _release)
    return [(46.5 - number * 44 / _DAILY, stories[number % len(stories)]) for number in range(_DAILY)]


def _trip(stage: Stage) -> None:
    prompt, more = stage.chance.choice(_TRIPS)
    Director(stage).carry(_start(stage, "leo", BUILT_IN, prompt=prompt, **more))


def _invoices(stage: Stage) -> None:
    amounts = [stage.chance.randint(20, 900) for _ in range(stage.chance.randint(2, 7))]
    supplier = stage.chance.choice(_SUPPLIERS)
    run = _start(stage, "pipeline", "invoice-intake", supplier=supplier, amounts=amounts)
    faults = {"pay": ["http_status"] * stage.chance.choice((0, 0, 1, 2))}
    Director(stage, faults).carry(run)
    run.refresh_from_db()
    if run.status == "waiting":
        stage.clock.pass_seconds(600)
        answer = {"cost_centre": "4711", "urgent": False}
        approvals.approve(actor=stage.people["mina"], run_id=run.id, node="sign-off", answer=answer)
        Director(stage).carry(run)


def _research(stage: Stage) -> None:
    topic = stage.chance.choice(("Quiet offices", "Heat pumps", "Night trains", "Bees in cities"))
    run = _start(stage, "mina", "research-brief", topic=topic, sources=["journal", "daily", "statistics"])
    Director(stage, {"read[1]": ["unreachable"]}).carry(run)


def _release(stage: Stage) -> None:
    run = _released(stage, "leo", hotfix=stage.chance.random() < 0.3)
    stage.clock.pass_seconds(stage.chance.uniform(200, 1500))
    if stage.chance.random() < 0.25:
        approvals.reject(actor=stage.people["mina"], run_id=run.id, node="gate", comment="Not before the holidays.")
        return
    approvals.approve(actor=stage.people["mina"], run_id=run.id, node="gate", answer=_DECIDED, comment="Go.")
    Director(stage, {"deploy-staging": ["http_status"]}).carry(run)


def _released(stage: Stage, who: str, hotfix: bool = False) -> Run:
    """A release that has come to its gate."""
    version = f"2.{stage.chance.randint(0, 9)}.{stage.chance.randint(0, 20)}"
    changes = stage.chance.sample(_CHANGES, stage.chance.randint(2, 4))
    run = _start(stage, who, "release-train", version=version, changes=changes, hotfix=hotfix)
    return Director(stage, {"build": ["unreachable"] * stage.chance.choice((0, 0, 1))}).carry(run)


def nights(stage: Stage) -> None:
    run = _start(stage, "pipeline", "nightly-report", day=f"{clock.now():%Y-%m-%d}", close_seconds=1200)
    Director(stage, {"orders": ["http_status"]}).carry(run)


def failures(stage: Stage) -> None:
    """A plan that no repair can mend, a build that never comes, and a run that took its workers with it."""
    trip = _start(stage, "leo", BUILT_IN, prompt="Plan 3 days in Paris", budget_usd_cents=100)
    Director(stage).carry(trip)
    stage.clock.pass_seconds(200)
    changes = list(_CHANGES[:3])
    failed = _start(stage, "leo", "release-train", version="2.5.0", changes=changes)
    Director(stage, {"build": ["unreachable", "http_status", "unreachable"]}).carry(failed)
    stage.clock.pass_seconds(300)
    again = forks.retry_run(actor=stage.people["leo"], run_id=failed.id)
    Director(stage).carry(again)
    poison = _start(stage, "pipeline", "research-brief", topic="A file that nobody can read", sources=["broken"])
    for _ in range(progress.MOST_RECOVERIES + 1):
        attempt = _until(stage, poison, "read[0]")
        stage.clock.pass_seconds(35)
        progress.recover(poison.id, attempt.name, attempt.state.token)


def _until(stage: Stage, run: Run, node: str) -> progress.Attempt:
    attempt = progress.take(run.id, HOLDER)
    while attempt is not None and attempt.name != node:
        stage.clock.pass_seconds(1)
        attempt = progress.finish(attempt, worker.run_node(attempt))
    assert attempt is not None, "the workflow has the node"
    return attempt


def again(stage: Stage) -> None:
    """A replay, a fork with other inputs, and one with a patch of its own."""
    origin = _start(stage, "leo", BUILT_IN, prompt="3 days in Rome for 800 dollars")
    Director(stage).carry(origin)
    stage.clock.pass_seconds(120)
    Director(stage).carry(forks.replay_run(actor=stage.people["mina"], run_id=origin.id))
    stage.clock.pass_seconds(120)
    inputs = {"prompt": "3 days in Rome for 800 dollars", "budget_usd_cents": 60_000}
    cheaper = forks.fork_run(actor=stage.people["leo"], run_id=origin.id, from_node="verifier", inputs=inputs)
    Director(stage).carry(cheaper)
    paid = _start(stage, "leo", "invoice-intake", supplier="Northwind", amounts=[120, 80])
    Director(stage).carry(paid)
    patch = [{"op": "remove", "path": "/nodes/pay/retry"}]
    fork = forks.fork_run(actor=stage.people["leo"], run_id=paid.id, from_node="pay", patch=patch)
    Director(stage).carry(fork)


def cancelled(stage: Stage) -> None:
    run = _released(stage, "leo")
    stage.clock.pass_seconds(900)
    cancellation.cancel_run(actor=stage.people["leo"], run_id=run.id)
    queued = _start(stage, "leo", BUILT_IN, prompt="A month in Paris")
    cancellation.cancel_run(actor=stage.people["owner"], run_id=queued.id)


def patched(stage: Stage) -> None:
    """A run that waits at its gate, with a patch in force, one taken back, and one that an agent proposes."""
    run = _released(stage, "mina")
    announce = {"op": "replace", "path": "/nodes/announce/with/json/text", "value": "${inputs.version} is out, quietly"}
    patches.submit_patch(actor=stage.people["mina"], run_id=run.id, operations=[announce], message="A quieter word")
    stage.clock.pass_seconds(60)
    longer = {"op": "replace", "path": "/nodes/settle/with/seconds", "value": 1800}
    patch = patches.submit_patch(actor=stage.people["leo"], run_id=run.id, operations=[longer], message="Settle longer")
    stage.clock.pass_seconds(60)
    patches.revert_patch(actor=stage.people["mina"], run_id=run.id, number=patch.number, comment="It takes too long")
    proposal = {"op": "add", "path": "/nodes/announce/when", "value": "inputs.hotfix != `true`"}
    patches.submit_patch(
        actor=stage.people["leo"], run_id=run.id, operations=[proposal], message="Say nothing of a hotfix", propose=True
    )  # fmt: skip


def waiting(stage: Stage) -> None:
    """For people, for agents, for a time, and for a slot that another one holds."""
    _released(stage, "leo")
    large = _start(stage, "pipeline", "invoice-intake", supplier="Blue Parcel", amounts=[4200, 1900])
    Director(stage).carry(large)
    for topic in ("Wood in high houses", "Sleep"):
        asking_one = _start(stage, "mina", "research-brief", topic=topic, sources=["journal", "daily"])
        Director(stage, unanswered=True).carry(asking_one)
    _hand_out(stage)
    for close_seconds in (5 * 24 * 3600, 60):
        night = _start(stage, "pipeline", "nightly-report", day=f"{clock.now():%Y-%m-%d}", close_seconds=close_seconds)
        Director(stage).carry(night)


def _hand_out(stage: Stage) -> None:
    """An agent has one of the prompts in hand for an hour."""
    instance = find_agent(stage, "summariser")
    assert instance is not None, "one stands by"
    actor = Actor("agent", instance.id, stage.org_id, AGENT_SCOPES)
    asking.take_prompt(actor=actor, instance=instance, ttl_seconds=3600)


def now(stage: Stage) -> None:
    """One in a worker's hands, and some that nobody has begun."""
    run = _start(stage, "leo", "release-train", version="2.6.0", changes=list(_CHANGES))
    Director(stage, stop_before="build").carry(run)
    for prompt, more in _TRIPS[:3]:
        _start(stage, "leo", BUILT_IN, prompt=prompt, **more)


def _start(stage: Stage, who: str, workflow: str, /, **inputs: Any) -> Run:
    return start_run(actor=stage.people[who], workflow=workflow, inputs=inputs)
