"""/dashboard/settings/members: everybody sees who there is; administrators add, change and remove."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from orchestrator.core.errors import Conflict, NotFound, PermissionDenied, ValidationFailed
from orchestrator.core.ids import parse_uuid
from orchestrator.identity import services
from orchestrator.identity.actors import Actor
from orchestrator.identity.models import Membership, Role
from orchestrator.web.access import page
from orchestrator.web.forms import take_faults
from orchestrator.web.paging import page_of
from orchestrator.web.settings.forms import AddMemberForm, RoleForm
from orchestrator.web.settings.tabs import settings_page


@page("GET", "POST")
def members(request: HttpRequest, actor: Actor) -> HttpResponse:
    """The org's people, newest first, and the form that adds one."""
    if request.method != "POST":
        return _list(request, actor, AddMemberForm(actor))
    actor.require("admin")
    form = AddMemberForm(actor, request.POST)
    if form.is_valid():
        try:
            member = services.add_member(actor=actor, **form.cleaned_data)
        except (Conflict, PermissionDenied, ValidationFailed) as error:
            take_faults(form, error)
        else:
            messages.success(request, f"{member.user} is a member now: {member.role}.")
            return HttpResponseRedirect(reverse("dashboard-members"))
    return _list(request, actor, form, status=422)


@page("GET", "POST")
def member(request: HttpRequest, actor: Actor, member_id: str) -> HttpResponse:
    """One member, with the form that gives another role."""
    found = _member(actor, member_id)
    if request.method != "POST":
        return _page(request, actor, found, RoleForm(actor, initial={"role": found.role}))
    actor.require("admin")
    form = RoleForm(actor, request.POST)
    if form.is_valid():
        try:
            services.change_role(actor=actor, member_id=found.pk, role=form.cleaned_data["role"])
        except (Conflict, PermissionDenied) as error:
            take_faults(form, error)
        else:
            messages.success(request, f"{found.user} is {form.cleaned_data['role']} now.")
            return HttpResponseRedirect(reverse("dashboard-members"))
    return _page(request, actor, found, form, status=422)


@page("POST", scope="admin")
def remove(request: HttpRequest, actor: Actor, member_id: str) -> HttpResponse:
    """Take somebody out of the org, or say why that is not possible."""
    found = _member(actor, member_id)
    try:
        services.remove_member(actor=actor, member_id=found.pk)
    except (Conflict, PermissionDenied) as error:
        messages.error(request, error.message)
        return HttpResponseRedirect(reverse("dashboard-member", args=[found.pk]))
    messages.success(request, f"{found.user} is no member any more. What they had open has stopped working.")
    return HttpResponseRedirect(reverse("dashboard-members" if actor.id != found.user_id else "dashboard"))


def _list(request: HttpRequest, actor: Actor, form: AddMemberForm, status: int = 200) -> HttpResponse:
    rows = Membership.objects.for_org(actor.org_id).select_related("user")
    about = {"page": page_of(rows, request.GET.get("before", "")), "form": form}
    return settings_page(request, actor, "web/settings/members.html", about, status)


def _page(request: HttpRequest, actor: Actor, found: Membership, form: RoleForm, status: int = 200) -> HttpResponse:
    changeable = actor.may("admin") and (found.role != Role.OWNER or actor.role == Role.OWNER)
    about = {"member": found, "form": form, "changeable": changeable, "myself": actor.id == found.user_id}
    return settings_page(request, actor, "web/settings/member.html", about, status)


def _member(actor: Actor, member_id: str) -> Membership:
    """Raises NotFound, also for another org's."""
    wanted = parse_uuid(member_id)
    rows = Membership.objects.for_org(actor.org_id).select_related("user")
    found: Membership | None = rows.filter(pk=wanted).first() if wanted else None
    if found is None:
        raise NotFound("There is no such member in this organization.")
    return found
