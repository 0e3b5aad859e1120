"""Each workflow in examples/workflows over HTTP, carried out by workers of Celery, comes to what it promises."""

import os
import threading
from collections.abc import Iterator
from typing import Any

import orjson
import pytest

from runs.tests.examples import AIDED, FILES, FOLDER, TEXT, UNAIDED, Example, answering, names_of
from runs.tests.nodes.outside import Site, serving
from tests import servers
from tests.cluster import Cluster
from tests.process.disturbed import Client, environment_of
from tests.process.server import Databases, eventually, frames, free_port

pytestmark = [
    pytest.mark.process,
    pytest.mark.skipif(
        not os.environ.get("DATABASE_URL"), reason="needs PostgreSQL and Redis (pytest -p tests.servers)"
    ),
]


class Examples(Client):
    """The web of a cluster that knows all examples, and ``site``, to which its workers talk."""

    def __init__(self, port: int, site: Site) -> None:
        super().__init__([port])
        self.site = site
        self.reading = threading.Event()

    def begin(self, name: str, /, **inputs: Any) -> str:
        inputs = (AIDED[name].inputs if name in AIDED else {}) | inputs
        return self.start(f"examples/{name}", **inputs)

    def end_of(self, run_id: str) -> dict[str, Any]:
        """The run, when it has succeeded."""
        self.wait_for([run_id])
        run: dict[str, Any] = self.get(f"/api/v1/runs/{run_id}")
        return run

    def output_of(self, run_id: str) -> Any:
        return self.end_of(run_id)["output"]

    def wait_until_it_waits(self, run_id: str, node: str) -> None:
        eventually(lambda: any(each["node"] == node and each["status"] == "waiting" for each in self.nodes(run_id)))


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with serving() as found:
        yield found


@pytest.fixture(scope="module")
def examples(databases: Databases, site: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Examples]:
    """A Redis of our own: messages of other tests would be carried out, too."""
    folder = tmp_path_factory.mktemp("examples")
    with servers.redis() as redis_url:
        env = environment_of(
            databases.make(), folder, 30, ENGINE="celery", REDIS_URL=redis_url, HTTP_NODE_ALLOW="127.0.0.1:*",
            HTTP_NODE_ALLOW_PRIVATE="127.0.0.1/32", LLM_BASE_URL=f"{site.url}/v1", LLM_MODEL="small",
            COMMAND_NODE_ALLOW="/bin/echo",
        )  # fmt: skip
        cluster, port = Cluster(env, folder), free_port()
        client = Examples(port, site)
        # The model begins when somebody reads along, and takes its time: what is said in passing is seen or missed.
        site.answer = answering(0.03, began=lambda: client.reading.wait(20))
        try:
            cluster.web(port)
            cluster.worker("runs", concurrency=2)
            cluster.worker("runs.gpu", concurrency=1)
            cluster.scheduler()
            client.wait_until_it_answers()
            for name in sorted(FILES, key=lambda name: name == "sub-workflow"):  # its child must be there
                client.post("/api/v1/workflows", orjson.loads((FOLDER / f"{name}.json").read_bytes()))
            yield client
        finally:
            client.close()
            cluster.close()


@pytest.mark.parametrize("example", UNAIDED, ids=names_of(UNAIDED))
def test_it_comes_to_what_it_promises(examples: Examples, example: Example) -> None:
    run = examples.end_of(examples.begin(example.name, **example.inputs))
    assert (run["output"], run["error"]) == (example.output, None)


def test_retry(examples: Examples) -> None:
    run_id = examples.begin("retry", url=f"{examples.site.url}/flaky")
    assert examples.output_of(run_id) == AIDED["retry"].output
    assert len([each for each in examples.site.seen if each.path == "/flaky"]) == 3
    assert examples.counts(run_id) == {"started": 3, "retrying": 2, "completed": 1}


def test_timeout(examples: Examples) -> None:
    assert examples.output_of(examples.begin("timeout")) == AIDED["timeout"].output


def test_wait(examples: Examples) -> None:
    run_id = examples.begin("wait", seconds=0.5)
    assert examples.output_of(run_id) == AIDED["wait"].output
    assert examples.counts(run_id)["waiting"] == 1


def test_approval(examples: Examples) -> None:
    run_id = examples.begin("approval")
    review = f"/api/v1/runs/{run_id}/nodes/review"
    examples.wait_until_it_waits(run_id, "review")
    examples.post(f"{review}/reject", {"comment": "Shorter.", "to": "draft"})
    examples.wait_until_it_waits(run_id, "review")
    assert examples.ask("POST", f"{review}/approve", {}).status_code == 422
    examples.post(f"{review}/approve", {"answer": {"title": "Tea"}})
    output = examples.output_of(run_id)
    assert output.pop("by").startswith("api_key:")
    assert output == AIDED["approval"].output


def test_agent(examples: Examples) -> None:
    definition = examples.post("/api/v1/agents", {"name": "summariser"})
    agent = examples.post("/api/v1/runtime/agents", {"agent_id": definition["id"], "session_id": "s"})["id"]
    assert examples.ask("PATCH", f"/api/v1/runtime/agents/{agent}", {"status": "idle"}).status_code == 200
    run_id = examples.begin("agent")
    prompt = examples.post(f"/api/v1/runtime/agents/{agent}/next", {"wait_seconds": 5})["prompt"]
    assert prompt["prompt_text"] == "Summarise: a long story"
    said = {"status": "completed", "response_text": "A story."}
    assert examples.ask("PATCH", f"/api/v1/runtime/prompts/{prompt['id']}", said).status_code == 200
    assert examples.output_of(run_id) == AIDED["agent"].output


def test_llm_and_what_the_model_writes_is_read_while_it_writes(examples: Examples) -> None:
    run_id = examples.begin("llm")
    heard, phases = "", []
    with examples.follow(run_id) as answer:
        for event, data in frames(answer):
            if event == "run_text":
                assert (data["node"], phases) == ("write", ["started"]), "while the worker is at it"
                heard += data["text"]
            elif event == "run_event":
                phases.append(data["phase"])
                examples.reading.set()
    assert phases == ["started", "completed"]
    assert heard, "none of it arrived"
    assert TEXT.endswith(heard), "the first of it may be missed, and nothing else"
    assert examples.output_of(run_id) == AIDED["llm"].output


def test_limits(examples: Examples) -> None:
    """The second run of a customer begins when the first has ended; another customer's does not wait for it."""
    first = examples.begin("limits", seconds=1.5)
    examples.wait_until_it_waits(first, "work")
    second = examples.begin("limits", seconds=0)
    other = examples.begin("limits", customer="b", seconds=0)
    ends = [examples.end_of(run_id) for run_id in (first, second, other)]
    assert [end["output"] for end in ends] == [AIDED["limits"].output] * 3
    assert ends[1]["started_at"] >= ends[0]["finished_at"] > ends[2]["finished_at"]


def test_every_example_has_its_trial() -> None:
    assert {name for name in AIDED if not any(each.startswith(f"test_{name}") for each in globals())} == set()
    assert set(FILES) == set(names_of(UNAIDED)) | AIDED.keys()
