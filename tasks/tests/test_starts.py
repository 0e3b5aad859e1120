"""A server that starts says so in the system log of every organization with work in hand."""

import pytest

from agents.models import RuntimeAgent, SystemLog
from agents.services import starts
from conftest import Person
from orchestrator import __version__, lifespan
from orchestrator.identity.models import Organization
from tasks.tests.calls import acquire, act, add
from tasks.tests.test_next import agent_of


def told() -> list[Organization]:
    return [line.org for line in SystemLog.objects.select_related("org").order_by("id")]


def test_who_has_a_live_agent_or_a_lease_is_told_once(alice: Person, mallory: Person) -> None:
    agent_of(alice)
    agent_of(alice)
    add(alice)
    add(mallory)
    assert starts.report_start() == 1
    acquire(alice)
    lease = acquire(mallory)
    assert starts.report_start("engine") == 2
    assert [org.slug for org in told()] == ["org-of-alice", "org-of-alice", "org-of-mallory"]
    [line, _] = alice.client.get("/api/v1/runtime/system-logs").json()["items"]
    assert (line["component"], line["level"]) == ("engine", "INFO")
    assert (line["message"], line["details"]) == (f"Orchestrator {__version__} started.", {"version": __version__})
    act(mallory, "complete", lease)
    RuntimeAgent.objects.update(status="lost")
    assert starts.report_start() == 1, "Of alice the lease is left."


def test_it_is_bounded(alice: Person, mallory: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    agent_of(alice)
    agent_of(mallory)
    monkeypatch.setattr(starts, "MAX_ORGS", 1)
    assert starts.report_start() == 1


@pytest.mark.django_db(transaction=True)
def test_a_server_process_reports_its_start_beside_its_work(alice: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    agent_of(alice)
    assert (starts.start, starts.stop) == (lifespan._start[0], lifespan._stop[-1])
    starts.start()
    for thread in starts._threads:
        thread.join(10)
    starts.stop()
    assert told() == [alice.org]
    assert not starts._threads


@pytest.mark.django_db(transaction=True)
def test_a_start_does_not_fail_with_its_report(
    alice: Person, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(starts, "_at_work", [lambda: 1 / 0])
    starts.start()
    for thread in starts._threads:
        thread.join(10)
    starts.stop()
    assert "The start could not be reported." in caplog.text
