"""States of runs and nodes, and which may follow which (CONTRACT §3, Runs)."""

from typing import Final

from django.db import models


class RunStatus(models.TextChoices):
    QUEUED = "queued"
    RUNNING = "running"
    WAITING = "waiting"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


class NodeStatus(models.TextChoices):
    PENDING = "pending"
    RUNNING = "running"
    WAITING = "waiting"
    COMPLETED = "completed"
    FAILED = "failed"
    SKIPPED = "skipped"
    CANCELLED = "cancelled"


class Phase(models.TextChoices):
    """What a run event reports of its node (CONTRACT §5)."""

    STARTED = "started"
    COMPLETED = "completed"
    FAILED = "failed"
    RETRYING = "retrying"
    SKIPPED = "skipped"
    WAITING = "waiting"
    CANCELLED = "cancelled"
    PATCHED = "patched"


class PatchState(models.TextChoices):
    """What has become of a patch to a live run. Rejected and reverted ones stay on the record."""

    PROPOSED = "proposed"
    ACCEPTED = "accepted"
    REJECTED = "rejected"
    REVERTED = "reverted"


RUN_TRANSITIONS: Final[dict[str, frozenset[str]]] = {
    RunStatus.QUEUED: frozenset({RunStatus.RUNNING, RunStatus.FAILED, RunStatus.CANCELLED}),
    RunStatus.RUNNING: frozenset({RunStatus.WAITING, RunStatus.SUCCEEDED, RunStatus.FAILED, RunStatus.CANCELLED}),
    RunStatus.WAITING: frozenset({RunStatus.RUNNING, RunStatus.FAILED, RunStatus.CANCELLED}),
    RunStatus.SUCCEEDED: frozenset(),
    RunStatus.FAILED: frozenset(),
    RunStatus.CANCELLED: frozenset(),
}
FINAL_RUN: Final = frozenset(status for status, following in RUN_TRANSITIONS.items() if not following)
ACTIVE_RUN: Final = frozenset(RUN_TRANSITIONS) - FINAL_RUN
FINAL_NODE: Final = frozenset({NodeStatus.COMPLETED, NodeStatus.FAILED, NodeStatus.SKIPPED, NodeStatus.CANCELLED})
