"""What any two versions differ in: by node, in one graph, and line by line."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from orchestrator.core.errors import NotFound, ValidationFailed
from orchestrator.identity.actors import Actor
from orchestrator.web.access import page
from orchestrator.web.people import Names
from versioning import lineage
from versioning.documents import diff
from versioning.materialisation import definition_of
from versioning.models import Artifact, Tag
from versioning.pages.addresses import page_url, tag_of, version_of
from versioning.pages.changes import change_rows
from versioning.pages.drawings import difference
from versioning.pages.moves import tag_names
from versioning.pages.textdiff import blocks
from versioning.pages.views import pretty


@page("GET")
def diff_page(request: HttpRequest, actor: Actor, tag: str) -> HttpResponse:
    """``?from=`` and ``?to=`` name any two versions; without them, the head and the version before it."""
    found = tag_of(actor, tag)
    asked = {side: request.GET.get(side, "").strip() for side in ("from", "to")}
    about: dict[str, Any] = {"tag": found, "asked": asked, "names": tag_names(actor)}
    try:
        new = version_of(actor, found, asked["to"])
        old = version_of(actor, found, asked["from"]) if asked["from"] else _before(new)
    except (NotFound, ValidationFailed) as error:
        return render(request, "versioning/diff.html", about | {"error": error.message}, status=error.status)
    return render(request, "versioning/diff.html", about | compared(actor, found, old, new))


def compared(actor: Actor, tag: Tag, old: Artifact, new: Artifact) -> dict[str, Any]:
    """What the page shows of two versions."""
    before, after = definition_of(old), definition_of(new)
    found = diff.changes(before, after)
    names = Names(actor.org_id, (old.author, new.author))
    return {
        "old": old,
        "new": new,
        "old_author": names.spell(old.author),
        "new_author": names.spell(new.author),
        "is_head": new.pk == tag.head.pk,
        "same": diff.is_empty(found),
        "rows": change_rows(found),
        "drawing": difference(before, after, found, page_url(tag.name)),
        "blocks": blocks(pretty(before), pretty(after)),
    }


def _before(version: Artifact) -> Artifact:
    """The version's first parent, or itself when it is the first."""
    parents = lineage.parents_of([version])[version.pk]
    return Artifact.objects.filter(pk=parents[0]).first() or version if parents else version
