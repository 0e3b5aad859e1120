"""The form of a task."""

import re
import uuid
from collections.abc import Collection
from typing import Any, Final, cast

from django import forms

from orchestrator.core.ids import parse_uuid
from orchestrator.web.conflicts import unix
from tasks.models import (
    DEFAULT_MAX_ATTEMPTS,
    MAX_ASSIGNEE,
    MAX_ATTEMPTS,
    MAX_DESCRIPTION,
    MAX_PRIORITY,
    MAX_TITLE,
    Task,
)
from tasks.services.tasks import TaskChanges

_SETS: Final = ("labels", "depends_on")


class TaskForm(forms.Form):
    """All that people may write of a task. Labels and dependencies are texts: they are typed, pasted and compared."""

    title = forms.CharField(max_length=MAX_TITLE)
    description = forms.CharField(
        required=False, strip=False, max_length=MAX_DESCRIPTION, widget=forms.Textarea(attrs={"rows": 8})
    )
    priority = forms.IntegerField(
        min_value=0, max_value=MAX_PRIORITY, initial=0, help_text=f"0 to {MAX_PRIORITY}. Higher goes first."
    )
    assignee = forms.CharField(
        required=False, max_length=MAX_ASSIGNEE, help_text="Who alone may take it. Empty: whoever comes first."
    )
    max_attempts = forms.IntegerField(
        label="Attempts at most", min_value=1, max_value=MAX_ATTEMPTS, initial=DEFAULT_MAX_ATTEMPTS,
        help_text="After as many failures it is parked as blocked.",
    )  # fmt: skip
    labels = forms.CharField(required=False, max_length=6000, help_text="Separate them with commas.")
    depends_on = forms.CharField(
        label="Waits for", required=False, max_length=10_000, widget=forms.Textarea(attrs={"rows": 3}),
        help_text="Ids or addresses of other tasks, one on a line.",
    )  # fmt: skip

    def clean_description(self) -> str:
        return unix(self.cleaned_data["description"])

    def clean_labels(self) -> list[str]:
        names = (name.strip() for name in self.cleaned_data["labels"].split(","))
        return sorted({name for name in names if name})

    def clean_depends_on(self) -> list[uuid.UUID]:
        written = re.split(r"[\s,]+", self.cleaned_data["depends_on"].strip())
        found = {text: parse_uuid(text.rstrip("/").rpartition("/")[2]) for text in written if text}
        if wrong := [text for text, task_id in found.items() if task_id is None]:
            raise forms.ValidationError(f"“{wrong[0]}” is not the id of a task.")
        return sorted({task_id for task_id in found.values() if task_id})

    def fields_of_task(self) -> TaskChanges:
        """All fields, when the form is valid."""
        return cast(TaskChanges, {name: self.cleaned_data[name] for name in self.base_fields})

    def changes(self, task: Task) -> TaskChanges:
        """The fields in which the valid form differs from ``task``, whose details are attached."""
        present: dict[str, Any] = {name: getattr(task, name) for name in self.base_fields if name not in _SETS}
        present |= {"labels": task.label_names, "depends_on": task.dependency_ids}
        return cast(TaskChanges, {name: now for name, now in self.fields_of_task().items() if now != present[name]})

    def add_faults(self, faults: Any) -> None:
        """What the service found, at the fields that it belongs to."""
        for name, messages in (faults or {"": ["The task is not valid."]}).items():
            self.add_error(name if name in self.fields else None, messages)


def written(task: Task) -> dict[str, str]:
    """The task as the form's texts. Its details are attached."""
    return {
        "title": task.title,
        "description": unix(task.description),
        "priority": str(task.priority),
        "assignee": task.assignee,
        "max_attempts": str(task.max_attempts),
        "labels": _joined(task.label_names, ", "),
        "depends_on": _joined(task.dependency_ids, "\n"),
    }


def _joined(values: Collection[object], between: str) -> str:
    return between.join(str(value) for value in values)
