"""/dashboard/runs/new: a form that starts a run of any workflow, made of the schema of its inputs."""

from typing import Any, Final

from django.forms import Form
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from orchestrator.core.errors import Conflict, ValidationFailed
from orchestrator.identity.actors import Actor
from orchestrator.web.access import page
from runs import definitions
from runs.forms import PriorityForm, StartRunForm
from runs.models import Run
from runs.pages.found import run_of, to_run, told
from runs.pages.schema_form import SchemaForm
from runs.services import submission
from versioning import materialisation, refs
from versioning.models import Tag

_OFFERED: Final = 200


@page("GET", "POST", scope="write")
def new_run(request: HttpRequest, actor: Actor) -> HttpResponse:
    """The form of ``?workflow=``, else of the built-in one; filled like ``?from=`` when that names a run."""
    like = run_of(actor, request.GET["from"]) if "from" in request.GET else None
    workflow = request.GET.get("workflow", "") or (like.workflow if like else definitions.BUILT_IN)
    data = request.POST if request.method == "POST" else None
    form, priority = _form(actor, workflow, data, like), PriorityForm(data)
    if data is None or not (form.is_valid() and priority.is_valid()):
        return _page(request, actor, workflow, form, priority, status=200 if data is None else 422)
    try:
        return to_run(_started(actor, workflow, form, priority))
    except (Conflict, ValidationFailed) as error:
        _add_faults(form, error)
        return _page(request, actor, workflow, form, priority, status=error.status)


def _form(actor: Actor, workflow: str, data: Any, like: Run | None) -> Form:
    """Raises NotFound for a workflow that is not there."""
    if workflow == definitions.BUILT_IN:
        return StartRunForm.like(like) if data is None else StartRunForm(data)
    tag = refs.live_tag(actor.org_id, workflow)
    definition = materialisation.definition_of(tag.artifact) if tag.artifact else {}
    return SchemaForm(definition.get("inputs"), data, whole="inputs", initial=like.inputs if like else None)


def _started(actor: Actor, workflow: str, form: Form, priority: PriorityForm) -> Run:
    inputs = form.inputs() if isinstance(form, StartRunForm) else form.value() or {}  # type: ignore[attr-defined]
    urgent = priority.cleaned_data["priority"]
    return submission.start_run(actor=actor, inputs=inputs, workflow=workflow, priority=urgent)


def _add_faults(form: Form, error: Conflict | ValidationFailed) -> None:
    if isinstance(error, Conflict):
        form.add_error(None, told(error))
    elif isinstance(form, StartRunForm):
        form.add_faults(error.details)
    else:
        form.add_faults(error.details, error.message)  # type: ignore[attr-defined]


def _page(
    request: HttpRequest, actor: Actor, workflow: str, form: Form, priority: PriorityForm, status: int
) -> HttpResponse:
    tags = Tag.objects.for_org(actor.org_id).live().order_by("name").values_list("name", flat=True)
    offered = sorted({definitions.BUILT_IN, workflow, *tags[:_OFFERED]})
    about = {"form": form, "priority": priority, "workflow": workflow, "workflows": offered}
    return render(request, "runs/new.html", about | {"built_in": workflow == definitions.BUILT_IN}, status=status)
