"""A line in the system log of every org with work in hand, whenever a server starts: its operators see restarts.

Written on a thread of its own: a start neither waits for a thousand small transactions nor fails with one of them.
"""

import logging
import threading
import uuid
from collections.abc import Callable
from typing import Final

from django.db import connection

from agents.services import logs
from orchestrator import __version__
from orchestrator.identity.querysets import OrgQuerySet

log = logging.getLogger(__name__)

MAX_ORGS: Final = 1000

_at_work: list[Callable[[], OrgQuerySet]] = []
_stopping = threading.Event()
_threads: list[threading.Thread] = []


def register(rows: Callable[[], OrgQuerySet]) -> None:
    """Count the orgs of ``rows()``, such as live agents, among those that have work in hand."""
    _at_work.append(rows)


def report_start(component: str = "server") -> int:
    """Tell each org with work in hand that ``component`` has started, MAX_ORGS of them at the most; how many."""
    told = 0
    for org_id in _orgs():
        if _stopping.is_set():
            break
        logs.report(
            org_id=org_id, component=component, level="INFO", message=f"Orchestrator {__version__} started.",
            version=__version__,
        )  # fmt: skip
        told += 1
    return told


def _orgs() -> list[uuid.UUID]:
    found: set[uuid.UUID] = set()
    for rows in _at_work:
        found.update(rows().order_by().values_list("org_id", flat=True).distinct()[:MAX_ORGS])
    return sorted(found)[:MAX_ORGS]


def start() -> None:
    """When a server process begins."""
    _stopping.clear()
    thread = threading.Thread(target=_report_safely, name="start-report", daemon=True)
    _threads.append(thread)
    thread.start()


def stop() -> None:
    """When it ends: the line in hand is written, no other."""
    _stopping.set()
    while _threads:
        _threads.pop().join(1)


def _report_safely() -> None:
    try:
        report_start()
    except Exception:
        log.warning("The start could not be reported.", exc_info=True)
    finally:
        connection.close()
