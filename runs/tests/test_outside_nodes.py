"""Runs with nodes that reach outside: what goes wrong there ends the node, and says why."""

from ipaddress import ip_network
from typing import Any

import pytest

from conftest import Person
from runs.models import RunEvent, RunNode
from runs.tests import steps
from runs.tests.nodes.outside import reply, serving


@pytest.mark.parametrize(
    ("node", "code"),
    [
        ({"type": "http", "with": {"url": "http://169.254.169.254/latest/meta-data/"}}, "not_allowed"),
        ({"type": "http", "with": {"url": "http://[::1]/"}}, "not_allowed"),
        ({"type": "llm", "with": {"prompt": "x"}}, "llm_not_configured"),
        ({"type": "command", "with": {"program": "/bin/sh"}}, "not_allowed"),
    ],
)
def test_what_nobody_allowed_fails_clearly(alice: Person, settings: Any, node: dict[str, Any], code: str) -> None:
    settings.HTTP_NODE_ALLOW = ["*:*"]
    run = steps.carry(steps.start_graph(alice, {"a": node}))
    assert run.status == "failed"
    assert RunNode.objects.get(run=run).error["code"] == code


@pytest.mark.parametrize("body", [b"[" * 500 + b"]" * 500, b'"a\\u0000b"', b'{"id": 9007199254740993}', b"[1e22]"])
def test_an_answer_that_no_database_keeps_fails_the_node(alice: Person, settings: Any, body: bytes) -> None:
    with serving() as site:
        settings.HTTP_NODE_ALLOW, settings.HTTP_NODE_ALLOW_PRIVATE = ["127.0.0.1:*"], [ip_network("127.0.0.1/32")]
        site.answer = lambda request: reply(request, body, headers={"Content-Type": "application/json"})
        run = steps.carry(steps.start_graph(alice, {"a": {"type": "http", "with": {"url": site.url}}}))
    assert (run.status, RunNode.objects.get(run=run).error["code"]) == ("failed", "bad_output")
    assert alice.client.get("/api/v1/runs").status_code == 200


def test_no_secret_is_written_down(alice: Person, settings: Any) -> None:
    settings.NODE_SECRETS = {"NODE_SECRET_A": "a-secret-value"}
    with serving() as site:
        settings.HTTP_NODE_ALLOW, settings.HTTP_NODE_ALLOW_PRIVATE = ["127.0.0.1:*"], []
        site.answer = lambda request: reply(request, request.headers["X-A"].encode())
        node = {"type": "http", "with": {"url": site.url, "headers": {"X-A": {"env": "NODE_SECRET_A"}}}}
        refused = steps.carry(steps.start_graph(alice, {"a": node}))
        settings.HTTP_NODE_ALLOW_PRIVATE = [ip_network("127.0.0.1/32")]
        answered = steps.carry(steps.start_graph(alice, {"b": node}))
    assert (refused.status, answered.status) == ("failed", "succeeded")
    assert site.seen[0].headers["x-a"] == "a-secret-value"
    kept = [*RunNode.objects.values_list(), *RunEvent.objects.values_list()]
    assert "a-secret-value" not in repr(kept)
    assert "[secret]" in repr(kept)
