"""Tasks in and out. The serializers check a body's form; what it means is checked in tasks/services.py."""

import uuid
from typing import Any

from rest_framework import serializers

from orchestrator.api.serializers import StrictSerializer
from orchestrator.core import clock
from orchestrator.core.ids import parse_uuid
from tasks.models import (
    MAX_ASSIGNEE,
    MAX_DEPENDENCIES,
    MAX_DESCRIPTION,
    MAX_LABEL,
    MAX_LABELS,
    MAX_PRIORITY,
    MAX_TITLE,
    Task,
)
from tasks.states import Status


class TaskIdField(serializers.UUIDField):
    """A UUID in its 36-character form; DRF's own field also takes integers, URNs and braces."""

    def to_internal_value(self, data: Any) -> uuid.UUID:
        if (found := parse_uuid(data)) is None:
            self.fail("invalid", value=data)
        return found


class TaskFields(StrictSerializer):
    """All that a caller may write of a task. Its status moves by transitions alone."""

    title = serializers.CharField(max_length=MAX_TITLE)
    description = serializers.CharField(max_length=MAX_DESCRIPTION, allow_blank=True, default="", trim_whitespace=False)
    priority = serializers.IntegerField(min_value=0, max_value=MAX_PRIORITY, default=0, help_text="Higher goes first.")
    assignee = serializers.CharField(max_length=MAX_ASSIGNEE, allow_blank=True, default="")
    labels = serializers.ListField(
        child=serializers.CharField(max_length=MAX_LABEL), max_length=MAX_LABELS, default=list
    )
    depends_on = serializers.ListField(
        child=TaskIdField(), max_length=MAX_DEPENDENCIES, default=list, help_text="Ids of the tasks it waits for."
    )


class Transition(StrictSerializer):
    status = serializers.ChoiceField(
        Status.choices,
        error_messages={"invalid_choice": f"{{input}} is not a status; there are {', '.join(Status.values)}."},
    )


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
        "created_by": task.created_by,
        "created_at": clock.rfc3339(task.created_at),
        "updated_at": clock.rfc3339(task.updated_at),
        "version": task.version,
    }
