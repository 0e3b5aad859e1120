"""``http``: calls a web address that the operator's list allows, and gives what it answered."""

import base64
import codecs
import zlib
from collections.abc import Iterator, Mapping
from contextlib import closing
from typing import Any, Final

import httpx2
import orjson

from orchestrator import __version__
from runs.nodes import addresses, outbound
from runs.nodes.base import NodeContext, NodeFailure, NodeResult, NodeType
from runs.nodes.limits import Limit
from runs.nodes.secrets import TEXT_OR_SECRET, Secrets

_SECONDS: Final = 30
_MEBIBYTE: Final = 1024 * 1024
_REDIRECTS: Final = 5
_EXCERPT: Final = 1000
_PIECE: Final = 64 * 1024
_SLOW_CODECS: Final = frozenset({"idna", "punycode"})  # their time grows with the square of the text
_WITHOUT_EFFECT: Final = frozenset({"GET", "HEAD", "OPTIONS"})
# A second try of these can end better (RFC 9110, 8470, 6585).
_PASSING: Final = frozenset({408, 425, 429})
# They say where the request goes and where it ends, which is not the workflow's to say.
_OURS: Final = frozenset(
    {"host", "content-length", "transfer-encoding", "connection", "upgrade", "te", "trailer", "expect"}
)
_PORTS: Final = {"http": 80, "https": 443}
_SCALAR: Final = {"type": ["string", "number", "boolean"]}

SCHEMA: Final[Mapping[str, Any]] = {
    "type": "object",
    "properties": {
        "url": {
            "description": "`http://` or `https://`, without credentials.",
            "type": "string",
            "minLength": 1,
            "maxLength": 8000,
        },
        "method": {
            "description": "The method of the request.",
            "enum": ["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"],
            "default": "GET",
        },
        "headers": {
            "description": "Texts, or references to secrets.",
            "type": "object",
            "propertyNames": {"pattern": "^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}$"},
            "additionalProperties": TEXT_OR_SECRET,
            "maxProperties": 100,
        },
        "query": {
            "description": "Added to the address's own query; a list repeats its name.",
            "type": "object",
            "additionalProperties": {"anyOf": [_SCALAR, {"type": "array", "items": _SCALAR}]},
        },
        "json": {"description": "The body as JSON. Write this or `text`."},
        "text": {"description": "The body as text. Write this or `json`.", "type": "string"},
        "timeout_seconds": {
            "description": "For everything, redirects included.",
            "type": "number",
            "exclusiveMinimum": 0,
            "maximum": 3600,
            "default": _SECONDS,
        },
        "max_bytes": {
            "description": "The most that the unpacked body may have.",
            "type": "integer",
            "minimum": 1,
            "maximum": 16 * _MEBIBYTE,
            "default": _MEBIBYTE,
        },
        "expect": {
            "description": "The statuses that are no failure; 200 to 299 when left out.",
            "type": "array",
            "items": {"type": "integer", "minimum": 200, "maximum": 599},
            "minItems": 1,
            "uniqueItems": True,
        },
    },
    "required": ["url"],
    "not": {"required": ["json", "text"]},
    "additionalProperties": False,
}


def call(ctx: NodeContext) -> NodeResult:
    """Sends the request, follows redirects, and reads the answer, all within one limit of time.

    Raises ``bad_url``, ``not_allowed``, ``bad_request``, ``secret_missing``, ``timeout``, ``stopped``, ``unreachable``,
    ``bad_certificate``, ``bad_response``, ``too_many_redirects``, ``response_too_large``, ``http_status``.
    """
    secrets = Secrets()
    limit = Limit(ctx, ctx.config.get("timeout_seconds", _SECONDS))
    with outbound.client(limit, addresses.allowed) as client:
        request = _request(client, ctx, secrets)
        with closing(_sent(client, request, ctx.config)) as response:
            return _result(response, ctx.config, secrets)


