"""/dashboard/settings/keys: machines' credentials. Only administrators see and make them."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from orchestrator.core import clock
from orchestrator.core.errors import NotFound, ValidationFailed
from orchestrator.core.ids import parse_uuid
from orchestrator.identity import services
from orchestrator.identity.actors import Actor
from orchestrator.identity.models import ApiKey
from orchestrator.web.access import page
from orchestrator.web.forms import take_faults
from orchestrator.web.paging import page_of
from orchestrator.web.people import Names
from orchestrator.web.settings.forms import ApiKeyForm
from orchestrator.web.settings.tabs import settings_page


@page("GET", scope="admin")
def keys(request: HttpRequest, actor: Actor) -> HttpResponse:
    """The org's keys, newest first, revoked ones too; never their secrets."""
    shown = page_of(ApiKey.objects.for_org(actor.org_id), request.GET.get("before", ""))
    rows = [{"key": key, "state": state_of(key)} for key in shown.rows]
    return settings_page(request, actor, "web/settings/keys.html", {"keys": rows, "page": shown})


@page("GET", "POST", scope="admin")
def new_key(request: HttpRequest, actor: Actor) -> HttpResponse:
    """The form that makes a key; ``?agent=`` fills in whose own it will be."""
    if request.method != "POST":
        agent = request.GET.get("agent", "")
        form = ApiKeyForm(actor, initial={"runtime_agent_id": agent, "scopes": ["read", "write"]})
        return settings_page(request, actor, "web/settings/key_new.html", {"form": form})
    form = ApiKeyForm(actor, request.POST)
    if form.is_valid():
        try:
            key, secret = services.create_api_key(actor=actor, **form.wanted())
            return _made(request, actor, key, secret)
        except ValidationFailed as error:
            take_faults(form, error)
    return settings_page(request, actor, "web/settings/key_new.html", {"form": form}, status=422)


@page("GET", scope="admin")
def key(request: HttpRequest, actor: Actor, key_id: str) -> HttpResponse:
    """One key, and the button that revokes it."""
    found = _key(actor, key_id)
    names = Names(actor.org_id, [found.created_by])
    about = {"key": found, "state": state_of(found), "made_by": names.spell(found.created_by)}
    return settings_page(request, actor, "web/settings/key.html", about)


@page("POST", scope="admin")
def revoke(request: HttpRequest, actor: Actor, key_id: str) -> HttpResponse:
    found = services.revoke_api_key(actor=actor, key_id=_key(actor, key_id).pk)
    messages.success(request, f"The key {found.name} is revoked. What uses it gets no further.")
    return HttpResponseRedirect(reverse("dashboard-api-keys"))


def state_of(key: ApiKey) -> str:
    if key.revoked_at:
        return "revoked"
    return "expired" if key.expires_at and key.expires_at <= clock.now() else "active"


def _made(request: HttpRequest, actor: Actor, key: ApiKey, secret: str) -> HttpResponse:
    """The only page that ever has the secret in it. No redirect: it would have to be kept, or be in an address."""
    about = {"key": key, "secret": secret, "host": f"{request.scheme}://{request.get_host()}"}
    response = settings_page(request, actor, "web/settings/key_made.html", about)
    response["Cache-Control"] = "no-store"  # RFC 9111 §5.2.2.5: also not by the browser that goes back to it
    return response


def _key(actor: Actor, key_id: str) -> ApiKey:
    """Raises NotFound, also for another org's."""
    wanted = parse_uuid(key_id)
    found: ApiKey | None = ApiKey.objects.for_org(actor.org_id).filter(pk=wanted).first() if wanted else None
    if found is None:
        raise NotFound("There is no such API key in this organization.")
    return found
