"""One of each resource in alice's org, so that every route with an id in its path can be walked."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from agents.services import logs
from conftest import Person
from runs.models import Run
from runs.tests.steps import claim, step
from tests.contract.routes import Route

MARK = "only-alices-org-may-read-this"
# What a resource must be asked with.
QUERIES = {"/api/v1/diff": "?from={artifact_id}&to={tag}"}


@pytest.fixture
def estate(alice: Person, bob: Person) -> Mapping[str, str]:
    """Alice's resources by the name of their path parameter. A new parameter is taught here, with one more line."""

    def made(path: str, body: dict[str, Any]) -> dict[str, Any]:
        response = alice.client.post(path, body, content_type="application/json")
        assert response.status_code < 300, (path, response.content)
        found: dict[str, Any] = response.json()
        return found

    workflow = {"tag": f"team/{MARK}", "definition": {"nodes": {"a": {"type": "planner"}}}}
    version = made("/api/v1/workflows", workflow)["artifact"]["id"]
    operations = [{"op": "add", "path": "/description", "value": MARK}]
    # Two definitions: the one that has a live instance cannot be archived.
    worker = made("/api/v1/agents", {"name": f"worker of {MARK}"})["id"]
    runtime_agent = made("/api/v1/runtime/agents", {"agent_id": worker, "session_id": MARK})["id"]
    asked = {"runtime_agent_id": runtime_agent, "prompt_type": "command", "prompt_text": MARK}
    made("/api/v1/runtime/logs", {"runtime_agent_id": runtime_agent, "level": "INFO", "message": MARK})
    logs.report(org_id=alice.org.id, component="tests", level="INFO", message=MARK)
    run = made("/api/v1/runs", {"prompt": f"Plan a trip to Paris ({MARK})"})["run_id"]
    proposed = {"operations": operations, "propose": True}
    patch_number = str(made(f"/api/v1/runs/{run}/patches", proposed)["number"])
    step(claim(Run.objects.get(pk=run)))  # its first node has an output
    second = made("/api/v1/collab/tasks", {"title": f"{MARK}, at work"})["id"]
    return {
        "tag": workflow["tag"],
        "artifact_id": version,
        "patch_id": made("/api/v1/patches", {"tag": workflow["tag"], "operations": operations})["id"],
        "agent_id": made("/api/v1/agents", {"name": MARK})["id"],
        "runtime_agent_id": runtime_agent,
        "prompt_id": made("/api/v1/runtime/prompts", asked)["id"],
        "task_id": made("/api/v1/collab/tasks", {"title": MARK})["id"],
        "lease_id": made("/api/v1/collab/leases/acquire", {"task_id": second, "holder": MARK})["lease_id"],
        "job_id": made("/api/v1/jobs", {"name": MARK, "cron": "@hourly", "inputs": {"prompt": MARK}})["id"],
        "run_id": run,
        "node": "intent",
        "number": patch_number,
        "decision": "accept",
        "form": "ndjson",
        "key_id": made("/api/v1/api-keys", {"name": MARK, "scopes": ["read"]})["id"],
        "member_id": alice.client.get("/api/v1/members").json()["items"][0]["id"],
        "organization_id": str(alice.org.id),
        # The last: mallory's own log must not reach as far.
        "seq": str(made("/api/v1/events", {"event": "demo", "target": MARK})["seq"]),
    }


@pytest.fixture
def path_of(estate: Mapping[str, str]) -> Callable[[Route], str]:
    """The path of a route to what alice has there."""

    def path(route: Route) -> str:
        unknown = [name for name in route.parameters if name not in estate]
        assert not unknown, f"Teach tests/contract/conftest.py what {unknown} in {route} names."
        return route.path(estate) + QUERIES.get(route.template, "").format(**estate)

    return path
