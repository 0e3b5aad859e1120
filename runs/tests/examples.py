"""What each workflow in examples/workflows is started with and comes to, and the site that some of them talk to.

One table for two trials: on one engine in this process, with a clock of ours, and on workers in other processes.
"""

import json
import time
from collections import Counter
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any, Final, NamedTuple

from runs.tests.nodes.outside import reply

FOLDER: Final = Path(__file__).resolve().parents[2] / "examples" / "workflows"
FILES: Final = sorted(path.stem for path in FOLDER.glob("*.json"))
TEXT: Final = "Tea is warm."


class Example(NamedTuple):
    name: str
    inputs: dict[str, Any]
    output: Any


# Those that need nobody while they run.
UNAIDED: Final = [
    Example("fan-out", {"words": ["b", "a", "c"]}, {"count": 3, "sorted": ["a", "b", "c"]}),
    Example("conditions", {"amounts": [40, 50]}, {"decision": "paid at once", "archived": None}),
    Example("conditions", {"amounts": [99, 1]}, {"decision": "needs a second look", "archived": "filed"}),
    Example(
        "templates",
        {"name": "Ada", "items": [1, "x"]},
        {"text": "Hello Ada, here are 2 items.", "items": [1, "x"], "literal": "${not filled in}"},
    ),
    Example("map", {"numbers": [3, 1, 2]}, [3, 1, 2]),
    Example("sub-workflow-child", {"text": "hey"}, "hey!"),
    Example("sub-workflow", {"text": "hey"}, "hey!"),
    Example("on-failure", {}, {"code": "not_allowed", "output": None}),
    Example("command", {"name": "Ada"}, "Hello Ada\n"),
    Example("queue", {}, "trained"),
]
# The others have a test of their own, which adds what only it can know.
AIDED: Final = {
    example.name: example
    for example in (
        Example("agent", {"text": "a long story"}, {"summary": "A story."}),
        Example("approval", {"topic": "tea"}, {"title": "Tea", "remark": "Shorter."}),
        Example("limits", {"customer": "a"}, None),
        Example("llm", {"topic": "tea"}, TEXT),
        Example("retry", {}, {"ok": True}),
        Example("timeout", {}, {"why": "timeout"}),
        Example("wait", {}, "awake"),
    )
}


def names_of(examples: list[Example]) -> list[str]:
    """For pytest; those of one workflow are told apart by a number of its own making."""
    return [example.name for example in examples]


def needed_for(name: str) -> list[str]:
    """The files to store before it can run, itself the last."""
    return ["sub-workflow-child", name] if name == "sub-workflow" else [name]


def answering(pause: float = 0, began: Callable[[], object] = lambda: None) -> Callable[[BaseHTTPRequestHandler], None]:
    """How the site answers: as a model that writes TEXT, letter by letter with ``pause`` seconds between and ``began``
    called before the first; and to all else with 503, 500 and then well, on each path.
    """
    tries: Counter[str] = Counter()

    def answer(request: BaseHTTPRequestHandler) -> None:
        if request.path.endswith("/chat/completions"):
            began()
            write(request, pause)
            return
        tries[request.path] += 1
        status = {1: 503, 2: 500}.get(tries[request.path], 200)
        reply(request, b'{"ok": true}', status, {"Content-Type": "application/json"})

    return answer


def write(request: BaseHTTPRequestHandler, pause: float) -> None:
    request.send_response(200)
    request.send_header("Content-Type", "text/event-stream")
    request.end_headers()
    chunk = {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "small"}
    for letter in TEXT:
        _send(request, chunk | {"choices": [{"index": 0, "delta": {"content": letter}, "finish_reason": None}]})
        time.sleep(pause)
    _send(request, chunk | {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
    usage = {"prompt_tokens": 5, "completion_tokens": 4, "total_tokens": 9}
    _send(request, chunk | {"choices": [], "usage": usage})
    request.wfile.write(b"data: [DONE]\n\n")


def _send(request: BaseHTTPRequestHandler, chunk: dict[str, Any]) -> None:
    request.wfile.write(b"data: " + json.dumps(chunk).encode() + b"\n\n")
