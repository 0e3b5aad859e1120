"""The llm node against an endpoint that speaks as OpenAI's does, in this process."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest

from runs.nodes.base import NodeFailure, NodeResult
from runs.tests.nodes.outside import Site, execute, failure, reply, serving

Request = BaseHTTPRequestHandler
KEY = "sk-a-key-of-the-operator"
USAGE = {"prompt_tokens": 1000, "completion_tokens": 20, "total_tokens": 1020}


@pytest.fixture
def site(settings: Any) -> Iterator[Site]:
    with serving() as site:
        settings.LLM_BASE_URL, settings.LLM_API_KEY, settings.LLM_MODEL = f"{site.url}/v1", KEY, "small"
        settings.NODE_SECRETS = {"NODE_SECRET_A": "sk-another-key"}
        site.answer = streaming("Hel", "lo")
        yield site


def ask(**config: Any) -> NodeResult:
    return execute("llm", {"prompt": "Say hello", **config})


def fails(**config: Any) -> NodeFailure:
    return failure("llm", {"prompt": "Say hello", **config})


def streaming(*pieces: str, usage: dict[str, int] | None = USAGE, finish: str = "stop", **delta: Any) -> Any:
    def answer(request: Request) -> None:
        request.send_response(200)
        request.send_header("Content-Type", "text/event-stream")
        request.end_headers()
        for piece in pieces:
            send(request, choices=[{"index": 0, "delta": {"content": piece} | delta, "finish_reason": None}])
        send(request, choices=[{"index": 0, "delta": delta, "finish_reason": finish}])
        if usage:
            send(request, choices=[], usage=usage)
        request.wfile.write(b"data: [DONE]\n\n")

    return answer


def send(request: Request, **members: Any) -> None:
    chunk = {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "small-2026"} | members
    request.wfile.write(b"data: " + json.dumps(chunk).encode() + b"\n\n")


def whole(text: str | None, finish: str = "stop", **message: Any) -> Any:
    answer = {
        "id": "1", "object": "chat.completion", "created": 1, "model": "small-2026", "usage": USAGE,
        "choices": [{"index": 0, "finish_reason": finish, "message": {"role": "assistant", "content": text} | message}],
    }  # fmt: skip
    return lambda request: reply(request, json.dumps(answer).encode(), headers={"Content-Type": "application/json"})


def refusing(status: int, error: Any, **headers: str) -> Any:
    return lambda request: reply(
        request, json.dumps({"error": error}).encode(), status, {"Content-Type": "application/json"} | headers
    )


def sent(site: Site) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(site.seen[-1].body)
    return body


# --- answers --------------------------------------------------------------------------------------------------------


def test_the_text_is_shown_while_it_comes_and_kept_once(site: Site) -> None:
    shown: list[str] = []
    result = execute("llm", {"prompt": "Say hello", "system": "Be brief"}, emit=shown.append)
    assert shown == ["Hel", "lo"]
    assert result.output == {
        "text": "Hello",
        "model": "small-2026",
        "finish_reason": "stop",
        "usage": {"input_tokens": 1000, "output_tokens": 20},
    }
    assert result.summary == "small-2026 wrote 5 characters (1,000 tokens in, 20 out)"


def test_what_is_asked(site: Site) -> None:
    ask(system="Be brief", temperature=0, max_tokens=9, extra={"top_p": 0.5})
    assert sent(site) == {
        "model": "small",
        "messages": [{"role": "system", "content": "Be brief"}, {"role": "user", "content": "Say hello"}],
        "temperature": 0,
        "max_tokens": 9,
        "top_p": 0.5,
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    [seen] = site.seen
    assert (seen.method, seen.path) == ("POST", "/v1/chat/completions")
    assert seen.headers["authorization"] == f"Bearer {KEY}"
    assert seen.headers["idempotency-key"] == "run:node:0"


def test_a_conversation_with_another_model_and_key(site: Site) -> None:
    messages = [
        {"role": "user", "content": "A"},
        {"role": "assistant", "content": "B"},
        {"role": "user", "content": "C"},
    ]
    execute("llm", {"messages": messages, "model": "large", "api_key": {"env": "NODE_SECRET_A"}})
    assert (sent(site)["model"], sent(site)["messages"]) == ("large", messages)
    assert site.seen[0].headers["authorization"] == "Bearer sk-another-key"


def test_an_answer_in_one_piece(site: Site) -> None:
    site.answer = whole("Hello")
    result = ask(stream=False)
    assert (result.output["text"], result.output["usage"]["input_tokens"]) == ("Hello", 1000)
    assert "stream_options" not in sent(site)


def test_what_it_costs(site: Site) -> None:
    result = ask(price={"input_usd_per_million": 0.25, "output_usd_per_million": 10})
    assert result.output["cost_usd"] == 0.00045
    assert result.summary.endswith("for $0.00045")


def test_tokens_that_nobody_told_are_not_made_up(site: Site) -> None:
    site.answer = streaming("Hello", usage=None)
    output = ask(price={"input_usd_per_million": 1, "output_usd_per_million": 1}).output
    assert output["usage"] == {"input_tokens": None, "output_tokens": None}
    assert "cost_usd" not in output


def test_json(site: Site) -> None:
    site.answer = streaming('{"a"', ": [1]}")
    assert ask(response_format="json").output["json"] == {"a": [1]}
    assert sent(site)["response_format"] == {"type": "json_object"}
    schema = {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "object"}}}
    assert ask(response_format=schema).output["json"] == {"a": [1]}
    assert sent(site)["response_format"] == schema


@pytest.mark.parametrize(("finish", "why"), [("length", "cut off at max_tokens"), ("stop", "something else")])
def test_json_that_is_none(site: Site, finish: str, why: str) -> None:
    site.answer = streaming('{"a": [1', finish=finish)
    told = fails(response_format="json")
    assert (told.code, told.permanent) == ("bad_json", False)
    assert why in str(told)


@pytest.mark.parametrize("stream", [True, False])
def test_a_refusal_is_no_answer(site: Site, stream: bool) -> None:
    site.answer = streaming(refusal="I will not.") if stream else whole(None, refusal="I will not.")
    told = fails(stream=stream)
    assert (told.code, told.permanent, str(told)) == ("refused", True, "The model refused: I will not.")


def test_nothing_is_no_answer(site: Site) -> None:
    site.answer = streaming(finish="content_filter")
    assert (fails().code, fails().details) == ("empty_answer", {"finish_reason": "content_filter"})


# --- failures -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("variable", ["LLM_BASE_URL", "LLM_MODEL"])
def test_without_an_endpoint_it_fails_and_says_so(site: Site, settings: Any, variable: str) -> None:
    setattr(settings, variable, "")
    told = fails()
    assert (told.code, told.permanent) == ("llm_not_configured", True)
    assert variable in str(told)
    assert not site.seen


@pytest.mark.parametrize(
    ("status", "error", "code", "permanent"),
    [
        (400, {"message": "too long"}, "bad_request", True),
        (401, {"message": f"Incorrect API key provided: {KEY}"}, "llm_denied", True),
        (403, {"message": "no"}, "llm_denied", True),
        (404, {"message": f"no such model for {KEY}"}, "bad_request", True),
        (408, {"message": "slow"}, "llm_error", False),
        (429, {"message": "slowly", "code": "rate_limit_exceeded"}, "rate_limited", False),
        (429, {"message": "pay", "code": "insufficient_quota"}, "quota_exceeded", True),
        (500, "nothing to see", "llm_error", False),
        (503, {"message": None}, "llm_error", False),
    ],
)
def test_every_refusal_has_a_code_and_is_not_repeated_here(
    site: Site, status: int, error: Any, code: str, permanent: bool
) -> None:
    site.answer = refusing(status, error, **{"Retry-After": "7"})
    told = fails()
    assert (told.code, told.permanent, told.details) == (code, permanent, {"status": status})
    assert told.retry_after == (None if permanent else 7)
    assert KEY not in str(told)
    assert len(site.seen) == 1, "the engine tries again, not the client"


def test_an_error_in_the_middle_of_the_answer(site: Site) -> None:
    def answer(request: Request) -> None:
        request.send_response(200)
        request.send_header("Content-Type", "text/event-stream")
        request.end_headers()
        send(request, choices=[{"index": 0, "delta": {"content": "Hel"}, "finish_reason": None}])
        request.wfile.write(b'data: {"error": {"message": "overloaded"}}\n\n')

    site.answer = answer
    told = fails()
    assert (told.code, told.permanent) == ("llm_error", False)
    assert "overloaded" in str(told)


@pytest.mark.parametrize(
    ("body", "stream"), [(b"<html>", False), (b"[]", False), (b'"x"', False), (b"data: {nonsense\n\n", True)]
)
def test_what_is_no_such_endpoint(site: Site, body: bytes, stream: bool) -> None:
    kind = "text/event-stream" if stream else "application/json" if body != b"<html>" else "text/html"
    site.answer = lambda request: reply(request, body, headers={"Content-Type": kind})
    assert fails(stream=stream).code == "bad_response"


def test_nobody_there(site: Site, settings: Any) -> None:
    settings.LLM_BASE_URL = "http://127.0.0.1:9/v1"
    assert (fails().code, fails().permanent) == ("unreachable", False)


def test_a_connection_that_breaks(site: Site) -> None:
    site.answer = lambda request: setattr(request, "close_connection", True)
    assert fails().code == "bad_response"

    def half(request: Request) -> None:
        request.send_response(200)
        request.send_header("Content-Type", "text/event-stream")
        request.send_header("Content-Length", "100000")
        request.end_headers()
        send(request, choices=[{"index": 0, "delta": {"content": "Hel"}, "finish_reason": None}])
        request.close_connection = True

    site.answer = half
    assert fails().code == "bad_response"


@pytest.mark.parametrize("begun", [True, False])
def test_silence_ends_with_the_time(site: Site, begun: bool) -> None:
    def answer(request: Request) -> None:
        if begun:
            request.send_response(200)
            request.send_header("Content-Type", "text/event-stream")
            request.end_headers()
            send(request, choices=[{"index": 0, "delta": {"content": "Hel"}, "finish_reason": None}])
        site.leaving.wait(20)

    site.answer = answer
    told = failure("llm", {"prompt": "x", "timeout_seconds": 600}, seconds=0.3)
    assert (told.code, told.permanent) == ("timeout", False)


def test_a_stopped_attempt_ends_at_once(site: Site) -> None:
    stop = threading.Event()

    def answer(request: Request) -> None:
        request.send_response(200)
        request.send_header("Content-Type", "text/event-stream")
        request.end_headers()
        while not site.leaving.wait(0.02):
            send(request, choices=[{"index": 0, "delta": {"content": "la "}, "finish_reason": None}])

    site.answer = answer
    assert failure("llm", {"prompt": "x"}, stop=stop, emit=lambda piece: stop.set()).code == "stopped"


def test_an_answer_without_end_is_cut(site: Site) -> None:
    site.answer = streaming(*["x" * 100_000] * 11)
    assert fails().code == "response_too_large"
