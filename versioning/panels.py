"""What workflows put into the shell: their section, how they are found, where events about them lead."""

from orchestrator.identity.actors import Actor
from orchestrator.web import navigation, palette, panels
from orchestrator.web.navigation import Section
from orchestrator.web.palette import Hit
from versioning.models import Tag
from versioning.pages.addresses import page_url


def find(actor: Actor, text: str, limit: int) -> list[Hit]:
    """Workflows whose name has ``text`` in it, those that begin with it first. One query over the org's names."""
    rows = Tag.objects.for_org(actor.org_id).live().filter(name__icontains=text).order_by("name")
    names = sorted(rows.values_list("name", flat=True)[: 4 * limit], key=lambda name: _rank(name, text))
    return [Hit(name, page_url(name), "git-branch") for name in names[:limit]]


def _rank(name: str, text: str) -> tuple[bool, str]:
    return not name.casefold().startswith(text.casefold()), name


navigation.register(Section("Workflows", "dashboard-workflows", "git-branch", 20, also=("/dashboard/versions",)))
palette.register("Workflows", find)
panels.register_target("tag", "dashboard-workflow")
panels.register_target("artifact", "dashboard-version")
