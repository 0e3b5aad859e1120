"""Agents for operators: all to read, nothing to edit. The acts are services, in the operator's name."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from agents.models import Agent, AgentLog, Prompt, RuntimeAgent, SystemLog
from agents.services import definitions, instances, prompts
from agents.states import LEVELS
from orchestrator.api.admin.acts import Act, ActsMixin, Said
from orchestrator.api.admin.base import LargeAdmin
from orchestrator.api.admin.filters import OrgFilter, exactly
from orchestrator.identity.actors import Actor


def _archive(actor: Actor, agent: Agent, said: Said) -> None:
    definitions.archive_agent(actor=actor, agent_id=agent.id, version=None)


def _cancel(actor: Actor, agent: RuntimeAgent, said: Said) -> None:
    instances.cancel_instance(actor=actor, instance_id=agent.id)


def _mark_lost(actor: Actor, agent: RuntimeAgent, said: Said) -> None:
    instances.mark_lost(actor=actor, instance_id=agent.id)


def _cancel_prompt(actor: Actor, prompt: Prompt, said: Said) -> None:
    prompts.cancel_prompt(actor=actor, prompt_id=prompt.id)


@admin.register(Agent)
class AgentAdmin(ActsMixin, LargeAdmin):
    list_display = ("name", "org", "agent_type", "default_model", "created_by", "created_at", "archived_at", "version")
    list_filter = (OrgFilter, "agent_type", ("archived_at", admin.EmptyFieldListFilter))
    search_fields = ("name", "description")
    fields = (
        "id", "org", "name", "description", "agent_type", "capabilities", "default_model", "system_prompt", "config",
        "created_by", "created_at", "updated_at", "archived_at", "version",
    )  # fmt: skip
    acts = (
        Act("archive_selected", "Archive", "Archived", _archive, asks="Nobody starts an instance of it any more. Its "
            "history stays."),
    )  # fmt: skip


@admin.register(RuntimeAgent)
class RuntimeAgentAdmin(ActsMixin, LargeAdmin):
    list_display = (
        "name", "org", "agent", "session_id", "status", "last_heartbeat_at", "input_tokens", "output_tokens",
        "cost_usd", "created_at",
    )  # fmt: skip
    list_filter = (OrgFilter, "status", "agent__agent_type", exactly("session_id", "session"))
    search_fields = ("name", "session_id")
    ids = ("agent_id", "parent_id")
    indexed_in_org = ("status__exact", "session_id")
    fields = (
        "id", "org", "agent", "parent", "session_id", "name", "status", "status_before_lost", "last_heartbeat_at",
        "config", "metadata", "input_tokens", "output_tokens", "cost_usd", "created_by", "created_at", "updated_at",
        "started_at", "completed_at", "version",
    )  # fmt: skip
    acts = (
        Act("cancel_selected", "Cancel", "Cancelled", _cancel, asks="What the agent has in hand goes back."),
        Act("mark_lost_selected", "Mark lost", "Marked lost", _mark_lost, asks="What the agent has in hand goes back. "
            "A heartbeat brings it back to life."),
    )  # fmt: skip


@admin.register(Prompt)
class PromptAdmin(ActsMixin, LargeAdmin):
    list_display = (
        "__str__", "org", "runtime_agent", "status", "model", "input_tokens", "output_tokens", "cost_usd",
        "latency_ms", "created_at",
    )  # fmt: skip
    list_filter = (OrgFilter, "status", "prompt_type")
    search_fields = ("prompt_name", "runtime_agent__name", "runtime_agent__session_id")
    indexed_in_org = ("status__exact",)
    fields = (
        "id", "org", "runtime_agent", "prompt_type", "prompt_name", "prompt_text", "status", "response_text", "error",
        "model", "input_tokens", "output_tokens", "cost_usd", "latency_ms", "source", "ttl_seconds", "leased_at",
        "lease_expires_at", "created_by", "created_at", "updated_at", "completed_at", "version",
    )  # fmt: skip
    acts = (Act("cancel_selected", "Cancel", "Cancelled", _cancel_prompt, asks="Nobody answers it any more."),)


class LevelListFilter(admin.SimpleListFilter):
    """This level or worse, as in the API."""

    title = parameter_name = "level"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(str(weight), f"{name} or worse") for weight, name in enumerate(LEVELS) if weight]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        weight = self.value() or ""
        return queryset.as_bad_as(int(weight)) if weight in map(str, range(len(LEVELS))) else queryset


class LogAdmin(LargeAdmin):
    @admin.display(description="level")
    def level_name(self, line: AgentLog | SystemLog) -> str:
        return LEVELS[line.level]


@admin.register(AgentLog)
class AgentLogAdmin(LogAdmin):
    list_display = ("message", "level_name", "log_type", "org", "runtime_agent", "created_at")
    list_filter = (OrgFilter, LevelListFilter, "log_type")
    search_fields = ("message", "runtime_agent__name", "runtime_agent__session_id")
    fields = ("id", "org", "runtime_agent", "level_name", "log_type", "message", "details", "created_at")


@admin.register(SystemLog)
class SystemLogAdmin(LogAdmin):
    list_display = ("message", "level_name", "component", "org", "created_at")
    list_filter = (OrgFilter, LevelListFilter, exactly("component"))
    search_fields = ("message", "component")
    fields = ("id", "org", "component", "level_name", "message", "details", "created_at")
