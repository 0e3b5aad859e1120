"""The query parameters of the lists of tasks and leases."""

from typing import Any

import django_filters
from django import forms

from tasks.models import MAX_ASSIGNEE, MAX_HOLDER, MAX_LABEL
from tasks.querysets import TaskLeaseQuerySet, TaskQuerySet
from tasks.states import Status


class LabelsField(forms.Field):
    """Every value of a parameter that may be repeated, each of a label's form."""

    widget = forms.SelectMultiple
    _name = forms.CharField(max_length=MAX_LABEL)

    def clean(self, value: Any) -> list[str]:
        return [self._name.clean(name) for name in value or ()]


class LabelsFilter(django_filters.MultipleChoiceFilter):  # type: ignore[misc, unused-ignore]
    """All of the labels that are named; any name is a choice."""

    field_class = LabelsField

    def filter(self, qs: TaskQuerySet, value: list[str]) -> TaskQuerySet:
        for name in value:
            qs = qs.labelled(name)
        return qs


class TaskFilter(django_filters.FilterSet):  # type: ignore[misc, unused-ignore]
    status = django_filters.MultipleChoiceFilter(
        choices=Status.choices,
        distinct=False,  # a task has one status: nothing can come twice
        error_messages={"invalid_choice": f"%(value)s is not a status; there are {', '.join(Status.values)}."},
        help_text="Repeat it for tasks in any of several statuses.",
    )
    label = LabelsFilter(help_text="Repeat it for tasks that have all of several labels.")
    assignee = django_filters.CharFilter(max_length=MAX_ASSIGNEE)
    q = django_filters.CharFilter(
        method="mentioning", max_length=200, strip=False, help_text="Text in the title or description, in any case."
    )

    def mentioning(self, rows: TaskQuerySet, name: str, value: str) -> TaskQuerySet:
        return rows.mentioning(value)


class LeaseFilter(django_filters.FilterSet):  # type: ignore[misc, unused-ignore]
    holder = django_filters.CharFilter(max_length=MAX_HOLDER)
    task = django_filters.UUIDFilter(field_name="task_id", help_text="The id of a task.")
    active = django_filters.ChoiceFilter(
        choices=[("true", "active"), ("false", "ended"), ("any", "both")],
        method="whether_active",
        help_text="true (when left out): the leases that have not ended. false: those that have. any: both.",
    )

    def whether_active(self, rows: TaskLeaseQuerySet, name: str, value: str) -> TaskLeaseQuerySet:
        return {"true": rows.active(), "false": rows.ended(), "any": rows}[value]

    def filter_queryset(self, queryset: TaskLeaseQuerySet) -> TaskLeaseQuerySet:
        rows: TaskLeaseQuerySet = super().filter_queryset(queryset)
        return rows if self.form.cleaned_data["active"] else rows.active()
