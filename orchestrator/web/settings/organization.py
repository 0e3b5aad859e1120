"""/dashboard/settings/organization: its names, and founding another one. /dashboard/settings leads to the first tab."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from orchestrator.core.errors import Conflict, NotFound
from orchestrator.identity import services
from orchestrator.identity.actors import Actor
from orchestrator.identity.models import Organization
from orchestrator.web.access import go_to_organization, page
from orchestrator.web.forms import take_faults
from orchestrator.web.settings.forms import OrganizationForm
from orchestrator.web.settings.tabs import settings_page


@page("GET")
def index(request: HttpRequest, actor: Actor) -> HttpResponse:
    return HttpResponseRedirect(reverse("dashboard-members"))


@page("GET", "POST")
def organization(request: HttpRequest, actor: Actor) -> HttpResponse:
    """What the org is called."""
    org = _org(actor)
    if request.method != "POST":
        form = OrganizationForm(initial={"name": org.name, "slug": org.slug})
        return settings_page(request, actor, "web/settings/organization.html", {"org": org, "form": form})
    actor.require("admin")
    form = OrganizationForm(request.POST)
    if form.is_valid():
        try:
            services.rename_organization(actor=actor, **form.cleaned_data)
        except Conflict as error:
            form.add_error("slug", error.message)
        else:
            messages.success(request, "The organization has its new name.")
            return HttpResponseRedirect(reverse("dashboard-organization-settings"))
    return settings_page(request, actor, "web/settings/organization.html", {"org": org, "form": form}, status=422)


@page("GET", "POST", scope="write")
def new_organization(request: HttpRequest, actor: Actor) -> HttpResponse:
    """Found an organization of one's own, and go on in it."""
    form = OrganizationForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            org = services.found_organization(actor=actor, **form.cleaned_data)
        except Conflict as error:
            take_faults(form, error)
        else:
            go_to_organization(request, org.pk)
            messages.success(request, f"{org.name} is founded, and you are in it now.")
            return HttpResponseRedirect(reverse("dashboard"))
    status = 422 if request.method == "POST" else 200
    return settings_page(request, actor, "web/settings/organization_new.html", {"form": form}, status)


def _org(actor: Actor) -> Organization:
    found: Organization | None = Organization.objects.filter(pk=actor.org_id).first()
    if found is None:
        raise NotFound
    return found
