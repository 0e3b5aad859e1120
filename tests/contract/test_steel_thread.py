"""The thread that everything hangs on, as its first users write it: with curl, against a server that runs.

Sign in, create a task, list it with its ETag, health; events; a run and its stream.
"""

import json
import re
import shutil
from collections.abc import Iterator
from typing import Any

import pytest

from tests.contract.live import Live, serving

pytestmark = [
    pytest.mark.process,
    pytest.mark.skipif(shutil.which("curl") is None or shutil.which("jq") is None, reason="needs curl and jq"),
]
TOKEN = """
TOKEN=$(curl -s $BASE/auth/login \\
  -H 'Content-Type: application/json' \\
  -d '{"email":"dev@example.com","password":"password"}' | jq -r .access_token)
"""


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    with serving(tmp_path_factory.mktemp("live"), PUBLIC_ORG="default", API_KEYS="a-key-of-the-environment") as server:
        yield server


@pytest.fixture(scope="module")
def stub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    with serving(tmp_path_factory.mktemp("stub"), STUB_AUTH="true") as server:
        yield server


def head_and_body(answer: str) -> tuple[int, dict[str, str], str]:
    """What ``curl -i`` printed."""
    head, _, body = answer.replace("\r\n", "\n").partition("\n\n")
    first, *lines = head.splitlines()
    return int(first.split()[1]), {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}, body


def frames(stream: str) -> list[dict[str, Any]]:
    """The frames of an event stream, comments left out."""
    found = []
    for block in stream.strip().split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
        if fields:
            found.append({**fields, "data": json.loads(fields["data"])})
    return found


def test_sign_in(live: Live) -> None:
    assert re.fullmatch(r"[\w-]+\.[\w-]+\.[\w-]+\n", live.shell(TOKEN + 'echo "$TOKEN"'))
    answer = json.loads(
        live.shell("""curl -s $BASE/auth/login -H 'Content-Type: application/json' \\
        -d '{"email":"dev@example.com","password":"password"}'""")
    )
    assert answer["token_type"] == "bearer"
    assert answer["expires_in"] == 3600


def test_create_a_task_and_list_it_with_its_etag(live: Live) -> None:
    created = json.loads(
        live.shell(
            TOKEN
            + """
curl -s $BASE/api/v1/collab/tasks \\
  -H "Authorization: Bearer $TOKEN" \\
  -H 'Content-Type: application/json' \\
  -d '{"title":"Demo","description":"hello"}' | jq
"""
        )
    )
    assert {name: created[name] for name in ("title", "description", "version")} == {
        "title": "Demo", "description": "hello", "version": 1,
    }  # fmt: skip
    status, headers, body = head_and_body(live.shell("curl -si $BASE/api/v1/collab/state/tasks"))
    listed = json.loads(body)
    assert status == 200
    assert listed["kind"] == "tasks"
    assert created["id"] in [task["id"] for task in listed["items"]]
    known = f"""ETAG='{headers["etag"]}'; curl -si $BASE/api/v1/collab/state/tasks -H "If-None-Match: $ETAG" """
    status, headers_304, body = head_and_body(live.shell(known))
    assert (status, headers_304["etag"], body) == (304, headers["etag"], "")


def test_append_an_event_and_tail_the_log_once(live: Live) -> None:
    status, headers, body = head_and_body(
        live.shell(
            TOKEN
            + """
curl -si $BASE/api/v1/events \\
  -H "Authorization: Bearer $TOKEN" \\
  -H 'Content-Type: application/json' \\
  -d '{"event":"demo","target":"x","details":{"k":"v"}}'
"""
        )
    )
    assert (status, json.loads(body)["event"]) == (201, "demo")
    assert headers["etag"].startswith('"')
    tail = live.shell(TOKEN + 'curl -sN -m 20 -H "Authorization: Bearer $TOKEN" "$BASE/api/v1/events/tail?once=1"')
    last = frames(tail)[-1]
    assert (last["event"], last["data"]["target"], last["data"]["details"]) == ("event", "x", {"k": "v"})


