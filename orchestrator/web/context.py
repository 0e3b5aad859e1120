"""What every page knows."""

from typing import Any

from django.http import HttpRequest

from orchestrator import __version__


def page(request: HttpRequest) -> dict[str, Any]:
    return {"version": __version__}
