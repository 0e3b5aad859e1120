"""WebSockets (RFC 6455; CONTRACT §3, WebSocket): who may open one, and frames from the hub to it.

A socket is a reader of the hub like an SSE stream: one read feeds all, a frame is encoded once, and nothing is queued
for a client. The channel layer carries wake-ups between processes only (streams.nudges); a layer group for each client
would carry every frame once for each of them.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from typing import Any, ClassVar, Final
from urllib.parse import parse_qs, urlsplit

import orjson
from channels.exceptions import StopConsumer
from channels.generic.websocket import AsyncWebsocketConsumer
from django.conf import settings
from django.core.exceptions import DisallowedHost
from django.http import HttpRequest

from orchestrator.core import context
from orchestrator.core.errors import (
    MalformedRequest,
    NotAuthenticated,
    OrchestratorError,
    PayloadTooLarge,
    PermissionDenied,
    error_body,
)
from orchestrator.identity import tickets
from orchestrator.identity.actors import Actor
from orchestrator.identity.resolver import Credentials, Principal, resolve, resolve_member
from orchestrator.streams.hub import Source, hub
from orchestrator.streams.sse import read_session

log = logging.getLogger(__name__)

MAX_FRAME_BYTES: Final = 16 * 1024
MAX_FAULTS: Final = 3
SLOW_SECONDS: Final = 10.0
TRY_AGAIN_LATER: Final = 1013  # RFC 6455 registry: resume, and read faster
POLICY_VIOLATION: Final = 1008
TOO_BIG: Final = 1009
GOING_AWAY: Final = 1001
_PROTOCOL: Final = "bearer"


@dataclass(frozen=True, slots=True)
class Opening:
    """What an accepted socket is told first, and what it reads then."""

    frames: list[bytes]
    source: Source
    after: int
    visible: Callable[[Actor], bool]


class StreamConsumer(AsyncWebsocketConsumer):  # type: ignore[misc]  # channels has no types
    """A socket that tells and hardly listens. Refused before it is accepted, with the HTTP error where the server can.

    A frame is one line of JSON. What a client sends is answered with an ``error`` frame, but ``{"type": "ping"}``;
    after MAX_FAULTS the socket is closed. A client that takes nothing for SLOW_SECONDS is told ``resync`` and closed.
    """

    channel_layer_alias = "none"
    max_faults: ClassVar[int] = MAX_FAULTS

    def open(self, actor: Actor, query: dict[str, str]) -> Opening:
        """On the hub's database thread. Raises OrchestratorError to refuse the socket."""
        raise NotImplementedError

    async def dispatch(self, message: dict[str, Any]) -> None:
        """Without Channels' look at old database connections, which is a thread for each message: we hold none."""
        handler = getattr(self, message["type"].replace(".", "_"))
        await handler(message)

    async def connect(self) -> None:
        self._faults, self._pump = 0, None
        request_id = context.request_id.set(context.choose_request_id(_header(self.scope, b"x-request-id")))
        try:
            opening, recheck = await hub().in_thread(self._admit)
        except OrchestratorError as error:
            await self._refuse(error)
            return
        finally:
            context.request_id.reset(request_id)
        offered = self.scope.get("subprotocols") or []
        await self.accept(subprotocol=_PROTOCOL if _PROTOCOL in offered else None)
        self._pump = asyncio.create_task(self._tell(opening, recheck))

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        if len(text_data or bytes_data or b"") > MAX_FRAME_BYTES:
            await self._complain(PayloadTooLarge("This frame is too large."), TOO_BIG)
        elif text_data is None or not _is_ping(text_data):
            await self._complain(MalformedRequest('This socket only tells; it takes {"type": "ping"}.'))
        else:
            await self._line(b'{"type":"pong"}')

    async def disconnect(self, code: int) -> None:
        if self._pump is not None:
            self._pump.cancel()
            await asyncio.gather(self._pump, return_exceptions=True)

    def _admit(self) -> tuple[Opening, Callable[[], bool]]:
        query = {name: values[-1] for name, values in parse_qs(self.scope["query_string"].decode("latin-1")).items()}
        principal, again = _authenticate(self.scope, query.pop("ticket", ""))
        principal.actor.require("read")
        principal.actor.require_whole_org()
        opening = self.open(principal.actor, query)

        def recheck() -> bool:
            try:
                actor = again().actor
            except OrchestratorError:
                return False
            return actor.may("read") and opening.visible(actor)

        return opening, recheck

    async def _tell(self, opening: Opening, recheck: Callable[[], bool]) -> None:
        code = GOING_AWAY
        try:
            for frame in opening.frames:
                await self._line(frame)
            async with contextlib.aclosing(hub().stream(opening.source, opening.after, recheck)) as stream:
                async for chunk in stream:
                    for line in chunk.splitlines():
                        await self._line(line)
        except TimeoutError:
            code = TRY_AGAIN_LATER
            with contextlib.suppress(TimeoutError):
                await self._line(b'{"type":"resync"}', seconds=0.1)  # behind what is in its buffer already
        except asyncio.CancelledError:
            return
        except Exception:
            log.exception("A socket could not be served.")
        with contextlib.suppress(Exception):  # it may be gone already
            await self.close(code)

    async def _line(self, line: bytes, seconds: float = SLOW_SECONDS) -> None:
        async with asyncio.timeout(seconds):
            await self.send(text_data=line.decode())

    async def _complain(self, error: OrchestratorError, code: int = POLICY_VIOLATION) -> None:
        self._faults += 1
        body = error_body(error, context.choose_request_id(""))
        await self._line(orjson.dumps({"type": "error", "error": body}))
        if self._faults >= self.max_faults:
            await self.close(code)

    async def _refuse(self, error: OrchestratorError) -> None:
        """Before accept: as HTTP where the server speaks the extension, else a plain 403."""
        if "websocket.http.response" in (self.scope.get("extensions") or {}):
            body = orjson.dumps(error_body(error, context.request_id.get()))
            headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
            headers += [(name.lower().encode(), value.encode()) for name, value in error.headers.items()]
            await self.base_send({"type": "websocket.http.response.start", "status": error.status, "headers": headers})
            await self.base_send({"type": "websocket.http.response.body", "body": body})
        else:
            await self.close()
        raise StopConsumer


