"""``llm``: asks the model at LLM_BASE_URL, an OpenAI-compatible API, and shows its answer while it is written.

The address is the operator's, so that the rules of ``http`` for addresses do not apply to it.
"""

import importlib
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import orjson
from django.conf import settings

from runs.nodes import addresses, outbound
from runs.nodes.base import NodeContext, NodeFailure, NodeResult, NodeType
from runs.nodes.limits import Limit
from runs.nodes.secrets import SECRET_SCHEMA, Secrets

_SECONDS: Final = 300
_LONGEST_ANSWER: Final = 1_000_000  # characters
_EXCERPT: Final = 300
_PRICE: Final = {"type": "number", "minimum": 0}

SCHEMA: Final[Mapping[str, Any]] = {
    "type": "object",
    "properties": {
        "model": {
            "description": "Which model; LLM_MODEL when left out.",
            "type": "string",
            "minLength": 1,
            "maxLength": 200,
        },
        "messages": {
            "description": "The conversation so far. Write this or `prompt`.",
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "role": {"enum": ["system", "developer", "user", "assistant"]},
                    "content": {"type": "string"},
                },
                "required": ["role", "content"],
                "additionalProperties": False,
            },
            "minItems": 1,
            "maxItems": 1000,
        },
        "prompt": {"description": "What is asked. Write this or `messages`.", "type": "string", "minLength": 1},
        "system": {"description": "What the model is told beside `prompt`.", "type": "string"},
        "temperature": {"description": "How much is left to chance.", "type": "number", "minimum": 0, "maximum": 2},
        "max_tokens": {"description": "The most that the answer may have.", "type": "integer", "minimum": 1},
        "response_format": {
            "description": "`json` for an answer that is parsed, or what the endpoint takes.",
            "anyOf": [{"enum": ["text", "json"]}, {"type": "object", "required": ["type"]}],
        },
        "extra": {
            "description": "Further members of the request, as the endpoint takes them.",
            "type": "object",
            "propertyNames": {"not": {"enum": ["model", "messages", "stream", "stream_options"]}},
        },
        "stream": {
            "description": "Whether those who watch see the text while it is written.",
            "type": "boolean",
            "default": True,
        },
        "timeout_seconds": {
            "description": "How long the answer may take.",
            "type": "number",
            "exclusiveMinimum": 0,
            "maximum": 3600,
            "default": _SECONDS,
        },
        "price": {
            "description": "What a million tokens cost, for `cost_usd`.",
            "type": "object",
            "properties": {"input_usd_per_million": _PRICE, "output_usd_per_million": _PRICE},
            "required": ["input_usd_per_million", "output_usd_per_million"],
            "additionalProperties": False,
        },
        "api_key": {"description": "A reference to a secret, instead of LLM_API_KEY.", **SECRET_SCHEMA},
    },
    "oneOf": [{"required": ["prompt"]}, {"required": ["messages"], "not": {"required": ["system"]}}],
    "additionalProperties": False,
}


@dataclass(slots=True)
class _Answer:
    """What has come so far. Tokens stay None when the endpoint does not tell them: they are not guessed."""

    text: list[str] = field(default_factory=list)
    length: int = 0
    refusal: str = ""
    model: str = ""
    finish_reason: str | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None

    def add(self, piece: str) -> None:
        self.text.append(piece)
        self.length += len(piece)
        if self.length > _LONGEST_ANSWER:
            message = f"The answer has more than {_LONGEST_ANSWER:,} characters."
            raise NodeFailure("response_too_large", message, permanent=True)

    def tell(self, chunk: Any) -> None:
        """What a whole answer and each piece of a streamed one have in common."""
        self.model = chunk.model or self.model
        if chunk.usage:
            self.input_tokens, self.output_tokens = chunk.usage.prompt_tokens, chunk.usage.completion_tokens
        for choice in chunk.choices or ():
            self.finish_reason = choice.finish_reason or self.finish_reason


def ask(ctx: NodeContext) -> NodeResult:
    """One question, one answer; the client's own retries are off, for the engine has them.

    Raises ``llm_not_configured``, ``secret_missing``, ``rate_limited``, ``quota_exceeded``, ``llm_denied``,
    ``bad_request``, ``llm_error``, ``bad_response``, ``unreachable``, ``timeout``, ``stopped``, ``refused``,
    ``empty_answer``, ``bad_json``, ``response_too_large``.
    """
    config = ctx.config
    model = config.get("model") or settings.LLM_MODEL
    _check_configured(model)
    secrets = Secrets(settings.LLM_API_KEY)
    key = secrets.value(config["api_key"]) if "api_key" in config else settings.LLM_API_KEY
    # Importing it takes most of a second, which processes that ask no model do not pay.
    openai = importlib.import_module("openai")
    limit = Limit(ctx, config.get("timeout_seconds", _SECONDS))
    with (
        _told(openai, limit, secrets),
        outbound.client(limit, addresses.lookup) as http,
        openai.OpenAI(
            base_url=settings.LLM_BASE_URL, api_key=key or "none", http_client=http, max_retries=0
        ) as client,
    ):  # fmt: skip
        answer = _answered(client, _question(ctx, model), ctx)
    return _result(answer, config)


def _check_configured(model: str) -> None:
    missing = "LLM_BASE_URL" if not settings.LLM_BASE_URL else "LLM_MODEL" if not model else ""
    if missing:
        message = f"No language model is set up on this server: {missing} is empty."
        raise NodeFailure("llm_not_configured", message, {"variable": missing}, permanent=True)


