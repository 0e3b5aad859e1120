"""Keeping and losing the prompts that agents have in hand.

An instance is lost or ends under the lock of its row, and prompts are locked before instances (see prompts): so its
leases run out after that commit, in a statement of their own, and the sweep takes the prompts back. A process that dies
in between has forgotten the statement; the sweep looks for prompts of agents that are gone, too.
"""

import logging
import uuid
from datetime import timedelta
from typing import Any, Final

from django.db import transaction
from django.db.models import Max

from agents.models import Prompt
from agents.services import prompts
from agents.states import LIVE, PROMPT_FINAL
from orchestrator.core import clock
from orchestrator.core.errors import Conflict, NotFound, PermissionDenied
from orchestrator.events import services as events
from orchestrator.identity.actors import Actor

log = logging.getLogger(__name__)

BATCH: Final = 100


def renew(*, actor: Actor, prompt_id: uuid.UUID, ttl_seconds: int | None = None) -> Prompt:
    """Keep the prompt for ``ttl_seconds`` from now (None: as long as the last time). One small write and no event.

    Raises PermissionDenied, NotFound, and Conflict when the prompt has ended, or has no lease that could be renewed.
    """
    actor.require("write")
    prompt = Prompt.objects.seen_by(actor).filter(pk=prompt_id).first()
    if prompt is None:
        raise NotFound
    if actor.is_agent and prompt.runtime_agent_id != actor.id:
        raise PermissionDenied("Only the agent that was asked can keep it.")
    with transaction.atomic():  # on SQLite: take a fair turn to write
        now = clock.now()
        seconds = ttl_seconds or prompt.ttl_seconds or 0
        lease = {"ttl_seconds": seconds, "leased_at": now, "lease_expires_at": now + timedelta(seconds=seconds)}
        if not Prompt.objects.filter(pk=prompt.pk, lease_expires_at__gt=now).update(**lease):
            raise Conflict(_why_not(prompt))
    prompt.refresh_from_db()
    return prompt


def _why_not(prompt: Prompt) -> str:
    if prompt.status in PROMPT_FINAL:
        return f"This prompt is {prompt.status}."
    if prompt.ttl_seconds is None:
        return "This prompt was asked by hand: it has no lease and does not run out."
    return "The lease of this prompt has run out."


def revision(org_id: uuid.UUID) -> tuple[Any, ...]:
    """What the org's list of prompts depends on: a renewal is no event."""
    renewed = Prompt.objects.for_org(org_id).leased().aggregate(at=Max("leased_at"))["at"]
    return events.revision(org_id, "prompts"), renewed


def let_go(org_id: uuid.UUID, instance_id: uuid.UUID) -> None:
    """Let the leases of an instance that is lost or has ended run out, once that is committed."""
    transaction.on_commit(lambda: _run_out(runtime_agent_id=instance_id), robust=True)


def withdraw(prompt_id: uuid.UUID) -> None:
    """Nobody waits for the answer any more: let the lease run out, once that is committed, as the caller may hold locks
    that come after the prompt's.
    """
    transaction.on_commit(lambda: _run_out(pk=prompt_id), robust=True)


def _run_out(**which: uuid.UUID) -> None:
    now = clock.now()
    Prompt.objects.filter(lease_expires_at__gt=now, **which).update(lease_expires_at=now, leased_at=now)


def sweep(limit: int = BATCH) -> int:
    """The sweeper's: what nobody renewed lapses, and what agents had in hand that are gone; how many did. Each in a
    transaction of its own, so that ten sweepers may run at once.
    """
    leased = Prompt.objects.leased()
    late = leased.filter(lease_expires_at__lte=clock.now())
    orphaned = leased.exclude(runtime_agent__status__in=LIVE)
    found = [row for rows in (late, orphaned) for row in rows.order_by("lease_expires_at").values_list("id")[:limit]]
    return sum(_lapsed(prompt_id) for (prompt_id,) in dict.fromkeys(found))


def _lapsed(prompt_id: uuid.UUID) -> bool:
    try:
        return prompts.lapse(prompt_id=prompt_id)
    except Exception:
        # A listener's fault, or the database's: it comes again, and the others need not wait for it.
        log.exception("A prompt could not lapse.", extra={"prompt_id": str(prompt_id)})
        return False
