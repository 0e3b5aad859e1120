"""``manage.py serve``: web, streams and engine in one process, on the server that SERVER names."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn
from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection

from orchestrator import lifespan
from orchestrator.streams import hub

APPLICATION = "orchestrator.asgi:application"


class UvicornServer(uvicorn.Server):
    def handle_exit(self, sig: int, frame: Any) -> None:
        """Streams end first: uvicorn waits for open connections, and these would stay open."""
        hub.close_streams()
        super().handle_exit(sig, frame)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """uvicorn raises the signal again after a clean end; the exit code would then tell of a failure."""
        with super().capture_signals():
            yield
            self._captured_signals.clear()


class Command(BaseCommand):
    help = "Serve the API, the streams and the dashboard, and run the engine, in this process."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--host", default=settings.HOST)
        parser.add_argument("--port", type=int, default=settings.PORT)
        parser.add_argument("--prepare", action="store_true", help="Migrate first; with DEBUG, seed too.")

    def handle(self, *args: Any, **options: Any) -> None:
        listener = bind(options["host"], options["port"])
        if options["prepare"]:
            self.prepare()
        address = f"http://{options['host']}:{options['port']}"
        self.stdout.write(f"Orchestrator is at {address} ({settings.SERVER}). Ctrl-C ends it.")
        self.stdout.flush()  # a pipe would keep it until the end
        {"uvicorn": uvicorn_server, "granian": granian_server, "daphne": daphne_server}[settings.SERVER](listener)

    def prepare(self) -> None:
        """After the port is ours: a second server on a taken port must not touch the database of the first."""
        call_command("migrate", interactive=False, verbosity=0)
        if settings.DEBUG:
            call_command("seed", stdout=self.stdout)
            self.stdout.write(f"Sign in as {settings.DEV_USER_EMAIL} with the password {settings.DEV_USER_PASSWORD}")
        connection.close()


def bind(host: str, port: int) -> socket.socket:
    """A socket on the address, before anything is started. Raises CommandError, one line, when it is taken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen()  # what comes while we migrate waits, and a twin that starts now is told
    except OSError as error:
        listener.close()
        raise CommandError(
            f"Cannot listen on {host}:{port}: {error.strerror}. Stop what uses it, or choose another PORT."
        ) from error
    return listener


def uvicorn_server(listener: socket.socket) -> None:
    config = uvicorn.Config(
        APPLICATION, log_config=None, access_log=False, server_header=False, lifespan="on", ws_max_size=1024 * 1024,
        timeout_graceful_shutdown=settings.SHUTDOWN_SECONDS, proxy_headers=False,
    )  # fmt: skip
    UvicornServer(config).run(sockets=[listener])


def granian_server(listener: socket.socket) -> None:
    # Imported here: whoever runs on uvicorn need not load its native runtime.
    from granian import Granian
    from granian.constants import Interfaces

    host, port = listener.getsockname()[:2]
    listener.close()
    Granian(
        APPLICATION, address=host, port=port, interface=Interfaces.ASGI, workers=1, backpressure=65536,
        log_enabled=False, workers_kill_timeout=settings.SHUTDOWN_SECONDS,
    ).serve()  # fmt: skip


def daphne_server(listener: socket.socket) -> None:
    # Imported here: importing it installs Twisted's reactor.
    from daphne.endpoints import build_endpoint_description_strings
    from daphne.server import Server

    from orchestrator.asgi import application

    host, port = listener.getsockname()[:2]
    listener.close()
    lifespan.startup()  # daphne does not speak the lifespan protocol
    try:
        Server(
            application, endpoints=build_endpoint_description_strings(host=host, port=port),
            application_close_timeout=1,  # longer ones crash CPython 3.11 at exit with a stream open
        ).run()  # fmt: skip
    finally:
        lifespan.shutdown()
