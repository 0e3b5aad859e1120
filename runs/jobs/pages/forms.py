"""The form that makes a job, or changes one."""

import zoneinfo
from functools import cache
from typing import Any, Final, Self

from django import forms
from django.core.validators import MaxLengthValidator

from agents.api.fields import document_fault
from orchestrator.api.parsers import parse_json
from orchestrator.core.errors import MalformedRequest, ValidationFailed
from orchestrator.web.templatetags.formats import pretty_json
from runs.definitions import BUILT_IN
from runs.jobs.api.serializers import with_moment
from runs.jobs.cron import MAX_EXPRESSION
from runs.jobs.models import MAX_GRACE_SECONDS, MAX_NAME, MAX_PRIORITY, Job
from runs.jobs.states import Misfire, Overlap

NOW: Final = "now"
AT: Final = "at"
OFTEN: Final = "often"
_WHEN: Final = ((NOW, "Now, once"), (AT, "At one time"), (OFTEN, "Again and again"))
_OVERLAPS: Final = (
    (Overlap.ALLOW.value, "Start the run beside it"),
    (Overlap.SKIP.value, "Skip this time"),
    (Overlap.QUEUE.value, "Wait for its end"),
    (Overlap.CANCEL_RUNNING.value, "Cancel it, and start the run"),
)
_MISFIRES: Final = (
    (Misfire.FIRE_ONCE.value, "Fire once for all of them"),
    (Misfire.SKIP.value, "Skip them"),
    (Misfire.FIRE_ALL.value, "Fire for each of them"),
)
_MAX_INPUTS: Final = 256 * 1024  # characters


class JobForm(forms.Form):
    """All that a person may say of a job. Cron, zone, workflow and inputs are looked at by the service."""

    version = forms.IntegerField(required=False, min_value=1, widget=forms.HiddenInput)
    name = forms.CharField(label="Name", max_length=MAX_NAME)
    workflow = forms.CharField(label="Workflow", max_length=200, initial=BUILT_IN, help_text="Its tag.")
    ref = forms.CharField(
        label="Version", max_length=300, required=False, help_text="Left empty: the tag's version at each time."
    )
    inputs = forms.CharField(
        label="Inputs",
        required=False,
        max_length=_MAX_INPUTS,
        initial="{}",
        widget=forms.Textarea({"rows": 6, "class": "mono", "spellcheck": "false"}),
        help_text="Of every run, as a JSON object.",
    )
    when = forms.ChoiceField(label="When", choices=_WHEN, initial=OFTEN, widget=forms.RadioSelect)
    run_at = forms.CharField(
        label="Time",
        required=False,
        validators=[MaxLengthValidator(50)],  # max_length would say so in the markup, where this type forbids it
        widget=forms.DateTimeInput({"type": "datetime-local"}),
        help_text="For one time, in the time zone beside it.",
    )
    cron = forms.CharField(
        label="Schedule",
        required=False,
        max_length=MAX_EXPRESSION,
        widget=forms.TextInput({"class": "mono", "placeholder": "0 7 * * 1-5"}),
        help_text="For again and again: minute, hour, day, month, weekday. Or @hourly, @daily, @weekly, @monthly.",
    )
    timezone = forms.CharField(
        label="Time zone",
        max_length=64,
        initial="UTC",
        widget=forms.TextInput({"list": "zones"}),
        help_text="An IANA name.",
    )
    overlap = forms.ChoiceField(label="While a run of it is active", choices=_OVERLAPS, initial=Overlap.ALLOW.value)
    misfire = forms.ChoiceField(
        label="For times at which the server was away", choices=_MISFIRES, initial=Misfire.FIRE_ONCE.value
    )
    misfire_grace_seconds = forms.IntegerField(
        label="Late by (seconds)",
        min_value=0,
        max_value=MAX_GRACE_SECONDS,
        initial=60,
        help_text="From then on it was away.",
    )
    priority = forms.IntegerField(
        label="Priority", min_value=0, max_value=MAX_PRIORITY, initial=0, help_text="Higher goes first."
    )

    @classmethod
    def of(cls, job: Job) -> Self:
        """An unbound form that shows the job."""
        return cls(
            initial={
                **{name: getattr(job, name) for name in _PLAIN},
                "inputs": pretty_json(job.inputs),
                "when": OFTEN if job.cron else AT,
                "cron": job.cron,
                "run_at": _written(job),
                "version": job.version,
            }
        )  # fmt: skip

    def for_change(self) -> Self:
        """Of a version, and without the choice of now: a job that is there has had that chance."""
        self.fields["when"].choices = _WHEN[1:]  # type: ignore[attr-defined]
        self.fields["version"].required = True  # or the service would write over whatever is there
        return self

    def clean_inputs(self) -> dict[str, Any]:
        """By the rules of the API's bodies: a number that no double holds could be kept, and never be shown again."""
        try:
            found = parse_json((self.cleaned_data["inputs"] or "{}").encode())
        except MalformedRequest as error:
            raise forms.ValidationError(f"This is not JSON. {error.message}") from error
        except ValidationFailed as error:
            raise forms.ValidationError([text for texts in error.details.values() for text in texts]) from error
        if not isinstance(found, dict):
            raise forms.ValidationError("Write an object: { … }.")
        if fault := document_fault(found):
            raise forms.ValidationError(fault)
        return found

    def clean(self) -> dict[str, Any]:
        asked: dict[str, Any] = super().clean() or {}
        needed = {AT: "run_at", OFTEN: "cron"}.get(asked.get("when", ""))
        if needed and not asked.get(needed) and needed not in self.errors:
            self.add_error(needed, "Say when.")
        return asked

    def fields_of_job(self) -> dict[str, Any]:
        """The arguments of the services, when the form is valid. Raises ValidationFailed for the time."""
        asked = self.cleaned_data
        found = {name: asked[name] for name in (*_PLAIN, "inputs")}
        if asked["when"] == AT:
            found = with_moment({**found, "run_at": asked["run_at"]}, asked["timezone"])
        elif asked["when"] == OFTEN:
            found["cron"] = asked["cron"]
        return found

    def changes(self, job: Job) -> dict[str, Any]:
        """Those of them that the job has not yet. Raises ValidationFailed for the time.

        A time that stands there as it was shown is the job's own, whose seconds no form shows, nor which of two hours
        it is when clocks are put back.
        """
        found = self.fields_of_job()
        if found.get("run_at") and (found["timezone"], self.cleaned_data["run_at"]) == (job.timezone, _written(job)):
            del found["run_at"]
        return {name: value for name, value in found.items() if getattr(job, name) != value}


_PLAIN: Final = (
    "name", "workflow", "ref", "timezone", "overlap", "misfire", "misfire_grace_seconds", "priority",
)  # fmt: skip


def _written(job: Job) -> str:
    """When the job comes once, as a browser's field has it."""
    return f"{job.run_at.astimezone(zoneinfo.ZoneInfo(job.timezone)):%Y-%m-%dT%H:%M}" if job.run_at else ""


@cache
def zones() -> tuple[str, ...]:
    """What the form offers; more names are understood."""
    return tuple(sorted(zoneinfo.available_timezones() - {"localtime", "Factory"}))
