"""Work that comes back every SWEEP_SECONDS in every process with an engine. Rooms register theirs when ready.

Several processes run the same sweep at once: a sweep must bear that, and must not mind being left out for a while.
"""

import logging
from collections.abc import Callable

from django.db import connection

log = logging.getLogger(__name__)

Sweep = Callable[[], object]

_sweeps: list[Sweep] = []


def register(sweep: Sweep) -> None:
    if sweep not in _sweeps:
        _sweeps.append(sweep)


def run() -> None:
    """Call each sweep. One that raises is logged and keeps nobody from the next."""
    for sweep in tuple(_sweeps):
        try:
            sweep()
        except Exception:
            log.warning("A sweep failed; it comes again.", exc_info=True)
            connection.close_if_unusable_or_obsolete()