def _question(ctx: NodeContext, model: str) -> dict[str, Any]:
    config = ctx.config
    messages = config.get("messages") or [
        *([{"role": "system", "content": config["system"]}] if config.get("system") else []),
        {"role": "user", "content": config["prompt"]},
    ]
    question: dict[str, Any] = {"model": model, "messages": messages, "extra_body": config.get("extra", {})}
    question |= {name: config[name] for name in ("temperature", "max_tokens") if name in config}
    wanted = config.get("response_format", "text")
    if wanted != "text":
        question["response_format"] = {"type": "json_object"} if wanted == "json" else wanted
    if ctx.idempotency_key:
        question["extra_headers"] = {"Idempotency-Key": ctx.idempotency_key}
    return question


def _answered(client: Any, question: dict[str, Any], ctx: NodeContext) -> _Answer:
    answer = _Answer()
    if not ctx.config.get("stream", True):
        whole = client.chat.completions.create(**question, stream=False)
        answer.tell(whole)
        for choice in (whole.choices or ())[:1]:
            answer.refusal = choice.message.refusal or ""
            answer.add(choice.message.content or "")
        return answer
    stream = client.chat.completions.create(**question, stream=True, stream_options={"include_usage": True})
    with closing(stream):
        for chunk in stream:
            answer.tell(chunk)
            for choice in (chunk.choices or ())[:1]:
                answer.refusal += getattr(choice.delta, "refusal", None) or ""
                if piece := choice.delta.content:
                    answer.add(piece)
                    ctx.emit(piece)
    return answer


def _result(answer: _Answer, config: Mapping[str, Any]) -> NodeResult:
    text = "".join(answer.text)
    if answer.refusal:
        raise NodeFailure("refused", f"The model refused: {answer.refusal[:_EXCERPT]}", permanent=True)
    if not text:
        raise NodeFailure("empty_answer", "The model answered nothing.", {"finish_reason": answer.finish_reason})
    output: dict[str, Any] = {"text": text}
    if config.get("response_format", "text") != "text":
        output["json"] = _json(text, answer.finish_reason)
    usage = {"input_tokens": answer.input_tokens, "output_tokens": answer.output_tokens}
    output |= {"model": answer.model, "finish_reason": answer.finish_reason, "usage": usage}
    counted = answer.input_tokens is not None and answer.output_tokens is not None
    summary = f"{answer.model} wrote {len(text):,} characters"
    if counted:
        summary += f" ({answer.input_tokens:,} tokens in, {answer.output_tokens:,} out)"
    if counted and "price" in config:
        output["cost_usd"] = cost = _cost(usage, config["price"])
        summary += f" for ${cost:g}"
    return NodeResult(output, summary)


def _cost(usage: Mapping[str, Any], price: Mapping[str, float]) -> float:
    total = (
        usage["input_tokens"] * price["input_usd_per_million"]
        + usage["output_tokens"] * price["output_usd_per_million"]
    )
    return round(total / 1_000_000, 9)


def _json(text: str, finish_reason: str | None) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        why = "it was cut off at max_tokens" if finish_reason == "length" else "it is something else"
        details = {"finish_reason": finish_reason, "text": text[:_EXCERPT]}
        raise NodeFailure("bad_json", f"The answer should be JSON; {why}.", details) from None


@contextmanager
def _told(openai: Any, limit: Limit, secrets: Secrets) -> Iterator[None]:
    """What the client raises, as what a node fails with."""
    try:
        yield
    except openai.APIStatusError as error:
        raise _refusal(error, secrets) from None
    except openai.APIConnectionError as error:
        # Failures of the connection come wrapped.
        if isinstance(error.__cause__, NodeFailure):
            raise error.__cause__ from None
        raise NodeFailure("unreachable", "The connection to the model broke.") from None
    except openai.APIError as error:
        message = f"The model stopped with an error: {_excerpt(error, secrets)}"
        raise NodeFailure("llm_error", message) from None
    except (openai.OpenAIError, ValueError, AttributeError, TypeError) as error:
        limit.pause()
        raise NodeFailure("bad_response", "The model's endpoint does not speak as OpenAI's does.") from error


def _refusal(error: Any, secrets: Secrets) -> NodeFailure:
    status, details = error.status_code, {"status": error.status_code}
    if status == 429:
        if error.code == "insufficient_quota":
            return NodeFailure(
                "quota_exceeded", "The account at the model's endpoint is used up.", details, permanent=True
            )
        after = outbound.retry_after(error.response.headers.get("retry-after", ""))
        return NodeFailure("rate_limited", "The model's endpoint asks to be left alone.", details, retry_after=after)
    if status in (401, 403):
        # Its text may quote the key.
        message = "The model's endpoint does not accept the key (LLM_API_KEY)."
        return NodeFailure("llm_denied", message, details, permanent=True)
    told = f"The model's endpoint answered with status {status}: {_excerpt(error, secrets)}"
    if status < 500 and status not in (408, 409, 425):
        return NodeFailure("bad_request", told, details, permanent=True)
    after = outbound.retry_after(error.response.headers.get("retry-after", ""))
    return NodeFailure("llm_error", told, details, retry_after=after)


def _excerpt(error: Any, secrets: Secrets) -> str:
    said = error.body.get("message") if isinstance(error.body, dict) else None
    return secrets.hide(str(said or "no reason given").replace("\0", "\ufffd"))[:_EXCERPT]


NODE = NodeType(
    "llm",
    "Asking the model",
    ask,
    SCHEMA,
    "Asks the language model at LLM_BASE_URL, an OpenAI-compatible API, and gives its text, tokens and cost.",
)
