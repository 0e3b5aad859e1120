"""Server-Sent Events (WHATWG HTML §9.2; CONTRACT §4): frames, cursors and the response."""

import re
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from importlib import import_module
from typing import Final, TypeVar

from django.conf import settings
from django.contrib.auth import get_user
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase

from orchestrator.core.errors import MethodNotAllowed, NotAuthenticated, OrchestratorError, ValidationFailed
from orchestrator.identity.actors import Actor
from orchestrator.identity.resolver import SESSION_ORG, Credentials, resolve
from orchestrator.streams.hub import Source, hub

# A comment first: the headers and this byte leave at once, also when there is nothing to tell yet.
_OPENING: Final = b": stream\n\n"
_Answer = TypeVar("_Answer", bound=HttpResponseBase)
_CURSOR: Final = re.compile(r"-1|[0-9]{1,18}")


def frame(event: str, data: bytes, cursor: int | None = None) -> bytes:
    """One SSE frame. ``data`` is one line of JSON."""
    head = f"event: {event}\n" if cursor is None else f"event: {event}\nid: {cursor}\n"
    return head.encode() + b"data: " + data + b"\n\n"


def reader(request: HttpRequest) -> Actor:
    """Who opens the stream.

    Raises NotAuthenticated, MethodNotAllowed, and PermissionDenied without the scope ``read`` or for a runtime agent.
    """
    if request.method != "GET":
        raise MethodNotAllowed(headers={"Allow": "GET"})
    principal = resolve(Credentials.of(request))
    if principal is None:
        raise NotAuthenticated
    principal.actor.require("read")
    principal.actor.require_whole_org()
    return principal.actor


def cursor(request: HttpRequest, default: int) -> int:
    """Where to go on: ``Last-Event-ID``, which a reconnecting client sends, wins over ``after``.

    Raises ValidationFailed.
    """
    name = "Last-Event-ID" if request.headers.get("Last-Event-ID") else "after"
    raw = request.headers.get("Last-Event-ID") or request.GET.get("after", "")
    if not raw:
        return default
    if not _CURSOR.fullmatch(raw):
        raise ValidationFailed(details={name: ["Must be the id of an event of this stream."]})
    return int(raw)


def still_allowed(request: HttpRequest, visible: Callable[[Actor], bool]) -> Callable[[], bool]:
    """The check that is repeated while the stream is open: the credentials still work, and what is streamed is still
    visible.
    """
    credentials = Credentials.of(request)
    session = None if credentials.session_user is None else request.session

    def check() -> bool:
        try:
            principal = resolve(credentials if session is None else read_session(str(session.session_key)))
        except OrchestratorError:
            return False
        return principal is not None and principal.actor.may("read") and visible(principal.actor)

    return check


def read_session(key: str) -> Credentials:
    """The session as it is now: the one of a request keeps its user, who may have signed out since."""
    request = HttpRequest()
    request.session = import_module(settings.SESSION_ENGINE).SessionStore(key)
    return Credentials(session_user=get_user(request), session_org=request.session.get(SESSION_ORG, ""))


def response(source: Source, after: int, recheck: Callable[[], bool]) -> StreamingHttpResponse:
    """The open stream."""

    async def chunks() -> AsyncIterator[bytes]:
        yield _OPENING
        async with aclosing(hub().stream(source, after, recheck)) as stream:
            async for chunk in stream:
                yield chunk

    return _headed(StreamingHttpResponse(chunks(), content_type="text/event-stream"))


def once(body: bytes) -> HttpResponse:
    """A stream that ends after what is there already."""
    return _headed(HttpResponse(_OPENING + body, content_type="text/event-stream"))


def _headed(answer: _Answer) -> _Answer:
    answer["Cache-Control"] = "no-cache"
    answer["X-Accel-Buffering"] = "no"
    return answer
