"""``manage.py prune``: what is old goes, in small steps, and nobody's list is stale."""

from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from agents.models import AgentLog, Prompt, RuntimeAgent, SystemLog
from agents.services import logs, retention
from agents.tests.calls import LOGS, PROMPTS, RUNTIME, ask, items, line, log, moved, read, register, send
from conftest import Person
from orchestrator.events.models import Event


def prune(kind: str, days: int = 30, **options: Any) -> str:
    out = StringIO()
    call_command("prune", kind=kind, older_than_days=days, stdout=out, **options)
    return out.getvalue()


def age(rows: Any, days: int) -> None:
    """Make the rows as old as that; ids keep their order."""
    moment = datetime.now(UTC) - timedelta(days=days)
    rows.update(created_at=moment)
    if rows.model is Prompt:
        rows.update(completed_at=moment)


def test_old_lines_go_and_young_ones_stay(alice: Person, mallory: Person) -> None:
    agent, theirs = register(alice), register(mallory)
    log(alice, *[line(agent, "old")] * 3)
    log(mallory, line(theirs, "old"))
    age(AgentLog.objects.all(), 31)
    log(alice, line(agent, "young"))
    assert [item["message"] for item in items(alice.client.get(LOGS))] == ["young", "old", "old", "old"]
    out = prune("agent-logs")
    assert "Removed agent-logs of org-of-alice: 3.\n" in out
    assert "Removed agent-logs of org-of-mallory: 1.\n" in out
    assert out.endswith("Removed: 4.\n")
    assert [item["message"] for item in items(alice.client.get(LOGS))] == ["young"], "Kept pages know of it."
    event = Event.objects.get(event="agent_logs_pruned", org=alice.org)
    assert (event.kind, event.actor, event.details["removed"]) == ("agent_logs", "system", 3)
    assert prune("agent-logs") == "Removed: 0.\n"


def test_one_org_and_a_dry_run(alice: Person, mallory: Person) -> None:
    for person in (alice, mallory):
        log(person, line(register(person)))
    age(AgentLog.objects.all(), 31)
    out = prune("agent-logs", org="org-of-alice", dry_run=True)
    assert out == "Would remove agent-logs of org-of-alice: 1.\nWould remove: 1.\n"
    assert AgentLog.objects.count() == 2
    assert prune("agent-logs", org=str(alice.org.pk)).endswith("Removed: 1.\n")
    assert AgentLog.objects.get().org_id == mallory.org.pk


def test_many_go_in_batches(alice: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "BATCH", 10)
    agent = register(alice)
    log(alice, *[line(agent)] * 35)
    age(AgentLog.objects.all(), 31)
    log(alice, *[line(agent)] * 25)
    assert prune("agent-logs", dry_run=True).endswith(": 35.\n")
    assert prune("agent-logs").endswith(": 35.\n")
    removed = Event.objects.filter(event="agent_logs_pruned").order_by("seq").values_list("details__removed", flat=True)
    assert list(removed) == [10, 10, 10, 5]
    assert AgentLog.objects.count() == 25


def test_what_the_platform_reported_goes_too(alice: Person) -> None:
    logs.report(org_id=alice.org.pk, component="c", level="INFO", message="old")
    age(SystemLog.objects.all(), 31)
    logs.report(org_id=alice.org.pk, component="c", level="INFO", message="young")
    assert prune("system-logs").endswith("Removed: 1.\n")
    assert [item["message"] for item in items(alice.client.get("/api/v1/runtime/system-logs"))] == ["young"]


def test_of_prompts_only_those_that_are_done_with(alice: Person) -> None:
    ended, live = moved(alice, register(alice), "idle"), register(alice)
    agents = {"done": ended, "open": ended, "live": live, "late": ended}
    prompts = {name: ask(alice, agent, name) for name, agent in agents.items()}
    for name in ("done", "live", "late"):
        send(alice.client, "PATCH", f"{PROMPTS}/{prompts[name]['id']}", {"status": "completed", "input_tokens": 5})
    moved(alice, ended, "completed")
    age(Prompt.objects.all(), 31)
    Prompt.objects.filter(prompt_text="late").update(completed_at=datetime.now(UTC))
    assert prune("prompts").endswith("Removed: 1.\n")
    assert {item["prompt_text"] for item in items(alice.client.get(PROMPTS))} == {"open", "live", "late"}
    assert read(alice, f"{RUNTIME}/{ended['id']}")["input_tokens"] == 10, "What it cost stays."
    assert RuntimeAgent.objects.count() == 2


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"org": "nobody"}, "There is no organization 'nobody'."),
        ({"days": -1}, "--older-than-days is 0 to 36500."),
        ({"days": 10**9}, "--older-than-days is 0 to 36500."),
        ({"kind": "events"}, "invalid choice: 'events'"),
    ],
)
def test_what_makes_no_sense_is_refused(db: None, options: dict[str, Any], told: str) -> None:
    arguments = {"kind": "agent-logs", "days": 30, **options}
    with pytest.raises(CommandError, match=told):
        call_command(
            "prune", f"--kind={arguments['kind']}", f"--older-than-days={arguments['days']}",
            *([f"--org={arguments['org']}"] if "org" in arguments else []),
        )  # fmt: skip


def test_kind_and_days_must_be_said(db: None) -> None:
    with pytest.raises(CommandError, match="--kind, --older-than-days"):
        call_command("prune")
