"""What moves a tag by a button: undo, redo, delete, branch, promote. Each names the state of the tag that was seen."""

from typing import Any, Final

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse

from orchestrator.core.clock import rfc3339
from orchestrator.core.errors import Conflict, NotFound, OrchestratorError, PreconditionFailed, ValidationFailed
from orchestrator.identity.actors import Actor
from orchestrator.web.access import page
from orchestrator.web.people import Names
from versioning import refs
from versioning.materialisation import definition_of
from versioning.models import Artifact, Tag
from versioning.pages.addresses import page_url, tag_of, version_of
from versioning.pages.changes import rows_between
from versioning.pages.detail import may_move
from versioning.pages.forms import MoveForm
from versioning.services import tags

_TARGETS: Final = 100


@page("POST", scope="write")
def undo(request: HttpRequest, actor: Actor, tag: str) -> HttpResponse:
    """Back to where the tag was before."""
    return _stepped(request, actor, tag, tags.undo_tag, "Undone: the workflow is where it was before.")


@page("POST", scope="write")
def redo(request: HttpRequest, actor: Actor, tag: str) -> HttpResponse:
    """Forward again to where the last undo came from."""
    return _stepped(request, actor, tag, tags.redo_tag, "Redone: the workflow is where the undo came from.")


@page("POST", scope="write")
def delete(request: HttpRequest, actor: Actor, tag: str) -> HttpResponse:
    """Remove the name, never its history."""
    gone = "The name is deleted. Its versions and its history stay."
    return _stepped(request, actor, tag, tags.delete_tag, gone, reverse("dashboard-workflows"))


@page("POST", scope="write")
def branch(request: HttpRequest, actor: Actor, tag: str) -> HttpResponse:
    """A new tag at the version that is shown."""
    found = tag_of(actor, tag)
    version = version_of(actor, found, request.POST.get("at", ""))
    name = request.POST.get("name", "").strip()
    try:
        made = tags.create_tag(actor=actor, name=name, artifact=version, message=f"Branch of {found.name}")
    except (Conflict, ValidationFailed) as error:
        messages.error(request, sentence(error))
        return HttpResponseRedirect(page_url(found.name))
    messages.success(request, f"{made.name} is a new branch. What you change here stays out of {found.name}.")
    return HttpResponseRedirect(page_url(made.name))


@page("GET", "POST", scope="write")
def promote(request: HttpRequest, actor: Actor, tag: str) -> HttpResponse:
    """Move a tag (``into``) to a version (``at``) that is seen under ``tag``: first shown, then done."""
    found = tag_of(actor, tag)
    asked = request.POST if request.method == "POST" else request.GET
    version = version_of(actor, found, asked.get("at", ""))
    about: dict[str, Any] = {"tag": found, "shown": version, "into": asked.get("into", "").strip()}
    status = 200
    if about["into"]:
        try:
            target = refs.live_tag(actor.org_id, about["into"])
            if request.method == "POST":
                return _promoted(request, actor, found, target, version)
            about |= _foreseen(actor, target, version)
        except NotFound:
            about["error"] = f"There is no workflow {about['into']!r}. Make it as a branch of this one."
            status = 422
    about["names"] = tag_names(actor)
    return render(request, "versioning/promote.html", about, status=status)


def _promoted(request: HttpRequest, actor: Actor, found: Tag, target: Tag, version: Artifact) -> HttpResponse:
    said = MoveForm(request.POST)
    if not said.is_valid():
        return _unreadable(request, page_url(found.name))
    asked = said.cleaned_data
    try:
        tags.move_tag(actor=actor, name=target.name, to=version, version=asked["version"], message=asked["message"])
    except PreconditionFailed:
        messages.error(request, moved_meanwhile(actor, target.name))
    else:
        messages.success(request, f"{target.name} is at this version now.")
    return HttpResponseRedirect(page_url(target.name))


def _foreseen(actor: Actor, target: Tag, version: Artifact) -> dict[str, Any]:
    """What moving would change."""
    found = rows_between(definition_of(target.head), definition_of(version))
    return {
        "target": target, "rows": found, "is_there": target.head.pk == version.pk,
        "may_move": may_move(actor, target),
    }  # fmt: skip


def _stepped(
    request: HttpRequest, actor: Actor, name: str, step: Any, done: str, following: str | None = None
) -> HttpResponse:
    found = tag_of(actor, name)
    here = page_url(found.name)
    said = MoveForm(request.POST)
    if not said.is_valid():
        return _unreadable(request, here)
    asked = said.cleaned_data
    try:
        step(actor=actor, name=found.name, version=asked["version"], message=asked["message"])
    except PreconditionFailed:
        messages.error(request, moved_meanwhile(actor, found.name))
    except Conflict as error:
        messages.error(request, error.message)
    else:
        messages.success(request, done)
        here = following or here
    return HttpResponseRedirect(here)


def _unreadable(request: HttpRequest, here: str) -> HttpResponse:
    messages.error(request, "Nothing was changed: the form did not say what you saw. Look again, and press once more.")
    return HttpResponseRedirect(here)


def moved_meanwhile(actor: Actor, name: str) -> str:
    """Who was faster, for whom a stale page refused."""
    tag = refs.tag_of_any_life(actor.org_id, name)
    by = Names(actor.org_id, (tag.updated_by,)).spell(tag.updated_by)
    at = rfc3339(tag.updated_at)[:19].replace("T", " ")
    return f"Nothing was changed: {name} was changed meanwhile by {by} at {at} UTC. Look at it, and decide again."


def sentence(error: OrchestratorError) -> str:
    """The error in one line, with its details."""
    details = error.details if isinstance(error.details, dict) else {}
    return " ".join(told for sentences in details.values() for told in sentences) or error.message


def tag_names(actor: Actor) -> list[str]:
    """The first names, to choose from; any other may be written."""
    rows = Tag.objects.for_org(actor.org_id).live().order_by("name")
    return list(rows.values_list("name", flat=True)[:_TARGETS])
