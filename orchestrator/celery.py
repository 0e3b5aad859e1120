"""The Celery app: ``celery -A orchestrator worker``, where ENGINE=celery.

It carries wake-ups between machines (runs/engine/brokered.py) and nothing that may not be lost: the truth is in the
database. Hence no results, messages that need not survive the broker, and each acknowledged when its work is done.
"""

import os
from typing import Any, Final

from celery import Celery, signals
from django.conf import settings

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "orchestrator.settings")

LEVELS: Final = 10  # of priority, in the broker
DEFAULT_QUEUE: Final = "runs"


def transport_options(url: str, lease_seconds: float) -> dict[str, Any]:
    """How Redis, where it is the broker, is talked to; RabbitMQ needs none of it.

    A message whose worker is gone comes back when its node's lease has run out for sure: sooner it would find nothing
    to do. The copy of one whose worker is only slow finds nothing, either, and is gone.
    """
    if not url.startswith(("redis", "sentinel")):
        return {}
    return {
        "visibility_timeout": 2 * lease_seconds,
        "unacked_restore_interval": max(lease_seconds / 3, 1),
        "unacked_restore_throttle": 1,
        "unacked_mutex_expire": 30,
        "priority_steps": list(range(LEVELS)),
        "queue_order_strategy": "priority",
        "socket_connect_timeout": 2,
        "socket_timeout": 5,
        "socket_keepalive": True,
        "health_check_interval": 5,
    }


app = Celery("orchestrator", broker=settings.BROKER_URL or "memory://", set_as_current=True)
app.conf.update(
    imports=("runs.engine.consumer",),
    task_default_queue=DEFAULT_QUEUE,
    task_default_delivery_mode="transient",
    task_queue_max_priority=LEVELS - 1,
    task_ignore_result=True,
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    worker_prefetch_multiplier=1,
    worker_soft_shutdown_timeout=settings.SHUTDOWN_SECONDS,
    worker_cancel_long_running_tasks_on_connection_loss=False,  # their copies find nothing to do
    worker_hijack_root_logger=False,
    worker_redirect_stdouts=False,
    broker_connection_timeout=2,
    broker_connection_retry_on_startup=True,
    broker_connection_max_retries=None,  # for ever
    broker_transport_options=transport_options(settings.BROKER_URL, settings.LEASE_SECONDS),
)


@signals.setup_logging.connect
def leave_logging_alone(**_: Any) -> None:
    """That somebody listens is what keeps Celery from setting it up: ours is Django's LOGGING."""


@signals.celeryd_init.connect
def refuse_other_engines(**_: Any) -> None:
    if settings.ENGINE != "celery":
        raise SystemExit("orchestrator: ENGINE must be celery for a Celery worker, as for the web and the scheduler.")