def _request(client: httpx2.Client, ctx: NodeContext, secrets: Secrets) -> httpx2.Request:
    config = ctx.config
    method = config.get("method", "GET")
    headers = {name.lower(): secrets.value(value) for name, value in config.get("headers", {}).items()}
    if own := sorted(_OURS & set(headers)):
        raise NodeFailure("bad_request", f"A workflow cannot set the header {own[0]}.", permanent=True)
    headers.setdefault("user-agent", f"orchestrator/{__version__}")
    headers.setdefault("accept-encoding", "gzip, deflate")
    if method not in _WITHOUT_EFFECT and ctx.idempotency_key:
        headers.setdefault("idempotency-key", ctx.idempotency_key)
    try:
        url = _url(config["url"]).copy_merge_params(config.get("query", {}))
        if secrets and not addresses.is_named(url.host, url.port or _PORTS[url.scheme]):
            # Else a list of "*" would let any author send himself every secret.
            message = f"Secrets go to hosts that HTTP_NODE_ALLOW names; it does not name {url.host}."
            raise NodeFailure("not_allowed", message, {"host": url.host}, permanent=True)
        return client.build_request(method, url, headers=headers, content=_content(config, headers))
    except httpx2.InvalidURL:
        raise NodeFailure("bad_url", "This is not an address of the web.", permanent=True) from None
    except (ValueError, TypeError):
        # What was raised would quote the header.
        message = "Headers are made of ASCII, a body of JSON or text."
        raise NodeFailure("bad_request", message, permanent=True) from None


def _content(config: Mapping[str, Any], headers: dict[str, str]) -> bytes | None:
    if "json" in config:
        headers.setdefault("content-type", "application/json")
        return orjson.dumps(config["json"])
    if "text" in config:
        headers.setdefault("content-type", "text/plain; charset=utf-8")
        return str(config["text"]).encode()
    return None


def _url(text: str) -> httpx2.URL:
    url = httpx2.URL(text)
    _check(url)
    return url


def _check(url: httpx2.URL) -> None:
    if url.scheme not in ("http", "https") or not url.host:
        raise NodeFailure("bad_url", "The address must begin with http:// or https:// and a host.", permanent=True)
    if url.userinfo:
        raise NodeFailure("bad_url", "Credentials do not belong into an address: send a header.", permanent=True)
    if url.port is not None and not 1 <= url.port <= 65535:
        raise NodeFailure("bad_url", "A port is a number from 1 to 65535.", permanent=True)


def _sent(client: httpx2.Client, request: httpx2.Request, config: Mapping[str, Any]) -> httpx2.Response:
    """The answer that is no redirect, or that is expected, its body still to be read."""
    given = {name.lower() for name, value in config.get("headers", {}).items() if not isinstance(value, str)}
    private = given | {"authorization", "cookie", "proxy-authorization"}
    for _ in range(_REDIRECTS + 1):
        try:
            response = client.send(request, stream=True)
        except (httpx2.HTTPError, httpx2.InvalidURL):
            raise NodeFailure("bad_url", "It redirects to what is no address of the web.", permanent=True) from None
        following = response.next_request
        if following is None or response.status_code in config.get("expect", ()):
            return response
        response.close()
        _check(following.url)
        if _origin(following.url) != _origin(request.url):
            for name in private & set(following.headers):
                del following.headers[name]
        request = following
    raise NodeFailure("too_many_redirects", f"It redirects more than {_REDIRECTS} times.", permanent=True)


