"""The agents of the demonstration, and of trials: definitions of all types, a tree at work, prompts and logs."""

from collections import defaultdict
from datetime import timedelta
from decimal import Decimal
from typing import Any, Final

from agents.models import AgentLog, Prompt, RuntimeAgent
from agents.services import definitions, instances, logs, prompts
from agents.states import LEVELS
from orchestrator.core import clock
from orchestrator.events import seeds as filling
from orchestrator.events.copies import Pattern, Rows, Told, events_of
from orchestrator.events.seeds import Load, Tell, Time
from orchestrator.identity import seeds, services
from orchestrator.identity.actors import AGENT_SCOPES, Actor
from orchestrator.identity.seeds import Stage

LIVE_MINUTES: Final = 30
_EVENTS_AN_AGENT: Final = 1_000
_PROMPTS: Final = 10
_LINES: Final = 5  # times all of what they say
_SESSION: Final = "load-session"
_DEFINITIONS: Final = (
    ("conductor", "orchestrator", "Hands work out, and sees to it that it comes back.", ["delegation"]),
    ("release-planner", "planner", "Breaks a release down into steps.", ["planning", "estimation"]),
    ("builder", "builder", "Changes code and opens pull requests.", ["python", "typescript"]),
    ("security-reviewer", "reviewer", "Reads packages and changes for what is risky.", ["cve-lookup"]),
    ("smoke-tester", "tester", "Walks through the journeys that matter.", ["browser"]),
    ("summariser", "utility", "Makes long texts short.", ["summaries"]),
)
_SAID: Final = (
    ("DEBUG", "", "Read 14 files of the working tree."),
    ("INFO", "milestone", "The first step of the plan is done."),
    ("INFO", "tool_call", "Ran the tests: 312 passed."),
    ("WARNING", "performance", "The search took 4.2 s, three times as long as yesterday."),
    ("INFO", "cost_update", "This session has cost 0.84 dollars so far."),
    ("ERROR", "error", "The package index did not answer; trying another mirror."),
    ("CRITICAL", "error", "Two migrations claim the same number: stopped before anything was written."),
    ("INFO", "state_change", "Going on with the next step."),
)
_ASKED: Final = (
    ("adw", "plan", "Plan the release 2.4.0: what has to happen, and in which order?"),
    ("command", "implement", "Let the search forgive one typing error in a word."),
    ("followup", "tests", "Add a test for words of two letters."),
    ("correction", "naming", "Call it tolerance, not fuzziness."),
    ("tool_call", "browser", "Open the checkout and buy one item."),
)


def _define(stage: Stage, prefix: str = "") -> None:
    for name, agent_type, description, capabilities in _DEFINITIONS:
        agent = definitions.create_agent(
            actor=stage.people["owner"], name=prefix + name, agent_type=agent_type, description=description,
            capabilities=capabilities, default_model="demo-large", config={"temperature": 0.2},
            system_prompt=f"You are the {name.replace('-', ' ')}. {description}",
        )  # fmt: skip
        stage.props[f"definition {name}"] = agent.id


def _start(
    stage: Stage, definition: str, session: str, *statuses: str, name: str = "", parent: str = ""
) -> RuntimeAgent:
    """An instance that went through the statuses."""
    instance = instances.create_instance(
        actor=stage.people["mina"], agent_id=stage.props[f"definition {definition}"], session_id=session,
        name=name or definition, parent_id=stage.props.get(parent), metadata={"host": "worker-3"},
    )  # fmt: skip
    stage.props[name or definition] = instance.id
    for status in statuses:
        stage.clock.pass_seconds(stage.chance.uniform(5, 90))
        instances.set_status(actor=_itself(stage, instance), instance_id=instance.id, status=status)
    return instance


def _itself(stage: Stage, instance: RuntimeAgent) -> Actor:
    return Actor("agent", instance.id, stage.org_id, AGENT_SCOPES)


def _ask(stage: Stage, instance: RuntimeAgent, which: int, status: str = "completed") -> None:
    kind, name, text = _ASKED[which % len(_ASKED)]
    prompt = prompts.create_prompt(
        actor=stage.people["leo"], runtime_agent_id=instance.id, prompt_type=kind, prompt_name=name, prompt_text=text
    )
    if status == "pending":
        return
    seconds = stage.chance.uniform(4, 120)
    stage.clock.pass_seconds(seconds)
    answer: dict[str, Any] = {"status": status, "model": "demo-large", "latency_ms": int(seconds * 1000)}
    if status == "failed":
        answer["error"] = "The model refused the request: the context is too long."
    else:
        answer["response_text"] = f"Done: {text} The change is small and has a test."
    prompts.answer_prompt(
        actor=_itself(stage, instance), prompt_id=prompt.id, **answer, input_tokens=stage.chance.randint(800, 9000),
        output_tokens=stage.chance.randint(100, 2500), cost_usd=Decimal(stage.chance.randint(8, 900)) / 1000,
    )  # fmt: skip


