"""What is left in the database when a cluster has been in trouble, and what its logs say of the time between."""

import uuid
from collections import defaultdict
from collections.abc import Iterable, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

from tests.process.chaos import json_of, moment_of, rows

# Of one run: sequence, node, phase, moment.
Log = list[tuple[int, str, str, float]]


class Wait(NamedTuple):
    seconds: float
    since: float
    until: float
    what: str


def ends(database_url: str, workflow: str) -> dict[str, int]:
    """How many runs ended how."""
    found = rows(database_url, f"SELECT status, count(*) FROM runs_run WHERE workflow = '{workflow}' GROUP BY status")
    return dict(tuple(row) for row in found)


def held(database_url: str) -> list[Any]:
    """Nodes that somebody holds or that have not come to their end, and slots of limits: nothing, when all is over."""
    nodes = (
        "SELECT run_id, node FROM runs_runnode WHERE lease_holder <> '' OR status IN ('pending', 'running', 'waiting')"
    )
    return rows(database_url, nodes) + rows(database_url, "SELECT run_id, scope, number FROM runs_slot")


def logs(database_url: str, workflow: str) -> dict[str, Log]:
    """By run."""
    found: dict[str, Log] = defaultdict(list)
    for run_id, sequence, node, phase, moment in rows(
        database_url,
        f"""SELECT e.run_id, e.sequence, e.node, e.phase, e.timestamp FROM runs_runevent e
        JOIN runs_run r ON r.id = e.run_id WHERE r.workflow = '{workflow}' ORDER BY e.run_id, e.sequence""",
    ):
        found[str(run_id)].append((sequence, node, phase, moment_of(moment)))
    return found


def most_at_once(database_url: str, workflow: str) -> int:
    """The runs that had begun and not ended, when there were most of them."""
    times = rows(database_url, f"SELECT started_at, finished_at FROM runs_run WHERE workflow = '{workflow}'")
    changes = [(moment_of(began), 1) for began, _ in times] + [(moment_of(ended), -1) for _, ended in times]
    now = most = 0
    for _, change in sorted(changes):  # who ends at a moment makes room for who begins at it
        now += change
        most = max(most, now)
    return most


def first_waits(database_url: str, workflow: str) -> list[Wait]:
    """From the making of each run to its first event."""
    found = rows(
        database_url,
        f"""SELECT r.id, r.created_at, min(e.timestamp) FROM runs_run r JOIN runs_runevent e ON e.run_id = r.id
        WHERE r.workflow = '{workflow}' GROUP BY r.id, r.created_at""",
    )
    return [_wait(moment_of(made), moment_of(began), f"{run_id} begins") for run_id, made, began in found]


def waits(log: Log, nodes: Mapping[str, Any]) -> list[Wait]:
    """From when a node could start to when it did, and from its start to when it was tried again; a node takes part of
    the latter for itself.
    """
    found: list[Wait] = []
    ready: dict[str, float] = {}
    began: dict[str, float] = {}
    completed: set[str] = set()
    for sequence, node, phase, at in log:
        if phase == "started":
            found.append(_wait(ready.pop(node, at), at, f"event {sequence}: {node} starts"))
            began[node] = at
        elif phase == "retrying":
            found.append(_wait(began[node], at, f"event {sequence}: {node} is tried again"))
            ready[node] = at
        elif phase == "waiting" and nodes[node]["type"] == "wait":
            # Who wakes it writes no event of its own: it completes.
            ready[node] = at + nodes[node]["with"]["seconds"]
        elif phase == "completed":
            if node in ready:
                found.append(_wait(ready.pop(node), at, f"event {sequence}: {node} is over"))
            completed.add(node)
            ready |= {
                follower: at
                for follower, about in nodes.items()
                if node in about.get("needs", ()) and completed >= set(about["needs"])
            }
    return found


def standstill(logs: Mapping[str, Log], waits: Iterable[Wait]) -> float:
    """The longest time without any event while something was ready or lost. While all wait for people, nothing is."""
    moments, known = sorted(at for log in logs.values() for *_, at in log), list(waits)
    return max(
        later - earlier
        for earlier, later in pairwise(moments)
        if any(wait.since <= earlier and later <= wait.until for wait in known)
    )


def _wait(since: float, until: float, what: str) -> Wait:
    return Wait(until - since, since, until, what)


def executions(effects: Path) -> dict[str, set[str]]:
    """The nonces of each node's executions, by its Idempotency-Key."""
    found: dict[str, set[str]] = defaultdict(set)
    for line in effects.read_text().splitlines():
        key, nonce = line.split()
        found[key].add(nonce)
    return found


def check_effects(database_url: str, effects: Path) -> int:
    """However often a node was executed, one execution was accepted, and the log and the node speak of the same.
    How many were.
    """
    done = executions(effects)
    events = rows(database_url, "SELECT run_id, node, payload FROM runs_runevent WHERE phase = 'completed'")
    told = {(str(run_id), node): json_of(payload) for run_id, node, payload in events}
    outputs = rows(database_url, "SELECT run_id, node, output FROM runs_runnode")
    found = [(str(run_id), node, json_of(output)) for run_id, node, output in outputs]
    accepted = [(run_id, node, output) for run_id, node, output in found if "nonce" in (output or ())]
    for run_id, node, output in accepted:
        assert output["nonce"] in done[f"{uuid.UUID(run_id)}/{node}"]
        assert told[run_id, node] == output
    print(f"{sum(map(len, done.values()))} executions, {len(accepted)} of them accepted.")
    return len(accepted)
