"""Looks after what this process executes: renews the leases, and stops what nobody wants."""

import logging
import os
import socket
import threading
import uuid
from collections.abc import Callable
from typing import Final

from django.conf import settings
from django.db import connection

from orchestrator.core import clock
from runs.engine import attempts
from runs.services.progress import renew_leases

log = logging.getLogger(__name__)

_LOOK_SECONDS: Final = 1.0  # how often a busy process asks whether its work is still wanted


def new_holder() -> str:
    """A name for this process in its leases. Host and process id let a sweeper on the same host see that a holder is
    dead before its lease runs out.
    """
    return f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:8]}"


class Keeper:
    """``run`` is for a thread of its own; ``each_look`` is called whenever something is being executed."""

    def __init__(self, holder: str, each_look: Callable[[], None]) -> None:
        self._holder = holder
        self._each_look = each_look
        self._stop = threading.Event()

    def run(self) -> None:
        renewed = 0.0
        while not self._stop.wait(min(_LOOK_SECONDS, settings.LEASE_SECONDS / 3)):
            if not attempts.in_hand():
                continue
            self._safely(attempts.stop_unwanted)
            self._each_look()
            if clock.monotonic() - renewed > settings.LEASE_SECONDS / 3:
                renewed = clock.monotonic()
                self._safely(lambda: renew_leases(self._holder, attempts.in_hand()))
        connection.close()

    def stop(self) -> None:
        self._stop.set()

    def _safely(self, step: Callable[[], None]) -> None:
        try:
            step()
        except Exception:
            log.warning("The leases could not be renewed; trying again soon.", exc_info=True)
            connection.close()
