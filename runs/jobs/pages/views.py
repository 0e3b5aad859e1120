"""/dashboard/jobs: list, make, look at, change, pause, resume, trigger, cancel."""

import zoneinfo
from collections.abc import Callable
from typing import Any, Final

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse

from orchestrator.core.errors import Conflict, NotFound, PreconditionFailed, ValidationFailed
from orchestrator.core.ids import parse_uuid
from orchestrator.identity.actors import Actor
from orchestrator.web.access import page
from orchestrator.web.forms import take_faults
from orchestrator.web.paging import page_of
from orchestrator.web.people import Names
from runs.jobs import firing, services
from runs.jobs.api.filters import JobFilter
from runs.jobs.models import Job, JobFire
from runs.jobs.pages.forms import JobForm, zones
from runs.jobs.states import FireStatus, JobStatus
from versioning.models import Tag

_TIMES: Final = 5
_TAGS: Final = 200
_ALIVE: Final = (JobStatus.SCHEDULED, JobStatus.PAUSED)
_FIRE_FIELDS: Final = (
    "id", "job_id", "fire_time", "status", "reason", "created_by", "run_id", "run__id", "run__status",
)  # fmt: skip


@page("GET")
def job_list(request: HttpRequest, actor: Actor) -> HttpResponse:
    """The org's jobs, newest first, with the API's filters."""
    asked = {name: value for name in ("status", "workflow", "q") if (value := request.GET.get(name, "").strip())}
    filtered = JobFilter(asked, Job.objects.for_org(actor.org_id))
    if not filtered.is_valid():
        raise ValidationFailed(f"A job is never that: it is {', '.join(JobStatus.values)}.")
    shown = page_of(filtered.qs.defer("inputs"), request.GET.get("before", ""))
    about = {"page": shown, "asked": asked, "statuses": JobStatus.values, "may_jobs": actor.may("jobs")}
    return render(request, "jobs/list.html", about)


@page("GET", "POST", scope="jobs")
def new_job(request: HttpRequest, actor: Actor) -> HttpResponse:
    """The form that makes a job."""
    if request.method != "POST":
        return _form(request, actor, JobForm())
    form = JobForm(request.POST)
    if form.is_valid():
        try:
            job = services.create_job(actor=actor, **form.fields_of_job())
            messages.success(request, f"The job {job.name} is {'done' if job.status == 'completed' else 'scheduled'}.")
            return _to(job)
        except (Conflict, ValidationFailed) as error:
            take_faults(form, error)
    return _form(request, actor, form, status=422)


@page("GET", "POST", scope="jobs")
def edit_job(request: HttpRequest, actor: Actor, job_id: str) -> HttpResponse:
    """Change a job that is not over. Who was overtaken sees what is there now, and may write over it knowingly."""
    job = _job(actor, job_id)
    if job.status not in _ALIVE:
        messages.error(request, f"This job is {job.status}: it cannot be changed any more. Make a new one.")
        return _to(job)
    if request.method != "POST":
        return _form(request, actor, JobForm.of(job).for_change(), job)
    form = JobForm(request.POST).for_change()
    if form.is_valid():
        try:
            version = form.cleaned_data["version"]
            if changes := form.changes(job):
                services.update_job(actor=actor, job_id=job.pk, version=version, **changes)
            messages.success(request, "The job is changed." if changes else "Nothing was changed.")
            return _to(job)
        except PreconditionFailed:
            return _overtaken(request, actor, job.pk, form)
        except (Conflict, ValidationFailed) as error:
            take_faults(form, error)
    return _form(request, actor, form, job, status=422)


