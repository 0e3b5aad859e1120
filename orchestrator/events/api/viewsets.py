"""/api/v1/events: append and list. The tail is a stream: orchestrator/events/views.py."""

import uuid

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from orchestrator.api.idempotency import idempotent
from orchestrator.api.lists import Listing
from orchestrator.api.viewsets import BaseViewSet
from orchestrator.core.errors import NotFound
from orchestrator.core.numbers import parse_number
from orchestrator.events import services
from orchestrator.events.api.filters import EventFilter
from orchestrator.events.api.serializers import AppendEvent, EventBody, event_json
from orchestrator.events.models import Event


class EventViewSet(BaseViewSet):
    listing = Listing("events", lambda rows: [event_json(row) for row in rows], EventFilter, order="seq")

    def list_rows(self, org_id: uuid.UUID) -> QuerySet[Event]:
        return Event.objects.for_org(org_id)

    @extend_schema(responses=EventBody(many=True))
    def list(self, request: Request) -> Response:
        """The org's log, oldest first; ``after`` skips all up to that seq."""
        return self.answer_list(self.actor.org_id, revision=services.head(self.actor.org_id))

    @extend_schema(request=AppendEvent, responses={201: EventBody})
    @idempotent
    def create(self, request: Request) -> Response:
        """Append an event of your own."""
        row = services.append(actor=self.actor, **self.body(AppendEvent))
        return self.resource(event_json(row), status=201, location=f"/api/v1/events/{row.seq}")

    @extend_schema(responses=EventBody)
    def retrieve(self, request: Request, seq: str) -> Response:
        """One event by its seq."""
        self.no_parameters()
        place = parse_number(seq, digits=18)
        row = None if place is None else self.list_rows(self.actor.org_id).filter(seq=place).first()
        if row is None:
            raise NotFound
        return self.resource(event_json(row))
