"""What may be done to a run with one button: cancel, retry, replay, re-run; and the form of a fork."""

from collections.abc import Callable
from typing import Final

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from orchestrator.core.errors import Conflict, OrchestratorError, PermissionDenied, ValidationFailed
from orchestrator.identity.actors import Actor
from orchestrator.web.access import page
from runs.forms import ForkForm
from runs.models import Run
from runs.pages.found import attempt, run_of, to_run, told
from runs.services import cancellation, forks
from runs.snapshot import graph_in
from runs.states import RunStatus

_CANCELLED: Final = "The run is cancelled. Nothing of it starts any more."
_CANCELLING: Final = "Nothing of the run starts any more. It ends as soon as what is being executed has stopped."


@page("POST", scope="write")
def cancel(request: HttpRequest, actor: Actor, run_id: str) -> HttpResponse:
    """End the run now, or say why that is not possible."""
    run = run_of(actor, run_id)

    def act() -> str:
        ended = cancellation.cancel_run(actor=actor, run_id=run.pk).status == RunStatus.CANCELLED
        return _CANCELLED if ended else _CANCELLING

    attempt(request, act)
    return to_run(run)


@page("POST", scope="write")
def retry(request: HttpRequest, actor: Actor, run_id: str) -> HttpResponse:
    """Once more from where it failed."""
    return _again(request, actor, run_id, forks.retry_run, "This run goes on from where the other one came to.")


@page("POST", scope="write")
def replay(request: HttpRequest, actor: Actor, run_id: str) -> HttpResponse:
    """The same version, all of it anew."""
    return _again(request, actor, run_id, forks.replay_run, "This run does all of it anew, by the same version.")


@page("POST", scope="write")
def rerun(request: HttpRequest, actor: Actor, run_id: str) -> HttpResponse:
    """The workflow as it is today."""
    return _again(request, actor, run_id, forks.rerun, "This run does all of it anew, by the workflow of today.")


@page("GET", "POST", scope="write")
def fork(request: HttpRequest, actor: Actor, run_id: str) -> HttpResponse:
    """The form that forks the run, and the fork."""
    run = run_of(actor, run_id)
    nodes = graph_in(run.snapshot_id).order
    if request.method != "POST":
        wanted = request.GET.get("from", "")
        return _fork_page(request, run, ForkForm.of(run, nodes, wanted if wanted in nodes else nodes[0]))
    form = ForkForm(nodes, request.POST)
    if not form.is_valid():
        return _fork_page(request, run, form, status=422)
    try:
        made = forks.fork_run(actor=actor, run_id=run.pk, **form.asked(run))
    except (Conflict, ValidationFailed) as error:
        form.add_refusal(error.details, told(error))
        return _fork_page(request, run, form, status=error.status)
    messages.success(request, f"This run begins at {made.forked_at}; what was done before it is reused.")
    return to_run(made)


def _fork_page(request: HttpRequest, run: Run, form: ForkForm, status: int = 200) -> HttpResponse:
    return render(request, "runs/fork.html", {"run": run, "form": form}, status=status)


def _again(request: HttpRequest, actor: Actor, run_id: str, act: Callable[..., Run], said: str) -> HttpResponse:
    """To the new run; back to the old one where the service refuses."""
    run = run_of(actor, run_id)
    try:
        made = act(actor=actor, run_id=run.pk)
    except PermissionDenied:
        raise
    except OrchestratorError as error:
        if error.status >= 500:
            raise
        messages.error(request, told(error))
        return to_run(run)
    messages.success(request, said)
    return to_run(made)
