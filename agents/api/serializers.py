"""Definitions, runtime agents and prompts in and out. What a body means is checked in agents/services."""

from typing import Any, Final

from django.conf import settings
from rest_framework import serializers

from agents import work
from agents.api.fields import DocumentField, DollarField, OneOf, TextField
from agents.models import (
    DEFAULT_LEASE_SECONDS,
    MAX_LATENCY,
    MAX_LEASE_SECONDS,
    MAX_LINE,
    MAX_NAME,
    MAX_TEXT,
    MAX_TOKENS,
    Agent,
    Prompt,
    RuntimeAgent,
    usd,
)
from agents.states import FINAL, SETTABLE, AgentType, PromptStatus, PromptType, RuntimeStatus
from orchestrator.api.serializers import IdField, StrictSerializer
from orchestrator.core import clock

_MAX_CAPABILITIES: Final = 100
_MAX_CAPABILITY: Final = 100
_MAX_REASON: Final = 500
_MAX_LABELS: Final = 100
_MAX_LABEL: Final = 50


class AgentFields(StrictSerializer):
    """All that a caller may write of a definition."""

    name = serializers.CharField(max_length=MAX_NAME)
    description = TextField(max_length=MAX_LINE, allow_blank=True, default="")
    agent_type = OneOf("a type of agent", AgentType, default=AgentType.UTILITY.value)
    capabilities = serializers.ListField(
        child=TextField(max_length=_MAX_CAPABILITY), max_length=_MAX_CAPABILITIES, default=list
    )
    default_model = TextField(max_length=MAX_NAME, allow_blank=True, default="")
    system_prompt = TextField(max_length=MAX_TEXT, allow_blank=True, default="")
    config = DocumentField(default=dict)


class NewRuntimeAgent(StrictSerializer):
    agent_id = IdField(help_text="The definition.")
    session_id = TextField(max_length=MAX_NAME, help_text="Any name; agents that work together share one.")
    parent_id = IdField(required=False, allow_null=True, help_text="The runtime agent that started this one.")
    name = serializers.CharField(
        required=False, max_length=MAX_NAME, allow_blank=True, help_text="The definition's when left out."
    )
    config = DocumentField(required=False)
    metadata = DocumentField(required=False)


class StatusChange(StrictSerializer):
    status = OneOf("a status that can be asked for", SETTABLE)
    reason = TextField(required=False, max_length=_MAX_REASON, allow_blank=True, help_text="For the log.")


class Stop(StrictSerializer):
    status = OneOf("an end", sorted(FINAL), required=False, help_text="cancelled when left out.")


class NewPrompt(StrictSerializer):
    runtime_agent_id = IdField()
    prompt_type = OneOf("a type of prompt", PromptType)
    prompt_name = TextField(required=False, max_length=MAX_NAME, allow_blank=True)
    prompt_text = TextField(max_length=MAX_TEXT)
    model = TextField(required=False, max_length=MAX_NAME, allow_blank=True)


class AnswerFields(StrictSerializer):
    """What came of a prompt. Tokens, cost and latency are the prompt's own totals: sending them twice adds nothing."""

    status = OneOf("a status of a prompt", PromptStatus, required=False)
    response_text = TextField(required=False, max_length=MAX_TEXT, allow_blank=True)
    error = TextField(required=False, max_length=MAX_LINE, allow_blank=True)
    model = TextField(required=False, max_length=MAX_NAME, allow_blank=True)
    input_tokens = serializers.IntegerField(required=False, min_value=0, max_value=MAX_TOKENS)
    output_tokens = serializers.IntegerField(required=False, min_value=0, max_value=MAX_TOKENS)
    cost_usd = DollarField(required=False)
    latency_ms = serializers.IntegerField(required=False, min_value=0, max_value=MAX_LATENCY)


def _ttl(**options: Any) -> serializers.IntegerField:
    about = "Seconds until the lease runs out."
    return serializers.IntegerField(min_value=1, max_value=MAX_LEASE_SECONDS, help_text=about, **options)


class Renewal(StrictSerializer):
    ttl_seconds = _ttl(required=False)


class Next(StrictSerializer):
    """What a runtime agent wants to be handed, and how long it waits for it."""

    kinds = serializers.ListField(
        child=serializers.ChoiceField(work.KINDS), allow_empty=False, max_length=len(work.KINDS), required=False,
        help_text="Any kind of work when left out.",
    )  # fmt: skip
    wait_seconds = serializers.IntegerField(min_value=0, max_value=30, default=30)
    ttl_seconds = _ttl(default=DEFAULT_LEASE_SECONDS)
    labels = serializers.ListField(
        child=serializers.CharField(max_length=_MAX_LABEL), max_length=_MAX_LABELS, default=list,
        help_text="A task has all of these.",
    )  # fmt: skip
    q = serializers.CharField(
        max_length=200, default="", trim_whitespace=False, help_text="A task's title or description mentions this."
    )


class AgentBody(serializers.Serializer):
    """A definition as it is answered; documents ``agent_json``."""

    id = serializers.UUIDField()
    name = serializers.CharField()
    description = serializers.CharField()
    agent_type = serializers.ChoiceField(AgentType.choices)
    capabilities = serializers.ListField(child=serializers.CharField())
    default_model = serializers.CharField()
    system_prompt = serializers.CharField()
    config = serializers.DictField()
    created_by = serializers.CharField()
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()
    archived_at = serializers.DateTimeField(allow_null=True)
    version = serializers.IntegerField()


