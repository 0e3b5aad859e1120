"""Is it alive, can it serve, what exactly is wrong, and its figures.

Open to everybody, /metrics aside; never rate-limited; no session. What fails is named by a word of ours, because an
exception's text may hold a host or a path.
"""

import asyncio
import functools
import logging
import secrets
from collections.abc import Callable
from ipaddress import ip_address
from typing import Any, Final

from asgiref.sync import async_to_sync
from channels.layers import InMemoryChannelLayer, get_channel_layer
from django.conf import settings
from django.core.cache import cache
from django.db import DEFAULT_DB_ALIAS, connection, connections
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.crypto import constant_time_compare
from django.views.decorators.csrf import csrf_exempt
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from orchestrator import __version__
from orchestrator.api.renderers import to_json
from orchestrator.core import context
from orchestrator.core.errors import MethodNotAllowed, NotAuthenticated, Unavailable, error_body
from orchestrator.identity.resolver import Credentials, resolve

log = logging.getLogger(__name__)

Check = Callable[[], None]
View = Callable[[HttpRequest], HttpResponse]
_SECONDS_TO_PASS_A_MESSAGE: Final = 2


class Unhealthy(Exception):
    """Raised by a check; its text is shown to everybody."""


_checks: dict[str, Check] = {}


def register(name: str, check: Check) -> None:
    """Add ``check`` to /health as ``name``: it returns when all is well and raises Unhealthy, with a reason, if not."""
    _checks[name] = check


def read_only(view: View) -> View:
    """GET and HEAD alone; nothing in between keeps the answer."""

    @csrf_exempt  # nothing but reading is answered: a POST is told so, and not asked for a token first
    @functools.wraps(view)
    def guarded(request: HttpRequest) -> HttpResponse:
        if request.method not in ("GET", "HEAD"):
            raise MethodNotAllowed(headers={"Allow": "GET, HEAD"})
        response = view(request)
        response.headers.setdefault("Cache-Control", "no-store")
        return response

    return guarded


@read_only
def root(request: HttpRequest) -> HttpResponse:
    """The service's name and version; a browser goes on to the dashboard."""
    if request.get_preferred_type(["application/json", "text/html"]) == "text/html":
        return HttpResponseRedirect("/dashboard")
    return _json({"service": "orchestrator", "version": __version__, "status": "ok"})


@read_only
def healthz(request: HttpRequest) -> HttpResponse:
    """The process runs and the database answers."""
    return _answer(_run({"database": _database}), {"status": "ok"})


@read_only
def readyz(request: HttpRequest) -> HttpResponse:
    """It may be sent traffic: the database answers and has the tables that this version needs."""
    return _answer(_run({"database": _database, "migrations": _migrations}), {"status": "ok"})


@read_only
def health(request: HttpRequest) -> HttpResponse:
    """Each part by name."""
    checks = _run(_checks)
    return _answer(checks, {"service": "orchestrator", "version": __version__, "status": "ok", "checks": checks})


@read_only
def metrics(request: HttpRequest) -> HttpResponse:
    """Prometheus' text format, for METRICS_TOKEN or, when that is not set, for administrators.

    Raises NotAuthenticated and PermissionDenied.
    """
    _guard_metrics(request)
    return HttpResponse(generate_latest(), content_type=CONTENT_TYPE_LATEST)


def _guard_metrics(request: HttpRequest) -> None:
    if settings.METRICS_TOKEN:
        if not constant_time_compare(request.headers.get("Authorization", ""), f"Bearer {settings.METRICS_TOKEN}"):
            raise NotAuthenticated
        return
    if settings.DEBUG and _is_loopback(request.META.get("REMOTE_ADDR", "")):
        return
    principal = resolve(Credentials.of(request))
    if principal is None:
        raise NotAuthenticated
    principal.actor.require("admin")


def _is_loopback(address: str) -> bool:
    try:
        return ip_address(address).is_loopback
    except ValueError:
        return False


def _run(checks: dict[str, Check]) -> dict[str, str]:
    return {name: _result(name, check) for name, check in checks.items()}


def _result(name: str, check: Check) -> str:
    try:
        check()
    except Unhealthy as reason:
        return f"failed: {reason}"
    except Exception:
        log.warning("The health check %r failed.", name, exc_info=True)
        return "failed: no answer"
    return "ok"


def _answer(checks: dict[str, str], body: dict[str, Any]) -> HttpResponse:
    """``body``, or the error object of CONTRACT §2 with all the checks."""
    failed = [name for name, result in checks.items() if result != "ok"]
    if not failed:
        return _json(body)
    error = Unavailable(f"Not healthy: {', '.join(failed)}.")
    shown = {**error_body(error, context.request_id.get()), "status": "unavailable", "checks": checks}
    return _json(shown, error.status, error.headers)


def _json(body: dict[str, Any], status: int = 200, headers: dict[str, str] | None = None) -> HttpResponse:
    return HttpResponse(to_json(body), status=status, headers=headers, content_type="application/json")


def _database() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        cursor.fetchone()


def _cache() -> None:
    key, value = f"health:{secrets.token_hex(8)}", secrets.token_hex(8)
    cache.set(key, value, timeout=10)
    if cache.get(key) != value:
        raise Unhealthy("does not keep what it is given")
    cache.delete(key)


def _channel_layer() -> None:
    layer = get_channel_layer()
    if layer is None:
        raise Unhealthy("not configured")
    if not isinstance(layer, InMemoryChannelLayer):  # that one is a dict of this process
        async_to_sync(_pass_a_message)(layer)


async def _pass_a_message(layer: Any) -> None:
    async with asyncio.timeout(_SECONDS_TO_PASS_A_MESSAGE):
        channel = await layer.new_channel()
        await layer.send(channel, {"type": "health"})
        await layer.receive(channel)


_migrated: set[str] = set()  # databases that were seen complete: a running version never loses a migration


def _migrations() -> None:
    name = str(connections[DEFAULT_DB_ALIAS].settings_dict["NAME"])
    if name in _migrated:
        return
    executor = MigrationExecutor(connections[DEFAULT_DB_ALIAS])
    if executor.migration_plan(executor.loader.graph.leaf_nodes()):
        raise Unhealthy("pending migrations")
    _migrated.add(name)


for _name, _check in {
    "database": _database, "cache": _cache, "channel_layer": _channel_layer, "migrations": _migrations,
}.items():  # fmt: skip
    register(_name, _check)
