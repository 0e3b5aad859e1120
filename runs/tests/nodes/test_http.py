"""The http node: what it sends, what it gives, and what it refuses."""

import base64
import gzip
import ipaddress
import json
import random
import socket
import ssl
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
import time_machine
from hypothesis import given, strategies as st

from orchestrator.logs import logging_config
from runs.nodes import http, outbound
from runs.nodes.base import NodeFailure, NodeResult
from runs.tests.nodes.certificates import Authority
from runs.tests.nodes.outside import Names, Site, execute, failure, reply, serving

Request = BaseHTTPRequestHandler
TOKEN = 'a-secret/with "signs" in it'


@pytest.fixture
def site(settings: Any) -> Iterator[Site]:
    """A web server that http nodes may call as 127.0.0.1, and by names that lead there."""
    settings.HTTP_NODE_ALLOW = ["127.0.0.1:*", "*.test:*"]
    settings.HTTP_NODE_ALLOW_PRIVATE = [ipaddress.ip_network("127.0.0.1/32")]
    settings.NODE_SECRETS = {"NODE_SECRET_A": TOKEN}
    with serving() as site:
        yield site


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Names:
    return Names(monkeypatch)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def call(site: Site, path: str = "/", **config: Any) -> NodeResult:
    return execute("http", {"url": site.url + path, **config})


def fails(site: Site, path: str = "/", **config: Any) -> NodeFailure:
    return failure("http", {"url": site.url + path, **config})


def answering(site: Site, **how: Any) -> None:
    site.answer = lambda request: reply(request, **how)


def redirecting(site: Site, to: str | Callable[[Request], str], status: int = 302) -> None:
    """The first request is sent on, the next one answered."""

    def answer(request: Request) -> None:
        location = to if isinstance(to, str) else to(request)
        reply(request, status=status, headers={"Location": location}) if len(site.seen) == 1 else reply(
            request, b"there"
        )

    site.answer = answer


# --- what is sent ---------------------------------------------------------------------------------------------------


def test_a_json_body_and_the_key_that_makes_it_safe_to_send_twice(site: Site) -> None:
    call(site, "/x?a=1", method="POST", json={"n": [1, "ü"]}, query={"b": [1, "c d"], "e": True})
    [seen] = site.seen
    assert (seen.method, seen.path) == ("POST", "/x?a=1&b=1&b=c+d&e=true")
    assert json.loads(seen.body) == {"n": [1, "ü"]}
    assert seen.headers["content-type"] == "application/json"
    assert seen.headers["idempotency-key"] == "run:node:0"
    assert seen.headers["host"] == f"127.0.0.1:{site.port}"
    assert seen.headers["user-agent"].startswith("orchestrator/")


def test_the_author_may_say_it_all_otherwise(site: Site) -> None:
    headers = {"Idempotency-Key": "mine", "Content-Type": "application/x-www-form-urlencoded", "User-Agent": "me"}
    call(site, method="PUT", text="a=ü", headers=headers)
    [seen] = site.seen
    assert seen.body == "a=ü".encode()
    assert {name.lower(): value for name, value in headers.items()}.items() <= seen.headers.items()


def test_what_has_no_effect_needs_no_key(site: Site) -> None:
    call(site)
    call(site, method="HEAD")
    assert [("idempotency-key" in seen.headers, seen.body) for seen in site.seen] == [(False, b"")] * 2


@pytest.mark.parametrize("name", ["Host", "content-length", "Transfer-Encoding", "Connection"])
def test_headers_that_are_not_the_workflows(site: Site, name: str) -> None:
    assert fails(site, headers={name: "1"}).code == "bad_request"
    assert not site.seen


@pytest.mark.parametrize("value", ["a\r\nX-Injected: 1", "a\nb", "a\0b", "ü\u2603"])
def test_headers_that_are_none(site: Site, value: str) -> None:
    told = fails(site, headers={"X-A": value})
    assert (told.code, told.permanent) == ("bad_request", True)
    assert value not in str(told)
    assert not site.seen


