"""The key of a runtime agent: every route is closed to it but those that are named here, and there it finds its own."""

from collections.abc import Callable, Mapping
from typing import Any, Final

import pytest
from django.test import Client

from conftest import Person
from orchestrator.identity import services
from tests.contract.conftest import MARK
from tests.contract.routes import OPEN, Route, api_calls, every_route
from tests.contract.shape import assert_error

PathOf = Callable[[Route], str]
# All that a runtime agent may do, below any of the bases. The estate's agent, prompt and log are its own; the lease is
# another holder's, and so is the task; the run is none that it works for.
OWN: Final = frozenset({
    ("/auth/me", "get"),
    ("/agents/{agent_id}", "get"),
    ("/runtime/agents/{runtime_agent_id}", "get"),
    ("/runtime/agents/{runtime_agent_id}", "patch"),
    ("/runtime/agents/{runtime_agent_id}/heartbeat", "post"),
    ("/runtime/agents/{runtime_agent_id}/next", "post"),
    ("/runtime/agents/{runtime_agent_id}/stop", "post"),
    ("/runtime/prompts", "get"),
    ("/runtime/prompts", "post"),
    ("/runtime/prompts/{prompt_id}", "get"),
    ("/runtime/prompts/{prompt_id}", "patch"),
    ("/runtime/prompts/{prompt_id}/heartbeat", "post"),
    ("/runtime/logs", "get"),
    ("/runtime/logs", "post"),
    ("/runtime/logs/agent/{runtime_agent_id}", "get"),
    ("/collab/tasks/{task_id}", "get"),
    ("/collab/state/leases", "get"),
    ("/collab/leases/acquire", "post"),
    ("/collab/leases/{lease_id}", "get"),
    ("/collab/leases/{lease_id}/heartbeat", "post"),
    ("/collab/leases/{lease_id}/release", "post"),
    ("/collab/leases/{lease_id}/complete", "post"),
    ("/collab/leases/{lease_id}/fail", "post"),
    ("/runs/{run_id}", "get"),
    ("/runs/{run_id}/workflow", "get"),
    ("/runs/{run_id}/patches", "get"),
    ("/runs/{run_id}/patches", "post"),
    ("/runs/{run_id}/patches/{number}", "get"),
})  # fmt: skip


def is_own(route: Route, method: str) -> bool:
    bases = ("/api/v1", "/api", "")
    return any((route.template.removeprefix(base), method) in OWN for base in bases if route.template.startswith(base))


@pytest.fixture
def bound(alice: Person, estate: Mapping[str, str]) -> Client:
    """A client with the key of the estate's runtime agent."""
    _, secret = services.create_api_key(
        actor=alice.actor, name="bound", scopes=["read", "write"], runtime_agent_id=estate["runtime_agent_id"]
    )  # type: ignore[arg-type]
    return Client(headers={"X-API-Key": secret})


@pytest.mark.parametrize(("route", "method"), api_calls(), ids=str)
def test_a_route_says_what_agents_may_or_is_closed(route: Route, method: str, bound: Client, path_of: PathOf) -> None:
    if route.signs_in or route.template in OPEN:
        pytest.skip("reads no credentials, or asks for none")
    response: Any = bound.generic(
        method.upper(), path_of(route), b"{}", content_type="application/json", headers={"If-Match": "*"}
    )
    if is_own(route, method):
        assert response.status_code < 500, response.content
        assert response.status_code not in (401, 403), response.content
    else:
        assert_error(response, 403, "permission_denied", what=f"{method} {route}")
        assert MARK.encode() not in response.content


def test_the_list_above_names_routes_that_there_are() -> None:
    found = {
        (route.template.removeprefix("/api/v1"), method)
        for route, method in api_calls()
        if route.template.startswith("/api/v1/")
    }
    assert found >= OWN


@pytest.mark.parametrize("route", [route for route in every_route() if route.is_page], ids=str)
def test_a_page_does_not_know_it(route: Route, bound: Client, path_of: PathOf) -> None:
    if "get" not in route.actions:
        pytest.skip("nothing to look at")
    response = bound.get(path_of(route))
    assert response.status_code in (200, 302)
    assert MARK.encode() not in response.content


@pytest.mark.parametrize(
    "path", ["/api/v1/collab/leases/{lease_id}", "/api/v1/collab/tasks/{task_id}", "/api/v1/agents/{agent_id}"]
)
def test_what_is_anothers_is_not_there(path: str, bound: Client, estate: Mapping[str, str]) -> None:
    """The estate's lease is another holder's, its task nobody's, its definition another agent's."""
    assert_error(bound.get(path.format(**estate)), 404, "not_found")