def _authenticate(scope: dict[str, Any], ticket: str) -> tuple[Principal, Callable[[], Principal]]:
    """Who opens the socket, and how to ask again while it is open. Raises NotAuthenticated and PermissionDenied."""
    if ticket:
        user_id, org_id = tickets.redeem(ticket)
        return resolve_member(user_id, org_id), lambda: resolve_member(user_id, org_id)
    credentials = _sent(scope)
    if not (credentials.authorization or credentials.api_key) and (key := _session_key(scope)):
        _check_origin(scope)
        return _known(read_session(key)), lambda: _known(read_session(key))
    return _known(credentials), lambda: _known(credentials)


def _known(credentials: Credentials) -> Principal:
    principal = resolve(credentials)
    if principal is None:
        raise NotAuthenticated
    return principal


def _sent(scope: dict[str, Any]) -> Credentials:
    """``Authorization``, ``X-API-Key``, or ``Sec-WebSocket-Protocol: bearer, <token>``; never a token in the URL."""
    protocols = scope.get("subprotocols") or []
    authorization = _header(scope, b"authorization")
    if not authorization and len(protocols) == 2 and protocols[0] == _PROTOCOL:
        authorization = f"Bearer {protocols[1]}"
    return Credentials(authorization, _header(scope, b"x-api-key"))


def _session_key(scope: dict[str, Any]) -> str:
    cookies: SimpleCookie = SimpleCookie()
    with contextlib.suppress(CookieError):
        cookies.load(_header(scope, b"cookie"))
    found = cookies.get(settings.SESSION_COOKIE_NAME)
    return found.value if found else ""


def _check_origin(scope: dict[str, Any]) -> None:
    """A cookie comes along from any page: only our own and those of CORS_ORIGINS may use it. Raises PermissionDenied.

    (Cross-site WebSocket hijacking: a socket is not subject to CORS.)
    """
    origin, request = _header(scope, b"origin"), HttpRequest()
    request.META = {"HTTP_HOST": _header(scope, b"host")}
    ours = {urlsplit(allowed).netloc for allowed in settings.CORS_ALLOWED_ORIGINS}
    with contextlib.suppress(DisallowedHost):
        ours.add(request.get_host())
    if not origin or urlsplit(origin).netloc not in ours:
        raise PermissionDenied("This page may not open a socket with your session.")


def _header(scope: dict[str, Any], name: bytes) -> str:
    return next((value.decode("latin-1") for key, value in scope["headers"] if key == name), "")


def _is_ping(text: str) -> bool:
    try:
        return bool(orjson.loads(text) == {"type": "ping"})
    except orjson.JSONDecodeError:
        return False
