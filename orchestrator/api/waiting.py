"""Long polls that hold no thread: a view answers "nothing yet", and the handler asks it again when something happens.

Without our handler (WSGI, the test client) the first answer is the last.
"""

from dataclasses import dataclass
from typing import Any, Final

from django.http import HttpRequest
from django.http.response import HttpResponseBase

from orchestrator.core import clock

BEGAN: Final = "orchestrator.began"  # in the ASGI scope: when the request came, on the monotonic clock
AGAIN: Final = "orchestrator.again"  # in the ASGI scope, when the view is asked once more


@dataclass(frozen=True, slots=True)
class Again:
    """Ask the view again when ``topic`` is woken, within ``seconds``; otherwise the answer stands."""

    topic: str
    seconds: float


def ask_again(response: HttpResponseBase, request: HttpRequest, topic: str, seconds: float) -> None:
    """Have the handler ask the view again, until ``seconds`` after the request came."""
    began: float = _scope(request).get(BEGAN, clock.monotonic())
    response.again = Again(topic, began + seconds - clock.monotonic())  # type: ignore[attr-defined]


def is_asked_again(request: HttpRequest) -> bool:
    """Whether this request was counted and answered once already."""
    return AGAIN in _scope(request)


def _scope(request: HttpRequest) -> dict[str, Any]:
    return getattr(request, "scope", {})