class RuntimeAgentBody(serializers.Serializer):
    """A runtime agent as it is answered; documents ``runtime_agent_json``."""

    id = serializers.UUIDField()
    agent_id = serializers.UUIDField(help_text="The definition.")
    parent_id = serializers.UUIDField(allow_null=True)
    session_id = serializers.CharField()
    name = serializers.CharField()
    status = serializers.ChoiceField(RuntimeStatus.choices)
    config = serializers.DictField()
    metadata = serializers.DictField()
    input_tokens = serializers.IntegerField(help_text="The sum over its prompts, as all three.")
    output_tokens = serializers.IntegerField()
    cost_usd = serializers.FloatField()
    created_by = serializers.CharField()
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()
    started_at = serializers.DateTimeField(allow_null=True)
    completed_at = serializers.DateTimeField(allow_null=True)
    version = serializers.IntegerField()


class HeartbeatBody(serializers.Serializer):
    status = serializers.ChoiceField(RuntimeStatus.choices)
    last_heartbeat_at = serializers.DateTimeField(help_text="Lags by up to a sixth of the timeout.")
    timeout_seconds = serializers.IntegerField(help_text="Silence that makes an agent lost.")


class PromptBody(serializers.Serializer):
    """A prompt as it is answered; documents ``prompt_json``."""

    id = serializers.UUIDField()
    runtime_agent_id = serializers.UUIDField()
    prompt_type = serializers.ChoiceField(PromptType.choices)
    prompt_name = serializers.CharField()
    prompt_text = serializers.CharField()
    response_text = serializers.CharField()
    status = serializers.ChoiceField(PromptStatus.choices)
    error = serializers.CharField()
    model = serializers.CharField()
    input_tokens = serializers.IntegerField()
    output_tokens = serializers.IntegerField()
    cost_usd = serializers.FloatField()
    latency_ms = serializers.IntegerField(allow_null=True)
    source = serializers.CharField(  # type: ignore[assignment]  # a field's own has that name, too
        help_text="What waits for the answer; empty when it was asked by hand."
    )
    lease_expires_at = serializers.DateTimeField(
        allow_null=True, help_text="Of one that was handed out, until it ends: when it is taken back."
    )
    created_by = serializers.CharField()
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()
    completed_at = serializers.DateTimeField(allow_null=True)
    version = serializers.IntegerField()


class PromptLeaseBody(serializers.Serializer):
    expires_at = serializers.DateTimeField()
    ttl_seconds = serializers.IntegerField()


class HandedPromptBody(serializers.Serializer):
    """A prompt as an agent is handed it; documents ``handed_json``."""

    kind = serializers.ChoiceField(["prompt"])
    prompt = PromptBody()
    lease = PromptLeaseBody()


def agent_json(agent: Agent) -> dict[str, Any]:
    return {
        "id": str(agent.id),
        "name": agent.name,
        "description": agent.description,
        "agent_type": str(agent.agent_type),
        "capabilities": agent.capabilities,
        "default_model": agent.default_model,
        "system_prompt": agent.system_prompt,
        "config": agent.config,
        "created_by": agent.created_by,
        "created_at": clock.rfc3339(agent.created_at),
        "updated_at": clock.rfc3339(agent.updated_at),
        "archived_at": clock.rfc3339(agent.archived_at) if agent.archived_at else None,
        "version": agent.version,
    }


def runtime_agent_json(agent: RuntimeAgent) -> dict[str, Any]:
    """Without the last heartbeat: it changes without a version, and a tag must not."""
    return {
        "id": str(agent.id),
        "agent_id": str(agent.agent_id),
        "parent_id": str(agent.parent_id) if agent.parent_id else None,
        "session_id": agent.session_id,
        "name": agent.name,
        "status": str(agent.status),
        "config": agent.config,
        "metadata": agent.metadata,
        "input_tokens": agent.input_tokens,
        "output_tokens": agent.output_tokens,
        "cost_usd": usd(agent.cost_usd),
        "created_by": agent.created_by,
        "created_at": clock.rfc3339(agent.created_at),
        "updated_at": clock.rfc3339(agent.updated_at),
        "started_at": clock.rfc3339(agent.started_at) if agent.started_at else None,
        "completed_at": clock.rfc3339(agent.completed_at) if agent.completed_at else None,
        "version": agent.version,
    }


def heartbeat_json(agent: RuntimeAgent) -> dict[str, Any]:
    return {
        "status": str(agent.status),
        "last_heartbeat_at": clock.rfc3339(agent.last_heartbeat_at),
        "timeout_seconds": settings.AGENT_TIMEOUT_SECONDS,
    }


def prompt_json(prompt: Prompt) -> dict[str, Any]:
    return {
        "id": str(prompt.id),
        "runtime_agent_id": str(prompt.runtime_agent_id),
        "prompt_type": str(prompt.prompt_type),
        "prompt_name": prompt.prompt_name,
        "prompt_text": prompt.prompt_text,
        "response_text": prompt.response_text,
        "status": str(prompt.status),
        "error": prompt.error,
        "model": prompt.model,
        "input_tokens": prompt.input_tokens,
        "output_tokens": prompt.output_tokens,
        "cost_usd": usd(prompt.cost_usd),
        "latency_ms": prompt.latency_ms,
        "source": prompt.source,
        "lease_expires_at": clock.rfc3339(prompt.lease_expires_at) if prompt.lease_expires_at else None,
        "created_by": prompt.created_by,
        "created_at": clock.rfc3339(prompt.created_at),
        "updated_at": clock.rfc3339(prompt.updated_at),
        "completed_at": clock.rfc3339(prompt.completed_at) if prompt.completed_at else None,
        "version": prompt.version,
    }


def handed_json(prompt: Prompt) -> dict[str, Any]:
    """A prompt that has just been handed out, for a source of work to answer with."""
    found = prompt_json(prompt)
    lease = {"expires_at": found["lease_expires_at"], "ttl_seconds": prompt.ttl_seconds}
    return {"prompt": found, "lease": lease}
