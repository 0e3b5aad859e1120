"""The operators' site: Django's admin under our name, with errors as pages of its own and counted sign-ins."""

import functools
from collections.abc import Callable
from typing import Any, Final

from django.contrib.admin import AdminSite
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render

from orchestrator.api.errors import as_product_error
from orchestrator.api.throttles import limit_login
from orchestrator.core.errors import OrchestratorError

_TITLES: Final = {
    403: "You may not do this",
    404: "There is nothing here",
    429: "Too many requests",
    500: "Something went wrong on our side",
    503: "Back in a moment",
}
View = Callable[..., HttpResponseBase]


class OperatorSite(AdminSite):
    site_title = "Orchestrator admin"
    site_header = "Orchestrator"
    index_title = "Admin"
    site_url = "/dashboard"

    def admin_view(self, view: Any, cacheable: bool = False) -> Any:
        """Caught here and not by Django: its answer would be JSON, or a page of its own when DEBUG is on."""
        return super().admin_view(_answered(view), cacheable)

    def login(self, request: HttpRequest, extra_context: Any = None) -> Any:
        """Counted like every other way to sign in: this one must not be the way round the limit."""
        return _answered(self._counted_login)(request, extra_context)

    def _counted_login(self, request: HttpRequest, extra_context: Any) -> Any:
        if request.method == "POST":
            limit_login(request, request.POST.get("username", ""))
        return super().login(request, extra_context)


def _answered(view: View) -> View:
    """``view`` with every error as a page, also those of its template."""

    @functools.wraps(view)
    def answered(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        try:
            response = view(request, *args, **kwargs)
            return response.render() if hasattr(response, "render") else response
        except Exception as error:
            return _error_page(request, as_product_error(error))

    return answered


def _error_page(request: HttpRequest, error: OrchestratorError) -> HttpResponse:
    """It asks the database nothing, because the database may be what failed."""
    about = {"error": error, "title": _TITLES.get(error.status, "This did not work")}
    response = render(request, "admin/error.html", about, status=error.status)
    for name, value in error.headers.items():
        response[name] = value
    return response
