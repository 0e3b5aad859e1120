"""/dashboard/approvals: what waits for the visitor's decision."""

from typing import Any, Final

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from orchestrator.core import clock
from orchestrator.identity.actors import Actor
from orchestrator.web.access import page
from runs.models import RunNode
from runs.services import approvals
from runs.states import NodeStatus, RunStatus

_LISTED: Final = 100
_LOOKED_AT: Final = 500  # approvals, of which some may be asked of others


def pending(actor: Actor, limit: int) -> list[dict[str, Any]]:
    """What waits for the actor's decision, the longest first: ``run_id node title expires_at workflow prompt``.

    Two queries. ``expires_at`` is a datetime, or None.
    """
    rows = RunNode.objects.filter(
        run__org=actor.org_id, run__status__in=[RunStatus.RUNNING, RunStatus.WAITING], status=NodeStatus.WAITING,
        waiting_on__kind="approval",
    )  # fmt: skip
    found = rows.order_by("run_id", "node").values_list(
        "run_id", "node", "waiting_on", "run__workflow", "started_at"
    )[:_LOOKED_AT]  # fmt: skip
    email = approvals.email_of(actor)
    asked = [row for row in found if approvals.is_asked(actor, (row[2] or {}).get("approvers") or {}, email)]
    return [_pending(*row) for row in asked[:limit]]


def _pending(run_id: Any, node: str, on: Any, workflow: str, since: Any) -> dict[str, Any]:
    until = on.get("expires_at")
    return {
        "run_id": run_id,
        "node": node,
        "title": str(on.get("title") or node),
        "expires_at": clock.parse_rfc3339(until, "expires_at") if until else None,
        "workflow": workflow,
        "since": since,
    }


@page("GET")
def approval_list(request: HttpRequest, actor: Actor) -> HttpResponse:
    """All that waits for the visitor's decision."""
    found = pending(actor, _LISTED + 1)
    about = {"approvals": found[:_LISTED], "more": len(found) > _LISTED}
    return render(request, "runs/approvals.html", about)
