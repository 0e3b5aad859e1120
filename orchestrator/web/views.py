"""Signing in and out, switching organizations, the home page, finding things, and addresses that name nothing."""

from typing import Any, cast

from django.conf import settings
from django.contrib.auth import authenticate, login, logout
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme

from orchestrator.api.throttles import limit_login
from orchestrator.core.errors import NotFound, RateLimited
from orchestrator.events import services as events
from orchestrator.identity.actors import Actor
from orchestrator.identity.models import Membership, User, normal_email
from orchestrator.identity.querysets import membership_in
from orchestrator.identity.resolver import SESSION_ORG
from orchestrator.web import palette, panels
from orchestrator.web.access import go_to_organization, open_page, page
from orchestrator.web.forms import SignInForm


@open_page("GET", "POST")
def sign_in(request: HttpRequest) -> HttpResponse:
    """A session for the person, in their first organization. A wrong address and a wrong password look the same."""
    following = _safe_next(request)
    if request.method != "POST":
        if request.user.is_authenticated:
            return HttpResponseRedirect(following)
        return _sign_in_page(request, SignInForm(), following)
    form = SignInForm(request.POST)
    if not form.is_valid():
        return _sign_in_page(request, form, following, status=422)
    try:
        limit_login(request, form.cleaned_data["email"])
    except RateLimited as error:
        form.add_error(None, f"Too many attempts. Try again in {error.headers['Retry-After']} seconds.")
        return _sign_in_page(request, form, following, status=429, headers=error.headers)
    member = _member(request, **form.cleaned_data)
    if member is None:
        form.add_error(None, "This address and password do not go together, or belong to no organization.")
        return _sign_in_page(request, form, following, status=422)
    login(request, member.user)  # gives the session a new key: one that somebody planted is worth nothing
    request.session[SESSION_ORG] = str(member.org_id)
    return HttpResponseRedirect(following)


@open_page("POST")
def sign_out(request: HttpRequest) -> HttpResponse:
    """The session and all that it held are gone."""
    logout(request)
    return HttpResponseRedirect(settings.LOGIN_URL)


@page("POST")
def switch_organization(request: HttpRequest, actor: Actor) -> HttpResponse:
    """Go on in another organization of the person's, at its home page: what was open belongs to the one before."""
    member = membership_in(cast(User, request.user), request.POST.get("organization") or "-")
    if member is None:
        raise NotFound("You are no member of such an organization.")
    go_to_organization(request, member.org_id)
    return HttpResponseRedirect(reverse("dashboard"))


@page("GET")
def home(request: HttpRequest, actor: Actor) -> HttpResponse:
    """What is going on."""
    return render(request, "web/home.html", _home(actor))


@page("GET")
def home_live(request: HttpRequest, actor: Actor) -> HttpResponse:
    """The live panels alone, for live.js."""
    return render(request, "web/partials/home_live.html", _home(actor, live_only=True))


@page("GET")
def find(request: HttpRequest, actor: Actor) -> HttpResponse:
    """What goes by ``?q=``; with ``?part=1`` the hits alone, for the palette."""
    text = request.GET.get("q", "")
    template = "web/partials/hits.html" if "part" in request.GET else "web/find.html"
    return render(request, template, {"q": text, "kinds": list(palette.found(actor, text))})


@page("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
def not_found(request: HttpRequest, actor: Actor) -> HttpResponse:
    """The last of the dashboard's routes."""
    raise NotFound


def _home(actor: Actor, *, live_only: bool = False) -> dict[str, Any]:
    # The head before the rows: what comes in between is told by the stream and shown then.
    head = events.head(actor.org_id)
    return {"head": head, "panels": list(panels.filled(actor, live_only=live_only))}


def _safe_next(request: HttpRequest) -> str:
    """Where to go after signing in: a path of this site, or the dashboard."""
    wanted = request.POST.get("next") or request.GET.get("next") or ""
    ours = url_has_allowed_host_and_scheme(wanted, {request.get_host()}, require_https=request.is_secure())
    return wanted if ours and wanted.startswith("/") else settings.LOGIN_REDIRECT_URL


def _member(request: HttpRequest, email: str, password: str) -> Membership | None:
    # Django hashes the password of an unknown address, too: both failures take the same time.
    user = authenticate(request, username=normal_email(email), password=password)
    return membership_in(user) if isinstance(user, User) else None


def _sign_in_page(
    request: HttpRequest, form: SignInForm, following: str, *, status: int = 200, headers: dict[str, str] | None = None
) -> HttpResponse:
    shown: dict[str, Any] = {"form": form, "next": following}
    if settings.DEBUG:
        shown["hint"] = {"email": settings.DEV_USER_EMAIL, "password": settings.DEV_USER_PASSWORD}
    response = render(request, "web/sign_in.html", shown, status=status)
    for name, value in (headers or {}).items():
        response[name] = value
    return response
