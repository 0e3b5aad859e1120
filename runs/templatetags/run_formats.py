"""How pages of runs write money, and the names of months."""

from typing import Any

from django import template

from runs.nodes import money
from runs.nodes.reading import MONTHS

register = template.Library()


@register.filter
def dollars(cents: Any) -> str:
    """``250000`` as ``$2,500.00``; a dash for what is no amount."""
    return money.dollars(cents) if isinstance(cents, int) else "-"


@register.filter
def price(cents: Any) -> str:
    """The same, and ``free`` for nothing."""
    return "free" if cents == 0 else dollars(cents)


@register.filter
def month_name(month: Any) -> str:
    """``5`` as ``May``; an average month for none."""
    return MONTHS[month - 1].capitalize() if isinstance(month, int) and 1 <= month <= 12 else "An average month"