def _say(stage: Stage, instance: RuntimeAgent, count: int) -> None:
    lines: list[logs.Line] = []
    for number in range(count):
        level, log_type, message = _SAID[number % len(_SAID)]
        details = {"step": number + 1}
        lines.append(logs.Line(
            runtime_agent_id=instance.id, level=level, log_type=log_type, message=message, details=details,
        ))  # fmt: skip
    logs.append_logs(actor=_itself(stage, instance), lines=lines)


def _past_sessions(stage: Stage) -> None:
    """Of two days ago: all of them have ended, each in its way."""
    for definition, ends in (("conductor", "completed"), ("builder", "failed"), ("summariser", "cancelled")):
        parent = "old conductor" if definition != "conductor" else ""
        name, statuses = f"old {definition}", ("planning", "executing")
        instance = _start(stage, definition, "search-tolerance", *statuses, name=name, parent=parent)
        for which in range(3):
            _ask(stage, instance, which, "failed" if ends == "failed" and which == 2 else "completed")
        _say(stage, instance, 2 * len(_SAID))
        instances.set_status(
            actor=_itself(stage, instance), instance_id=instance.id, status=ends, reason="the session is over"
        )


def _helpers(stage: Stage) -> None:
    """They answer what runs ask of them from here on."""
    for definition in ("summariser", "security-reviewer"):
        _say(stage, _start(stage, definition, "standing-by", "idle"), 3)


def _release_session(stage: Stage) -> None:
    """A tree of five, at work just now."""
    session = "release-2.4"
    conductor = _start(stage, "conductor", session, "planning", "executing")
    planner = _start(stage, "release-planner", session, "planning", parent="conductor")
    builder = _start(stage, "builder", session, "planning", "executing", parent="conductor")
    reviewer = _start(
        stage, "security-reviewer", session, "planning", "reviewing", name="second reviewer", parent="builder"
    )
    tester = _start(stage, "smoke-tester", session, parent="builder")
    for which, instance in enumerate((conductor, planner, builder, builder, builder, reviewer)):
        _ask(stage, instance, which)
        _say(stage, instance, len(_SAID))
    _ask(stage, builder, 3, "pending")
    _say(stage, tester, 1)
    services.create_api_key(
        actor=stage.people["owner"],
        name="builder of release-2.4",
        scopes=("read", "write"),
        runtime_agent_id=builder.id,
    )


def _lose_one(stage: Stage) -> None:
    instance = _start(stage, "smoke-tester", "release-2.4", "executing", name="lost tester", parent="conductor")
    _say(stage, instance, 4)
    stage.clock.pass_seconds(120)
    instances.mark_lost(actor=stage.people["owner"], instance_id=instance.id)
    logs.report(
        org_id=stage.org_id, component="sweeper", level=LEVELS[2], agent_id=str(instance.id),
        message=f"The agent {instance.name} is lost.",
    )  # fmt: skip


def _keep_alive(stage: Stage) -> None:
    """Nobody beats for the agents of a demonstration, and the sweeper would find them lost within a minute: their last
    heartbeat is told to come a little later than now. No service writes such a time.
    """
    live = RuntimeAgent.objects.for_org(stage.org_id).live()
    live.update(last_heartbeat_at=clock.now() + timedelta(minutes=LIVE_MINUTES))


def _prepare(load: Load) -> Tell:
    """Instances for trials, all of them over: the sweeper has nothing to find among thousands."""
    stage = Stage(load.actor.org_id, load.clock, defaultdict(lambda: load.actor), chance=load.chance)
    _define(stage, "load-")
    names = [name for name, *_ in _DEFINITIONS]
    patterns = [_session(stage, name, end) for name in names for end in ("completed", "failed", "cancelled", "lost")]

    def tell(rows: Rows, when: Time) -> list[Told]:
        pattern = load.chance.choice(patterns)
        changes = {_SESSION: f"load-{when.number:07}"}
        return pattern.copy(rows, when.at, when.seconds, load.chance, changes)

    return tell


def _session(stage: Stage, name: str, end: str) -> Pattern:
    """An instance with what it was asked and what it said, until it came to that end."""
    instance = _start(stage, name, _SESSION, "planning", "executing")
    for which in range(_PROMPTS):
        _ask(stage, instance, which)
    for _ in range(_LINES):
        _say(stage, instance, len(_SAID))
        stage.clock.pass_seconds(1)
    if end == "lost":
        instances.mark_lost(actor=stage.people["owner"], instance_id=instance.id)
    else:
        instances.set_status(actor=_itself(stage, instance), instance_id=instance.id, status=end)
    asked, said = Prompt.objects.filter(runtime_agent=instance), AgentLog.objects.filter(runtime_agent=instance)
    told = events_of(stage.org_id, [instance, *asked])
    return Pattern(told, (RuntimeAgent.objects.filter(pk=instance.pk), asked, said), (_SESSION,))


seeds.register_scenes(
    (47.9, _define), (47.5, _past_sessions), (47, _helpers), (3, _release_session), (1, _lose_one), (0, _keep_alive)
)
filling.register(_EVENTS_AN_AGENT, _prepare)
