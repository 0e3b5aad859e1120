"""What every page knows."""

from typing import Any

from django.http import HttpRequest

from orchestrator import __version__
from orchestrator.core import context


def page(request: HttpRequest) -> dict[str, Any]:
    """``visitor`` is None on pages that nobody is signed in to."""
    return {
        "version": __version__,
        "visitor": getattr(request, "visitor", None),
        "request_id": context.request_id.get(),
    }
