"""Editing a definition. Whoever saves second is shown both sides and their merge; nobody's words are lost."""

from dataclasses import dataclass
from typing import Any, Final

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render

from orchestrator.core.errors import NotFound, OrchestratorError, PreconditionFailed, ValidationFailed
from orchestrator.identity.actors import Actor
from orchestrator.web.access import page
from orchestrator.web.people import Names
from versioning import refs, rules
from versioning.documents import diff, merge, patch
from versioning.materialisation import definition_of
from versioning.models import Artifact, Tag, TagMove
from versioning.pages import choices, textdiff
from versioning.pages.addresses import page_url, tag_of
from versioning.pages.changes import rows_between
from versioning.pages.detail import may_move
from versioning.pages.faults import add_error
from versioning.pages.forms import EditForm, NewWorkflowForm
from versioning.pages.moves import sentence
from versioning.pages.places import PlacedFault, parse, placed
from versioning.pages.views import pretty
from versioning.services import workflows

_MOVES_SHOWN: Final = 10
_SAVED: Final = "Saved. Runs that start from now on use this version."
_THE_SAME: Final = "Nothing was saved: this is what the workflow says already."
_LABELS: Final = {"theirs": "What is saved", "ours": "What you wrote"}


@dataclass(frozen=True, slots=True)
class Draft:
    """What somebody wrote, and the version that they began with."""

    tag: Tag
    form: EditForm
    definition: dict[str, Any]
    base: Artifact


@page("GET", "POST", scope="write")
def edit(request: HttpRequest, actor: Actor, tag: str) -> HttpResponse:
    """The text of the head, and what becomes of it."""
    if request.method != "POST":
        found = tag_of(actor, tag)
        begun = {"text": pretty(definition_of(found.head)), "version": found.version, "base": found.head.pk}
        return _page(request, actor, found, EditForm(initial=begun), [])
    live = refs.find_tag(actor.org_id, tag)
    if live is None:
        return _gone(request, actor, tag)
    form = EditForm(request.POST)
    if not form.is_valid():
        return _page(request, actor, live, form, [], 422)
    definition, faults = parse(form.source())
    faults = faults or placed(form.source(), rules.by_pointer(rules.faults_of(definition)))
    if faults:
        form.add_faults(faults)
        return _page(request, actor, live, form, faults, 422)
    base = Artifact.objects.for_org(actor.org_id).filter(pk=form.cleaned_data["base"]).first() or live.head
    return _saved(request, actor, Draft(live, form, definition, base))


def _saved(request: HttpRequest, actor: Actor, draft: Draft) -> HttpResponse:
    """Saved, or the screen that says why not."""
    tag, form, asked = draft.tag, draft.form, draft.form.cleaned_data
    definition, version = draft.definition, asked["version"]
    if request.POST.get("do") == "resolve":
        try:
            definition, conflicts = _merged(draft, choices.chosen(request.POST))
        except ValidationFailed as error:
            messages.error(request, sentence(error))
            return _conflict(request, actor, draft)
        if conflicts or version != tag.version:
            return _conflict(request, actor, draft)
    elif version != tag.version and tag.head.definition_digest == draft.base.definition_digest:
        version = tag.version  # it went and came back: nothing in it has changed
    try:
        if version != tag.version:
            raise PreconditionFailed
        changed = _save(actor, tag, definition, asked["message"], version)
    except PreconditionFailed:
        now = refs.find_tag(actor.org_id, tag.name)
        if now is None:
            return _gone(request, actor, tag.name)
        return _conflict(request, actor, Draft(now, form, draft.definition, draft.base))
    except OrchestratorError as error:
        faults = add_error(form, error, form.source())
        form.add_faults(faults)
        return _page(request, actor, tag, form, faults, error.status)
    messages.success(request, _SAVED if changed else _THE_SAME)
    return HttpResponseRedirect(page_url(tag.name))


