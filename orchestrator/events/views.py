"""GET /api/v1/events/tail: the log as it grows."""

from typing import Final

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.views.decorators.csrf import csrf_exempt

from orchestrator.core.errors import ValidationFailed
from orchestrator.events import services
from orchestrator.events.streams import LogSource
from orchestrator.identity.actors import Actor
from orchestrator.streams import sse
from orchestrator.streams.hub import READ_FRAMES

_FILTERS: Final = ("event", "target", "actor")


@csrf_exempt  # nothing but GET is answered: a POST is told so, and not asked for a token first
def tail(request: HttpRequest) -> HttpResponseBase:
    """Server-Sent Events. ``once=1`` ends after what is there; ``after`` or ``Last-Event-ID`` resume behind a seq."""
    actor = sse.reader(request)
    if unknown := [name for name in request.GET if name not in (*_FILTERS, "after", "once")]:
        raise ValidationFailed(details={name: ["There is no such parameter."] for name in unknown})
    if request.GET.get("once", "0") not in ("0", "1"):
        raise ValidationFailed(details={"once": ["Must be 0 or 1."]})
    filters = {name: request.GET[name] for name in _FILTERS if name in request.GET}
    if nul := [name for name, value in filters.items() if "\x00" in value]:
        raise ValidationFailed(details={name: ["Contains a NUL character."] for name in nul})
    source = LogSource(actor.org_id, filters)
    after = min(sse.cursor(request, default=0), services.head(actor.org_id))
    if request.GET.get("once") == "1":
        return sse.once(_backlog(source, after))

    def same_org(current: Actor) -> bool:
        return current.org_id == actor.org_id

    return sse.response(source, after, sse.still_allowed(request, same_org))


def _backlog(source: LogSource, after: int) -> bytes:
    chunks: list[bytes] = []
    while frames := source.read(after, READ_FRAMES).frames:
        chunks.extend(frame.data for frame in frames)
        after = frames[-1].cursor
    return b"".join(chunks)
