"""Wake-ups: "look again at this topic". They carry nothing else, and losing one costs a moment, never an event (DESIGN
§1.1). Beside them, what is said in passing: frames for those who read a topic now, which nothing keeps.

Writers call ``send`` after their commit; the streams listen and bring the wake-up to every process.
"""

from collections.abc import Callable

Listener = Callable[[str, bytes], None]

_listeners: list[Listener] = []


def listen(listener: Listener) -> None:
    """Call ``listener(topic, said)`` for every nudge sent in this process, on the sender's thread: it must be quick and
    not raise. ``said`` is empty in a mere wake-up.
    """
    _listeners.append(listener)


def send(topic: str) -> None:
    say(topic, b"")


def say(topic: str, frame: bytes) -> None:
    """Show ``frame`` to the readers of ``topic`` who are there now."""
    for listener in _listeners:
        listener(topic, frame)
