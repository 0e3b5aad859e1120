"""Every page of the product over an org with a million events, asked one after the other by one visitor.

The pages are those of tests/pages/inventory.py, over the demonstration's org, which ``manage.py seed --load`` fills up
here: so each page has its row. With them come the filters of VARIANTS. The database is made once: data/pages-N.db, or
BENCH_DATABASE, a path or a postgres URL, BENCH_EVENTS another size, BENCH_PAGES only what begins so.
"""

import http.client
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import django

from bench.server import ROOT, Server, serving, settings_for

TIMES: Final = 30
MOST_MS: Final = 300
SHOWN_MS: Final = 100  # slower ones are listed
_ORG: Final = "default"  # the demonstration's
# Beside each page as it is: what a visitor asks of it. {name} is what tests/pages/demo.py or _more() found.
VARIANTS: Final[Mapping[str, tuple[str, ...]]] = {
    "/dashboard/runs": (
        "?status=succeeded", "?status=failed", "?status=waiting", "?status=running", "?workflow={busy}", "?q=shop",
        "?q=nothing-of-that", "?before={middle_run}", "?status=failed&before={middle_run}", "?by=me", "?by=agent",
        "?workflow={busy}&status=cancelled", "?created_after={day}T00:00:00Z", "?created_before={day}T00:00:00Z",
        "?created_after={day}T00:00:00Z&created_before={day}T06:00:00Z", "?priority=1", "?workflow={busy}&by=me",
        "?status=succeeded&q=nothing-of-that",
    ),
    "/dashboard/runs/{long_run}": ("", "/log", "/log?find=nothing-of-that", "/workflow", "/nodes/left-00"),
    "/dashboard/runs/bulk": ("?act=cancel", "?act=retry&q=nothing-of-that", "?act=retry&workflow={busy}&status=failed"),
    "/dashboard/events": (
        "?event=run_failed", "?target=service:search", "?actor=me", "?before=500000", "?after=500000",
        "?event=run_failed&target=service:search", "?event=run_succeeded&actor=me", "?event=org_created&actor=me",
        "?event=page_read&actor={agent_actor}", "?target=service:search&actor={agent_actor}", "?event=never",
        "?event=build_finished&target=service:search&actor=me", "/rows?after=500000",
    ),
    "/dashboard/tasks": (
        "?status=done", "?label=load", "?q=nothing-of-that", "?assignee=nobody", "?view=table&status=done",
        "?view=table&label=load", "?view=table&q=nothing-of-that", "?view=table&assignee=nobody", "?view=table&q=Task",
    ),
    "/dashboard/agents": ("?status=lost", "?status=completed", "?status=executing"),
    "/dashboard/agents/{old_agent}": ("", "/logs", "/logs?q=nothing-of-that", "/logs?level=ERROR", "/prompts"),
    "/dashboard/workflows": ("?q=report", "?q=nothing-of-that"),
    "/dashboard/workflows/{busy}": ("", "/history", "/edit", "/diff"),
    "/dashboard/find": ("?q=nothing-of-that", "?q=report", "?q={long_run}"),
    "/admin/runs/run/": ("?q=shop", "?status__exact=failed", "?org=default", "?org=default&q=nothing-of-that",
        "?created_at__year={year}&created_at__month={month}&created_at__day={date}"),
    "/admin/runs/runnode/": ("?q=collect", "?org=default", "?status__exact=failed"),
    "/admin/runs/runevent/": ("?q=collect", "?org=default", "?org=demo-lab"),
    "/admin/events/event/": ("?q=nothing-of-that", "?org=default", "?org=default&event=run_failed", "?actor=system",
        "?org=demo-lab", "?target=service:search&event=run_failed"),
    "/admin/agents/agentlog/": ("?q=nothing-of-that", "?org=default", "?org=demo-lab"),
    "/admin/tasks/task/": ("?q=nothing-of-that", "?org=default", "?status__exact=done"),
}  # fmt: skip


@dataclass(frozen=True)
class Timed:
    """Milliseconds. ``cpu`` is the server's own, on the average: what is left of a time that other work on the machine
    has drawn out.
    """

    path: str
    status: int
    expected: int
    p50: float
    p95: float
    cpu: float
    kilobytes: float

    @property
    def fits(self) -> bool:
        return self.status == self.expected and self.p95 < MOST_MS


def measured() -> Iterator[Timed]:
    """Each page, in the order of the inventory."""
    url = _database()
    with serving(DATABASE_URL=url, ENGINE="off") as server:
        found = json.loads(_with_django(url, "asked"))
        for path, status, signed_in in found["pages"]:
            yield _timed(server, path, status, found["cookie"] if signed_in else "")