def test_the_acceptance_checklist(live: Live) -> None:
    """Health on this database; creating needs a token; tags on both; a faulty body is told by field."""
    assert json.loads(live.shell("curl -sf $BASE/healthz")) == {"status": "ok"}
    create = "curl -si $BASE/api/v1/collab/tasks -H 'Content-Type: application/json' -d "
    status, headers, body = head_and_body(live.shell(create + """'{"title":"Demo"}'"""))
    assert (status, headers["www-authenticate"]) == (401, "Bearer")
    assert set(json.loads(body)) == {"type", "message", "request_id"}
    with_token = '-H "Authorization: Bearer $TOKEN" '
    status, headers, body = head_and_body(live.shell(TOKEN + create + """'{"title":"Demo"}' """ + with_token))
    assert (status, headers["location"]) == (200, f"/api/v1/collab/tasks/{json.loads(body)['id']}")
    assert re.fullmatch(r'"[0-9a-f]{64}"', headers["etag"])
    status, headers, body = head_and_body(live.shell(TOKEN + create + """'{"title":7,"more":1}' """ + with_token))
    assert (status, set(json.loads(body)["details"])) == (422, {"title", "more"})
    status, headers, body = head_and_body(
        live.shell("curl -si $BASE/api/v1/runs -H 'X-API-Key: a-key-of-the-environment'")
    )
    assert status == 200


def test_a_run_is_accepted_and_streamed_node_after_node(stub: Live) -> None:
    status, _, body = head_and_body(
        stub.shell("""
curl -si -X POST $BASE/runs \\
  -H "Content-Type: application/json" \\
  -d '{"prompt": "Plan a trip to Paris"}'
""")
    )
    accepted = json.loads(body)
    assert (status, accepted["status"]) == (202, "accepted")
    found = frames(stub.shell(f"curl -sN -m 20 $BASE/runs/{accepted['run_id']}/events/stream"))
    told = [(frame["data"]["node"], frame["data"]["phase"]) for frame in found if frame["event"] == "run_event"]
    nodes = ["intent", "planner", "selector", "tool_exec", "verifier", "synth", "responder"]
    assert [one for one in told if one[0] != "repair"] == [
        (n, phase) for n in nodes for phase in ("started", "completed")
    ]
    assert [frame["data"]["sequence"] for frame in found[:-1]] == list(range(len(found) - 1))
    assert set(found[0]["data"]) == {"run_id", "timestamp", "sequence", "node", "phase", "summary"}
    assert (found[-1]["event"], found[-1]["data"]) == ("done", {"status": "succeeded"})
    middle = found[4]["data"]["timestamp"]
    rest = frames(
        stub.shell(f"curl -sN -m 20 '$BASE/runs/{accepted['run_id']}/events/stream?last_ts={middle}'".replace("'", '"'))
    )
    assert rest == found[5:]


def test_a_run_of_another_org_is_not_there(stub: Live) -> None:
    org = "12345678-1234-1234-1234-123456789012:87654321-4321-4321-4321-210987654321"
    status, _, body = head_and_body(
        stub.shell(f"""
curl -si -X POST $BASE/runs \\
  -H "Authorization: Bearer {org}" \\
  -H "Content-Type: application/json" \\
  -d '{{"prompt": "Test"}}'
""")
    )
    assert status == 202
    path = f"$BASE/runs/{json.loads(body)['run_id']}/events/stream"
    assert head_and_body(stub.shell(f"curl -si -m 20 {path}"))[0] == 404
    own = frames(stub.shell(f'curl -sN -m 20 -H "Authorization: Bearer {org}" {path}'))
    assert own[-1]["data"] == {"status": "failed"}, "There is no city in it."


def test_seeding_again_makes_nothing_new(live: Live) -> None:
    assert "already" in live.manage("seed")
