"""A database from before versions keeps its runs, each frozen to what it was."""

import json
from typing import Any

import pytest
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from orchestrator.core import clock
from orchestrator.core.ids import uuid7

BEFORE = [("runs", "0002_initial"), ("versioning", "0002_versions")]
AFTER = [("runs", "0004_versions_required")]


def migrate(targets: list[tuple[str, str]]) -> Any:
    executor = MigrationExecutor(connection)
    executor.migrate(targets)
    return MigrationExecutor(connection).loader.project_state(targets).apps


@pytest.mark.django_db(transaction=True)
def test_runs_from_before_versions_become_runs_of_their_snapshot() -> None:
    apps = migrate(BEFORE)
    try:
        run_ids = [old_run(apps, {"nodes": {"a": {"type": "intent"}}}) for _ in range(2)]
    finally:
        apps = migrate(AFTER)
    runs = apps.get_model("runs", "Run").objects.filter(pk__in=run_ids).select_related("snapshot__blob")
    assert len(runs) == 2
    for run in runs:
        assert run.artifact_id == run.snapshot_id
        assert (run.snapshot.kind, run.snapshot.node_count) == ("run_snapshot", 1)
        assert json.loads(run.snapshot.blob.content) == {"nodes": {"a": {"type": "intent"}}}


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
