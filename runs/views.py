"""GET /runs/{id}/events/stream: a run as it happens."""

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.views.decorators.csrf import csrf_exempt

from orchestrator.core import clock
from orchestrator.core.errors import NotFound, ValidationFailed
from orchestrator.core.ids import parse_uuid
from orchestrator.identity.actors import Actor
from orchestrator.streams import sse
from runs.models import Run
from runs.streams import RunSource, sequence_after


@csrf_exempt  # nothing but GET is answered: a POST is told so, and not asked for a token first
def event_stream(request: HttpRequest, run_id: str) -> HttpResponseBase:
    """Server-Sent Events until the run ends.

    Resumes behind ``Last-Event-ID``, ``after`` (a sequence) or ``last_ts`` (a time).
    """
    actor = sse.reader(request)
    wanted = parse_uuid(run_id)
    if wanted is None:
        raise NotFound

    def visible(current: Actor) -> bool:
        return Run.objects.for_org(current.org_id).filter(pk=wanted).exists()

    if not visible(actor):
        raise NotFound
    if unknown := [name for name in request.GET if name not in ("after", "last_ts")]:
        raise ValidationFailed(details={name: ["There is no such parameter."] for name in unknown})
    after = sse.cursor(request, default=-1)
    if "last_ts" in request.GET and after == -1:
        after = sequence_after(wanted, clock.parse_rfc3339(request.GET["last_ts"], "last_ts"))
    after = min(after, Run.objects.values_list("next_sequence", flat=True).get(pk=wanted) - 1)
    return sse.response(RunSource(wanted), after, sse.still_allowed(request, visible))
