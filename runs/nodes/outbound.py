"""An HTTP client whose every step, from the look-up to the last byte, ends with the attempt's time.

It opens its sockets itself, at the addresses that ``resolve`` gave for the name, so that what was checked is what is
connected to; certificates are checked for the name. Proxies of the environment are not used.
"""

import email.utils
import errno
import os
import selectors
import socket
import ssl
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import cache, partial
from typing import Any, Final, TypeVar

import httpcore2
import httpx2

from orchestrator.core import clock
from runs.nodes.addresses import Endpoint
from runs.nodes.base import NodeFailure
from runs.nodes.limits import Limit

Resolve = Callable[[str, int, Limit], list[Endpoint]]
T = TypeVar("T")
_CONNECT_SECONDS: Final = 5.0
_ADDRESSES_TRIED: Final = 4


def client(limit: Limit, resolve: Resolve) -> httpx2.Client:
    """For one attempt, to be closed. It raises ``NodeFailure``: ``timeout``, ``stopped``, ``unreachable``,
    ``bad_certificate``, ``bad_response``, and what ``resolve`` raises. Redirects are the caller's to follow.
    """
    return httpx2.Client(transport=_Transport(limit, resolve), trust_env=False, timeout=None)


@cache
def certificates() -> ssl.SSLContext:
    """The authorities that the system trusts (SSL_CERT_FILE names others)."""
    return ssl.create_default_context()


def retry_after(header: str) -> float | None:
    """Seconds from now, of a Retry-After in either form (RFC 9110 §10.2.3); None when there is none to be read."""
    if header.isdecimal() and len(header) < 10:
        return float(header)
    try:
        moment = email.utils.parsedate_to_datetime(header)
        return max(0.0, (moment - clock.now()).total_seconds())
    except (TypeError, ValueError, OverflowError):  # TypeError also for a date without a zone
        return None


class _Stream(httpcore2.NetworkStream):
    """A socket that asks the limit before every wait, however slowly the other side drips."""

    def __init__(self, sock: socket.socket, limit: Limit):
        self._sock = sock
        self._limit = limit

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._patiently(httpcore2.ReadError, partial(self._sock.recv, max_bytes))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        rest = memoryview(buffer)
        while rest:
            rest = rest[self._patiently(httpcore2.WriteError, partial(self._sock.send, rest)) :]

    def close(self) -> None:
        self._sock.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore2.NetworkStream:
        sock = ssl_context.wrap_socket(self._sock, server_hostname=server_hostname, do_handshake_on_connect=False)
        try:
            self._sock = sock
            self._patiently(httpcore2.ConnectError, sock.do_handshake)
        except BaseException as error:
            sock.close()
            if isinstance(error.__cause__, ssl.SSLCertVerificationError):
                message = f"The certificate of {server_hostname} is not good: {error.__cause__.verify_message}."
                raise NodeFailure("bad_certificate", message, permanent=True) from error
            raise
        return self

    def get_extra_info(self, info: str) -> Any:
        return None

    def _patiently(self, error: type[Exception], operation: Callable[[], T]) -> T:
        while True:
            self._sock.settimeout(self._limit.pause())
            try:
                return operation()
            except TimeoutError:
                continue
            except OSError as broken:
                raise error(str(broken)) from broken


class _Backend(httpcore2.NetworkBackend):
    def __init__(self, limit: Limit, resolve: Resolve):
        self._limit = limit
        self._resolve = resolve

    def connect_tcp(
        self, host: str, port: int, timeout: float | None = None, local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.NetworkStream:  # fmt: skip
        for family, address in self._resolve(host, port, self._limit)[:_ADDRESSES_TRIED]:
            sock = socket.socket(family, socket.SOCK_STREAM)
            try:
                self._connect(sock, address)
            except OSError:
                sock.close()
            except BaseException:
                sock.close()
                raise
            else:
                return _Stream(sock, self._limit)
        raise NodeFailure("unreachable", f"Nobody answers at {host}, port {port}.", {"host": host, "port": port})

    def _connect(self, sock: socket.socket, address: tuple[Any, ...]) -> None:
        until = clock.monotonic() + _CONNECT_SECONDS
        sock.setblocking(False)
        error = sock.connect_ex(address)
        if error == errno.EINPROGRESS:
            with selectors.DefaultSelector() as waiting:
                waiting.register(sock, selectors.EVENT_WRITE)
                while not waiting.select(self._limit.pause()):
                    if clock.monotonic() > until:
                        raise TimeoutError
            error = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if error:
            raise OSError(error, os.strerror(error))
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


class _Transport(httpx2.BaseTransport):
    def __init__(self, limit: Limit, resolve: Resolve):
        # No connection is kept: each request is checked where its socket is opened.
        self._pool = httpcore2.ConnectionPool(
            ssl_context=certificates(), network_backend=_Backend(limit, resolve), max_keepalive_connections=0
        )

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        assert isinstance(request.stream, httpx2.SyncByteStream)
        url = request.url
        asked = httpcore2.Request(
            method=request.method,
            url=httpcore2.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path),
            headers=request.headers.raw,
            content=request.stream,
        )
        with _told():
            answer = self._pool.handle_request(asked)
        return httpx2.Response(status_code=answer.status, headers=answer.headers, stream=_Body(answer))

    def close(self) -> None:
        self._pool.close()


class _Body(httpx2.SyncByteStream):
    def __init__(self, response: httpcore2.Response):
        self._response = response

    def __iter__(self) -> Iterator[bytes]:
        with _told():
            yield from self._response.iter_stream()

    def close(self) -> None:
        self._response.close()


@contextmanager
def _told() -> Iterator[None]:
    """What the library raises, as what a node fails with. Its texts stay here: they may quote a header."""
    try:
        yield
    except httpcore2.LocalProtocolError as error:
        raise NodeFailure("bad_request", "This request cannot be sent as HTTP.", permanent=True) from error
    except httpcore2.ProtocolError as error:
        raise NodeFailure("bad_response", "The answer broke off, or is not HTTP.") from error
    except (httpcore2.NetworkError, httpcore2.TimeoutException) as error:
        raise NodeFailure("unreachable", "The connection broke.") from error
