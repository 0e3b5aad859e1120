"""What the world outside answers in the demonstration: no node of it reaches one."""

from collections.abc import Callable
from typing import Final

from orchestrator.identity.seeds import Stage
from runs.services.items import node_of
from runs.services.outcomes import Outcome

FAULTS: Final = {
    "http_status": "The server answered 503 Service Unavailable.",
    "unreachable": "The server did not answer within 10 seconds.",
    "timeout": "It took longer than the 1800 seconds that it may take.",
    "invalid_settings": "The version is not written as 1.2.3.",
}
SUMMARY: Final = (
    "Three of the sources agree on the main point; one doubts the figures. The trend is steady, the reasons are not "
    "settled. What is missing is a comparison with last year."
)


def _http(stage: Stage, name: str) -> Outcome:
    body = {
        "build": {"image": "registry.example.com/shop:2.4", "layers": 11},
        "orders": {"total": stage.chance.randint(200, 900)},
        "refunds": {"total": stage.chance.randint(0, 40)},
    }.get(node_of(name), {"ok": True})
    size = len(str(body))
    output = {
        "status": 200, "headers": {"content-type": "application/json"}, "url": "https://example.com/", "bytes": size,
        "json": body,
    }  # fmt: skip
    return Outcome(f"example.com answered: 200, {size:,} bytes", output=output)


def _llm(stage: Stage, name: str) -> Outcome:
    usage = {"input_tokens": stage.chance.randint(200, 1800), "output_tokens": stage.chance.randint(40, 400)}
    output = {"text": SUMMARY, "model": "demo-large", "finish_reason": "stop", "usage": usage, "cost_usd": 0.004}
    return Outcome(f"demo-large wrote {len(SUMMARY):,} characters", output=output)


OUTCOMES: Final[dict[str, Callable[[Stage, str], Outcome]]] = {"http": _http, "llm": _llm}
