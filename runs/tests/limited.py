"""Runs of workflows with limits, for the tests of them."""

from typing import Any

from django.db import transaction

from conftest import Person
from orchestrator.core.canonical import canonical_json, digest
from runs.models import OrgLimits, Run, Slot
from runs.services import org_limits, progress, submission
from runs.services.progress import Attempt
from runs.tests.steps import ME
from versioning.models import Artifact
from versioning.services.blobs import put_blob
from versioning.services.pins import Pin

ONE = {"a": {"type": "quick"}}


def submit(
    person: Person, workflow: str = "nightly", inputs: dict[str, Any] | None = None, *,
    nodes: dict[str, Any] | None = None, priority: int | None = None, parent: Run | None = None,
    seconds: float | None = None, **concurrency: Any,
) -> Run:  # fmt: skip
    """A queued run of a workflow with that ``concurrency``, or none, that may take so many ``seconds``."""
    definition: dict[str, Any] = {"nodes": nodes or ONE, **({"timeout_seconds": seconds} if seconds else {})}
    if concurrency:
        definition["concurrency"] = concurrency
    content = canonical_json(definition)
    with transaction.atomic():
        snapshot, _ = Artifact.objects.get_or_create(
            org=person.org, kind="run_snapshot", blob_id=put_blob(org_id=person.org.id, content=content),
            definition_digest=digest(content),
            defaults={"node_count": len(definition["nodes"]), "edge_count": 0, "author": "system"},
        )  # fmt: skip
        return submission.create_run(
            actor=person.actor, workflow=workflow, pin=Pin(snapshot.id, snapshot.id), inputs=inputs or {},
            priority=priority, parent=parent, parent_node="a" if parent else "",
        )  # fmt: skip


def begin(run: Run) -> Attempt | None:
    """The first node of the run, started; None when it may not begin."""
    return progress.take(run.id, ME)


def status(run: Run) -> str:
    return str(Run.objects.values_list("status", flat=True).get(pk=run.pk))


def waiting(run: Run) -> Any:
    return Run.objects.values_list("waiting_on", flat=True).get(pk=run.pk)


def scope_of(run: Run) -> str:
    """What the run is counted in, beside its org."""
    return Slot.objects.exclude(scope="org").get(run=run).scope


def holders(scope: str) -> list[Any]:
    held = Slot.objects.filter(scope=scope, number__isnull=False)
    return list(held.order_by("number").values_list("run_id", flat=True))


def limit_org(person: Person, most: int | None) -> None:
    OrgLimits.objects.update_or_create(org=person.org, defaults={"max_running_runs": most})
    org_limits.forget()
