"""How long an attempt may take, for node types that wait for others: looked at in the middle of every wait."""

from typing import Final

from orchestrator.core import clock
from runs.nodes.base import NodeContext, NodeFailure

_LONGEST_PAUSE: Final = 0.2


class Limit:
    """Ends with its time, and as soon as the attempt is to stop. ``seconds`` is the whole of its time."""

    def __init__(self, ctx: NodeContext, seconds: float):
        self.seconds = seconds if ctx.seconds is None else min(seconds, ctx.seconds)
        self._end = clock.monotonic() + self.seconds
        self._stop = ctx.stop

    def pause(self) -> float:
        """For how many seconds to block at the most before asking again. Raises ``timeout`` and ``stopped``."""
        if self._stop.is_set():
            raise NodeFailure("stopped", "The attempt was stopped.")
        left = self._end - clock.monotonic()
        if left <= 0:
            raise NodeFailure("timeout", f"It took longer than {self.seconds:g} seconds.")
        return min(left, _LONGEST_PAUSE)
