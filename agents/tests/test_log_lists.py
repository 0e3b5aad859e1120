"""Lines out: newest first, this level or worse, filtered before the limit, page by page; and what it costs."""

from typing import Any

import pytest
from django.db import connection
from django.http import QueryDict

from agents.api.filters import LogFilter
from agents.models import AgentLog
from agents.services import logs
from agents.tests.calls import LOGS, NOWHERE, items, line, log, read, refused, register, statements
from conftest import Person
from orchestrator.api import lists

LEVELS = ["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"]
SYSTEM = "/api/v1/runtime/system-logs"


def messages(answer: Any) -> str:
    return "".join(item["message"] for item in items(answer))


@pytest.mark.parametrize("spelt", [str.upper, str.lower])
@pytest.mark.parametrize("weight", range(5))
def test_a_level_means_this_or_worse(alice: Person, weight: int, spelt: Any) -> None:
    agent = register(alice)
    log(alice, *[line(agent, level[0], level) for level in LEVELS])
    found = messages(alice.client.get(f"{LOGS}?level={spelt(LEVELS[weight])}"))
    assert found == "".join(level[0] for level in LEVELS[weight:])[::-1]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", "dcba"), ("agent={other}", "c"), ("log_type=error", "db"), ("log_type=error&log_type=milestone", "dcb"),
        ("level=ERROR&agent={agent}", "db"), ("limit=1&level=ERROR", "d"), ("after={second}", "dc"),
        ("after={second}&limit=1", "d"), ("after={second}&agent={agent}&level=WARNING", "d"), ("level=&after=", "dcba"),
    ],
)  # fmt: skip
def test_filters_act_before_the_limit(alice: Person, query: str, found: str) -> None:
    agent, other = register(alice), register(alice)
    log(alice, line(agent, "a"))
    second = log(alice, line(agent, "b", "ERROR", log_type="error"))["last_id"]
    log(alice, line(other, "c", log_type="milestone"), line(agent, "d", "CRITICAL", log_type="error"))
    asked = query.format(agent=agent["id"], other=other["id"], second=second)
    assert messages(alice.client.get(f"{LOGS}?{asked}")) == found


@pytest.mark.parametrize("level", ["", "&level=WARNING"])
def test_pages_follow_each_other_while_lines_come_in(alice: Person, level: str) -> None:
    agent = register(alice)
    log(alice, *[line(agent, str(number), "ERROR") for number in range(7)])
    seen, cursor = "", ""
    while True:
        page = read(alice, f"{LOGS}?limit=3{level}{cursor}")
        seen += "".join(item["message"] for item in page["items"])
        log(alice, line(agent, "x", "ERROR"))
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert seen == "6543210"


@pytest.mark.parametrize("base", ["/api/v1", "/api"])
def test_the_lines_of_one_agent(alice: Person, base: str) -> None:
    agent, other = register(alice), register(alice)
    log(alice, line(agent, "a"), line(other, "b"), line(agent, "c", "ERROR"))
    path = f"{base}/runtime/logs/agent/{agent['id']}"
    assert messages(alice.client.get(path)) == "ca"
    assert messages(alice.client.get(f"{path}?level=error")) == "c"
    assert messages(alice.client.get(f"{path}?limit=1")) == "c"
    refused(alice.client.get(f"{path}?agent={other['id']}"), 422, "validation_error")
    refused(alice.client.get(f"{base}/runtime/logs/agent/{NOWHERE}"), 404, "not_found")


@pytest.mark.parametrize(
    ("query", "status", "field"),
    [
        ("level=LOUD", 422, "level"), ("log_type=x", 422, "log_type"), ("agent=x", 422, "agent"),
        ("after=x", 422, "after"), ("after=5", 422, "after"), (f"agent={NOWHERE}", 404, None),
        ("limit=1001", 422, "limit"), ("since=x", 422, "since"),
    ],
)  # fmt: skip
def test_a_filter_that_makes_no_sense(alice: Person, query: str, status: int, field: str | None) -> None:
    told = refused(alice.client.get(f"{LOGS}?{query}"), status, "not_found" if status == 404 else "validation_error")
    assert field is None or list(told["details"]) == [field]


