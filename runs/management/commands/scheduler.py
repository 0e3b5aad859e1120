"""``manage.py scheduler``: the process that sweeps, where Celery's workers carry out the runs."""

import signal
import threading
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from runs.engine.brokered import Brokered
from runs.engine.clockwork import Clockwork
from runs.engine.keeper import new_holder


class Command(BaseCommand):
    help = "With ENGINE=celery: find what has become due or was lost, until SIGTERM or Ctrl-C. Any number may run."

    def handle(self, *args: Any, **options: Any) -> None:
        if settings.ENGINE != "celery":
            raise CommandError("ENGINE must be celery; with any other engine the processes sweep by themselves.")
        ended = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: ended.set())
        clockwork = Clockwork(new_holder())
        dispatcher = Brokered(clockwork.wake)
        dispatcher.start()
        thread = threading.Thread(target=clockwork.run, name="engine-sweeper")
        thread.start()
        self.stdout.write("The scheduler is at work. Ctrl-C ends it.")
        self.stdout.flush()
        ended.wait()
        clockwork.stop()
        thread.join(settings.SHUTDOWN_SECONDS)
        dispatcher.stop(settings.SHUTDOWN_SECONDS)
