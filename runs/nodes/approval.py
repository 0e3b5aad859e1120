"""``approval``: asks a person, and goes on when somebody who may decide has said yes.

A decision is a service of its own, which ends the wait; what is executed here is the question, and its expiry.
"""

from datetime import timedelta
from typing import Any

from orchestrator.core import clock
from runs.nodes.base import NodeContext, NodeFailure, NodeResult, NodeType, Waiting
from runs.nodes.settings import JSON_SCHEMA, YEAR_SECONDS, settings

ROLES = ("owner", "admin", "member")


def ask(ctx: NodeContext) -> NodeResult | Waiting:
    """Asks; when nobody has decided in time, does what ``on_expiry`` says.

    Raises ``approval_expired`` or ``rejected`` then; both are permanent, so that only ``retry.on`` asks again.
    """
    if ctx.waited is not None:
        return _expired(ctx)
    seconds = ctx.config.get("expires_seconds")
    until = clock.now() + timedelta(seconds=seconds) if seconds is not None else None
    on = {
        "kind": "approval",
        "title": ctx.config.get("title", ctx.node),
        "message": ctx.config.get("message", ""),
        "approvers": _approvers(ctx),
        "schema": ctx.config.get("schema"),
        "expires_at": clock.rfc3339(until) if until else None,
    }
    return Waiting(on, f'Waiting for somebody to decide: "{on["title"]}".', until)


def _approvers(ctx: NodeContext) -> dict[str, Any]:
    """Who has one of the roles or is one of the users may decide. Nobody named: everybody who may write."""
    named = ctx.config.get("approvers", {})
    return {"roles": named.get("roles", []), "users": [email.lower() for email in named.get("users", [])]}


def _expired(ctx: NodeContext) -> NodeResult:
    action = ctx.config.get("on_expiry", "fail")
    if action == "approve":
        return NodeResult({"approved": True, "by": "expiry", "answer": None}, "Approved, as nobody decided in time")
    if action == "reject":
        raise NodeFailure("rejected", "Rejected, as nobody decided in time.", permanent=True)
    raise NodeFailure("approval_expired", "Nobody decided in time.", permanent=True)


SCHEMA = settings({
    "title": {
        "description": "What is to be decided, in a few words; the node's id when left out.",
        "type": "string", "minLength": 1, "maxLength": 200,
    },
    "message": {
        "description": "What those who decide ought to know, up to 20,000 characters.",
        "type": "string", "maxLength": 20_000,
    },
    "approvers": {
        "description": "Who may decide: those with one of the `roles` (owner, admin, member) or one of the `users` "
        "(e-mail addresses). Everybody who may write when left out.",
        "type": "object",
        "properties": {
            "roles": {
                "description": "Roles in the organization.",
                "type": "array", "items": {"enum": list(ROLES)}, "uniqueItems": True, "minItems": 1,
            },
            "users": {
                "description": "E-mail addresses.",
                "type": "array", "items": {"type": "string", "format": "email", "maxLength": 254},
                "uniqueItems": True, "minItems": 1, "maxItems": 100,
            },
        },
        "additionalProperties": False,
        "minProperties": 1,
    },
    "schema": {
        **JSON_SCHEMA,
        "description": "A JSON Schema (2020-12) of the answer that goes with a yes; any or none when left out.",
    },
    "expires_seconds": {
        "description": "How long to wait for a decision, in seconds, up to a year (366 days); for ever when left out.",
        "type": "number", "exclusiveMinimum": 0, "maximum": YEAR_SECONDS,
    },
    "on_expiry": {
        "description": "What to do then: `fail` (the default), `approve` or `reject`.",
        "enum": ["fail", "approve", "reject"],
    },
})  # fmt: skip
NODE = NodeType("approval", "Asking for a decision", ask, SCHEMA, "Asks a person, and goes on when the answer is yes.")
