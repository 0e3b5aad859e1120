"""A run's log as a stream (CONTRACT §4)."""

import uuid
from collections.abc import Hashable, Iterable, Mapping
from typing import Any

import orjson

from orchestrator.core import clock
from orchestrator.streams.hub import Batch, Frame
from orchestrator.streams.sse import frame
from runs.models import Run, RunEvent
from runs.services.journal import topic
from runs.states import FINAL_RUN

_COLUMNS = ("sequence", "timestamp", "node", "phase", "summary")


class RunSource:
    """Frames ``run_event`` with the sequence as id; ``done`` with the status after the last one."""

    def __init__(self, run_id: uuid.UUID) -> None:
        self.key: Hashable = run_id
        self.topic = topic(run_id)
        self._run_id = run_id

    def read(self, after: int, limit: int) -> Batch:
        # The status first: a final one is committed together with the last event, so the read that follows has them
        # all.
        status = Run.objects.values_list("status", flat=True).get(pk=self._run_id)
        events = RunEvent.objects.filter(run_id=self._run_id, sequence__gt=after).order_by("sequence")
        frames = [self._frame(*row) for row in events.values_list(*_COLUMNS)[:limit]]
        ended = status in FINAL_RUN and len(frames) < limit
        return Batch(frames, frame("done", orjson.dumps({"status": status})) if ended else None)

    @staticmethod
    def heads(keys: Iterable[Hashable]) -> Mapping[Hashable, Hashable]:
        rows = Run.objects.filter(pk__in=list(keys)).values_list("id", "next_sequence", "status")
        return {run_id: (next_sequence, status) for run_id, next_sequence, status in rows}

    def heartbeat(self) -> bytes:
        return frame("heartbeat", orjson.dumps({"ts": clock.rfc3339(clock.now())}))

    def _frame(self, sequence: int, timestamp: Any, node: str, phase: str, summary: str) -> Frame:
        data = {
            "run_id": str(self._run_id), "timestamp": clock.rfc3339(timestamp), "sequence": sequence,
            "node": node, "phase": phase, "summary": summary,
        }  # fmt: skip
        return Frame(sequence, frame("run_event", orjson.dumps(data), sequence))


def sequence_after(run_id: uuid.UUID, last_ts: Any) -> int:
    """The last sequence at or before ``last_ts``; -1 when there is none.

    Times within a run never repeat, so nothing is skipped.
    """
    events = RunEvent.objects.filter(run_id=run_id, timestamp__lte=last_ts).order_by("-timestamp")
    found = events.values_list("sequence", flat=True).first()
    return -1 if found is None else found
