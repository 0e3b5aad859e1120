"""Agents for operators: all to read, nothing to edit. The actions go through the services, in the operator's name."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from agents.models import Agent, AgentLog, Prompt, RuntimeAgent, SystemLog
from agents.services import definitions, instances, prompts
from agents.states import LEVELS
from orchestrator.identity.actors import Actor
from orchestrator.identity.admin import ActingAdmin, ReadOnlyAdmin


class AgentsAdmin(ActingAdmin):
    """Its actions ask for the permission ``act``: to change rows of this model."""

    def has_act_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm(f"agents.change_{self.opts.model_name}")


@admin.register(Agent)
class AgentAdmin(AgentsAdmin):
    list_display = ("name", "org", "agent_type", "default_model", "created_by", "created_at", "archived_at", "version")
    list_filter = ("agent_type", ("archived_at", admin.EmptyFieldListFilter), "org")
    list_select_related = ("org",)
    search_fields = ("name", "description")
    ordering = ("-id",)
    fields = (
        "id", "org", "name", "description", "agent_type", "capabilities", "default_model", "system_prompt", "config",
        "created_by", "created_at", "updated_at", "archived_at", "version",
    )  # fmt: skip
    readonly_fields = ("id",)
    actions = ("archive_selected",)

    @admin.action(description="Archive", permissions=["act"])
    def archive_selected(self, request: HttpRequest, queryset: QuerySet[Agent]) -> None:
        self.each(request, queryset, "Archived", _archive)


@admin.register(RuntimeAgent)
class RuntimeAgentAdmin(AgentsAdmin):
    list_display = (
        "name", "org", "agent", "session_id", "status", "last_heartbeat_at", "input_tokens", "output_tokens",
        "cost_usd", "created_at",
    )  # fmt: skip
    list_filter = ("status", "agent__agent_type", "org")
    list_select_related = ("org", "agent")
    search_fields = ("name", "session_id", "agent__name")
    ordering = ("-id",)
    fields = (
        "id", "org", "agent", "parent", "session_id", "name", "status", "status_before_lost", "last_heartbeat_at",
        "config", "metadata", "input_tokens", "output_tokens", "cost_usd", "created_by", "created_at", "updated_at",
        "started_at", "completed_at", "version",
    )  # fmt: skip
    readonly_fields = ("id",)
    actions = ("cancel_selected", "mark_lost_selected")

    @admin.action(description="Cancel", permissions=["act"])
    def cancel_selected(self, request: HttpRequest, queryset: QuerySet[RuntimeAgent]) -> None:
        self.each(request, queryset, "Cancelled", _cancel)

    @admin.action(description="Mark lost", permissions=["act"])
    def mark_lost_selected(self, request: HttpRequest, queryset: QuerySet[RuntimeAgent]) -> None:
        self.each(request, queryset, "Marked lost", _mark_lost)


@admin.register(Prompt)
class PromptAdmin(AgentsAdmin):
    list_display = (
        "__str__", "org", "runtime_agent", "status", "model", "input_tokens", "output_tokens", "cost_usd",
        "latency_ms", "created_at",
    )  # fmt: skip
    list_filter = ("status", "prompt_type", "org")
    list_select_related = ("org", "runtime_agent")
    search_fields = ("prompt_name", "runtime_agent__name", "runtime_agent__session_id")
    ordering = ("-id",)
    fields = (
        "id", "org", "runtime_agent", "prompt_type", "prompt_name", "prompt_text", "status", "response_text", "error",
        "model", "input_tokens", "output_tokens", "cost_usd", "latency_ms", "source", "ttl_seconds", "leased_at",
        "lease_expires_at", "created_by", "created_at", "updated_at", "completed_at", "version",
    )  # fmt: skip
    readonly_fields = ("id",)
    actions = ("cancel_selected",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Prompt]:
        """The list without the texts, which may have a megabyte a row."""
        return super().get_queryset(request).defer("prompt_text", "response_text", "error")

    @admin.action(description="Cancel", permissions=["act"])
    def cancel_selected(self, request: HttpRequest, queryset: QuerySet[Prompt]) -> None:
        self.each(request, queryset, "Cancelled", _cancel_prompt)


class LevelListFilter(admin.SimpleListFilter):
    """This level or worse, as in the API."""

    title = parameter_name = "level"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(str(weight), f"{name} or worse") for weight, name in enumerate(LEVELS) if weight]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        weight = self.value() or ""
        return queryset.as_bad_as(int(weight)) if weight in map(str, range(len(LEVELS))) else queryset


class LogAdmin(ReadOnlyAdmin):
    # There are millions: the one count that the pages need is enough.
    show_full_result_count = False
    ordering = ("-id",)

    @admin.display(description="level")
    def level_name(self, line: AgentLog | SystemLog) -> str:
        return LEVELS[line.level]


@admin.register(AgentLog)
class AgentLogAdmin(LogAdmin):
    list_display = ("__str__", "level_name", "log_type", "org", "runtime_agent", "created_at")
    list_filter = (LevelListFilter, "log_type", "org")
    list_select_related = ("org", "runtime_agent")
    search_fields = ("message", "runtime_agent__name", "runtime_agent__session_id")
    fields = readonly_fields = (
        "id", "org", "runtime_agent", "level_name", "log_type", "message", "details", "created_at",
    )  # fmt: skip


@admin.register(SystemLog)
class SystemLogAdmin(LogAdmin):
    list_display = ("__str__", "level_name", "component", "org", "created_at")
    list_filter = (LevelListFilter, "component", "org")
    list_select_related = ("org",)
    search_fields = ("message", "component")
    fields = readonly_fields = ("id", "org", "component", "level_name", "message", "details", "created_at")


def _archive(actor: Actor, agent: Agent) -> None:
    definitions.archive_agent(actor=actor, agent_id=agent.id, version=None)


def _cancel(actor: Actor, agent: RuntimeAgent) -> None:
    instances.cancel_instance(actor=actor, instance_id=agent.id)


def _mark_lost(actor: Actor, agent: RuntimeAgent) -> None:
    instances.mark_lost(actor=actor, instance_id=agent.id)


def _cancel_prompt(actor: Actor, prompt: Prompt) -> None:
    prompts.cancel_prompt(actor=actor, prompt_id=prompt.id)