@page("GET")
def job_page(request: HttpRequest, actor: Actor, job_id: str) -> HttpResponse:
    """One job, its next times, and what was decided for each time, the latest first."""
    job = _job(actor, job_id)
    fires = JobFire.objects.filter(job=job).select_related("run").only(*_FIRE_FIELDS)
    shown = page_of(fires, request.GET.get("before", ""))
    names = Names(actor.org_id, [job.created_by, *(fire.created_by for fire in shown.rows)])
    zone = zoneinfo.ZoneInfo(job.timezone)
    about = {
        "job": job,
        "made_by": names.spell(job.created_by),
        "fires": [{"fire": fire, "who": names.spell(fire.created_by)} for fire in shown.rows],
        "page": shown,
        "times": [{"at": at, "local": at.astimezone(zone)} for at in services.next_times(job, _TIMES)],
        "may_jobs": actor.may("jobs"),
        "alive": job.status in _ALIVE,
    }
    return render(request, "jobs/detail.html", about)


@page("POST", scope="jobs")
def pause(request: HttpRequest, actor: Actor, job_id: str) -> HttpResponse:
    return _change(
        request, actor, job_id, services.pause_job, "The schedule is held. Times that pass are not made up for."
    )


@page("POST", scope="jobs")
def resume(request: HttpRequest, actor: Actor, job_id: str) -> HttpResponse:
    return _change(request, actor, job_id, services.resume_job, "The schedule goes on, from now.")


@page("POST", scope="jobs")
def cancel(request: HttpRequest, actor: Actor, job_id: str) -> HttpResponse:
    return _change(request, actor, job_id, services.cancel_job, "The job is cancelled. Runs that have started go on.")


@page("POST", scope="jobs")
def trigger(request: HttpRequest, actor: Actor, job_id: str) -> HttpResponse:
    """Fire now, besides the schedule, and show the run if there is one at once."""
    job = _job(actor, job_id)
    try:
        fire = services.trigger_job(actor=actor, job_id=job.pk)
    except (Conflict, ValidationFailed) as error:
        messages.error(request, f"Nothing was started. {firing.why(error)}")
        return _to(job)
    if fire.status == FireStatus.WAITING:
        messages.warning(request, f"It will start, but not yet: {fire.reason}")
        return _to(job)
    messages.success(request, f"{job.name} has started this run.")
    return HttpResponseRedirect(reverse("dashboard-run", args=[fire.run_id]))


def _change(request: HttpRequest, actor: Actor, job_id: str, change: Callable[..., Job], told: str) -> HttpResponse:
    job = _job(actor, job_id)
    try:
        change(actor=actor, job_id=job.pk)
        messages.success(request, told)
    except (Conflict, ValidationFailed) as error:
        messages.error(request, firing.why(error))
    return _to(job)


def _overtaken(request: HttpRequest, actor: Actor, job_id: Any, form: JobForm) -> HttpResponse:
    """The same form at the version of now, with what the others wrote: sending it again writes over that."""
    job = _job(actor, str(job_id))
    now = JobForm.of(job).initial
    theirs = [
        {"label": field.label, "value": now[field.name]}
        for field in form
        if field.name != "version" and str(now[field.name]) != str(field.data or "").replace("\r\n", "\n")
    ]
    again = JobForm({**dict(form.data.items()), "version": job.version}).for_change()
    again.is_valid()
    return _form(request, actor, again, job, status=412, theirs=theirs)


def _form(
    request: HttpRequest, actor: Actor, form: JobForm, job: Job | None = None, status: int = 200, **more: Any
) -> HttpResponse:
    tags = Tag.objects.for_org(actor.org_id).filter(artifact__isnull=False).order_by("name")
    names = list(tags.values_list("name", flat=True)[:_TAGS])
    about = {"form": form, "job": job, "tags": names, "zones": zones(), **more}
    return render(request, "jobs/form.html", about, status=status)


def _job(actor: Actor, job_id: str) -> Job:
    """Raises NotFound, also for another org's job."""
    wanted = parse_uuid(job_id)
    job: Job | None = Job.objects.for_org(actor.org_id).filter(pk=wanted).first() if wanted else None
    if job is None:
        raise NotFound("There is no such job in this organization.")
    return job


def _to(job: Job) -> HttpResponse:
    return HttpResponseRedirect(reverse("dashboard-job", args=[job.pk]))
