"""Who may open a page: ``page`` is for signed-in people, ``open_page`` for all. Both answer every error as a page."""

import functools
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.contrib.auth import logout
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.middleware.csrf import rotate_token
from django.urls import reverse

from orchestrator.api.errors import as_product_error
from orchestrator.api.throttles import limit
from orchestrator.core.errors import MethodNotAllowed, NotAuthenticated, PermissionDenied
from orchestrator.identity.actors import Actor
from orchestrator.identity.models import Organization, User
from orchestrator.identity.resolver import SESSION_ORG, Credentials, resolve
from orchestrator.web.errors import error_page
from orchestrator.web.navigation import sections

View = Callable[..., HttpResponse]


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who looks at the page, for its header. All of it is loaded, so that an error page needs no database."""

    actor: Actor
    user: User
    organization: str
    organizations: list[Organization]
    sections: list[dict[str, Any]]

    @property
    def may_write(self) -> bool:
        return self.actor.may("write")


def open_page(*methods: str) -> Callable[[View], View]:
    """Decorates ``view(request, …)``, for everybody. HEAD goes with GET."""

    def decorate(view: View) -> View:
        @functools.wraps(view)
        def guarded(request: HttpRequest, **parts: str) -> HttpResponse:
            try:
                if request.method not in methods and not (request.method == "HEAD" and "GET" in methods):
                    raise MethodNotAllowed(headers={"Allow": ", ".join(methods)})
                return view(request, **parts)
            # Caught here and not by Django: its own answer would be JSON, or a page of its own when DEBUG is on.
            except Exception as error:
                return error_page(request, as_product_error(error))

        return guarded

    return decorate


def page(*methods: str, scope: str = "read") -> Callable[[View], View]:
    """Decorates ``view(request, actor, …)``, for signed-in people with ``scope``; others are sent to sign in."""

    def decorate(view: View) -> View:
        @open_page(*methods)
        @functools.wraps(view)
        def signed_in(request: HttpRequest, **parts: str) -> HttpResponse:
            try:
                actor = enter(request)
            except NotAuthenticated:
                return _to_sign_in(request)
            limit(request, group="api", key=str(actor), rate=settings.RATE_LIMIT_USER)
            actor.require(scope)
            return view(request, actor, **parts)

        return signed_in

    return decorate


def enter(request: HttpRequest) -> Actor:
    """The session's actor, who is then known to the page and the access log. Raises NotAuthenticated.

    Only the session counts: signing out would do nothing on a page that took a bearer token or STUB_AUTH's word.
    """
    if not request.user.is_authenticated:
        raise NotAuthenticated
    principal = resolve(Credentials(session_user=request.user, session_org=request.session.get(SESSION_ORG, "")))
    if principal is None or principal.user is None:
        raise NotAuthenticated
    actor = principal.actor
    _stay_in_one(request, actor)
    organizations = list(Organization.objects.seen_by_user(principal.user.pk).order_by("name", "pk"))
    name = next((each.name for each in organizations if each.pk == actor.org_id), "")
    shown = list(sections(actor, request.path))
    request.actor = actor  # type: ignore[attr-defined]
    request.visitor = Visitor(actor, principal.user, name, organizations, shown)  # type: ignore[attr-defined]
    return actor


def _stay_in_one(request: HttpRequest, actor: Actor) -> None:
    """Who was taken out of the session's organization comes to another of theirs. What they send was meant for the
    first: raises PermissionDenied.
    """
    if request.session.get(SESSION_ORG, "") in ("", str(actor.org_id)):
        return
    go_to_organization(request, actor.org_id)
    if request.method not in ("GET", "HEAD"):
        raise PermissionDenied("Nothing was done: you are no member any more of the organization that it was about.")


def go_to_organization(request: HttpRequest, org_id: uuid.UUID) -> None:
    """The session goes on in that organization. Forms of pages that are still open are about the one before: with a
    new CSRF token they are refused, where "cancel all that match" would have done it to the runs of this one.
    """
    request.session[SESSION_ORG] = str(org_id)
    rotate_token(request)


def _to_sign_in(request: HttpRequest) -> HttpResponse:
    if request.user.is_authenticated:  # a member of nothing any more
        logout(request)
    following = request.get_full_path() if request.method == "GET" else settings.LOGIN_REDIRECT_URL
    return HttpResponseRedirect(f"{reverse('sign-in')}?{urlencode({'next': following})}")
