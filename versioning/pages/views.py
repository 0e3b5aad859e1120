"""/dashboard/workflows: the list, a new one, the page of one, its definition as a file."""

from typing import Any, Final

import orjson
from django.db.models import F, QuerySet
from django.db.models.functions import Left
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render

from orchestrator.core.errors import NotFound, OrchestratorError
from orchestrator.core.ids import parse_uuid
from orchestrator.identity.actors import Actor
from orchestrator.web.access import page
from orchestrator.web.paging import PAGE_SIZE
from orchestrator.web.people import Names
from versioning.models import MAX_TAG_NAME, Artifact, Tag, TagMove
from versioning.pages.addresses import page_url, tag_by_id, tag_of, version_of
from versioning.pages.detail import read_version, read_workflow
from versioning.pages.faults import add_error
from versioning.pages.forms import NewWorkflowForm
from versioning.pages.places import PlacedFault, parse
from versioning.services import workflows

_EXAMPLE: Final = {
    "description": "Greets whoever is named.",
    "inputs": {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]},
    "nodes": {
        "greet": {"type": "transform", "with": {"output": {"text": "Hello ${inputs.name}!"}}},
        "finish": {"type": "transform", "needs": ["greet"], "with": {"output": {"said": "${nodes.greet.text}"}}},
    },
    "output": "nodes.finish",
}


@page("GET")
def workflow_list(request: HttpRequest, actor: Actor) -> HttpResponse:
    """The org's workflows by name; ``?name=`` narrows them, ``?after=`` is the keyset of the following pages."""
    prefix, after = (request.GET.get(key, "").replace("\x00", "")[:MAX_TAG_NAME] for key in ("name", "after"))
    rows = Tag.objects.for_org(actor.org_id).live().select_related("artifact").order_by("name")
    if prefix:
        # Not __startswith: SQLite's LIKE takes capitals for small letters.
        rows = rows.alias(beginning=Left("name", len(prefix))).filter(beginning=prefix)
    if after:
        rows = rows.filter(name__gt=after)
    found = list(rows[: PAGE_SIZE + 1])
    more, found = len(found) > PAGE_SIZE, found[:PAGE_SIZE]
    about = {
        "rows": list_rows(actor, found), "prefix": prefix, "after": after, "next": found[-1].name if more else "",
    }  # fmt: skip
    return render(request, "versioning/list.html", about)


def list_rows(actor: Actor, tags: list[Tag]) -> list[dict[str, Any]]:
    """Each tag with its last change. One query and the names'."""
    last: QuerySet[TagMove] = TagMove.objects.filter(tag__in=tags, number=F("tag__move_count"))
    moves = {move.tag_id: move for move in last}
    names = Names(actor.org_id, (move.actor for move in moves.values()))
    return [
        {"tag": tag, "move": moves[tag.pk], "by": names.spell(moves[tag.pk].actor)} for tag in tags if tag.pk in moves
    ]


@page("GET", "POST", scope="write")
def new_workflow(request: HttpRequest, actor: Actor) -> HttpResponse:
    """The form of a new workflow, filled with a small one that works."""
    if request.method != "POST":
        return render(request, "versioning/new.html", {"form": NewWorkflowForm(initial={"text": pretty(_EXAMPLE)})})
    form = NewWorkflowForm(request.POST)
    faults: list[PlacedFault] = []
    if form.is_valid():
        definition, faults = parse(form.source())
        try:
            if not faults:
                said = form.cleaned_data["message"]
                made = workflows.create_workflow(
                    actor=actor, tag=form.cleaned_data["tag"], definition=definition, message=said
                )
                return HttpResponseRedirect(page_url(made.name))
        except OrchestratorError as error:
            faults = add_error(form, error, form.source())
        form.add_faults(faults)
    about = {"form": form, "faults": faults, "source": form.source()}
    return render(request, "versioning/new.html", about, status=422)


@page("GET")
def workflow_page(request: HttpRequest, actor: Actor, tag: str) -> HttpResponse:
    """One workflow, now or, with ``?at=``, in another version. A tag's id leads to its page, too."""
    if named := tag_by_id(actor, tag):
        return HttpResponseRedirect(page_url(named.name))
    found = tag_of(actor, tag)
    at = request.GET.get("at", "")
    version = version_of(actor, found, at)
    return render(request, "versioning/detail.html", {**read_workflow(actor, found, version), "at": at})


@page("GET")
def version_page(request: HttpRequest, actor: Actor, artifact_id: str) -> HttpResponse:
    """One version by its id, whether or not a tag stands on it: events name versions so."""
    wanted = parse_uuid(artifact_id)
    version = Artifact.objects.for_org(actor.org_id).filter(pk=wanted).first() if wanted else None
    if version is None:
        raise NotFound("There is no such version in this organization.")
    names = Names(actor.org_id, (version.author,))
    standing = Tag.objects.for_org(actor.org_id).filter(artifact=version).order_by("name")
    about = {**read_version(version, names), "tags": list(standing.values_list("name", flat=True)[:PAGE_SIZE])}
    return render(request, "versioning/version.html", about)


@page("GET")
def download(request: HttpRequest, actor: Actor, tag: str) -> HttpResponse:
    """The definition as a file, of the version ``?at=`` or the newest."""
    found = tag_of(actor, tag)
    at = request.GET.get("at", "")
    version = version_of(actor, found, at)
    response = HttpResponse(pretty(read_version(version, Names(actor.org_id, ()))["definition"]))
    response["Content-Type"] = "application/json"
    name = f"{found.name.replace('/', '-')}-{version.definition_digest.removeprefix('sha256:')[:10]}.json"
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


def pretty(definition: Any) -> str:
    """As people edit it."""
    return orjson.dumps(definition, option=orjson.OPT_INDENT_2).decode() + "\n"
