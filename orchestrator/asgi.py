"""The ASGI application: HTTP on our handler, the lifespan, and no WebSocket yet."""

import os
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "orchestrator.settings")
django.setup(set_prefix=False)

from orchestrator import lifespan  # noqa: E402 - Django must be set up before
from orchestrator.handler import PooledHandler  # noqa: E402

_http = PooledHandler()


async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
    if scope["type"] == "http":
        await _http(scope, receive, send)
    elif scope["type"] == "lifespan":
        await lifespan.application(scope, receive, send)
    else:
        await send({"type": "websocket.close", "code": 4404})  # before accept: the caller gets an HTTP 403
