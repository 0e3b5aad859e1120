"""The ASGI application: HTTP on our handler, WebSockets on Channels' consumers, the lifespan."""

import os
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "orchestrator.settings")
django.setup(set_prefix=False)

from agents.routing import sockets  # noqa: E402 - Django must be set up before
from orchestrator import lifespan  # noqa: E402
from orchestrator.handler import PooledHandler  # noqa: E402

_http = PooledHandler()


async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
    if scope["type"] == "http":
        await _http(scope, receive, send)
    elif scope["type"] == "lifespan":
        await lifespan.application(scope, receive, send)
    else:
        await _socket(scope, receive, send)


async def _socket(scope: dict[str, Any], receive: Any, send: Any) -> None:
    try:
        await sockets(scope, receive, send)
    except ValueError:  # no route of this path
        await send({"type": "websocket.close", "code": 4404})  # before accept: the caller gets an HTTP 403