def _origin(url: httpx2.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port


def _result(response: httpx2.Response, config: Mapping[str, Any], secrets: Secrets) -> NodeResult:
    request, status = response.request, response.status_code
    told = secrets.hide(f"{request.method} {request.url.copy_with(query=None, fragment=None)}")
    if not (status in config["expect"] if "expect" in config else response.is_success):
        raise _refusal(response, told, secrets)
    body = _body(response, config.get("max_bytes", _MEBIBYTE))
    output = {
        "status": status,
        "headers": {name.lower(): secrets.hide(value) for name, value in response.headers.items()},
        "url": secrets.hide(str(request.url)),
        "bytes": len(body),
        **_read(body, response, secrets),
    }
    return NodeResult(output, f"{told}: {status}, {len(body):,} bytes")


def _read(body: bytes, response: httpx2.Response, secrets: Secrets) -> dict[str, Any]:
    """The ``body`` as JSON or text, or ``body_base64`` for what is neither."""
    kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    try:
        text = secrets.hide(_decoded(body, response.charset_encoding or "utf-8"))
    except (LookupError, UnicodeError):
        text = "\0"
    if "\0" in text:  # no text: and no database keeps that character
        return {"body": None, "body_base64": base64.b64encode(body).decode()}
    if kind == "application/json" or kind.endswith("+json"):
        try:
            return {"body": orjson.loads(text)}
        except orjson.JSONDecodeError:
            pass
    return {"body": text}


def _decoded(body: bytes, charset: str) -> str:
    codec = codecs.lookup(charset).name
    if codec in _SLOW_CODECS:
        raise LookupError(codec)
    return body.decode("utf-8-sig" if codec == "utf-8" else codec)


def _refusal(response: httpx2.Response, told: str, secrets: Secrets) -> NodeFailure:
    status = response.status_code
    try:
        # More than is shown, so that no secret is cut in two before it is blotted out.
        body = b"".join(_up_to(_unpacked(response), _PIECE)).decode(errors="replace").replace("\0", "\ufffd")
        excerpt = secrets.hide(body)[:_EXCERPT]
    except NodeFailure:
        excerpt = ""  # the status says more than why its text cannot be read
    return NodeFailure(
        "http_status",
        f"{told} was answered with status {status}.",
        {"status": status, "body": excerpt},
        permanent=status < 500 and status not in _PASSING,
        retry_after=outbound.retry_after(response.headers.get("retry-after", "")),
    )


def _body(response: httpx2.Response, most: int) -> bytes:
    body = b"".join(_up_to(_unpacked(response), most + 1))
    if len(body) > most:
        message = f"The answer has more than {most:,} bytes."
        raise NodeFailure("response_too_large", message, {"max_bytes": most}, permanent=True)
    return body


def _up_to(pieces: Iterator[bytes], room: int) -> Iterator[bytes]:
    """The first ``room`` bytes; what comes after is not even received."""
    for piece in pieces:
        yield piece[:room]
        room -= len(piece)
        if room <= 0:
            return


def _unpacked(response: httpx2.Response) -> Iterator[bytes]:
    """The body without its compression, in pieces that stay small however much a few bytes unpack to."""
    coding = response.headers.get("content-encoding", "identity").strip().lower()
    if coding in ("", "identity"):
        yield from response.iter_raw()
        return
    if coding not in ("gzip", "x-gzip", "deflate"):
        raise NodeFailure("bad_response", "The answer is packed in a way that was not asked for.", permanent=True)
    try:
        yield from _inflated(response.iter_raw())
    except zlib.error:
        raise NodeFailure("bad_response", "The answer says that it is packed, and is not.") from None


def _inflated(pieces: Iterator[bytes]) -> Iterator[bytes]:
    unpacker, begun = zlib.decompressobj(wbits=47), False  # 47: gzip or zlib, as the data says
    for piece in pieces:
        while piece:
            if unpacker.eof:  # gzip may have several members
                unpacker = zlib.decompressobj(wbits=47)
            yield unpacker.decompress(piece, _PIECE)
            piece, begun = unpacker.unconsumed_tail or unpacker.unused_data, True
    yield unpacker.flush()
    if begun and not unpacker.eof:
        raise zlib.error("it broke off")


NODE = NodeType(
    "http",
    "Calling a web address",
    call,
    SCHEMA,
    "Calls a web address that HTTP_NODE_ALLOW lists, and gives status, headers and body.",
)
