"""The pages of the settings. Apps above register their own in their module ``panels``."""

from dataclasses import dataclass
from operator import attrgetter
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse

from orchestrator.identity.actors import Actor


@dataclass(frozen=True, slots=True)
class Tab:
    """``url_name`` takes no parameters; the pages below it belong to the tab. ``scope``: who sees it."""

    label: str
    url_name: str
    order: int
    scope: str = "read"


_tabs: list[Tab] = []


def register(tab: Tab) -> None:
    _tabs.append(tab)
    _tabs.sort(key=attrgetter("order"))


def tabs(actor: Actor, path: str) -> list[dict[str, Any]]:
    """What the actor may open; ``current`` is the one to which ``path`` belongs."""
    shown = [{"label": tab.label, "url": reverse(tab.url_name)} for tab in _tabs if actor.may(tab.scope)]
    return [{**each, "current": f"{path}/".startswith(f"{each['url']}/")} for each in shown]


def settings_page(
    request: HttpRequest, actor: Actor, template: str, about: dict[str, Any], status: int = 200
) -> HttpResponse:
    """A page of the settings with its tabs."""
    shown = {"tabs": tabs(actor, request.path), "may_admin": actor.may("admin"), **about}
    return render(request, template, shown, status=status)


register(Tab("Members", "dashboard-members", 10))
register(Tab("API keys", "dashboard-api-keys", 20, scope="admin"))
register(Tab("Organization", "dashboard-organization-settings", 40))