def test_proxies_of_the_environment_are_not_used(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert call(site).output["status"] == 200


# --- what is given --------------------------------------------------------------------------------------------------


def test_json_is_read(site: Site) -> None:
    body = b'{"a": [1, "\xc3\xbc"]}'
    answering(site, body=body, headers={"Content-Type": "application/problem+json; charset=utf-8", "X-A": "b"})
    result = call(site, "/p?token=private")
    assert result.output["body"] == {"a": [1, "ü"]}
    assert (result.output["status"], result.output["bytes"]) == (200, len(body))
    assert result.output["headers"]["x-a"] == "b"
    assert result.output["url"] == f"{site.url}/p?token=private"
    assert result.summary == f"GET {site.url}/p: 200, 16 bytes"


@pytest.mark.parametrize(
    ("kind", "body", "read"),
    [
        ("text/plain; charset=latin-1", b"\xfc", "ü"),
        ("text/html", "ü".encode(), "ü"),
        ("application/json", b"{not json", "{not json"),
        ("application/json", b"\xef\xbb\xbf[1]", [1]),
        ("application/json", b'"\\ud800"', '"\\ud800"'),
        ("application/json", b"NaN", "NaN"),
        ("", b"", ""),
    ],
)
def test_text_is_given_as_text(site: Site, kind: str, body: bytes, read: Any) -> None:
    answering(site, body=body, headers={"Content-Type": kind})
    assert call(site).output["body"] == read


@pytest.mark.parametrize(
    ("kind", "body"),
    [("image/png", b"\x89PNG\0"), ("text/plain", b"\xff\xfe"), ("text/plain; charset=nonsense", b"a"),
     ("text/plain; charset=punycode", b"a"), ("text/plain; charset=zip", b"a"), ("text/plain", b"a\0b")],
)  # fmt: skip
def test_what_is_no_text_is_given_in_base64(site: Site, kind: str, body: bytes) -> None:
    answering(site, body=body, headers={"Content-Type": kind})
    output = call(site).output
    assert output["body"] is None
    assert base64.b64decode(output["body_base64"]) == body


@pytest.mark.parametrize("coding", ["gzip", "deflate", "x-gzip"])
def test_packed_answers_are_unpacked(site: Site, coding: str) -> None:
    body = b"much ado " * 10_000
    packed = zlib.compress(body) if coding == "deflate" else gzip.compress(body[:50_000]) + gzip.compress(body[50_000:])
    answering(site, body=packed, headers={"Content-Encoding": coding})
    assert call(site).output["body"] == body.decode()


@given(st.binary(max_size=2000), st.integers(1, 400), st.integers(1, 300))
def test_unpacking_gives_what_was_packed_however_it_is_cut(seed: bytes, times: int, step: int) -> None:
    body = seed * times
    packed = gzip.compress(body)
    pieces = [packed[start : start + step] for start in range(0, len(packed), step)]
    unpacked = list(http._inflated(iter(pieces)))
    assert b"".join(unpacked) == body
    assert max(map(len, unpacked)) <= 64 * 1024 + 300
    with pytest.raises(zlib.error):
        list(http._inflated(iter([packed[:-1]])))


def test_a_bomb_is_not_unpacked(site: Site) -> None:
    answering(site, body=gzip.compress(bytes(50_000_000)), headers={"Content-Encoding": "gzip"})
    told = fails(site)
    assert (told.code, told.permanent, told.details) == ("response_too_large", True, {"max_bytes": 1024 * 1024})


@pytest.mark.parametrize(("coding", "body"), [("gzip", b"not packed"), ("gzip, gzip", b""), ("br", b"x")])
def test_packings_that_are_none_of_ours(site: Site, coding: str, body: bytes) -> None:
    answering(site, body=body, headers={"Content-Encoding": coding})
    assert fails(site).code == "bad_response"


def test_too_large_is_left_unread(site: Site) -> None:
    answering(site, body=b"x" * 1001)
    assert fails(site, max_bytes=1000).code == "response_too_large"
    assert call(site, max_bytes=1001).output["bytes"] == 1001


# --- statuses -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "permanent"),
    [(400, True), (404, True), (408, False), (425, False), (429, False), (500, False), (503, False)],
)
def test_what_another_attempt_may_change(site: Site, status: int, permanent: bool) -> None:
    answering(site, body=b"because\0 " * 1000, status=status)
    told = fails(site, "/p?token=private")
    assert (told.code, told.permanent, told.details["status"]) == ("http_status", permanent, status)
    assert told.details["body"].startswith("because\ufffd because")
    assert len(told.details["body"]) == 1000
    assert "private" not in str(told)


