"""``manage.py work``: an engine without a web, beside others on the same database."""

import signal
import threading
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser

from runs.engine.pool import Engine


class Command(BaseCommand):
    help = "Execute runs until SIGTERM or Ctrl-C; the nodes in hand are finished first."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--workers", type=int, default=settings.ENGINE_WORKERS)

    def handle(self, *args: Any, **options: Any) -> None:
        ended = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: ended.set())
        engine = Engine(options["workers"])
        engine.start()
        self.stdout.write(f"Engine {engine.holder} is at work. Ctrl-C ends it.")
        ended.wait()
        engine.stop(settings.SHUTDOWN_SECONDS)
