"""The org that the tests and the pictures of pages look at, and the ids of what is in it."""

import json
import sys
from dataclasses import asdict
from typing import Any

from django.apps import apps
from django.contrib import admin
from django.core.management import call_command
from django.db.models import Model

from tests.pages import inventory
from tests.pages.site import EMAIL

# {run_succeeded} in the inventory is the id of the newest run that has succeeded.
_BY_STATUS = {
    "run": "runs.Run", "task": "tasks.Task", "runtime_agent": "agents.RuntimeAgent", "job": "runs.Job"
}  # fmt: skip
_ANY = {"agent": "agents.Agent", "member": "identity.Membership", "api_key": "identity.ApiKey"}


def plant() -> None:
    """Make the demo org. Its owner may open the admin, too."""
    call_command("seed", demo=True, force=True, verbosity=0, stdout=sys.stderr)
    apps.get_model("identity.User").objects.filter(email=EMAIL).update(is_staff=True, is_superuser=True)


def found(slug: str = "default") -> dict[str, str]:
    """What the paths of the inventory are filled with, in the org of that slug, which has had the demonstration:
    ``run_succeeded``, ``agent``, ``row_<app>_<model>``, …
    """
    org = apps.get_model("identity.Organization").objects.get(slug=slug)
    ids = {inventory.row_of(model): _newest(model) for model in admin.site._registry}
    for kind, label in _BY_STATUS.items():
        rows = apps.get_model(label).objects.filter(org=org).order_by("pk")
        ids |= {f"{kind}_{status}": str(pk) for pk, status in rows.values_list("pk", "status")}
    ids |= {name: _newest(apps.get_model(label), org=org) for name, label in _ANY.items()}
    return {name: value for name, value in (ids | _runs(org) | _workflows(org)).items() if value}


def _runs(org: Any) -> dict[str, str]:
    """Runs of which their pages show more than of others."""
    runs, nodes = apps.get_model("runs.Run").objects.filter(org=org), apps.get_model("runs.RunNode").objects
    asking = nodes.filter(run__org=org, status="waiting", waiting_on__kind="approval").order_by("pk").last()
    patched = apps.get_model("runs.RunPatch").objects.filter(org=org).order_by("pk").last()
    trip = runs.filter(workflow="agent-graph", status="succeeded").last()
    return {
        "run_trip": str(trip.pk), "node_done": "planner", "run_patched": str(patched.run_id),
        "run_asking": str(asking.run_id), "node_asking": asking.node,
    }  # fmt: skip


def _workflows(org: Any) -> dict[str, str]:
    tag = apps.get_model("versioning.Tag").objects.get(org=org, name="release-train")
    return {"workflow": tag.name, "workflow_branch": f"{tag.name}/slow-start", "artifact": str(tag.artifact_id)}


def paths() -> dict[str, str]:
    """Where each page of the inventory is; one whose row the demo lacks is not there."""
    ids = found()
    return {page.name: page.path(ids) for page in inventory.PAGES if page.wants <= set(ids)}


def _newest(model: type[Model], **which: object) -> str:
    return str(model._default_manager.filter(**which).order_by("pk").values_list("pk", flat=True).last() or "")


def main() -> None:
    """Migrate and fill the database of DATABASE_URL, and print its pages and where they are."""
    call_command("migrate", verbosity=0)
    plant()
    json.dump({"pages": [asdict(page) for page in inventory.PAGES], "paths": paths()}, sys.stdout)
