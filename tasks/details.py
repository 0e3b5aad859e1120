"""What a task's JSON shows beside its own row: the names of its labels and the ids that it depends on."""

import uuid
from collections import defaultdict
from collections.abc import Sequence

from tasks.models import Task, TaskDependency, TaskLabel


def attach(tasks: Sequence[Task]) -> Sequence[Task]:
    """Set ``label_names`` and ``dependency_ids`` on each of ``tasks``: two queries for any number.

    Not prefetch_related, which builds a queryset for each task and relation: for a list of 100 that took longer than
    all else together.
    """
    ids = [task.pk for task in tasks]
    labels: dict[uuid.UUID, list[str]] = defaultdict(list)
    for task_id, name in TaskLabel.objects.filter(task_id__in=ids).values_list("task_id", "name"):
        labels[task_id].append(name)
    dependencies: dict[uuid.UUID, list[uuid.UUID]] = defaultdict(list)
    for task_id, other in TaskDependency.objects.filter(task_id__in=ids).values_list("task_id", "depends_on_id"):
        dependencies[task_id].append(other)
    for task in tasks:
        task.label_names, task.dependency_ids = sorted(labels[task.pk]), sorted(dependencies[task.pk])
    return tasks
