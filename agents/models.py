"""Definitions of agents, their live instances, prompts and logs."""

from decimal import Decimal
from typing import Final

from django.db import models
from django.db.models import F, Q

from agents.querysets import (
    AgentLogQuerySet,
    AgentQuerySet,
    LogQuerySet,
    PromptQuerySet,
    RuntimeAgentQuerySet,
)
from agents.states import AgentType, LogType, PromptStatus, PromptType, RuntimeStatus
from orchestrator.core import clock
from orchestrator.core.ids import uuid7
from orchestrator.identity.models import Organization

MAX_NAME: Final = 200
MAX_TEXT: Final = 200_000  # characters of a prompt or a response
MAX_LINE: Final = 20_000  # characters of a log's message
MAX_DOCUMENT: Final = 65_536  # bytes of a config, of metadata, of a log's details, as JSON
MAX_TOKENS: Final = 10**9  # of one prompt: sums stay exact in JSON for millions of them
MAX_COST: Final = 10**6  # dollars, of one prompt
MAX_LATENCY: Final = 2**31 - 1  # milliseconds
MAX_LEASE_SECONDS: Final = 3600
DEFAULT_LEASE_SECONDS: Final = 60
MAX_SOURCE: Final = 300


class Agent(models.Model):
    """A reusable definition. An archived one keeps its row, for the history of its instances."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    org = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="+", db_index=False)
    name = models.CharField(max_length=MAX_NAME)
    description = models.TextField(blank=True, default="")
    agent_type = models.CharField(max_length=16, choices=AgentType.choices, default=AgentType.UTILITY)
    capabilities = models.JSONField(default=list)
    default_model = models.CharField(max_length=200, blank=True, default="")
    system_prompt = models.TextField(blank=True, default="")
    config = models.JSONField(default=dict)
    created_by = models.CharField(max_length=80)
    created_at = models.DateTimeField(default=clock.now)
    updated_at = models.DateTimeField(default=clock.now)
    archived_at = models.DateTimeField(null=True)
    version = models.PositiveIntegerField(default=1)

    objects = AgentQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["org", "id"], name="agent_of_org"),
            models.UniqueConstraint(fields=["org", "name"], condition=Q(archived_at=None), name="agent_name_once"),
        ]

    def __str__(self) -> str:
        return self.name


class RuntimeAgent(models.Model):
    """A live instance of a definition, in a session.

    ``last_heartbeat_at`` is coalesced: it lags by up to a sixth of AGENT_TIMEOUT_SECONDS. ``status_before_lost`` is
    where a heartbeat brings a lost one back to. Tokens and cost are the sums over its prompts.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    org = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="+", db_index=False)
    agent = models.ForeignKey(Agent, on_delete=models.RESTRICT, related_name="instances")
    parent = models.ForeignKey("self", on_delete=models.RESTRICT, null=True, related_name="children")
    session_id = models.CharField(max_length=200)
    name = models.CharField(max_length=MAX_NAME)
    status = models.CharField(max_length=12, choices=RuntimeStatus.choices, default=RuntimeStatus.INITIALIZING)
    status_before_lost = models.CharField(max_length=12, blank=True, default="")
    config = models.JSONField(default=dict)
    metadata = models.JSONField(default=dict)
    input_tokens = models.PositiveBigIntegerField(default=0)
    output_tokens = models.PositiveBigIntegerField(default=0)
    cost_usd = models.DecimalField(max_digits=18, decimal_places=6, default=Decimal(0))
    created_by = models.CharField(max_length=80)
    created_at = models.DateTimeField(default=clock.now)
    updated_at = models.DateTimeField(default=clock.now)
    started_at = models.DateTimeField(null=True)
    completed_at = models.DateTimeField(null=True)
    last_heartbeat_at = models.DateTimeField(default=clock.now)
    version = models.PositiveIntegerField(default=1)

    objects = RuntimeAgentQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["org", "id"], name="runtime_agent_of_org"),
            models.CheckConstraint(condition=~Q(parent=F("id")), name="runtime_agent_not_its_parent"),
        ]
        indexes = [
            models.Index(fields=["org", "session_id", "id"], name="runtime_agent_by_session"),
            models.Index(fields=["org", "status", "id"], name="runtime_agent_by_status"),
            # The sweeper's: as small as what is live.
            models.Index(
                fields=["last_heartbeat_at"],
                name="runtime_agent_live",
                condition=Q(status__in=["initializing", "idle", "planning", "executing", "reviewing"]),
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Prompt(models.Model):
    """What was asked of a runtime agent, what it answered, and what that cost.

    One that was handed out under a lease has ``lease_expires_at`` until it ends; ``leased_at`` is when that was last
    written, ``ttl_seconds`` how long a renewal lasts. ``source`` names what waits for the answer, in its own words.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    org = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="+", db_index=False)
    runtime_agent = models.ForeignKey(RuntimeAgent, on_delete=models.RESTRICT, related_name="prompts", db_index=False)
    prompt_type = models.CharField(max_length=10, choices=PromptType.choices)
    prompt_name = models.CharField(max_length=MAX_NAME, blank=True, default="")
    prompt_text = models.TextField()
    response_text = models.TextField(blank=True, default="")
    status = models.CharField(max_length=10, choices=PromptStatus.choices, default=PromptStatus.PENDING)
    error = models.TextField(blank=True, default="")
    model = models.CharField(max_length=200, blank=True, default="")
    input_tokens = models.PositiveBigIntegerField(default=0)
    output_tokens = models.PositiveBigIntegerField(default=0)
    cost_usd = models.DecimalField(max_digits=18, decimal_places=6, default=Decimal(0))
    latency_ms = models.PositiveIntegerField(null=True)
    source = models.CharField(max_length=MAX_SOURCE, blank=True, default="")
    ttl_seconds = models.PositiveSmallIntegerField(null=True)
    lease_expires_at = models.DateTimeField(null=True)
    leased_at = models.DateTimeField(null=True)
    created_by = models.CharField(max_length=80)
    created_at = models.DateTimeField(default=clock.now)
    updated_at = models.DateTimeField(default=clock.now)
    completed_at = models.DateTimeField(null=True)
    version = models.PositiveIntegerField(default=1)

    objects = PromptQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(fields=["org", "id"], name="prompt_by_org"),
            models.Index(fields=["org", "runtime_agent", "id"], name="prompt_by_agent"),
            models.Index(fields=["org", "status", "id"], name="prompt_by_status"),
            # As small as what agents have in hand: what the sweeper looks for, and when an org's were last renewed.
            models.Index(
                fields=["lease_expires_at"], name="prompt_leased", condition=Q(lease_expires_at__isnull=False)
            ),
            models.Index(
                fields=["org", "leased_at"], name="prompt_renewed", condition=Q(lease_expires_at__isnull=False)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.prompt_type} {self.prompt_name or self.id}"


class AgentLog(models.Model):
    """One line that a runtime agent reported. ``level`` is the place in states.LEVELS, so that "or worse" is ``>=``."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    org = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="+", db_index=False)
    runtime_agent = models.ForeignKey(RuntimeAgent, on_delete=models.CASCADE, related_name="logs", db_index=False)
    level = models.PositiveSmallIntegerField()
    log_type = models.CharField(max_length=12, choices=LogType.choices, blank=True, default="")
    message = models.TextField()
    details = models.JSONField(default=dict)
    created_at = models.DateTimeField(default=clock.now)

    objects = AgentLogQuerySet.as_manager()

    class Meta:
        # Of two that serve a query equally, SQLite takes the one that was made last: the narrowest comes last. Lines of
        # little weight, which are nearly all, are in the first two alone.
        indexes = [
            models.Index(fields=["org", "runtime_agent", "id"], name="agent_log_by_agent"),
            models.Index(fields=["org", "id"], name="agent_log_by_org"),
            models.Index(fields=["org", "id"], name="agent_log_warnings", condition=Q(level__gte=2)),
            models.Index(fields=["org", "id"], name="agent_log_errors", condition=Q(level__gte=3)),
        ]

    def __str__(self) -> str:
        return self.message[:80]


class SystemLog(models.Model):
    """One line that the platform reported about itself, seen by the org that it concerns."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    org = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="+", db_index=False)
    level = models.PositiveSmallIntegerField()
    component = models.CharField(max_length=40)
    message = models.TextField()
    details = models.JSONField(default=dict)
    created_at = models.DateTimeField(default=clock.now)

    objects = LogQuerySet.as_manager()

    class Meta:
        indexes = [models.Index(fields=["org", "id"], name="system_log_by_org")]

    def __str__(self) -> str:
        return self.message[:80]


def usd(cost: Decimal) -> int | float:
    """``cost`` as a JSON number: an integer when it is one, so that it has the same form everywhere."""
    return int(cost) if cost == int(cost) else float(cost)