def _save(actor: Actor, tag: Tag, definition: dict[str, Any], message: str, version: int) -> bool:
    """A patch on the head. Nothing is written when there is no difference; whether there was one."""
    operations = diff.operations(definition_of(tag.head), definition)
    if len(operations) > patch.MAX_OPERATIONS:
        operations = [{"op": "replace", "path": "", "value": definition}]
    if operations:
        workflows.patch_tag(actor=actor, tag=tag.name, operations=operations, message=message, version=version)
    return bool(operations)


def _merged(draft: Draft, picked: choices.Resolutions) -> tuple[Any, list[dict[str, Any]]]:
    """Both sides' changes since the draft's base, and what stands in the way. Raises ValidationFailed."""
    base, theirs = definition_of(draft.base), definition_of(draft.tag.head)
    found = merge.merge(base, draft.definition, theirs, picked)
    conflicts = [conflict.as_json() for conflict in found.conflicts]
    if not conflicts:
        faults = rules.faults_of(found.definition)
        conflicts = [{"kind": "invalid_graph", "pointer": each.pointer, "message": each.message} for each in faults]
    return found.definition, conflicts


def _conflict(request: HttpRequest, actor: Actor, draft: Draft) -> HttpResponse:
    """Who was faster, both sides against what both began with, and what they come to together."""
    tag = draft.tag
    picked = choices.chosen(request.POST) if request.POST.get("do") == "resolve" else {}
    try:
        definition, conflicts = _merged(draft, picked)
    except ValidationFailed:
        picked = {}
        definition, conflicts = _merged(draft, picked)
    base, theirs = definition_of(draft.base), definition_of(tag.head)
    rows = choices.rows(conflicts, _LABELS)
    about = {
        "tag": tag,
        "base": draft.base,
        "moves": _moves_since(actor, tag, draft.base),
        "sides": [_side("theirs", base, theirs), _side("ours", base, draft.definition)],
        "conflicts": rows,
        "choosable": any(row["choosable"] for row in rows),
        "kept": choices.kept(picked),
        "text": draft.form.source(),
        "merged": pretty(definition),
        "message": draft.form.cleaned_data["message"],
        "kept_count": len(picked),
        "rows": rows_between(theirs, definition),
    }
    return render(request, "versioning/conflict.html", about, status=409)


def _side(side: str, base: Any, definition: Any) -> dict[str, Any]:
    return {
        "label": _LABELS[side],
        "rows": rows_between(base, definition),
        "blocks": textdiff.blocks(pretty(base), pretty(definition)),
    }


def _moves_since(actor: Actor, tag: Tag, base: Artifact) -> list[dict[str, Any]]:
    """The tag's moves since it stood on ``base``, last first; the last few where that is long ago."""
    moves = list(TagMove.objects.filter(tag=tag).order_by("-number")[:_MOVES_SHOWN])
    here = next((at for at, move in enumerate(moves) if move.to_artifact_id == base.pk), len(moves))
    names = Names(actor.org_id, (move.actor for move in moves))
    return [{"move": move, "by": names.spell(move.actor)} for move in moves[:here] or moves[:1]]


def _gone(request: HttpRequest, actor: Actor, name: str) -> HttpResponse:
    """The workflow was deleted while somebody wrote: they may save it as a new one. Raises NotFound for strangers."""
    try:
        tag = refs.tag_of_any_life(actor.org_id, name)
    except NotFound:
        raise NotFound("There is no such workflow in this organization.") from None
    by = Names(actor.org_id, (tag.updated_by,)).spell(tag.updated_by)
    typed = {"tag": tag.name, "text": request.POST.get("text", ""), "message": request.POST.get("message", "")}
    messages.error(request, f"{tag.name} was deleted meanwhile by {by}. Your text is kept: save it as a new workflow.")
    return render(request, "versioning/new.html", {"form": NewWorkflowForm(initial=typed)}, status=409)


def _page(
    request: HttpRequest, actor: Actor, tag: Tag, form: EditForm, faults: list[PlacedFault], status: int = 200
) -> HttpResponse:
    about = {"tag": tag, "form": form, "faults": faults, "may_move": may_move(actor, tag)}
    return render(request, "versioning/edit.html", about | {"source": form.source()}, status=status)
