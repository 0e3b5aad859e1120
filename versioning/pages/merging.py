"""Merging a workflow into another tag: a preview of what would come of it, choices where both changed, the merge."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render

from orchestrator.core.errors import (
    Conflict,
    MergeConflict,
    NotFound,
    PayloadTooLarge,
    PermissionDenied,
    PreconditionFailed,
    ValidationFailed,
)
from orchestrator.identity.actors import Actor
from orchestrator.web.access import page
from versioning import refs
from versioning.documents import diff
from versioning.materialisation import definition_of
from versioning.models import Tag
from versioning.pages import choices
from versioning.pages.addresses import page_url, tag_of
from versioning.pages.changes import change_rows
from versioning.pages.drawings import difference
from versioning.pages.forms import MoveForm
from versioning.pages.moves import moved_meanwhile, sentence, tag_names
from versioning.services import merges

_EXPLAINED = (Conflict, NotFound, PayloadTooLarge, PermissionDenied, ValidationFailed)


@page("GET", "POST", scope="write")
def merge_page(request: HttpRequest, actor: Actor, tag: str) -> HttpResponse:
    """Bring the head of ``tag`` into the tag ``into``."""
    found = tag_of(actor, tag)
    asked = request.POST if request.method == "POST" else request.GET
    into = asked.get("into", "").strip()
    about: dict[str, Any] = {"tag": found, "into": into, "names": tag_names(actor)}
    status = 200
    if into:
        picked = choices.chosen(request.POST)
        try:
            target = refs.live_tag(actor.org_id, into)
            if request.method == "POST" and (done := _merged(request, actor, found, target, picked)):
                return done
            about |= _preview(actor, found, target, picked)
            status = 409 if about["conflicts"] and request.method == "POST" else 200
        except _EXPLAINED as error:
            about["error"] = sentence(error)
            # Asked only, nothing to merge is an answer like any other.
            status = 200 if request.method == "GET" and isinstance(error, Conflict) else error.status
    return render(request, "versioning/merge.html", about, status=status)


def _merged(
    request: HttpRequest, actor: Actor, found: Tag, target: Tag, picked: choices.Resolutions
) -> HttpResponse | None:
    """The answer to a merge that was done, or came too late; None when there is still something to choose."""
    said = MoveForm(request.POST)
    if not said.is_valid():
        return None
    message = said.cleaned_data["message"] or f"Merge {found.name} into {target.name}"
    try:
        merges.merge_tag(
            actor=actor, into=target.name, theirs=found.head, message=message, resolutions=picked,
            version=said.cleaned_data["version"],
        )  # fmt: skip
    except MergeConflict:
        return None
    except PreconditionFailed:
        messages.error(request, moved_meanwhile(actor, target.name))
        return None
    messages.success(request, f"{found.name} is merged into {target.name}.")
    return HttpResponseRedirect(page_url(target.name))


def _preview(actor: Actor, found: Tag, target: Tag, picked: choices.Resolutions) -> dict[str, Any]:
    proposal = merges.propose_merge(actor=actor, into=target.name, theirs=found.head, resolutions=picked)
    labels = {"ours": target.name, "theirs": found.name}
    ours = definition_of(proposal.ours)
    changes = diff.changes(ours, proposal.definition)
    return {
        "target": target,
        "proposal": proposal,
        "conflicts": choices.rows(proposal.conflicts, labels),
        "kept": choices.kept(picked),
        "kept_count": len(picked),
        "rows": change_rows(changes),
        "drawing": difference(ours, proposal.definition, changes, page_url(target.name)),
    }
