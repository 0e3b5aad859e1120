"""The query parameters of the lists. Which ids name nothing is said by the viewsets: 404, as everywhere."""

import uuid
from typing import Any

import django_filters
from django import forms
from django.core.exceptions import ValidationError
from django.db.models import TextChoices

from agents.models import MAX_NAME
from agents.querysets import AgentQuerySet, LogQuerySet
from agents.services.logs import level_of
from agents.states import LEVELS, AgentType, LogType, PromptStatus, PromptType, RuntimeStatus
from orchestrator.core.ids import parse_uuid


class IdFormField(forms.Field):
    """A UUID in its 36-character form; Django's own also takes URNs and braces."""

    def to_python(self, value: Any) -> uuid.UUID | None:
        if value in self.empty_values:
            return None
        if (found := parse_uuid(value)) is None:
            raise ValidationError("Must be a valid UUID.")
        return found


class IdFilter(django_filters.UUIDFilter):  # type: ignore[misc, unused-ignore]
    field_class = IdFormField


def _any_of(choices: type[TextChoices], noun: str) -> django_filters.MultipleChoiceFilter:
    return django_filters.MultipleChoiceFilter(
        choices=choices.choices,
        distinct=False,  # a row has one: nothing can come twice
        error_messages={"invalid_choice": f"%(value)s is not {noun}; there are {', '.join(choices.values)}."},
        help_text="Repeat it for any of several.",
    )


class AgentFilter(django_filters.FilterSet):  # type: ignore[misc, unused-ignore]
    agent_type = _any_of(AgentType, "a type of agent")
    q = django_filters.CharFilter(
        method="mentioning", max_length=200, strip=False, help_text="Text in the name or description, in any case."
    )
    archived = django_filters.ChoiceFilter(
        choices=[("false", "false"), ("true", "true")],
        method="of_age",
        help_text="true: those that are archived, and no others.",
    )

    def filter_queryset(self, queryset: AgentQuerySet) -> AgentQuerySet:
        found: AgentQuerySet = super().filter_queryset(queryset)
        return found if self.form.cleaned_data["archived"] else found.current()

    def of_age(self, rows: AgentQuerySet, name: str, value: str) -> AgentQuerySet:
        return rows.archived() if value == "true" else rows.current()

    def mentioning(self, rows: AgentQuerySet, name: str, value: str) -> AgentQuerySet:
        return rows.mentioning(value)


class RuntimeAgentFilter(django_filters.FilterSet):  # type: ignore[misc, unused-ignore]
    session_id = django_filters.CharFilter(max_length=MAX_NAME, strip=False)
    status = _any_of(RuntimeStatus, "a status")
    agent_id = IdFilter(help_text="A definition.")
    parent_id = IdFilter(help_text="A runtime agent, for its children.")


class PromptFilter(django_filters.FilterSet):  # type: ignore[misc, unused-ignore]
    agent = IdFilter(field_name="runtime_agent_id", help_text="A runtime agent.")
    status = _any_of(PromptStatus, "a status of a prompt")
    prompt_type = _any_of(PromptType, "a type of prompt")


class LevelFilter(django_filters.FilterSet):  # type: ignore[misc, unused-ignore]
    level = django_filters.CharFilter(method="as_bad_as", help_text=f"This level or worse: {', '.join(LEVELS)}.")
    after = IdFilter(method="later", help_text="The id of a line: only what came after it.")

    def as_bad_as(self, rows: LogQuerySet, name: str, value: str) -> LogQuerySet:
        return rows.as_bad_as(level_of(value))

    def later(self, rows: LogQuerySet, name: str, value: uuid.UUID) -> LogQuerySet:
        return rows.after(value)


class LogOfAgentFilter(LevelFilter):
    log_type = _any_of(LogType, "a type of line")


class LogFilter(LogOfAgentFilter):
    agent = IdFilter(field_name="runtime_agent_id", help_text="A runtime agent.")


class SystemLogFilter(LevelFilter):
    component = django_filters.CharFilter(max_length=40, strip=False)
