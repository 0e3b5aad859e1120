"""Jobs in the command palette."""

from django.urls import reverse

from orchestrator.core.ids import parse_uuid
from orchestrator.identity.actors import Actor
from orchestrator.web.palette import Hit
from runs.jobs.models import Job

_LOOKED_THROUGH = 500


def find_jobs(actor: Actor, text: str, limit: int) -> list[Hit]:
    """By id, or by a part of the name; of the newest jobs, because no index knows the middle of a name. One query."""
    rows = Job.objects.for_org(actor.org_id)
    wanted = parse_uuid(text.lower())
    columns = ("pk", "name", "workflow", "status")
    if wanted is not None:
        found = list(rows.filter(pk=wanted).values_list(*columns))
    else:
        newest = rows.order_by("-pk").values_list(*columns)[:_LOOKED_THROUGH]
        found = [row for row in newest if text.casefold() in row[1].casefold()][:limit]
    return [
        Hit(name, reverse("dashboard-job", args=[job_id]), "calendar-clock", f"{workflow}, {status}")
        for job_id, name, workflow, status in found
    ]
