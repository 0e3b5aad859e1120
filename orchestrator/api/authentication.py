"""DRF's door to identity's resolver: ``request.auth`` is the Actor, ``request.user`` the person behind it, if any."""

from typing import Any

from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest, HttpResponse
from django.middleware.csrf import CsrfViewMiddleware
from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request

from orchestrator.core.errors import PermissionDenied
from orchestrator.identity.actors import Actor
from orchestrator.identity.models import User
from orchestrator.identity.resolver import Credentials, resolve


class ActorAuthentication(BaseAuthentication):
    def authenticate(self, request: Request) -> tuple[User | AnonymousUser, Actor] | None:
        """Raises NotAuthenticated for bad credentials and PermissionDenied for a session without its CSRF token."""
        principal = resolve(Credentials.of(request._request))
        if principal is None:
            return None
        if principal.by_session:
            enforce_csrf(request._request)
        request._request.actor = principal.actor  # type: ignore[attr-defined]  # the access line names it
        return principal.user or AnonymousUser(), principal.actor

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"


class _CsrfCheck(CsrfViewMiddleware):
    def _reject(self, request: HttpRequest, reason: str) -> Any:
        return reason


def enforce_csrf(request: HttpRequest) -> None:
    """A cookie travels by itself, so a request that relies on it must prove that our page made it."""
    check = _CsrfCheck(lambda _: HttpResponse())
    check.process_request(request)
    # DRF's views are csrf_exempt for the middleware; the check is made here, for sessions alone.
    if reason := check.process_view(request, lambda *_: HttpResponse(), (), {}):
        raise PermissionDenied(f"CSRF check failed: {reason}")
