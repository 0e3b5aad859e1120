"""An old database keeps its runs, each frozen to what it was, and goes on with those that were running."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from orchestrator.core import clock
from orchestrator.core.ids import uuid7
from runs.engine import sweeper, worker
from runs.models import Run, RunPin
from runs.nodes.base import NodeResult
from runs.tests.steps import hearing, node_type, phases

BEFORE = [("runs", "0002_initial"), ("versioning", "0002_versions")]
AFTER = [("runs", "0004_versions_required")]


@pytest.fixture(autouse=True)
def _to_the_end() -> Iterator[None]:
    yield
    migrate(MigrationExecutor(connection).loader.graph.leaf_nodes())


def migrate(targets: list[tuple[str, str]]) -> Any:
    executor = MigrationExecutor(connection)
    executor.migrate(targets)
    return MigrationExecutor(connection).loader.project_state(targets).apps


@pytest.mark.django_db(transaction=True)
def test_runs_from_before_versions_become_runs_of_their_snapshot() -> None:
    apps = migrate(BEFORE)
    run_ids = [old_run(apps, {"nodes": {"a": {"type": "intent"}}}) for _ in range(2)]
    apps = migrate(AFTER)
    runs = apps.get_model("runs", "Run").objects.filter(pk__in=run_ids).select_related("snapshot__blob")
    assert len(runs) == 2
    for run in runs:
        assert run.artifact_id == run.snapshot_id
        assert (run.snapshot.kind, run.snapshot.node_count) == ("run_snapshot", 1)
        assert json.loads(run.snapshot.blob.content) == {"nodes": {"a": {"type": "intent"}}}


@pytest.mark.django_db(transaction=True)
def test_a_run_that_was_running_before_nodes_had_leases_is_found_and_ends() -> None:
    """Its server was stopped to be upgraded: the node that it was at has no lease, and is tried again."""
    old_run(migrate(BEFORE), {"nodes": {"a": {"type": "x"}, "b": {"type": "x", "needs": ["a"]}}})
    apps = migrate(AFTER)
    run = apps.get_model("runs", "Run").objects.get()
    apps.get_model("runs", "Run").objects.update(
        status="running", lease_holder="elsewhere:1:me", lease_token=1, started_at=clock.now(), next_sequence=1,
        lease_expires_at=clock.now(), last_event_at=clock.now(),
    )  # fmt: skip
    about = {"run": run, "org_id": run.org_id, "node": "a"}
    apps.get_model("runs", "RunNode").objects.create(id=uuid7(), status="running", attempts=1, **about)
    apps.get_model("runs", "RunEvent").objects.create(
        id=uuid7(), timestamp=clock.now(), sequence=0, phase="started", summary="Begun.", **about
    )
    migrate(MigrationExecutor(connection).loader.graph.leaf_nodes())
    with hearing() as heard:
        sweeper.sweep("elsewhere:2:other")
    assert set(heard.runs) == {run.id}
    with node_type("x", lambda _: NodeResult({}, "Done.")):
        worker.execute(run.id, "elsewhere:2:other")
    found = Run.objects.get(pk=run.id)
    assert (found.status, found.recoveries) == ("succeeded", 1)
    assert phases(found)[:4] == [("a", "started"), ("a", "retrying"), ("a", "started"), ("a", "completed")]


@pytest.mark.django_db(transaction=True)
def test_what_runs_had_pinned_before_pins_had_rows_is_kept() -> None:
    run_id = old_run(migrate(BEFORE), {"nodes": {"a": {"type": "intent"}}})
    apps = migrate([("runs", "0008_limits")])
    run = apps.get_model("runs", "Run").objects.get(pk=run_id)
    run.pins = {
        "sub": {"artifact": str(run.artifact_id), "snapshot": str(run.snapshot_id)},
        "lost": {"artifact": str(uuid7()), "snapshot": str(uuid7())},
    }
    run.save()
    migrate(MigrationExecutor(connection).loader.graph.leaf_nodes())
    assert list(RunPin.objects.values_list("run_id", "artifact_id")) == [(run.id, run.snapshot_id)]


def old_run(apps: Any, definition: dict[str, Any]) -> Any:
    org, _ = apps.get_model("identity", "Organization").objects.get_or_create(
        slug="old", defaults={"id": uuid7(), "name": "Old", "created_at": clock.now()}
    )
    blob, _ = apps.get_model("versioning", "Blob").objects.get_or_create(
        org=org, digest="sha256:old", defaults={"id": uuid7(), "content": json.dumps(definition)}
    )
    run = apps.get_model("runs", "Run").objects.create(
        id=uuid7(), org=org, workflow="agent-graph", definition=blob, created_by="system", created_at=clock.now()
    )
    return run.id
