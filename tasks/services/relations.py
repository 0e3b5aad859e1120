"""What hangs on a task: its labels and the tasks that it waits for."""

import uuid
from collections.abc import Collection

from orchestrator.core.errors import ValidationFailed
from tasks.models import MAX_DEPENDENCIES, MAX_LABEL, MAX_LABELS, Task, TaskDependency, TaskLabel


def set_labels(task: Task, names: Collection[str]) -> None:
    wanted = {name.strip() for name in names}
    _check_count("labels", len(wanted), MAX_LABELS)
    if any(not 1 <= len(name) <= MAX_LABEL for name in wanted):
        raise ValidationFailed(details={"labels": [f"Each label has 1 to {MAX_LABEL} characters and is not blank."]})
    present = set(task.labels.values_list("name", flat=True))
    task.labels.filter(name__in=present - wanted).delete()
    TaskLabel.objects.bulk_create(
        TaskLabel(org_id=task.org_id, task=task, name=name) for name in sorted(wanted - present)
    )


def set_dependencies(task: Task, ids: Collection[uuid.UUID]) -> None:
    wanted = set(ids)
    _check_count("depends_on", len(wanted), MAX_DEPENDENCIES)
    _check_dependencies(task, wanted)
    present = set(task.dependencies.values_list("depends_on", flat=True))
    task.dependencies.filter(depends_on__in=present - wanted).delete()
    TaskDependency.objects.bulk_create(
        TaskDependency(org_id=task.org_id, task=task, depends_on_id=other) for other in sorted(wanted - present)
    )


def _check_dependencies(task: Task, wanted: set[uuid.UUID]) -> None:
    """Raises ValidationFailed; another org's tasks are unknown in the same words as those that never were."""
    if task.pk in wanted:
        raise ValidationFailed(details={"depends_on": ["A task cannot depend on itself."]})
    known = Task.objects.for_org(task.org_id).filter(pk__in=wanted).values_list("pk", flat=True)
    if unknown := wanted.difference(known):
        named = ", ".join(str(other) for other in sorted(unknown))
        raise ValidationFailed(details={"depends_on": [f"There is no such task: {named}."]})
    if TaskDependency.objects.lead(wanted, task.pk):
        raise ValidationFailed(details={"depends_on": ["This would close a cycle: one of these waits for this task."]})


def _check_count(field: str, count: int, most: int) -> None:
    if count > most:
        raise ValidationFailed(details={field: [f"May have {most} entries at most, not {count}."]})