def test_the_status_counts_though_its_text_cannot_be_read(site: Site) -> None:
    answering(site, body=b"x", status=502, headers={"Content-Encoding": "br"})
    told = fails(site)
    assert (told.code, told.permanent, told.details) == ("http_status", False, {"status": 502, "body": ""})


def test_expected_statuses_are_no_failures(site: Site) -> None:
    answering(site, status=404)
    assert call(site, expect=[200, 404]).output["status"] == 404
    answering(site, status=200)
    assert fails(site, expect=[201]).permanent
    redirecting(site, "/elsewhere")
    site.seen.clear()
    assert call(site, expect=[302]).output["headers"]["location"] == "/elsewhere"


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("7", 7), ("Sat, 03 Jan 2026 00:01:00 GMT", 60), ("Fri, 02 Jan 2026 00:00:00 GMT", 0), ("soon", None),
     ("-1", None), ("1e9", None), ("9" * 400, None), ("", None)],
)  # fmt: skip
def test_how_long_to_leave_it_alone(site: Site, header: str, seconds: float | None) -> None:
    with time_machine.travel(datetime(2026, 1, 3, tzinfo=UTC), tick=False):
        assert outbound.retry_after(header) == seconds
    if seconds == 7:
        answering(site, status=503, headers={"Retry-After": header})
        assert fails(site).retry_after == 7


# --- redirects ------------------------------------------------------------------------------------------------------


def test_a_redirect_is_followed(site: Site) -> None:
    redirecting(site, "/there")
    output = call(site, method="POST", text="x").output
    assert (output["body"], output["url"]) == ("there", f"{site.url}/there")
    assert [(seen.method, seen.path, seen.body) for seen in site.seen] == [("POST", "/", b"x"), ("GET", "/there", b"")]


def test_some_redirects_keep_method_and_body(site: Site) -> None:
    redirecting(site, "/there", status=307)
    call(site, method="POST", text="x")
    assert [(seen.method, seen.body) for seen in site.seen] == [("POST", b"x")] * 2


def test_not_for_ever(site: Site) -> None:
    answering(site, status=302, headers={"Location": "/"})
    assert fails(site).code == "too_many_redirects"
    assert len(site.seen) == 6


@pytest.mark.parametrize(
    "target",
    ["http://169.254.169.254/latest/meta-data/", "http://[::1]/", "http://[::ffff:169.254.169.254]/", "http://2130706433/",
     "//169.254.169.254/", "http://10.0.0.1:8080/"],
)  # fmt: skip
def test_a_redirect_into_the_house_is_refused(site: Site, settings: Any, target: str) -> None:
    settings.HTTP_NODE_ALLOW = ["*:*"]
    redirecting(site, target)
    told = fails(site)
    # 2130706433 is 127.0.0.1, which this test allows, and nobody listens at its port 80.
    assert told.code == ("unreachable" if "2130706433" in target else "not_allowed")
    assert len(site.seen) == 1


def test_a_redirect_to_a_name_that_leads_into_the_house_is_refused(site: Site, names: Names) -> None:
    names.answers = {"inside.test": [["10.0.0.1"]]}
    redirecting(site, f"http://inside.test:{site.port}/")
    assert fails(site).code == "not_allowed"


@pytest.mark.parametrize(
    ("target", "code"),
    [("file:///etc/passwd", "bad_url"), ("gopher://a/", "bad_url"), ("http://user:word@127.0.0.1/", "bad_url"),
     ("http://a:x/", "http_status"), ("https://unlisted.example/", "not_allowed")],
)  # fmt: skip
def test_redirects_that_lead_nowhere(site: Site, target: str, code: str) -> None:
    redirecting(site, target)
    assert fails(site).code == code


def test_credentials_stay_with_the_host_that_they_were_given_to(site: Site, names: Names) -> None:
    names.answers = {"other.test": [["127.0.0.1"]]}
    secret = {"env": "NODE_SECRET_A"}
    headers = {"Authorization": "Bearer x", "Cookie": "a=b", "X-Api-Key": secret, "X-Plain": "stays"}
    redirecting(site, f"http://other.test:{site.port}/")
    call(site, headers=headers)
    assert site.seen[0].headers["x-api-key"] == TOKEN
    assert not {"authorization", "cookie", "x-api-key"} & set(site.seen[1].headers)
    assert site.seen[1].headers["x-plain"] == "stays"
    assert site.seen[1].headers["host"] == f"other.test:{site.port}"


