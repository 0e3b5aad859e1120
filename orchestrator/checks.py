"""System checks: settings that are legal each and unsafe together. What cannot start at all, settings.py refuses."""

import ipaddress
from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Tags, Warning as CheckWarning, register

_MIN_SECRET_BYTES = 32  # RFC 7518 §3.2: an HS256 key is at least as long as its hash


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def exposure(app_configs: Sequence[AppConfig] | None = None, **_: Any) -> list[CheckMessage]:
    """What strangers could reach: W001 DEBUG, W002 STUB_AUTH, W003 any host name."""
    found: list[CheckMessage] = []
    if settings.DEBUG and not _is_loopback(settings.HOST):
        found.append(CheckWarning(
            f"DEBUG is on and HOST is {settings.HOST}: error pages show the code and its settings to the network.",
            hint="Set HOST=127.0.0.1, or DEBUG=false.", id="orchestrator.W001",
        ))  # fmt: skip
    if settings.STUB_AUTH:
        found.append(CheckWarning(
            "STUB_AUTH is on: whoever reaches this server is the owner of every organization.",
            hint="Use it on your own machine only.", id="orchestrator.W002",
        ))  # fmt: skip
    if not settings.DEBUG and "*" in settings.ALLOWED_HOSTS:
        found.append(CheckWarning(
            "ALLOWED_HOSTS takes any name: pages of other sites can be pointed at this server (DNS rebinding).",
            hint="List the names that it is reached by.", id="orchestrator.W003",
        ))  # fmt: skip
    return found


def secrets(app_configs: Sequence[AppConfig] | None = None, **_: Any) -> list[CheckMessage]:
    """What could be guessed or overheard: W004 short JWT_SECRET, W005 cookies over HTTP, W006 short METRICS_TOKEN."""
    found: list[CheckMessage] = []
    if len(str(settings.SIMPLE_JWT["SIGNING_KEY"]).encode()) < _MIN_SECRET_BYTES:
        found.append(CheckWarning(
            f"JWT_SECRET (else SECRET_KEY) has fewer than {_MIN_SECRET_BYTES} bytes: tokens can be forged.",
            hint="python -c 'import secrets; print(secrets.token_urlsafe(50))'", id="orchestrator.W004",
        ))  # fmt: skip
    if not settings.DEBUG and not settings.SESSION_COOKIE_SECURE:
        found.append(CheckWarning(
            "SECURE_COOKIES is off: the session cookie also travels over plain HTTP.",
            hint="Set SECURE_COOKIES=true once the server is reached by HTTPS.", id="orchestrator.W005",
        ))  # fmt: skip
    if 0 < len(settings.METRICS_TOKEN) < 16:
        found.append(CheckWarning("METRICS_TOKEN has fewer than 16 characters.", id="orchestrator.W006"))
    return found


def install() -> None:
    """Called once, when the apps are ready."""
    register(exposure, Tags.security)
    register(secrets, Tags.security)
