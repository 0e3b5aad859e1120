"""How pages write times, durations, ids and JSON."""

from datetime import datetime
from decimal import Decimal
from typing import Any

import orjson
from django import template
from django.utils.html import format_html

from orchestrator.core import clock

register = template.Library()


@register.simple_tag
def moment(at: datetime | None, *, beside: bool = False) -> str:
    """``2026-01-31 12:00:00 UTC`` as a time element; a dash for None. With ``beside``, countdown.js writes ``12 s ago``
    beside it.
    """
    if at is None:
        return "-"
    element = _element(at, at.strftime("%Y-%m-%d %H:%M:%S UTC"))
    return format_html('{} <span class="fine" data-ago="{}"></span>', element, clock.rfc3339(at)) if beside else element


@register.simple_tag
def local_moment(at: datetime) -> str:
    """``Sat 2026-01-31 13:00`` as a time element, in the zone that ``at`` is in."""
    return _element(at, f"{at:%a %Y-%m-%d %H:%M}")


@register.simple_tag
def time_of_day(at: datetime) -> str:
    """``12:00:00.250`` as a time element: for rows that share their day."""
    return _element(at, f"{at:%H:%M:%S}.{at.microsecond // 1000:03d}")


@register.simple_tag
def until(at: datetime) -> str:
    """``until 12:00:05 UTC`` as a time element that countdown.js makes into what is left."""
    return format_html('<time datetime="{}" data-countdown>{}</time>', clock.rfc3339(at), f"until {at:%H:%M:%S} UTC")


@register.simple_tag
def since(at: datetime | None) -> str:
    """``2026-01-31 12:00:00 UTC`` as a time element that countdown.js makes into ``12 s ago``; a dash for None."""
    if at is None:
        return "-"
    return format_html('<time datetime="{}" data-ago>{}</time>', clock.rfc3339(at), f"{at:%Y-%m-%d %H:%M:%S} UTC")


def _element(at: datetime, text: str) -> str:
    stamp = clock.rfc3339(at)
    return format_html('<time datetime="{}" title="{}">{}</time>', stamp, stamp, text)


@register.simple_tag
def duration(start: datetime | None, end: datetime | None) -> str:
    """``250 ms``, ``4.2 s``, ``3 min 20 s`` or ``2 h 5 min``; empty unless both are known."""
    if start is None or end is None:
        return ""
    return _duration(max(0.0, (end - start).total_seconds()))


@register.simple_tag
def seconds(number: float | None) -> str:
    """A duration given in seconds, written as ``duration`` does; a dash for None."""
    return "-" if number is None else _duration(number)


def _duration(seconds: float) -> str:
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


@register.filter
def milliseconds(number: int) -> str:
    """A duration given in milliseconds, written as ``duration`` does."""
    return _duration(number / 1000)


@register.filter
def usd(cost: Decimal) -> str:
    """``$0.0042``: dollars with as many digits as small sums need."""
    return f"${cost:,.2f}" if cost >= 1 or not cost else f"${cost:.4f}"


@register.filter
def thousands(number: int) -> str:
    """``12,345``."""
    return f"{number:,}"


@register.filter
def words(name: str) -> str:
    """``run_created`` as ``run created``."""
    return name.replace("_", " ")


@register.filter
def short_id(value: Any) -> str:
    """The end of an id: the beginning of a UUIDv7 is its time, which neighbours share."""
    return str(value)[-8:]


@register.filter
def pretty_json(value: Any) -> str:
    return orjson.dumps(value, option=orjson.OPT_INDENT_2).decode()