# --- addresses ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    ["", "example.org", "ftp://a.org/", "file:///etc/passwd", "http://", "http:///x", "http://u:p@a.org/", "http://u@a.org",
     "http://a.org:0/", "http://a.org:99999/", "http://a.org:x/", "http://[::1", "http://a\nb/", "javascript:alert(1)",
     "http://127.0.0.1\\@example.org/"],
)  # fmt: skip
def test_what_is_no_address_of_the_web(settings: Any, url: str) -> None:
    settings.HTTP_NODE_ALLOW = ["*:*"]
    told = failure("http", {"url": url})
    assert (told.code, told.permanent) == ("bad_url", True)


@pytest.mark.parametrize(
    "url",
    ["http://169.254.169.254/latest/meta-data/", "http://[::1]/", "http://[::ffff:169.254.169.254]/", "http://0x7f.1/",
     "http://127。0。0。1/", "https://[fe80::1]/", "http://0/"],
)  # fmt: skip
def test_the_inside_of_the_house_is_refused(settings: Any, url: str) -> None:
    settings.HTTP_NODE_ALLOW = ["*"]
    assert failure("http", {"url": url}).code == "not_allowed"


def test_a_name_is_looked_up_once_and_called_where_it_led_then(site: Site, names: Names) -> None:
    names.answers = {"rebound.test": [["127.0.0.1"], ["10.0.0.1"]]}
    assert execute("http", {"url": f"http://rebound.test:{site.port}/"}).output["status"] == 200
    assert names.asked == ["rebound.test"]
    assert site.seen[0].headers["host"] == f"rebound.test:{site.port}"


def test_the_next_address_is_tried_when_nobody_answers_at_the_first(site: Site, names: Names, settings: Any) -> None:
    settings.HTTP_NODE_ALLOW_PRIVATE = [ipaddress.ip_network("127.0.0.0/8")]
    names.answers = {"two.test": [["127.0.0.2", "127.0.0.1"]]}
    assert execute("http", {"url": f"http://two.test:{site.port}/"}).output["status"] == 200
    names.answers = {"two.test": [["127.0.0.2", "127.0.0.3"]]}
    assert failure("http", {"url": f"http://two.test:{site.port}/"}).code == "unreachable"


