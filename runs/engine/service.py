"""The engine of a server process."""

from django.conf import settings

from runs.engine.pool import Engine

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


def alive() -> bool:
    """Whether this process has an engine whose threads all live."""
    return _engine is not None and _engine.alive()
