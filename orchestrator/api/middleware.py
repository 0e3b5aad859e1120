"""What wraps every answer: request id, access line, metrics, cache headers, compression; one pass, as layers cost."""

import functools
import gzip
import logging
import re
from collections.abc import Callable
from typing import Final

from django.core.exceptions import DisallowedHost
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils.cache import patch_vary_headers

from orchestrator.api.conditional import gzip_tag
from orchestrator.api.errors import as_product_error, error_response
from orchestrator.core import clock, context, metrics
from orchestrator.core.errors import MalformedRequest

log = logging.getLogger("orchestrator.access")

_MIN_COMPRESSED_BYTES: Final = 1024
_GZIP: Final = re.compile(r"(?:^|,)\s*(?:gzip|\*)\s*(?:;\s*q=([0-9.]+))?\s*(?:,|$)", re.IGNORECASE)
_TENANT_VARY: Final = ("Authorization", "X-API-Key", "Cookie", "Accept", "Accept-Encoding")
_UNTENANTED: Final = ("/static/", "/healthz", "/readyz")
_ANY_HOST: Final = ("/health", "/readyz", "/metrics")


class RequestMiddleware:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]):
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        started = clock.monotonic()
        token = context.request_id.set(context.choose_request_id(request.headers.get("X-Request-ID")))
        try:
            response = _misdirected(request) or self.get_response(request)
            response["X-Request-ID"] = context.request_id.get()
            if not request.path.startswith(_UNTENANTED):
                _keep_tenants_apart(response)
            _compress(request, response)
            if not response.streaming and response.status_code not in (204, 304):
                response["Content-Length"] = str(len(response.content))  # type: ignore[attr-defined]
            _account(request, response, clock.monotonic() - started)
            return response
        finally:
            context.request_id.reset(token)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse:
        """What a plain (not DRF) view raised, as the same error body."""
        return error_response(as_product_error(error))


def _misdirected(request: HttpRequest) -> HttpResponse | None:
    """Refuses names that are not in ALLOWED_HOSTS, for every route.

    A page of another site that has its own name pointed at us (DNS rebinding) would else act as somebody of this
    network. Probes and scrapers come by any address.
    """
    if not request.path.startswith(_ANY_HOST):
        try:
            request.get_host()
        except DisallowedHost:
            return error_response(MalformedRequest("The Host header names nothing that is served here."))
    return None


def _keep_tenants_apart(response: HttpResponseBase) -> None:
    response["Vary"] = _with_tenant_vary(response.get("Vary", ""))
    response.headers.setdefault("Cache-Control", "private, no-cache")


@functools.lru_cache(maxsize=256)
def _with_tenant_vary(vary: str) -> str:
    """What the views said, and ours; few combinations come back again and again."""
    merged = HttpResponse(headers={"Vary": vary} if vary else None)
    patch_vary_headers(merged, _TENANT_VARY)
    return merged["Vary"]


def _compress(request: HttpRequest, response: HttpResponseBase) -> None:
    """Gzip JSON for those who ask. The compressed bytes are another representation, so they get another strong tag."""
    if response.streaming or response.has_header("Content-Encoding"):
        return
    if response.headers.get("Content-Type", "") != "application/json" or len(response.content) <= _MIN_COMPRESSED_BYTES:  # type: ignore[attr-defined]
        return
    if not _accepts_gzip(request.headers.get("Accept-Encoding", "")):
        return
    response.content = gzip.compress(response.content, compresslevel=5, mtime=0)  # type: ignore[attr-defined]
    response["Content-Encoding"] = "gzip"
    if response.has_header("ETag"):
        response["ETag"] = gzip_tag(response["ETag"])


def _accepts_gzip(header: str) -> bool:
    match = _GZIP.search(header)
    return match is not None and match[1] not in ("0", "0.", "0.0", "0.00", "0.000")


def _account(request: HttpRequest, response: HttpResponseBase, seconds: float) -> None:
    route = request.resolver_match.route if request.resolver_match else "unknown"
    metrics.observe_request(str(request.method), route, response.status_code, seconds)
    if log.isEnabledFor(logging.INFO):
        log.info(
            "request",
            extra={
                "method": request.method,
                "path": request.path,
                "status": response.status_code,
                "duration_ms": round(seconds * 1000, 2),
                "actor": str(getattr(request, "actor", "") or ""),
            },
        )
