"""/dashboard/settings/limits: how many runs go on at once, who holds a slot, and who waits for one."""

from typing import Any, Final

from django import forms
from django.conf import settings
from django.contrib import messages
from django.db.models import Count, Max, Q
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from orchestrator.core.errors import NotFound, PreconditionFailed
from orchestrator.identity.actors import Actor
from orchestrator.web.access import page
from orchestrator.web.settings.tabs import settings_page
from runs.models import OrgLimits, Slot
from runs.services import org_limits
from runs.services.limits import ORG, in_line

_MOST_RUNNING: Final = 10_000
_SCOPES: Final = 50
_SHOWN: Final = 10  # holders and waiters of one scope


class LimitsForm(forms.Form):
    """Left empty, the server's default counts; 0 is no limit."""

    version = forms.IntegerField(widget=forms.HiddenInput)
    max_running_runs = forms.IntegerField(label="Runs at once", min_value=0, max_value=_MOST_RUNNING, required=False)


@page("GET", "POST")
def limits(request: HttpRequest, actor: Actor) -> HttpResponse:
    """The org's limit and its form; and every scope that has somebody in it."""
    if request.method != "POST":
        return _page(request, actor, _form_of(org_limits.limits_of(actor.org_id)))
    actor.require("admin")
    form = LimitsForm(request.POST)
    if form.is_valid():
        try:
            org_limits.set_limits(actor=actor, **form.cleaned_data)
        except PreconditionFailed:
            now = org_limits.limits_of(actor.org_id)
            again = LimitsForm({**form.cleaned_data, "version": now.version})
            again.add_error(
                "max_running_runs", f"Somebody has set it meanwhile: {_told(now)}. Save again to go over it."
            )
            return _page(request, actor, again, status=412)
        messages.success(request, "The limit is set. Runs that go on end by themselves.")
        return HttpResponseRedirect(reverse("dashboard-limits"))
    return _page(request, actor, form, status=422)


@page("GET")
def limits_of(request: HttpRequest, actor: Actor, organization_id: str) -> HttpResponse:
    """The same page, where an event about the org's limits leads."""
    if organization_id != str(actor.org_id):
        raise NotFound
    return _page(request, actor, _form_of(org_limits.limits_of(actor.org_id)))


def _page(request: HttpRequest, actor: Actor, form: LimitsForm, status: int = 200) -> HttpResponse:
    most = org_limits.read_most_running(actor.org_id)
    about = {"form": form, "most": most, "default": settings.ORG_MAX_RUNNING, "scopes": _scopes(actor, most)}
    return settings_page(request, actor, "runs/limits.html", about, status)


def _scopes(actor: Actor, most: int | None) -> list[dict[str, Any]]:
    """The scopes with somebody in them, the most waited for first, each with its first holders and waiters.

    Three queries. Slots are as many as active runs that something limits, so counting them is as cheap as those.
    """
    rows = Slot.objects.for_org(actor.org_id)
    held, waiting = Count("pk", filter=Q(number__isnull=False)), Count("pk", filter=Q(number=None))
    counted = rows.values("scope").annotate(held=held, waiting=waiting, capacity=Max("capacity"))
    scopes = list(counted.order_by("-waiting", "-held", "scope")[:_SCOPES])
    names = [each["scope"] for each in scopes]
    columns = ("scope", "run_id", "run__workflow", "taken_at", "run__created_at")
    of_these = rows.filter(scope__in=names)
    holders = of_these.filter(number__isnull=False, number__lte=_SHOWN).order_by("scope", "number").values(*columns)
    waiters = in_line(of_these.filter(number=None)).values(*columns)[: _SCOPES * _SHOWN]
    return [
        {
            **each,
            "label": _label(each["scope"]),
            "capacity": most if each["scope"] == ORG else each["capacity"],
            "holders": [slot for slot in holders if slot["scope"] == each["scope"]][:_SHOWN],
            "waiters": [slot for slot in waiters if slot["scope"] == each["scope"]][:_SHOWN],
        }
        for each in scopes
    ]


def _label(scope: str) -> str:
    """``workflow:nightly`` as ``nightly``, ``key:nightly:<sha>`` as ``nightly, by key …``."""
    kind, _, rest = scope.partition(":")
    if kind == "key":
        tag, _, digest = rest.rpartition(":")
        return f"{tag}, key …{digest[-8:]}"
    return "The whole organization" if scope == ORG else rest


def _form_of(found: OrgLimits) -> LimitsForm:
    return LimitsForm(initial={"max_running_runs": found.max_running_runs, "version": found.version})


def _told(found: OrgLimits) -> str:
    if found.max_running_runs is None:
        return "to the server's default"
    return f"to {found.max_running_runs}" if found.max_running_runs else "to no limit"
