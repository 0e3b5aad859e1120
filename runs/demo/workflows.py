"""The workflows of the demonstration, and their history: patches, branches, a merge, undo and redo."""

import json
from pathlib import Path
from typing import Any, Final

from orchestrator.identity.seeds import Stage
from versioning.models import Artifact, Tag
from versioning.services import merges, tags, workflows

NAMES: Final = ("page-layout", "release-train", "research-brief", "nightly-report", "invoice-intake")
_FOLDER: Final = Path(__file__).parent


def make(stage: Stage) -> None:
    for name in NAMES:
        definition = json.loads((_FOLDER / f"{name}.json").read_text(encoding="utf-8"))
        workflows.create_workflow(actor=stage.people["mina"], tag=name, definition=definition, message="First version")
        stage.clock.pass_seconds(400)


def branch(stage: Stage) -> None:
    """The release train gets a branch for a slower roll-out, and goes on by itself meanwhile."""
    tags.create_tag(
        actor=stage.people["leo"], name="release-train/slow-start", artifact=_head(stage, "release-train"),
        message="Try a slower start",
    )  # fmt: skip
    stage.clock.pass_seconds(900)
    slow = "release-train/slow-start"
    watch = {"type": "transform", "needs": ["deploy-first-share"], "with": {"output": {"errors_per_minute": 0.2}}}
    added, moved = _set("nodes/watch-errors", watch), _set("nodes/settle/needs", ["watch-errors"])
    _patch(stage, "leo", slow, "Watch the errors after the first share", added, moved)
    stage.clock.pass_seconds(1300)
    _patch(stage, "leo", slow, "Settle for a quarter of an hour", _set("nodes/settle/with/seconds", 900))
    stage.clock.pass_seconds(500)
    _patch(stage, "mina", "release-train", "Give slow builds an hour", _set("nodes/build/timeout_seconds", 3600))


def merge(stage: Stage) -> None:
    merges.merge_tag(
        actor=stage.people["mina"], into="release-train", theirs=_head(stage, "release-train/slow-start"),
        message="Start slowly from now on",
    )  # fmt: skip


def change_minds(stage: Stage) -> None:
    """The nightly report goes forward, two steps back, one forward again; there is something left to redo."""
    name, mina = "nightly-report", stage.people["mina"]
    _patch(stage, "leo", name, "Try harder to read the orders", _set("nodes/orders/retry/max_attempts", 5))
    stage.clock.pass_seconds(600)
    _patch(stage, "leo", name, "Refunds may not be left out", _set("nodes/refunds/on_failure", "fail"))
    stage.clock.pass_seconds(3000)
    tags.undo_tag(actor=mina, name=name, message="The report did not come")
    stage.clock.pass_seconds(60)
    tags.undo_tag(actor=mina, name=name)
    stage.clock.pass_seconds(600)
    tags.redo_tag(actor=mina, name=name, message="This one was not to blame")


def promote(stage: Stage) -> None:
    """Invoices have a stable name that follows some time later."""
    owner, name = stage.people["owner"], "invoice-intake"
    tags.create_tag(actor=owner, name=f"{name}/stable", artifact=_head(stage, name), message="What pays for real")
    stage.clock.pass_seconds(1200)
    _patch(stage, "leo", name, "Ask from 3,000 euros on", _set("nodes/sign-off/when", "nodes.sum.total > `3000`"))
    stage.clock.pass_seconds(5000)
    tags.move_tag(actor=owner, name=f"{name}/stable", to=_head(stage, name), message="A day without a complaint")
    stage.clock.pass_seconds(60)
    tags.protect_tag(actor=owner, name=f"{name}/stable", protected=True)
    _patch(stage, "leo", name, "Check ten at a time", _set("nodes/check/map/concurrency", 10))


def _patch(stage: Stage, who: str, tag: str, message: str, *operations: dict[str, Any]) -> None:
    workflows.patch_tag(actor=stage.people[who], tag=tag, operations=list(operations), message=message)


def _set(path: str, value: Any) -> dict[str, Any]:
    return {"op": "add", "path": f"/{path}", "value": value}


def _head(stage: Stage, name: str) -> Artifact:
    return Tag.objects.for_org(stage.org_id).live().select_related("artifact").get(name=name).head
