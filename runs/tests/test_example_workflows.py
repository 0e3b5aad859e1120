"""Each workflow in examples/workflows is stored as its file says, runs, and comes to what it promises."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from ipaddress import ip_network
from typing import Any

import pytest
import time_machine

from agents.services import definitions, instances
from conftest import Person
from runs.engine import sweeper, worker
from runs.models import Run
from runs.services import executions
from runs.states import ACTIVE_RUN
from runs.tests.examples import AIDED, FILES, FOLDER, UNAIDED, Example, answering, names_of, needed_for
from runs.tests.nodes.outside import Site, serving
from runs.tests.steps import ME


@pytest.fixture
def site(settings: Any) -> Iterator[Site]:
    with serving() as found:
        settings.HTTP_NODE_ALLOW, settings.HTTP_NODE_ALLOW_PRIVATE = ["127.0.0.1:*"], [ip_network("127.0.0.1/32")]
        settings.LLM_BASE_URL, settings.LLM_MODEL = f"{found.url}/v1", "small"
        settings.COMMAND_NODE_ALLOW = ["/bin/echo"]
        found.answer = answering()
        yield found


class Trial:
    """One example, run by hand: ``go`` carries all that can be carried, without any memory between two nodes."""

    def __init__(self, person: Person, traveller: time_machine.Traveller) -> None:
        self.person = person
        self.traveller = traveller

    def start(self, name: str, /, **inputs: Any) -> Run:
        for each in needed_for(name):
            body = (FOLDER / f"{each}.json").read_bytes()
            made = self.person.client.post("/api/v1/workflows", body, content_type="application/json")
            assert made.status_code == 201, made.content
        asked = {"workflow": f"examples/{name}", "inputs": inputs}
        accepted = self.person.client.post("/api/v1/runs", asked, content_type="application/json")
        assert accepted.status_code == 202, accepted.content
        return self.go(Run.objects.get(pk=accepted.json()["run_id"]))

    def go(self, run: Run) -> Run:
        moved = True
        while moved:
            sweeper.sweep(ME)
            active = Run.objects.filter(status__in=ACTIVE_RUN).values_list("id", flat=True)
            moved = False
            for run_id in list(active):
                for queue in ("", "gpu"):
                    executions.forget()
                    moved = worker.execute(run_id, ME, queue=queue) or moved
        run.refresh_from_db()
        return run

    def later(self, run: Run, seconds: float) -> Run:
        self.traveller.shift(timedelta(seconds=seconds))
        return self.go(run)


@pytest.fixture
def trial(noon: time_machine.Traveller, alice: Person) -> Trial:
    return Trial(alice, noon)


@pytest.mark.parametrize("example", UNAIDED, ids=names_of(UNAIDED))
def test_it_comes_to_what_it_promises(trial: Trial, site: Site, example: Example) -> None:
    run = trial.start(example.name, **example.inputs)
    assert (run.status, run.error) == ("succeeded", None)
    assert run.output == example.output


def test_retry(trial: Trial, site: Site) -> None:
    run = trial.start("retry", url=site.url)
    assert (run.status, run.waiting_on[0]["kind"]) == ("waiting", "retry")
    run = trial.later(trial.later(run, 1), 1)
    assert (run.status, run.output) == ("succeeded", AIDED["retry"].output)
    assert len(site.seen) == 3


def test_timeout(trial: Trial) -> None:
    run = trial.start("timeout")
    assert (run.status, run.waiting_on[0]["kind"]) == ("waiting", "timer")
    run = trial.later(run, 2)
    assert (run.status, run.output) == ("succeeded", AIDED["timeout"].output)


def test_wait(trial: Trial) -> None:
    run = trial.start("wait", seconds=60)
    assert (run.status, trial.later(run, 59).status) == ("waiting", "waiting")
    assert trial.later(run, 2).output == AIDED["wait"].output


def test_approval(trial: Trial, bob: Person) -> None:
    run = trial.start("approval", **AIDED["approval"].inputs)
    url = f"/api/v1/runs/{run.id}/nodes/review"
    pushed = bob.client.post(f"{url}/reject", {"comment": "Shorter.", "to": "draft"}, content_type="application/json")
    assert (pushed.status_code, trial.go(run).status) == (200, "waiting")
    assert bob.client.post(f"{url}/approve", {}, content_type="application/json").status_code == 422
    answer = {"answer": {"title": "Tea"}}
    assert bob.client.post(f"{url}/approve", answer, content_type="application/json").status_code == 200
    run = trial.go(run)
    assert run.output == AIDED["approval"].output | {"by": str(bob.actor)}


def test_agent(trial: Trial) -> None:
    actor = trial.person.actor
    definition = definitions.create_agent(actor=actor, name="summariser")
    agent = instances.create_instance(actor=actor, agent_id=definition.id, session_id="s")
    instances.set_status(actor=actor, instance_id=agent.id, status="idle")
    run = trial.start("agent", **AIDED["agent"].inputs)
    url = f"/api/v1/runtime/agents/{agent.id}/next"
    handed = trial.person.client.post(url, {"wait_seconds": 0}, content_type="application/json").json()
    assert handed["prompt"]["prompt_text"] == "Summarise: a long story"
    said = {"status": "completed", "response_text": "A story."}
    url = f"/api/v1/runtime/prompts/{handed['prompt']['id']}"
    assert trial.person.client.patch(url, said, content_type="application/json").status_code == 200
    assert trial.go(run).output == AIDED["agent"].output


def test_llm(trial: Trial, site: Site) -> None:
    run = trial.start("llm", **AIDED["llm"].inputs)
    assert (run.status, run.output) == ("succeeded", AIDED["llm"].output), run.error


def test_limits(trial: Trial) -> None:
    first = trial.start("limits", customer="a", seconds=60)
    asked = {"workflow": "examples/limits", "inputs": {"customer": "a", "seconds": 0}}
    second = Run.objects.get(
        pk=trial.person.client.post("/api/v1/runs", asked, content_type="application/json").json()["run_id"]
    )
    asked["inputs"] = {"customer": "b", "seconds": 0}
    other = Run.objects.get(
        pk=trial.person.client.post("/api/v1/runs", asked, content_type="application/json").json()["run_id"]
    )
    trial.go(first)
    second.refresh_from_db()
    other.refresh_from_db()
    assert (second.status, other.status) == ("queued", "succeeded")
    assert second.waiting_on[0]["holders"] == [str(first.id)]
    trial.later(first, 61)
    second.refresh_from_db()
    assert (second.status, second.output) == ("succeeded", AIDED["limits"].output)


def test_every_example_has_its_trial() -> None:
    here: dict[str, Callable[..., None]] = {name[5:]: each for name, each in globals().items() if name[:5] == "test_"}
    assert here.keys() >= AIDED.keys()
    assert set(FILES) == set(names_of(UNAIDED)) | AIDED.keys()