def test_lists_are_conditional_and_two_agents_lists_are_two(alice: Person) -> None:
    agent, other = register(alice), register(alice)
    log(alice, line(agent, "a"), line(other, "b"))
    paths = [LOGS, f"{LOGS}/agent/{agent['id']}", f"{LOGS}/agent/{other['id']}"]
    tags = [alice.client.get(path)["ETag"] for path in paths]
    assert len(set(tags)) == 3
    for path, tag in zip(paths, tags, strict=True):
        asked = statements(lambda path=path, tag=tag: alice.client.get(path, headers={"If-None-Match": tag}))
        assert not [sql for sql in asked if "agents_agentlog" in sql]
        assert alice.client.get(path, headers={"If-None-Match": tag}).status_code == 304
    log(alice, line(agent, "c"))
    assert alice.client.get(paths[0])["ETag"] != tags[0]
    assert alice.client.get(paths[2])["ETag"] == tags[2]


def test_what_the_platform_did_is_read_and_never_written(alice: Person, mallory: Person) -> None:
    def report(component: str, level: str) -> None:
        logs.report(org_id=alice.org.pk, component=component, level=level, message=level[0], what=1)

    first = alice.client.get(SYSTEM)["ETag"]
    report("sweeper", "WARNING")
    report("engine", "ERROR")
    assert alice.client.get(SYSTEM)["ETag"] != first
    assert messages(alice.client.get(SYSTEM)) == "EW"
    assert messages(alice.client.get("/api/runtime/system-logs?component=sweeper")) == "W"
    assert messages(alice.client.get(f"{SYSTEM}?level=ERROR")) == "E"
    item = items(alice.client.get(f"{SYSTEM}?limit=1"))[0]
    assert set(item) == {"id", "component", "level", "message", "details", "created_at"}
    assert (item["component"], item["level"], item["details"]) == ("engine", "ERROR", {"what": 1})
    assert items(mallory.client.get(SYSTEM)) == []
    assert alice.client.post(SYSTEM, {}, content_type="application/json").status_code == 405


@pytest.mark.parametrize("query", ["", "?level=ERROR"])
def test_a_hundred_lines_cost_as_many_queries_as_one(alice: Person, query: str) -> None:
    agent, counts = register(alice), []
    for more in (1, 99):
        log(alice, *[line(agent, "x", "ERROR")] * more)
        lists.forget()
        counts.append(len(statements(lambda: alice.client.get(LOGS + query))))
    assert counts[0] == counts[1] <= 4


@pytest.mark.parametrize(
    ("query", "index"),
    [
        ("", "agent_log_by_org"),
        ("level=INFO", "agent_log_by_org"),
        ("level=WARNING", "agent_log_warnings"),
        ("level=ERROR", "agent_log_errors"),
        ("level=CRITICAL", "agent_log_errors"),
        ("level=ERROR&after={after}", "agent_log_errors"),
        ("level=ERROR&log_type=error", "agent_log_errors"),
        ("agent={agent}", "agent_log_by_agent"),
        ("agent={agent}&level=ERROR", "agent_log_by_agent"),
    ],
)
@pytest.mark.skipif(connection.vendor != "sqlite", reason="PostgreSQL plans by what is in the table")
def test_no_list_walks_or_sorts_lines_that_it_does_not_show(alice: Person, query: str, index: str) -> None:
    """By the plan of the statement with its values still outside, as the product sends it."""
    asked = QueryDict(query.format(agent=register(alice)["id"], after=NOWHERE))
    rows = LogFilter(asked, queryset=AgentLog.objects.for_org(alice.org.pk)).qs
    plan = rows.order_by("-id")[:100].explain()
    assert "\n" not in plan
    assert f"USING INDEX {index} " in plan
