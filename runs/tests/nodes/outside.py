"""What nodes that reach outside talk to in tests: a web server of this process, and a network whose names are ours."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from runs.nodes import registry
from runs.nodes.base import NodeContext, NodeFailure, NodeResult


@dataclass
class Seen:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Site:
    """``answer`` says how it answers; ``leaving`` is set when the test is over, for handlers that take their time."""

    port: int
    answer: Callable[[BaseHTTPRequestHandler], None] = lambda request: reply(request)
    seen: list[Seen] = field(default_factory=list)
    leaving: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


def reply(
    request: BaseHTTPRequestHandler, body: bytes = b"", status: int = 200, headers: dict[str, str] | None = None
) -> None:
    request.send_response(status)
    for name, value in ({"Content-Length": str(len(body))} | (headers or {})).items():
        request.send_header(name, value)
    request.end_headers()
    if request.command != "HEAD":
        request.wfile.write(body)


@contextmanager
def serving(wrap: Callable[[socket.socket], socket.socket] | None = None) -> Iterator[Site]:
    """A site on a free port of this machine."""

    class Handler(BaseHTTPRequestHandler):
        def handle_one(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            headers = {name.lower(): value for name, value in self.headers.items()}
            site.seen.append(Seen(self.command, self.path, headers, self.rfile.read(length)))
            try:
                site.answer(self)
            except OSError:
                self.close_connection = True  # the node has left

        do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = handle_one

        def log_message(self, *args: Any) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = False

        def handle_error(self, *args: Any) -> None:
            pass

    server = Server(("127.0.0.1", 0), Handler)
    if wrap:
        server.socket = wrap(server.socket)
    site = Site(server.server_address[1])
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield site
    finally:
        site.leaving.set()
        server.shutdown()
        thread.join()
        server.server_close()


class Names:
    """A stand-in for the system's resolver: each look-up of a name takes its next answer, the last one again and again.

    Names that nobody told it, and addresses, go to the real one.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch):
        self.answers: dict[str, list[list[str]]] = {}
        self.asked: list[str] = []
        self._real = socket.getaddrinfo
        monkeypatch.setattr(socket, "getaddrinfo", self._look_up)

    def _look_up(self, host: str, port: int, *args: Any, **more: Any) -> list[Any]:
        self.asked.append(host)
        if host not in self.answers:
            return self._real(host, port, *args, **more)
        answers = self.answers[host]
        found = answers.pop(0) if len(answers) > 1 else answers[0]
        return [entry for address in found for entry in self._real(address, port, type=socket.SOCK_STREAM)]


def context(config: dict[str, Any], **more: Any) -> NodeContext:
    return NodeContext("run", "node", 2, {}, {}, config, idempotency_key="run:node:0", **more)


def execute(node_type: str, config: dict[str, Any], **more: Any) -> NodeResult:
    result = registry.get(node_type).execute(context(config, **more))
    assert isinstance(result, NodeResult)
    return result


def failure(node_type: str, config: dict[str, Any], **more: Any) -> NodeFailure:
    with pytest.raises(NodeFailure) as raised:
        execute(node_type, config, **more)
    return raised.value