def test_certificates_are_those_of_the_name(
    settings: Any, names: Names, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.HTTP_NODE_ALLOW = ["*.test:*"]
    settings.HTTP_NODE_ALLOW_PRIVATE = [ipaddress.ip_network("127.0.0.1/32")]
    names.answers = {"good.test": [["127.0.0.1"]], "other.test": [["127.0.0.1"]]}
    asked: list[str] = []
    context = authority.context("good.test")
    context.sni_callback = lambda sock, name, _: asked.append(name)
    monkeypatch.setattr(outbound, "certificates", lambda: ssl.create_default_context(cadata=authority.pem))
    with serving(wrap=lambda sock: context.wrap_socket(sock, server_side=True)) as site:
        answering(site, body=b"x" * 300_000)
        assert execute("http", {"url": f"https://good.test:{site.port}/"}).output["bytes"] == 300_000
        told = failure("http", {"url": f"https://other.test:{site.port}/"})
    assert asked == ["good.test", "other.test"]
    assert (told.code, told.permanent) == ("bad_certificate", True)


# --- time -----------------------------------------------------------------------------------------------------------


def test_an_answer_that_drips_ends_with_the_time(site: Site) -> None:
    def drip(request: Request) -> None:
        reply(request, headers={"Content-Length": "1000000"})
        while not site.leaving.wait(0.02):
            request.wfile.write(b"x")

    site.answer = drip
    begun = time.monotonic()
    told = fails(site, timeout_seconds=0.3)
    assert (told.code, told.permanent) == ("timeout", False)
    assert time.monotonic() - begun < 5


def test_headers_that_drip_end_with_the_time_of_the_attempt(site: Site) -> None:
    def drip(request: Request) -> None:
        request.wfile.write(b"HTTP/1.1 200 OK\r\nX-A: ")
        while not site.leaving.wait(0.02):
            request.wfile.write(b"x")

    site.answer = drip
    told = failure("http", {"url": site.url}, seconds=0.3)
    assert (told.code, str(told)) == ("timeout", "It took longer than 0.3 seconds.")


def test_a_stopped_attempt_ends_at_once(site: Site) -> None:
    stop = threading.Event()

    def answer(request: Request) -> None:
        stop.set()
        site.leaving.wait(20)

    site.answer = answer
    assert failure("http", {"url": site.url}, stop=stop).code == "stopped"


def test_a_handshake_that_hangs_ends_with_the_time(site: Site) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"https://127.0.0.1:{silent.getsockname()[1]}/"
        assert failure("http", {"url": url, "timeout_seconds": 0.3}).code == "timeout"


def test_tls_with_who_does_not_speak_it(site: Site) -> None:
    told = failure("http", {"url": site.url.replace("http:", "https:"), "timeout_seconds": 5})
    assert (told.code, told.permanent) == ("unreachable", False)


@pytest.mark.parametrize("depth", [100_000, 500])
def test_json_too_deep_to_be_kept_is_no_danger(site: Site, depth: int) -> None:
    answering(site, body=b"[" * depth + b"]" * depth, headers={"Content-Type": "application/json"})
    body = call(site).output["body"]
    assert isinstance(body, str if depth > 1024 else list)


@pytest.mark.parametrize("raw", [b"", b"nonsense\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort"])
def test_what_is_no_answer(site: Site, raw: bytes) -> None:
    def answer(request: Request) -> None:
        request.wfile.write(raw)
        request.close_connection = True

    site.answer = answer
    told = fails(site)
    assert (told.code, told.permanent) == ("bad_response", False)


def test_a_large_body_is_sent_whole(site: Site) -> None:
    text = random.Random(1).randbytes(1_000_000).hex()
    call(site, method="POST", text=text)
    assert site.seen[0].body == text.encode()


# --- secrets --------------------------------------------------------------------------------------------------------


def test_a_secret_is_sent_and_never_seen_again(site: Site) -> None:
    def echo(request: Request) -> None:
        header = request.headers["Authorization"]
        reply(
            request, json.dumps({"you": header}).encode(), headers={"Content-Type": "application/json", "X-You": header}
        )

    site.answer = echo
    headers = {"Authorization": {"env": "NODE_SECRET_A", "prefix": "Bearer "}}
    result = call(site, headers=headers)
    assert site.seen[0].headers["authorization"] == f"Bearer {TOKEN}"
    assert result.output["body"] == {"you": "Bearer [secret]"}
    assert result.output["headers"]["x-you"] == "Bearer [secret]"
    assert "a-secret" not in repr(result)
    told = fails(site, headers=headers, expect=[201])
    assert "a-secret" not in repr(told.details)


def test_a_secret_at_the_edge_of_an_excerpt_is_hidden_too(site: Site) -> None:
    answering(site, status=400, body=b"x" * 990 + TOKEN.encode() + b"y")
    told = fails(site, headers={"X-A": {"env": "NODE_SECRET_A"}})
    assert told.details["body"] == "x" * 990 + "[secret]y"


def test_a_list_that_lets_everybody_in_gives_no_secrets_away(site: Site, settings: Any) -> None:
    settings.HTTP_NODE_ALLOW = ["*:*"]
    told = fails(site, headers={"X-A": {"env": "NODE_SECRET_A"}})
    assert (told.code, told.permanent) == ("not_allowed", True)
    assert not site.seen
    settings.HTTP_NODE_ALLOW = ["*:*", f"127.0.0.1:{site.port}"]
    assert call(site, headers={"X-A": {"env": "NODE_SECRET_A"}}).output["status"] == 200


def test_the_libraries_do_not_log_what_they_send() -> None:
    loggers = logging_config("DEBUG", human=False)["loggers"]
    assert {loggers[name]["level"] for name in ("httpx2", "httpcore2", "openai")} == {"WARNING"}


@pytest.mark.parametrize("name", ["NODE_SECRET_NONE", "SECRET_KEY", "PATH"])
def test_other_variables_are_out_of_reach(site: Site, name: str) -> None:
    told = fails(site, headers={"X-A": {"env": name}})
    assert (told.code, told.permanent, told.details) == ("secret_missing", True, {"env": name})
    assert not site.seen
