"""The org's log as a stream (CONTRACT §4)."""

import uuid
from collections.abc import Hashable, Iterable, Mapping

from orchestrator.api.renderers import to_json
from orchestrator.events.api.serializers import event_json
from orchestrator.events.models import Event, EventHead
from orchestrator.events.services import topic
from orchestrator.streams.hub import Batch, Frame
from orchestrator.streams.sse import frame


class OrgSource:
    """What every source made from an org's log shares: readers with the same ``filters`` share one feed, and it is
    looked at when the log's head has moved.
    """

    def __init__(self, org_id: uuid.UUID, filters: Mapping[str, str]) -> None:
        self.key: Hashable = (org_id, tuple(sorted(filters.items())))
        self.topic = topic(org_id)

    @staticmethod
    def heads(keys: Iterable[Hashable]) -> Mapping[Hashable, Hashable]:
        wanted = {key: key[0] for key in keys if isinstance(key, tuple)}
        seqs = dict(EventHead.objects.filter(pk__in=set(wanted.values())).values_list("org_id", "seq"))
        return {key: seqs.get(org_id, 0) for key, org_id in wanted.items()}


class LogSource(OrgSource):
    """Frames ``event`` with the seq as id. ``event`` and ``target`` narrow it to equal values; the log never ends."""

    def __init__(self, org_id: uuid.UUID, filters: Mapping[str, str]) -> None:
        super().__init__(org_id, filters)
        self._rows = Event.objects.for_org(org_id).filter(**filters)

    def read(self, after: int, limit: int) -> Batch:
        rows = self._rows.filter(seq__gt=after).order_by("seq")[:limit]
        return Batch([Frame(row.seq, frame("event", to_json(event_json(row)), row.seq)) for row in rows])

    def heartbeat(self) -> bytes:
        return b": keep-alive\n\n"
