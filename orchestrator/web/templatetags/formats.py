"""How pages write times, durations, ids and JSON."""

from datetime import datetime
from typing import Any

import orjson
from django import template
from django.utils.html import format_html

from orchestrator.core import clock

register = template.Library()


@register.simple_tag
def moment(at: datetime | None) -> str:
    """``2026-01-31 12:00:00 UTC`` as a time element; a dash for None."""
    return _element(at, at.strftime("%Y-%m-%d %H:%M:%S UTC")) if at else "-"


@register.simple_tag
def time_of_day(at: datetime) -> str:
    """``12:00:00.250`` as a time element: for rows that share their day."""
    return _element(at, f"{at:%H:%M:%S}.{at.microsecond // 1000:03d}")


def _element(at: datetime, text: str) -> str:
    stamp = clock.rfc3339(at)
    return format_html('<time datetime="{}" title="{}">{}</time>', stamp, stamp, text)


@register.simple_tag
def duration(start: datetime | None, end: datetime | None) -> str:
    """``250 ms``, ``4.2 s``, ``3 min 20 s`` or ``2 h 5 min``; empty unless both are known."""
    if start is None or end is None:
        return ""
    seconds = max(0.0, (end - start).total_seconds())
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


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
