"""What changes tasks: the forms, the moves, and deleting. Every one names the version that the person saw."""

from typing import Final

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme

from orchestrator.core.errors import Conflict, InvalidTransition, PreconditionFailed, ValidationFailed
from orchestrator.core.numbers import parse_number
from orchestrator.identity.actors import Actor
from orchestrator.web import conflicts
from orchestrator.web.access import page
from orchestrator.web.conflicts import Opened
from tasks import services
from tasks.details import attach
from tasks.models import Task
from tasks.pages.forms import TaskForm, written
from tasks.pages.views import find
from tasks.pages.words import status_words, told
from tasks.services.leases import active_lease
from tasks.states import Status

_FREED: Final = "The lease is revoked. The task is back in todo, and its attempts are counted anew."


@page("GET", "POST", scope="write")
def new(request: HttpRequest, actor: Actor) -> HttpResponse:
    """The form of a new task."""
    if request.method != "POST":
        return render(request, "tasks/new.html", {"form": TaskForm()})
    form = TaskForm(request.POST)
    if form.is_valid():
        try:
            task = services.create_task(actor=actor, **form.fields_of_task())
            messages.success(request, "The task is made.")
            return _to(task)
        except ValidationFailed as error:
            form.add_faults(error.details)
    return render(request, "tasks/new.html", {"form": form}, status=422)


@page("GET", "POST", scope="write")
def edit(request: HttpRequest, actor: Actor, task_id: str) -> HttpResponse:
    """The form of a task; when somebody was faster, both sides of what differs."""
    task = find(actor, task_id)
    attach([task])
    now = written(task)
    if request.method != "POST":
        return _form_page(request, task, TaskForm(initial=now), Opened(task.version, now))
    seen = conflicts.opened(request.POST)
    form = TaskForm(conflicts.picked(request.POST, now))
    if not form.is_valid():
        return _form_page(request, task, form, seen, status=422)
    try:
        if changes := form.changes(task):
            services.update_task(actor=actor, task_id=task.pk, version=seen.version, **changes)
        messages.success(request, "The task is saved.")
        return _to(task)
    except PreconditionFailed:
        return _conflict_page(request, actor, task_id, form, seen)
    except ValidationFailed as error:
        form.add_faults(error.details)
        return _form_page(request, task, form, seen, status=422)


@page("POST", scope="write")
def move(request: HttpRequest, actor: Actor, task_id: str) -> HttpResponse:
    """Another status, if the task is still at ``?version=``; else what happened meanwhile. With ``part=1`` only the
    sentence is answered, for board.js.
    """
    task = find(actor, task_id)
    kind, text = _moved(request, actor, task)
    if request.POST.get("part") == "1":
        return render(request, "tasks/partials/notice.html", {"kind": kind, "text": text})
    messages.add_message(request, messages.SUCCESS if kind == "success" else messages.WARNING, text)
    return HttpResponseRedirect(_next(request, task))


@page("POST", scope="write")
def revoke(request: HttpRequest, actor: Actor, task_id: str) -> HttpResponse:
    """Take the task out of its holder's hands."""
    task = find(actor, task_id)
    lease = active_lease(task)
    try:
        if lease is None:
            raise Conflict("Nobody holds a lease of this task any more.")
        services.revoke_lease(actor=actor, lease_id=lease.pk)
        messages.success(request, _FREED)
    except Conflict as error:
        messages.error(request, error.message)
    return _to(task)


@page("POST", scope="write")
def delete(request: HttpRequest, actor: Actor, task_id: str) -> HttpResponse:
    """Remove the task, if it is still at ``?version=`` and nobody needs it."""
    task = find(actor, task_id)
    try:
        services.delete_task(actor=actor, task_id=task.pk, version=_version(request))
    except Conflict as error:
        messages.error(request, f"The task is not deleted. {error.message}")
        return _to(task)
    except PreconditionFailed:
        messages.error(request, f"The task is not deleted. {_meanwhile(actor, task, _version(request))}")
        return _to(task)
    messages.success(request, f"The task “{task.title}” is deleted.")
    return HttpResponseRedirect(reverse("dashboard-tasks"))


def _moved(request: HttpRequest, actor: Actor, task: Task) -> tuple[str, str]:
    """The kind of message, and the message."""
    to, version = request.POST.get("status", ""), _version(request)
    if to not in Status.values:
        raise ValidationFailed(f"A task is never {to!r}: it is {', '.join(Status.values)}.")
    try:
        services.transition_task(actor=actor, task_id=task.pk, to=to, version=version)
        return "success", f"“{task.title}” is moved to {status_words(to)}."
    except PreconditionFailed:
        return "warning", f"“{task.title}” was not moved. {_meanwhile(actor, task, version)}"
    except InvalidTransition:
        return "warning", f"A task cannot go from {status_words(task.status)} to {status_words(to)}."


def _meanwhile(actor: Actor, task: Task, version: int) -> str:
    happened = conflicts.meanwhile(actor, f"task:{task.pk}", version, told)
    return f"{'. '.join(happened)}." if happened else "Somebody changed it meanwhile."


def _version(request: HttpRequest) -> int:
    """The version in the address, as the person saw it. Raises ValidationFailed."""
    version = parse_number(request.GET.get("version", ""))
    if version is None:
        raise ValidationFailed("The form does not say which version of the task it is about. Load the page again.")
    return version


def _form_page(request: HttpRequest, task: Task, form: TaskForm, seen: Opened, status: int = 200) -> HttpResponse:
    return render(request, "tasks/edit.html", {"form": form, "task": task, "opened": seen}, status=status)


def _conflict_page(request: HttpRequest, actor: Actor, task_id: str, form: TaskForm, seen: Opened) -> HttpResponse:
    task = find(actor, task_id)  # as it is now, which is not what was read before
    attach([task])
    now = written(task)
    about = {
        "noun": "the task",
        "action": reverse("dashboard-task-edit", args=[task.pk]),
        "back": reverse("dashboard-task", args=[task.pk]),
        "now": Opened(task.version, now),
        "yours": [(name, form.data.get(name, "")) for name in now],
        "differences": conflicts.differences(form, seen.base, now),
        "meanwhile": conflicts.meanwhile(actor, f"task:{task.pk}", seen.version, told),
    }
    return render(request, "web/conflict.html", about, status=409)


def _next(request: HttpRequest, task: Task) -> str:
    """Where the person came from, if that is ours."""
    wanted = request.POST.get("next", "")
    ours = url_has_allowed_host_and_scheme(wanted, {request.get_host()}, require_https=request.is_secure())
    return wanted if ours and wanted.startswith("/dashboard") else reverse("dashboard-task", args=[task.pk])


def _to(task: Task) -> HttpResponse:
    return HttpResponseRedirect(reverse("dashboard-task", args=[task.pk]))
