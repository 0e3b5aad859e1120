"""Logs: one JSON object a line with the request id; lines for people when DEBUG."""

import logging
import sys
from typing import Any

import structlog

from orchestrator.core import context


def _add_request_id(logger: Any, method: str, entry: structlog.typing.EventDict) -> structlog.typing.EventDict:
    if request_id := context.request_id.get():
        entry.setdefault("request_id", request_id)
    return entry


def _not_a_refused_socket(record: logging.LogRecord) -> bool:
    """uvicorn calls a WebSocket that was answered with an HTTP error, as the ASGI extension allows, our error."""
    return record.name != "uvicorn.error" or "without completing handshake" not in record.getMessage()


def logging_config(level: str, human: bool) -> dict[str, Any]:
    """The dict for ``logging.config.dictConfig``: everything goes to stderr through one structlog formatter."""
    shared: list[Any] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(allow=["method", "path", "status", "duration_ms", "actor", "run_id", "node"]),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _add_request_id,
    ]
    last: list[Any] = (
        [structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback)]
        if human
        else [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    )
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "structlog": {
                "()": structlog.stdlib.ProcessorFormatter,
                "foreign_pre_chain": shared,
                "processors": [structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
            }
        },
        "filters": {"refused_sockets": {"()": lambda: _not_a_refused_socket}},
        "handlers": {
            "stderr": {"class": "logging.StreamHandler", "formatter": "structlog", "filters": ["refused_sockets"]}
        },
        "root": {"handlers": ["stderr"], "level": level},
        "loggers": {
            "django.server": {"level": "WARNING"},
            # Access lines are ours (orchestrator.api.middleware), with the request id; the server's would double them.
            "uvicorn.access": {"level": "WARNING"},
            # Django warns of every 4xx; the access line says it already.
            "django.request": {"level": "ERROR"},
            # They write down whole addresses, headers and prompts, which may hold what nobody else is to read.
            **{name: {"level": "WARNING"} for name in ("httpx2", "httpcore2", "openai")},
        },
    }
