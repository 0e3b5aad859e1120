"""Tasks and leases in and out. The serializers check a body's form; what it means is checked in tasks/services."""

from typing import Any, Final

from rest_framework import serializers

from orchestrator.api.serializers import IdField, StrictSerializer
from orchestrator.core import clock
from tasks.models import (
    DEFAULT_LEASE_SECONDS,
    DEFAULT_MAX_ATTEMPTS,
    MAX_ASSIGNEE,
    MAX_ATTEMPTS,
    MAX_DEPENDENCIES,
    MAX_DESCRIPTION,
    MAX_ERROR,
    MAX_HOLDER,
    MAX_LABEL,
    MAX_LABELS,
    MAX_LEASE_SECONDS,
    MAX_PRIORITY,
    MAX_TITLE,
    Task,
    TaskLease,
)
from tasks.states import LeaseOutcome, Status

MAX_TOKEN: Final = 2**53 - 1


class TaskFields(StrictSerializer):
    """All that a caller may write of a task. Its status moves by transitions alone."""

    title = serializers.CharField(max_length=MAX_TITLE)
    description = serializers.CharField(max_length=MAX_DESCRIPTION, allow_blank=True, default="", trim_whitespace=False)
    priority = serializers.IntegerField(min_value=0, max_value=MAX_PRIORITY, default=0, help_text="Higher goes first.")
    assignee = serializers.CharField(max_length=MAX_ASSIGNEE, allow_blank=True, default="")
    max_attempts = serializers.IntegerField(
        min_value=1, max_value=MAX_ATTEMPTS, default=DEFAULT_MAX_ATTEMPTS,
        help_text="How many leases may fail or run out before the task is parked as blocked.",
    )  # fmt: skip
    labels = serializers.ListField(
        child=serializers.CharField(max_length=MAX_LABEL), max_length=MAX_LABELS, default=list
    )
    depends_on = serializers.ListField(
        child=IdField(), max_length=MAX_DEPENDENCIES, default=list, help_text="Ids of the tasks it waits for."
    )


_NO_STATUS: Final[dict[str, Any]] = {
    "invalid_choice": f"{{input}} is not a status; there are {', '.join(Status.values)}."
}


class Transition(StrictSerializer):
    status = serializers.ChoiceField(Status.choices, error_messages=_NO_STATUS)


def _ttl(**options: Any) -> serializers.IntegerField:
    about = "Seconds until the lease runs out."
    return serializers.IntegerField(min_value=1, max_value=MAX_LEASE_SECONDS, help_text=about, **options)