def _timed(server: Server, path: str, expected: int, cookie: str) -> Timed:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=120)
    taken, status, size, cpu = [], 0, 0, 0.0
    for number in range(TIMES + 1):
        cpu = server.cpu_seconds() if number == 1 else cpu
        began = time.perf_counter()
        connection.request("GET", path, headers={"Cookie": cookie, "Accept": "text/html"})
        answer = connection.getresponse()
        status, size = answer.status, len(answer.read())
        taken.append((time.perf_counter() - began) * 1000)
    connection.close()
    cpu, warm = (server.cpu_seconds() - cpu) * 1000 / TIMES, sorted(taken[1:])
    return Timed(path, status, expected, statistics.median(warm), warm[int(TIMES * 0.95)], cpu, size / 1024)


def _database() -> str:
    """The URL of the database with the org in it, which is made when it is missing."""
    events = os.environ.get("BENCH_EVENTS", "1000000")
    url = os.environ.get("BENCH_DATABASE") or str(ROOT / "data" / f"pages-{events}.db")
    if "://" not in url:
        file = Path(url).resolve()
        file.parent.mkdir(parents=True, exist_ok=True)
        url = f"sqlite:///{file}"
    _with_django(url, "fill", events)
    return url


def _with_django(url: str, *command: str) -> str:
    """What a process on that database prints."""
    env = settings_for("/nowhere", DATABASE_URL=url)
    asked = [sys.executable, "-m", "bench.pages", *command]
    return subprocess.run(asked, env=env, check=True, stdout=subprocess.PIPE, cwd=ROOT, text=True).stdout


# --- in a process on the database ------------------------------------------------------------------------------------


def _fill(count: int) -> None:
    """The demonstration, and in the same org as many events of trials as are missing."""
    from django.core.management import call_command

    from orchestrator.events import services as events
    from orchestrator.identity import seeds
    from orchestrator.identity.actors import ROLE_SCOPES, Actor
    from tests.pages import demo

    call_command("migrate", verbosity=0)
    demo.plant()
    owner = _owner()
    if events.head(owner.org_id) < count:
        actor = Actor("user", owner.user_id, owner.org_id, ROLE_SCOPES["owner"], "owner")
        for line in seeds.fill(actor, count):
            print(line, file=sys.stderr)


def _asked() -> dict[str, Any]:
    """Who asks, and the pages: ``[path, status, signed in]``."""
    from tests.pages import demo, inventory

    found = demo.found(_ORG)
    pages = [page for page in inventory.PAGES if page.wants <= set(found)]
    if missing := {page.name for page in inventory.PAGES} - {page.name for page in pages}:
        print(f"Without a row: {', '.join(sorted(missing))}", file=sys.stderr)
    asked = [(page.path(found), page.status, page.signed_in) for page in pages]
    parts = found | _more()
    asked += [((path + asks).format_map(parts), 200, True) for path, each in VARIANTS.items() for asks in each]
    only = os.environ.get("BENCH_PAGES", "/")
    return {"cookie": _cookie(), "pages": [each for each in asked if each[0].startswith(only)]}


def _more() -> dict[str, str]:
    """Rows of the org with much behind them."""
    from django.apps import apps

    from orchestrator.core import clock

    org = _owner().org_id
    runs = apps.get_model("runs.Run").objects.for_org(org).order_by("pk").values_list("pk", flat=True)
    agent = apps.get_model("agents.RuntimeAgent").objects.for_org(org).filter(session_id__startswith="load-").first()
    day = clock.now() - timedelta(days=4)
    ids = {"long_run": runs.filter(workflow="load/long").last(), "middle_run": runs[runs.count() // 2]}
    texts = {"busy": "load/report-0003", "old_agent": agent.pk, "agent_actor": f"agent:{agent.pk}"}
    dates = {"day": f"{day:%Y-%m-%d}", "year": day.year, "month": day.month, "date": day.day}
    return {name: str(value) for name, value in (ids | texts | dates).items()}


def _owner() -> Any:
    from django.apps import apps

    members = apps.get_model("identity.Membership").objects.select_related("user")
    return members.get(org__slug=_ORG, role="owner", user__is_superuser=True)


def _cookie() -> str:
    """Of a session of the org's owner, as signing in and choosing the org makes it."""
    from django.conf import settings
    from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
    from django.contrib.sessions.backends.db import SessionStore

    from orchestrator.identity.resolver import SESSION_ORG

    owner = _owner()
    session = SessionStore()
    session[SESSION_KEY], session[HASH_SESSION_KEY] = str(owner.user_id), owner.user.get_session_auth_hash()
    session[BACKEND_SESSION_KEY], session[SESSION_ORG] = settings.AUTHENTICATION_BACKENDS[0], str(owner.org_id)
    session.create()
    return f"{settings.SESSION_COOKIE_NAME}={session.session_key}"


if __name__ == "__main__":
    django.setup()
    if sys.argv[1] == "fill":
        _fill(int(sys.argv[2]))
    else:
        print(json.dumps(_asked()))
