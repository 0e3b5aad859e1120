"""Errors as pages, with the request id to quote. The API's are JSON: orchestrator/api/errors.py."""

from typing import Final

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from orchestrator.core.errors import OrchestratorError

_TITLES: Final = {
    403: "You may not do this",
    404: "There is nothing here",
    405: "This page cannot do that",
    409: "That is not possible now",
    422: "This address makes no sense",
    429: "Too many requests",
    500: "Something went wrong on our side",
    503: "Back in a moment",
}


def error_page(request: HttpRequest, error: OrchestratorError) -> HttpResponse:
    """``error`` as a page. It asks the database nothing, because the database may be what failed."""
    about = {"error": error, "title": _TITLES.get(error.status, "This did not work")}
    response = render(request, "web/error.html", about, status=error.status)
    for name, value in error.headers.items():
        if name != "WWW-Authenticate":  # a browser would open its own password dialog
            response[name] = value
    return response
