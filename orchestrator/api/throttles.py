"""Rate limits (CONTRACT §2), counted by django-ratelimit in the cache: Redis shares them between processes."""

import logging
from collections.abc import Callable
from typing import Any, cast

from django.conf import settings
from django.http import HttpRequest
from django_ratelimit.core import get_usage
from redis import RedisError
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from orchestrator.api.waiting import is_asked_again
from orchestrator.core.errors import RateLimited, Unavailable
from orchestrator.identity.actors import Actor

log = logging.getLogger(__name__)


def client_address(request: HttpRequest) -> str:
    """The caller's address: what the outermost trusted proxy saw, counted from the right (clients write the left)."""
    address = request.META.get("REMOTE_ADDR", "")
    if settings.TRUSTED_PROXIES:
        hops = [hop.strip() for hop in request.headers.get("X-Forwarded-For", "").split(",") if hop.strip()]
        address = hops[-min(settings.TRUSTED_PROXIES, len(hops))] if hops else address
    return address or "unknown"


def limit(request: HttpRequest, *, group: str, key: str, rate: str) -> None:
    """Count one call of ``key`` in ``group``.

    Raises RateLimited, with Retry-After, beyond ``rate``, and Unavailable when nothing counts because Redis is away.
    """
    named: Callable[[str, HttpRequest], str] = lambda _group, _request: key  # noqa: E731
    try:
        usage = get_usage(request, group=group, key=named, rate=rate, increment=True)
    except RedisError as error:
        raise Unavailable from error
    if usage and usage["should_limit"]:
        raise RateLimited(headers={"Retry-After": str(max(1, int(usage["time_left"])))})


def limit_login(request: HttpRequest, email: str) -> None:
    """Count one try to sign in, per account and per address, right or wrong. Raises RateLimited and Unavailable.

    Both count before the password is looked at, and for accounts that do not exist, so that the limit tells nothing.
    """
    limit(request, group="login-ip", key=client_address(request), rate=settings.RATE_LIMIT_LOGIN)
    limit(request, group="login-account", key=email.strip().casefold(), rate=settings.RATE_LIMIT_LOGIN)


class NamedRateThrottle(BaseThrottle):
    """``RATE_LIMIT`` for API keys (those of one runtime agent together) and anonymous callers, ``RATE_LIMIT_USER`` for
    people.
    """

    def allow_request(self, request: Request, view: Any) -> bool:
        if is_asked_again(request._request):
            return True
        actor = cast(Actor | None, request.auth)
        if actor is None:
            key, rate = f"ip:{client_address(request._request)}", settings.RATE_LIMIT
        elif actor.kind in ("api_key", "agent"):
            key, rate = str(actor), settings.RATE_LIMIT
        else:
            key, rate = str(actor), settings.RATE_LIMIT_USER
        try:
            limit(request._request, group="api", key=key, rate=rate)
        except Unavailable:  # fairness can wait, work cannot; sign-ins stay closed
            log.warning("Redis does not answer: requests are not counted.", exc_info=True)
        return True
