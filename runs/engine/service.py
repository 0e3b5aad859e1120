"""The engine of a server process."""

from datetime import timedelta
from typing import Final

from django.conf import settings

from orchestrator.api.health import Unhealthy
from orchestrator.core import clock
from runs.engine.pool import Engine
from runs.models import Run
from runs.states import RunStatus

_PATIENCE: Final = timedelta(minutes=1)

_engine: Engine | None = None


def start() -> None:
    global _engine
    _engine = Engine()
    _engine.start()


def stop() -> None:
    global _engine
    if _engine is not None:
        stopping, _engine = _engine, None
        stopping.stop(settings.SHUTDOWN_SECONDS)


def check() -> None:
    """For /health.

    Raises Unhealthy when this process's engine has died or, where others carry out the runs, when some wait and nobody
    takes them.
    """
    if settings.ENGINE == "thread":
        if _engine is not None and not _engine.alive():
            raise Unhealthy("a thread of the engine has died")
    elif Run.objects.filter(
        status=RunStatus.QUEUED, waiting_on__isnull=True, created_at__lt=clock.now() - _PATIENCE
    ).exists():
        raise Unhealthy("runs are waiting and no engine takes them")
