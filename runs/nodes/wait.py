"""``wait``: goes on after some time, or at a time. It holds no worker meanwhile."""

from datetime import datetime, timedelta

from orchestrator.core import clock
from orchestrator.core.errors import ValidationFailed
from runs.nodes.base import NodeContext, NodeFailure, NodeResult, NodeType, Waiting
from runs.nodes.settings import YEAR_SECONDS, settings


def wait(ctx: NodeContext) -> NodeResult | Waiting:
    """Waits until the time that the settings name; one that is past ends it at once.

    Raises ``invalid_settings`` for a time that is more than a year off.
    """
    if ctx.waited is not None:
        return _over(str(ctx.waited["until"]))
    now = clock.now()
    until = _until(ctx, now)
    written = clock.rfc3339(until)
    if until <= now:
        return _over(written)
    return Waiting({"kind": "timer", "until": written}, f"Waiting until {until:%Y-%m-%d %H:%M:%S} UTC.", until)


def _until(ctx: NodeContext, now: datetime) -> datetime:
    if "seconds" in ctx.config:
        return now + timedelta(seconds=ctx.config["seconds"])
    try:
        until = clock.parse_rfc3339(ctx.config["until"], "until")
    except ValidationFailed as error:
        raise _invalid("until must be a time, as 2026-01-31T12:00:00Z.") from error
    if until - now > timedelta(seconds=YEAR_SECONDS):
        raise _invalid(f"until is {clock.rfc3339(until)}, more than a year (366 days) from now.")
    return until


def _invalid(message: str) -> NodeFailure:
    return NodeFailure("invalid_settings", message, {"field": "until"}, permanent=True)


def _over(until: str) -> NodeResult:
    return NodeResult({"waited_until": until}, f"Waited until {until}")


SCHEMA = settings(
    {
        "seconds": {
            "description": "How long, in seconds, up to a year (366 days). Write this or `until`.",
            "type": "number",
            "minimum": 0,
            "maximum": YEAR_SECONDS,
        },
        "until": {
            "description": "The time to go on at, with its zone (RFC 3339), up to a year off. Write this or `seconds`.",
            "type": "string",
            "format": "date-time",
        },
    },
    minProperties=1,
    maxProperties=1,
)
NODE = NodeType("wait", "Waiting for a time", wait, SCHEMA, "Goes on after some time, or at a time.")