class Acquire(StrictSerializer):
    """Which task a holder wants: the one named by ``task_id``, or the best by the other fields."""

    holder = serializers.CharField(max_length=MAX_HOLDER, help_text="Who will work on it.")
    ttl_seconds = _ttl(default=DEFAULT_LEASE_SECONDS)
    task_id = IdField(required=False, help_text="This task, whoever it is assigned to. Left out: the best.")
    labels = serializers.ListField(
        child=serializers.CharField(max_length=MAX_LABEL), max_length=MAX_LABELS, required=False,
        help_text="It has all of these.",
    )  # fmt: skip
    assignee = serializers.CharField(
        max_length=MAX_ASSIGNEE, allow_blank=True, required=False,
        help_text="It is assigned to them or to nobody. Left out: the holder.",
    )  # fmt: skip
    q = serializers.CharField(
        max_length=200, required=False, trim_whitespace=False, help_text="Its title or description mentions this."
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        filters = [name for name in ("labels", "assignee", "q") if name in attrs]
        if "task_id" in attrs and filters:
            raise serializers.ValidationError({"task_id": [f"Give this or {' and '.join(filters)}, not both."]})
        return attrs


class Held(StrictSerializer):
    """What every call of a holder names."""

    token = serializers.IntegerField(min_value=1, max_value=MAX_TOKEN, help_text="As acquire gave it.")


class Heartbeat(Held):
    ttl_seconds = _ttl(required=False)


class Complete(Held):
    status = serializers.ChoiceField(
        Status.choices, default=Status.REVIEW, error_messages=_NO_STATUS, help_text="Where the task goes."
    )
    result = serializers.DictField(
        allow_null=True, default=None, help_text="Kept with the lease: 100,000 bytes of JSON."
    )


class Fail(Held):
    error = serializers.CharField(max_length=MAX_ERROR, help_text="What went wrong, for people. Kept with the lease.")


class TaskBody(serializers.Serializer):
    """A task as it is answered; documents ``task_json``."""

    id = serializers.UUIDField()
    title = serializers.CharField()
    description = serializers.CharField()
    status = serializers.ChoiceField(Status.choices)
    priority = serializers.IntegerField()
    labels = serializers.ListField(child=serializers.CharField())
    depends_on = serializers.ListField(child=serializers.UUIDField())
    assignee = serializers.CharField()
    attempts = serializers.IntegerField()
    max_attempts = serializers.IntegerField()
    created_by = serializers.CharField()
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()
    version = serializers.IntegerField()


def task_json(task: Task) -> dict[str, Any]:
    """A task, alone and in lists. Its details must be attached: nothing is read here."""
    return {
        "id": str(task.id),
        "title": task.title,
        "description": task.description,
        "status": str(task.status),
        "priority": task.priority,
        "labels": task.label_names,
        "depends_on": [str(other) for other in task.dependency_ids],
        "assignee": task.assignee,
        "attempts": task.attempts,
        "max_attempts": task.max_attempts,
        "created_by": task.created_by,
        "created_at": clock.rfc3339(task.created_at),
        "updated_at": clock.rfc3339(task.updated_at),
        "version": task.version,
    }


class AcquiredBody(serializers.Serializer):
    """Documents ``acquired_json``."""

    lease_id = serializers.UUIDField()
    task = TaskBody()
    token = serializers.IntegerField()
    expires_at = serializers.DateTimeField()
    holder = serializers.CharField()


class HandedTaskBody(AcquiredBody):
    """A task as an agent is handed it."""

    kind = serializers.ChoiceField(["task"])


class LeaseItem(serializers.Serializer):
    """A lease in the list; documents ``lease_item``."""

    id = serializers.UUIDField()
    task_id = serializers.UUIDField()
    holder = serializers.CharField()
    token = serializers.IntegerField()
    ttl_seconds = serializers.IntegerField()
    acquired_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField()
    ended_at = serializers.DateTimeField(allow_null=True)
    outcome = serializers.ChoiceField(LeaseOutcome.choices)
    error = serializers.CharField()
    created_by = serializers.CharField()


class LeaseBody(LeaseItem):
    """A lease as it is answered; documents ``lease_json``."""

    result = serializers.DictField(allow_null=True)


def acquired_json(lease: TaskLease) -> dict[str, Any]:
    """A new lease and its task, whose details must be attached."""
    return {
        "lease_id": str(lease.id),
        "task": task_json(lease.task),
        "token": lease.token,
        "expires_at": clock.rfc3339(lease.expires_at),
        "holder": lease.holder,
    }


def lease_item(lease: TaskLease) -> dict[str, Any]:
    """A lease without its result, which may be long."""
    return {
        "id": str(lease.id),
        "task_id": str(lease.task_id),
        "holder": lease.holder,
        "token": lease.token,
        "ttl_seconds": lease.ttl_seconds,
        "acquired_at": clock.rfc3339(lease.acquired_at),
        "expires_at": clock.rfc3339(lease.expires_at),
        "ended_at": clock.rfc3339(lease.ended_at) if lease.ended_at else None,
        "outcome": str(lease.outcome),
        "error": lease.error,
        "created_by": lease.created_by,
    }


def lease_json(lease: TaskLease) -> dict[str, Any]:
    return {**lease_item(lease), "result": lease.result}
