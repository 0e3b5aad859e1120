"""Wake-ups: "look again at this topic". They carry nothing else, and losing one costs a moment, never an event (DESIGN
§1.1).

Writers call ``send`` after their commit; the streams listen and bring the wake-up to every process.
"""

from collections.abc import Callable

_listeners: list[Callable[[str], None]] = []


def listen(listener: Callable[[str], None]) -> None:
    """Call ``listener(topic)`` for every nudge sent in this process, on the sender's thread: it must be quick and not
    raise.
    """
    _listeners.append(listener)


def send(topic: str) -> None:
    for listener in _listeners:
        listener(topic)
